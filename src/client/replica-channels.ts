/**
 * The links to all replicas, and questions to single ones: each with a time limit, an id that is never used twice on
 * a link, and an answer that counts for the replica whose pinned link it came over.
 */
import { encodeClientFrame } from '../core/client-wire.ts';
import type { ClientFrame, QueryTopic, ReplicaFrame } from '../core/client-wire.ts';
import type { ClusterSettings, MemberSettings } from '../core/config.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import { FastRead } from './fast-read.ts';
import type { ReadAnswer } from './fast-read.ts';
import type { LinkOptions } from './link.ts';

/** Questions in flight, at most; more are answered "no answer" at once. */
const QUESTIONS_MAX = 65_536;

/** A link to a replica, as `ReplicaLink` is one; tests bring their own. */
export interface Channel {
  readonly isReady: boolean;
  readonly reason: string;
  send(payload: Uint8Array): boolean;
  close(): void;
}

/** Opens a link. */
export type OpenChannel = (
  options: Pick<LinkOptions, 'settings' | 'member' | 'onUp' | 'onDown' | 'onFrame'>,
) => Channel;

/** One replica's answer to a query. */
export interface QueryReply {
  readonly found: boolean;
  readonly bytes: Uint8Array;
}

/** What a client asks its key with. */
export type KeyQuestion = Omit<Extract<ClientFrame, { kind: 'keyQuery' }>, 'kind' | 'id'>;

/** One replica's answer to that. */
export interface KeyAnswer {
  readonly version: number;
  readonly envelope: Uint8Array;
}

/** What became of a fast read. */
export type FastReadOutcome = ReadAnswer | 'mismatch' | 'noAnswer';

/** What the owner hears of. */
export interface ChannelEvents {
  readonly onUp: (replica: ReplicaId) => void;
  readonly onFrame: (replica: ReplicaId, frame: ReplicaFrame) => void;
}

/** See the top of this file. */
export class ReplicaChannels {
  readonly #members: readonly MemberSettings[];
  readonly #channels: readonly Channel[];
  readonly #introduced: boolean[];
  readonly #queries = new Map<string, (reply: QueryReply | undefined) => void>();
  readonly #keyQueries = new Map<string, (answer: KeyAnswer | undefined) => void>();
  readonly #reads = new Map<number, (replica: ReplicaId, answer: ReadAnswer) => void>();
  readonly #events: ChannelEvents;
  #nextId = 1;

  constructor(settings: ClusterSettings, open: OpenChannel, events: ChannelEvents) {
    this.#members = settings.members;
    this.#events = events;
    this.#introduced = settings.members.map(() => false);
    this.#channels = settings.members.map((member) =>
      open({
        settings,
        member,
        onUp: () => events.onUp(member.id),
        onDown: () => this.#onDown(member.id),
        onFrame: (frame) => this.#onFrame(member.id, frame),
      }),
    );
  }

  /** N. */
  get count(): number {
    return this.#channels.length;
  }

  /** Links that are up. */
  get readyCount(): number {
    return this.#channels.filter((channel) => channel.isReady).length;
  }

  isReady(replica: ReplicaId): boolean {
    return this.#channels[replica]?.isReady === true;
  }

  /** Why a link is down. */
  reason(replica: ReplicaId): string {
    return this.#channels[replica]?.reason ?? 'no such replica';
  }

  /**
   * Sends a bundle to the primary, or to all if the primary cannot be reached. A replica answers on links over which it
   * has had a bundle, so that one goes to every link that had none yet.
   */
  sendBundle(bytes: Uint8Array, to: 'all' | ReplicaId): void {
    const frame = encodeClientFrame({ kind: 'bundle', bytes });
    const everyone = to === 'all' || !this.isReady(to);
    this.#channels.forEach((channel, replica) => {
      if (!everyone && replica !== to && this.#introduced[replica]) return;
      if (channel.send(frame)) this.#introduced[replica] = true;
    });
  }

  /** Sends a bundle to one replica whose link came up. */
  sendBundleTo(bytes: Uint8Array, replica: ReplicaId): void {
    const sent = this.#channels[replica]?.send(encodeClientFrame({ kind: 'bundle', bytes }));
    if (sent === true) this.#introduced[replica] = true;
  }

  /** Sends a certificate to all replicas that can be reached. */
  sendCertificate(bytes: Uint8Array): void {
    const frame = encodeClientFrame({ kind: 'certificate', bytes });
    for (const channel of this.#channels) channel.send(frame);
  }

  /** Asks one replica; undefined if it gave no answer in time. */
  query(
    replica: ReplicaId,
    topic: QueryTopic,
    argument: string,
    timeoutMs: Milliseconds,
  ): Promise<QueryReply | undefined> {
    const id = this.#takeId();
    return this.#ask(this.#queries, replica, { kind: 'query', id, topic, argument }, timeoutMs);
  }

  /** Asks one replica for the own key for MACs; undefined if it gave no answer in time. */
  askKey(replica: ReplicaId, question: KeyQuestion, timeoutMs: Milliseconds): Promise<KeyAnswer | undefined> {
    const frame = { kind: 'keyQuery', id: this.#takeId(), ...question } as const;
    return this.#ask(this.#keyQueries, replica, frame, timeoutMs);
  }

  #ask<T>(
    open: Map<string, (answer: T | undefined) => void>,
    replica: ReplicaId,
    frame: Extract<ClientFrame, { kind: 'query' | 'keyQuery' }>,
    timeoutMs: Milliseconds,
  ): Promise<T | undefined> {
    const channel = this.#channels[replica];
    if (channel === undefined || open.size >= QUESTIONS_MAX) return Promise.resolve(undefined);
    if (!channel.send(encodeClientFrame(frame))) return Promise.resolve(undefined);
    const name = `${replica}/${frame.id}`;
    return new Promise((resolve) => {
      const settle = (answer: T | undefined): void => {
        clearTimeout(timer);
        open.delete(name);
        resolve(answer);
      };
      const timer = setTimeout(settle, timeoutMs, undefined);
      open.set(name, settle);
    });
  }

  /** Asks one replica for its own word on a read. */
  async readOne(
    replica: ReplicaId,
    operation: Uint8Array,
    timeoutMs: Milliseconds,
  ): Promise<ReadAnswer | undefined> {
    const outcome = await this.#read([replica], operation, timeoutMs);
    return typeof outcome === 'string' ? undefined : outcome;
  }

  /** Asks all replicas; an answer only if all N agree (decision C6). */
  async readAll(operation: Uint8Array, timeoutMs: Milliseconds): Promise<FastReadOutcome> {
    if (this.readyCount < this.count) return 'noAnswer';
    return this.#read(
      this.#members.map((member) => member.id),
      operation,
      timeoutMs,
    );
  }

  #read(
    replicas: readonly ReplicaId[],
    operation: Uint8Array,
    timeoutMs: Milliseconds,
  ): Promise<FastReadOutcome> {
    const id = this.#takeId();
    if (this.#reads.size >= QUESTIONS_MAX) return Promise.resolve('noAnswer');
    const frame = encodeClientFrame({ kind: 'read', id, operation });
    return new Promise((resolve) => {
      const collector = new FastRead(replicas.length);
      const settle = (outcome: FastReadOutcome): void => {
        clearTimeout(timer);
        this.#reads.delete(id);
        resolve(outcome);
      };
      const timer = setTimeout(settle, timeoutMs, 'noAnswer');
      this.#reads.set(id, (replica, answer) => {
        if (!replicas.includes(replica)) return;
        const verdict = collector.onAnswer(replica, answer);
        if (verdict.kind === 'agreed') settle(verdict.answer);
        else if (verdict.kind === 'mismatch') settle('mismatch');
      });
      for (const replica of replicas) if (this.#channels[replica]?.send(frame) !== true) settle('noAnswer');
    });
  }

  /** Closes all links; open questions get no answer. */
  close(): void {
    for (const channel of this.#channels) channel.close();
    for (const open of [this.#queries, this.#keyQueries])
      for (const settle of [...open.values()]) settle(undefined);
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId = id >= 0xffffffff ? 1 : id + 1;
    return id;
  }

  #onDown(replica: ReplicaId): void {
    this.#introduced[replica] = false;
    const prefix = `${replica}/`;
    for (const open of [this.#queries, this.#keyQueries])
      for (const [name, settle] of [...open]) if (name.startsWith(prefix)) settle(undefined);
  }

  #onFrame(replica: ReplicaId, frame: ReplicaFrame): void {
    if (frame.kind === 'queryAnswer') {
      this.#queries.get(`${replica}/${frame.id}`)?.({ found: frame.found, bytes: frame.bytes });
    } else if (frame.kind === 'keyEnvelope') {
      this.#keyQueries.get(`${replica}/${frame.id}`)?.(frame);
    } else if (frame.kind === 'readAnswer') {
      this.#reads.get(frame.id)?.(replica, frame);
    } else this.#events.onFrame(replica, frame);
  }
}
