/**
 * Questions about the ledger: blocks and transactions are proved by header signatures, positions of events and
 * "unknown" by f+1 equal answers, a replica's status is its own word and labelled so.
 */
import type { EventPosition, ReplicaStatus } from '../core/client-queries.ts';
import type { QueryTopic } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { LiveAnswer } from '../core/live.ts';
import type { Digest, Hash, Height, Milliseconds, ReplicaId } from '../core/types.ts';
import type { EvidenceClaim, ProvenBlock, SeenStatus, TransactionState } from './contract.ts';
import { ClientError } from './errors.ts';
import { readLiveAnswer } from './live-answers.ts';
import { BlockProof, integerOf, parseObject } from './proofs.ts';
import type { HostCheck } from './proofs.ts';
import type { QueryReply, ReplicaChannels } from './replica-channels.ts';

/** How long one replica may take over a question. */
const QUERY_MS: Milliseconds = 2_000;

/** When a replica is slow the next one is asked, too. */
const HEDGE_MS: Milliseconds = 100;

/** How long to wait for replicas that may know more, once f+1 have answered. */
const LAST_WORD_MS: Milliseconds = 150;

/** Lines of a replica's list of evidence that are read. */
const EVIDENCE_CLAIMS_MAX = 256;
/** Longest status that is read and passed on; those of large clusters have a tenth of it. */
const STATUS_BYTES_MAX = 256 * 1024;
const STATUS_DEPTH_MAX = 16;
const EVIDENCE_NAME = /^[A-Za-z0-9._-]{1,120}\.json$/;

function sleep(delayMs: Milliseconds): { readonly done: Promise<void>; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<void>((resolve) => (timer = setTimeout(resolve, delayMs)));
  return { done, cancel: () => clearTimeout(timer) };
}

/** What the reader is made of. */
export interface LedgerReaderOptions {
  readonly settings: ClusterSettings;
  readonly hash: Hash;
  readonly verifyHost: HostCheck;
  readonly channels: () => ReplicaChannels;
}

/** See the top of this file. */
export class LedgerReader {
  readonly #options: LedgerReaderOptions;
  #turn = 0;

  constructor(options: LedgerReaderOptions) {
    this.#options = options;
  }

  get #quorum(): number {
    return this.#options.settings.f + 1;
  }

  async #ask(
    replica: ReplicaId,
    topic: QueryTopic,
    argument: string,
    waitMs: Milliseconds = QUERY_MS,
  ): Promise<QueryReply | undefined> {
    return this.#options.channels().query(replica, topic, argument, waitMs);
  }

  /**
   * Asks all replicas, the first at once and each next one when the one before it answered or took `hedgeMs`. Stops at
   * the first answer that `judge` takes; undefined if it takes none.
   */
  async #askUntil<T>(
    topic: QueryTopic,
    argument: string,
    hedgeMs: Milliseconds,
    judge: (reply: QueryReply, replica: ReplicaId) => T | undefined,
    isEnough: () => boolean = () => false,
  ): Promise<T | undefined> {
    const count = this.#options.settings.members.length;
    // The load of reading is spread: each call starts with another replica.
    const start = (this.#turn += 1);
    const asked: Promise<void>[] = [];
    let outcome: T | undefined;
    for (let step = 0; step < count && outcome === undefined; step += 1) {
      const replica = (start + step) % count;
      const one = this.#ask(replica, topic, argument).then((reply) => {
        if (reply !== undefined) outcome ??= judge(reply, replica);
      });
      asked.push(one);
      if (hedgeMs > 0 && step < count - 1) {
        const pause = sleep(hedgeMs);
        await Promise.race([one, pause.done]);
        pause.cancel();
      }
    }
    const all = Promise.all(asked);
    // Enough to answer by, but another one may know better: silent replicas are not waited for to the end.
    const enough = asked.map(async (one) => {
      await one;
      await (isEnough() ? sleep(LAST_WORD_MS).done : all);
    });
    // Each answer may decide; those that come later change nothing.
    const decided = asked.map((one) =>
      one.then(() => (outcome === undefined ? new Promise<never>(() => {}) : undefined)),
    );
    await Promise.race([all, ...decided, ...enough]);
    return outcome;
  }

  /** A proved block; undefined if there is none yet (f+1 replicas say so, or have no provable one). */
  async block(height: Height): Promise<ProvenBlock | undefined> {
    const { settings, hash, verifyHost: check } = this.#options;
    if (integerOf(height, 1) === undefined)
      throw new ClientError('invalid', 'a block height is a whole number from 1');
    const proof = new BlockProof({ hash, settings, height, check });
    let missing = 0;
    const found = await this.#askUntil('block', String(height), HEDGE_MS, (reply) => {
      const proven = reply.found ? proof.add(reply.bytes) : undefined;
      if (proven !== undefined) return proven;
      missing += 1;
      // With f silent replicas f+1 answers are all there are; more may come only where a signature is lacking.
      return missing >= this.#quorum && !proof.hasCandidate ? 'none' : undefined;
    });
    if (found === undefined && missing < this.#quorum) throw this.unavailable();
    return found === 'none' ? undefined : found;
  }

  /** Where a transaction stands; the caller knows about its own pending and refused ones. */
  async transaction(txId: Digest): Promise<TransactionState> {
    const tried = new Set<Height>();
    let isPending = false;
    let answers = 0;
    // A replica may claim another height each time it is asked: there is an end to it.
    for (let round = 0; round < this.#options.settings.members.length; round += 1) {
      answers = 0;
      const judge = (reply: QueryReply): Height | undefined => {
        answers += 1;
        const answer = reply.found ? parseObject(reply.bytes) : undefined;
        if (answer?.['state'] === 'pending') isPending = true;
        const claimed = answer?.['state'] === 'committed' ? integerOf(answer['height'], 1) : undefined;
        return claimed === undefined || tried.has(claimed) ? undefined : claimed;
      };
      const isEnough = (): boolean => answers >= this.#quorum;
      const height = await this.#askUntil('transaction', txId, 0, judge, isEnough);
      if (height === undefined) break;
      tried.add(height);
      // A claim is only a hint where to look: the block proves it.
      const block = (await this.block(height))?.block;
      const index = block?.transactions.findIndex((transaction) => transaction.id === txId) ?? -1;
      if (block === undefined || index < 0) continue;
      const transaction = block.transactions[index]!;
      return { state: 'committed', height, sequence: block.header.sequence, index, transaction };
    }
    if (isPending) return { state: 'pending' };
    if (answers < this.#quorum) throw this.unavailable();
    return { state: 'unknown' };
  }

  /** First event number of a block, believed when f+1 replicas say the same; undefined if there is no such block yet. */
  async position(argument: string): Promise<EventPosition | undefined> {
    const counts = new Map<string, number>();
    let missing = 0;
    const judge = (reply: QueryReply): EventPosition | undefined => {
      if (!reply.found) missing += 1;
      const answer = reply.found ? parseObject(reply.bytes) : undefined;
      const height = integerOf(answer?.['height'], 1);
      const firstNumber = integerOf(answer?.['firstNumber'], 1);
      if (height === undefined || firstNumber === undefined) return undefined;
      const name = `${height}/${firstNumber}`;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return count >= this.#quorum ? { height, firstNumber } : undefined;
    };
    const position = await this.#askUntil('events', argument, 0, judge, () => missing >= this.#quorum);
    if (position !== undefined || missing >= this.#quorum || counts.size > 0) return position;
    throw this.unavailable();
  }

  /** Highest height that at least one correct replica has. */
  async height(): Promise<Height> {
    const heights = (await this.status())
      .map((status) => (status.reachable ? status.height : undefined))
      .filter((height) => height !== undefined)
      .sort((a, b) => b - a);
    const height = heights[this.#quorum - 1];
    if (height === undefined) throw this.unavailable();
    return height;
  }

  /**
   * Time of the replicated state: at least one correct replica has it, or a later one. Undefined if too few answer.
   */
  async agreedTime(): Promise<Milliseconds | undefined> {
    const times = (await this.status())
      .flatMap((status) => (status.reachable && integerOf(status.time) !== undefined ? [status.time] : []))
      .sort((a, b) => b - a);
    return times[this.#options.settings.f];
  }

  /** Each replica's own word; those that take longer than `waitMs` do not answer. */
  async status(waitMs?: Milliseconds): Promise<SeenStatus[]> {
    const replies = await Promise.all(
      this.#options.settings.members.map((member) => this.#ask(member.id, 'status', '', waitMs)),
    );
    return replies.map((reply, id): SeenStatus => {
      if (reply === undefined) {
        const channels = this.#options.channels();
        const reason = channels.isReady(id) ? 'it does not answer' : channels.reason(id);
        return { id, reachable: false, reason };
      }
      const status = checkStatus(id, reply);
      return status === undefined
        ? { id, reachable: false, reason: 'its status makes no sense' }
        : { ...status, reachable: true };
    });
  }

  /** What a replica says that it did since the cursor; undefined if it says nothing that makes sense. */
  async live(source: ReplicaId, cursor: string): Promise<LiveAnswer | undefined> {
    const reply = await this.#ask(source, 'live', cursor);
    if (reply?.found !== true) return undefined;
    return readLiveAnswer(reply.bytes, this.#options.settings.members.length);
  }

  /** What evidence a replica says it keeps. */
  async evidenceAt(source: ReplicaId): Promise<EvidenceClaim[]> {
    const reply = await this.#ask(source, 'evidence', '');
    return reply?.found === true ? evidenceClaims(reply.bytes) : [];
  }

  /** An evidence file as a replica gives it. */
  async evidenceFile(source: ReplicaId, name: string): Promise<string | undefined> {
    const reply = await this.#ask(source, 'evidence', name);
    return reply?.found === true ? new TextDecoder().decode(reply.bytes) : undefined;
  }

  /** The error for "too few replicas answer". */
  unavailable(): ClientError {
    const { settings } = this.#options;
    const channels = this.#options.channels();
    const down = settings.members
      .filter((member) => !channels.isReady(member.id))
      .map((member) => `${member.id} (${channels.reason(member.id)})`);
    const detail = down.length > 0 ? `; no connection to replica ${down.join(', ')}` : '';
    return new ClientError('unavailable', `fewer than ${this.#quorum} replicas answer${detail}`, {
      retryAfterMs: 1_000,
    });
  }
}

function evidenceClaims(bytes: Uint8Array): EvidenceClaim[] {
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return [];
  }
  if (!Array.isArray(list)) return [];
  const claims: EvidenceClaim[] = [];
  for (const item of list.slice(0, EVIDENCE_CLAIMS_MAX) as readonly Record<string, unknown>[]) {
    const { name, rule } = item ?? {};
    const replica = integerOf(item?.['replica']);
    const atMs = integerOf(item?.['atMs']);
    if (typeof name !== 'string' || typeof rule !== 'string') continue;
    if (!EVIDENCE_NAME.test(name) || rule.length > 64 || replica === undefined || atMs === undefined)
      continue;
    claims.push({ name, replica, rule, atMs });
  }
  return claims;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((one) => isShallow(one, depth - 1));
}

function checkStatus(id: ReplicaId, reply: QueryReply): ReplicaStatus | undefined {
  const isRead = reply.found && reply.bytes.length <= STATUS_BYTES_MAX;
  const status = isRead ? parseObject(reply.bytes) : undefined;
  if (status?.['id'] !== id) return undefined;
  const numbers = ['view', 'sequence', 'height'].every((name) => integerOf(status[name]) !== undefined);
  const texts = ['role', 'mode', 'headerHash', 'stateDigest'].every(
    (name) => typeof status[name] === 'string',
  );
  const tc = status['tc'];
  if (!numbers || !texts || typeof tc !== 'object' || tc === null) return undefined;
  // It is passed on, and what writes JSON goes as deep as the value is.
  if (!isShallow(status, STATUS_DEPTH_MAX)) return undefined;
  return status as unknown as ReplicaStatus;
}
