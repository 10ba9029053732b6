/**
 * A guard: one member of a group whose members keep each other's counters in memory (ROTE). Before a trusted component
 * releases what depends on a new state, the digest of that state is stored at a quorum; after a restart the component
 * accepts a stored state only if the quorum names its digest. Nothing of what a guard knows is ever written down, so
 * nothing of it can be put back. README.md has the rules and what they assume.
 */
import { assert } from '../../core/assert.ts';
import { bytesToHex } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import type { GuardEffect, GuardGroup, GuardPhase, GuardPorts } from './contract.ts';
import {
  APPLICATIONS_MAX,
  decodeRoteMessage,
  encodeRoteMessage,
  NO_SESSION,
  rowBytes,
} from './messages.ts';
import type { Application, Pending, Wish } from './calls.ts';
import type { GuardId, Mark, RoteBody, RoteMessage, Row } from './messages.ts';

/** Values that one increment may reserve, at most; also the distance of a new binding (ROTE.BIND.1). */
export const STRIDE = 1_024;
/** Increments and reads of one application that wait, at most. */
const QUEUE_MAX = 64;
const TOKEN_BYTES = 16;

interface Peer {
  /** Its session as it has proven it; undefined until then. */
  session: string | undefined;
  /** Nonce of the HELLO that is under way. */
  nonce: string;
  /** Challenge that it was given, for the session that it claimed. */
  challenge: { readonly value: string; readonly session: string } | undefined;
  /** Whether it has taken our session (ROTE.SESSION.4). */
  welcomed: boolean;
}

const keyOf = (owner: GuardId, application: string): string => `${owner} ${application}`;

/** See the top of this file. Every method returns what is to be done; none throws on remote bytes. */
export class Guard {
  readonly #self: GuardId;
  readonly #group: GuardGroup;
  readonly #ports: GuardPorts;
  readonly #quorum: number;
  readonly #session: string;
  readonly #peers = new Map<GuardId, Peer>();
  /** The highest row of each application of each member. In memory only. */
  readonly #rows = new Map<string, Row>();
  /** What this run has echoed last. */
  readonly #echoed = new Map<string, Mark>();
  readonly #applications = new Map<string, Application>();
  #recovery: { readonly nonce: string; readonly answers: Map<GuardId, readonly Row[]> } | undefined;
  #phase: GuardPhase;
  #out: GuardEffect[] = [];

  /**
   * `isFounding`: the guard's key was made in this very run and the group is new, so that there is nothing that it
   * could have forgotten (ROTE.RECOVER.3); it must be false whenever the key was read from a file.
   */
  constructor(self: GuardId, group: GuardGroup, ports: GuardPorts, isFounding: boolean) {
    const n = group.keys.length;
    assert(group.f >= 0 && group.u >= 0 && n >= group.f + 2 * group.u + 1, 'a group of n >= f + 2u + 1');
    assert(self >= 0 && self < n, 'a member of the group');
    this.#self = self;
    this.#group = group;
    this.#ports = ports;
    this.#quorum = group.u + group.f + 1;
    this.#session = this.#token();
    this.#phase = isFounding ? 'active' : 'recovering';
    if (!isFounding) this.#recovery = { nonce: this.#token(), answers: new Map() };
    for (let id = 0; id < n; id += 1) {
      if (id === self) continue;
      this.#peers.set(id, { session: undefined, nonce: this.#token(), challenge: undefined, welcomed: false });
    }
  }

  get phase(): GuardPhase {
    return this.#phase;
  }

  /** Peers whose sessions are known and that know ours. */
  get linked(): readonly GuardId[] {
    return [...this.#peers].filter(([, peer]) => peer.session !== undefined && peer.welcomed).map(([id]) => id);
  }

  /** Sends what has had no answer again; to be called at the start and every so often. */
  tick(): readonly GuardEffect[] {
    if (this.#phase === 'cut') return [];
    for (const [id, peer] of this.#peers) {
      // ROTE.SESSION.4: once taken, it is never offered again, so that the older of two copies stays out.
      if (!peer.welcomed) this.#sendBare(id, { kind: 'HELLO', nonce: peer.nonce });
      else if (this.#recovery !== undefined) this.#send(id, { kind: 'RECOVER-REQ', nonce: this.#recovery.nonce });
    }
    for (const [name, application] of this.#applications) this.#push(name, application);
    return this.#take();
  }

  /** Takes what a peer, or anybody, sent. */
  receive(bytes: Uint8Array): readonly GuardEffect[] {
    if (this.#phase === 'cut') return [];
    const { keys, groupId } = this.#group;
    const message = decodeRoteMessage(groupId, bytes, (from, signed, signature) => {
      const key = keys[from];
      return key !== undefined && from !== this.#self && this.#ports.check(key, signed, signature);
    });
    if (message !== undefined && message.to === this.#self) this.#on(message);
    return this.#take();
  }

  /**
   * Stores a digest under the next value of an application (`count` values are used up at once). Ends with
   * `incremented` when q members hold it, `failed` if it cannot be begun; else it stays pending: never fall back.
   */
  increment(id: number, application: string, digest: Digest, count = 1): readonly GuardEffect[] {
    assert(count >= 1 && count <= STRIDE, 'an increment of 1 to STRIDE values');
    return this.#wish(application, { kind: 'increment', id, digest, count });
  }

  /** Asks a quorum for the newest digest of an application. */
  read(id: number, application: string): readonly GuardEffect[] {
    return this.#wish(application, { kind: 'read', id });
  }

  // ---- own applications -------------------------------------------------------------------------------------------

  #wish(name: string, wish: Wish): readonly GuardEffect[] {
    let application = this.#applications.get(name);
    if (application === undefined) {
      if (this.#applications.size >= APPLICATIONS_MAX) return this.#fail(wish.id, 'too many applications');
      application = { made: undefined, pending: undefined, queue: [] };
      this.#applications.set(name, application);
    }
    if (this.#phase === 'cut') return this.#fail(wish.id, 'another copy of this guard runs');
    if (application.queue.length >= QUEUE_MAX) return this.#fail(wish.id, 'too many calls wait');
    application.queue.push(wish);
    this.#begin(name, application);
    return this.#take();
  }

  #fail(id: number, reason: string): readonly GuardEffect[] {
    this.#out.push({ kind: 'failed', id, reason });
    return this.#take();
  }

  /** Begins the next wish of an application if none is under way. */
  #begin(name: string, application: Application): void {
    // ROTE.RECOVER.1: before it is active it has nothing to say, of its own either.
    if (this.#phase !== 'active' || application.pending !== undefined) return;
    const wish = application.queue.shift();
    if (wish === undefined) return;
    if (wish.kind === 'read') {
      const answers = new Map([[this.#self, this.#rows.get(keyOf(this.#self, name))]]);
      application.pending = { kind: 'read', wish, nonce: this.#token(), answers };
    } else {
      this.#propose(name, application, wish);
    }
    this.#push(name, application);
    this.#settle(name, application);
  }

  /**
   * ROTE.BIND.1, ROTE.BIND.2: the first increment of a run goes beyond whatever earlier runs may have left anywhere:
   * first a quorum holds the highest value that is known, then a stride is added.
   */
  #propose(name: string, application: Application, wish: Wish & { kind: 'increment' }): void {
    const own = this.#rows.get(keyOf(this.#self, name));
    if (application.made !== undefined) this.#makeRow(name, application, wish, application.made + wish.count);
    else if (own !== undefined) this.#expect(application, wish, own, true);
    else this.#makeRow(name, application, wish, STRIDE);
  }

  #makeRow(name: string, application: Application, wish: Wish & { kind: 'increment' }, value: number): void {
    const content = { owner: this.#self, application: name, value, digest: wish.digest };
    const row: Row = { ...content, signature: this.#ports.sign(rowBytes(this.#group.groupId, content)) };
    this.#rows.set(keyOf(this.#self, name), row);
    this.#expect(application, wish, row, false);
  }

  #expect(application: Application, wish: Wish & { kind: 'increment' }, row: Row, adopting: boolean): void {
    const echoes = new Map([[this.#self, row.digest]]);
    application.pending = { kind: 'increment', wish, row, adopting, echoes, acks: new Set([this.#self]) };
  }

  /** (Re)sends what the pending call of an application waits for. */
  #push(name: string, application: Application): void {
    const { pending } = application;
    if (pending === undefined) return;
    for (const id of this.#peers.keys()) {
      if (pending.kind === 'read') {
        if (!pending.answers.has(id))
          this.#send(id, { kind: 'READ-REQ', nonce: pending.nonce, application: name });
      } else if (!pending.echoes.has(id)) this.#send(id, { kind: 'INC', row: pending.row });
    }
    if (pending.kind === 'increment') this.#confirm(pending);
  }

  /** ROTE.CONFIRM.1: asks those who hold the value whether they still do, once a quorum does. */
  #confirm(pending: Pending & { kind: 'increment' }): void {
    if (!this.#isStored(pending)) return;
    const { application, value } = pending.row;
    for (const [id, digest] of pending.echoes)
      if (!pending.acks.has(id)) this.#send(id, { kind: 'CONFIRM', mark: { application, value, digest } });
  }

  #isStored(pending: Pending & { kind: 'increment' }): boolean {
    return pending.echoes.size >= this.#quorum;
  }

  /** Ends the pending call if a quorum has answered. */
  #settle(name: string, application: Application): void {
    const { pending } = application;
    if (pending === undefined) return;
    if (pending.kind === 'read') {
      if (pending.answers.size < this.#quorum) return;
      this.#finishRead(name, pending);
    } else {
      // ROTE.CONFIRM.3
      if (!this.#isStored(pending) || pending.acks.size < this.#quorum) return;
      const { value, digest } = pending.row;
      if (pending.adopting) {
        this.#makeRow(name, application, pending.wish, value + STRIDE);
        this.#push(name, application);
        this.#settle(name, application);
        return;
      }
      application.made = value;
      this.#out.push({ kind: 'incremented', id: pending.wish.id, application: name, value, digest });
    }
    application.pending = undefined;
    this.#begin(name, application);
  }

  /** Holds a row if it is higher than what is held. */
  #raise(row: Row): void {
    const key = keyOf(row.owner, row.application);
    const held = this.#rows.get(key);
    if (held === undefined || row.value > held.value) this.#rows.set(key, row);
  }

  #finishRead(name: string, pending: Pending & { kind: 'read' }): void {
    // ROTE.READ.1, ROTE.READ.2
    const rows = [...pending.answers.values()].filter((row) => row !== undefined);
    const value = Math.max(0, ...rows.map((row) => row.value));
    const digests = [...new Set(rows.filter((row) => row.value === value).map(({ digest }) => digest))].sort((a, b) => (a < b ? -1 : 1));
    for (const row of rows) this.#raise(row);
    this.#out.push({ kind: 'read', id: pending.wish.id, application: name, value, digests });
  }

  // ---- messages ---------------------------------------------------------------------------------------------------

  #on(message: RoteMessage): void {
    const { from, body } = message;
    const peer = this.#peers.get(from)!;
    switch (body.kind) {
      case 'HELLO':
        peer.challenge = { value: this.#token(), session: message.fromSession };
        this.#sendTo(from, message.fromSession, {
          kind: 'HELLO-R',
          nonce: body.nonce,
          challenge: peer.challenge.value,
        });
        return;
      case 'HELLO-R':
        if (message.toSession !== this.#session || body.nonce !== peer.nonce) return;
        peer.nonce = this.#token();
        this.#takeSession(from, peer, message.fromSession);
        this.#send(from, { kind: 'HELLO-C', challenge: body.challenge });
        return;
      case 'HELLO-C':
        // ROTE.SESSION.2: an old HELLO that is sent again brings no old session back.
        if (message.toSession !== this.#session || peer.challenge?.value !== body.challenge) return;
        if (peer.challenge.session !== message.fromSession) return;
        peer.challenge = undefined;
        this.#takeSession(from, peer, message.fromSession);
        this.#send(from, { kind: 'WELCOME' });
        return;
      default:
        // ROTE.SESSION.1
        if (message.toSession !== this.#session || message.fromSession !== peer.session) return;
        this.#onLinked(from, peer, body);
    }
  }

  /** ROTE.SESSION.3: what the peer said in an older session it may have forgotten. */
  #takeSession(from: GuardId, peer: Peer, session: string): void {
    if (peer.session === session) return;
    peer.session = session;
    this.#recovery?.answers.delete(from);
    for (const { pending } of this.#applications.values()) {
      if (pending?.kind === 'increment') {
        pending.echoes.delete(from);
        pending.acks.delete(from);
      } else pending?.answers.delete(from);
    }
  }

  #onLinked(from: GuardId, peer: Peer, body: RoteBody): void {
    switch (body.kind) {
      case 'WELCOME':
        peer.welcomed = true;
        if (this.#recovery !== undefined) this.#send(from, { kind: 'RECOVER-REQ', nonce: this.#recovery.nonce });
        for (const [name, application] of this.#applications) this.#push(name, application);
        return;
      case 'RECOVER-R':
        this.#onRecovered(from, body.nonce, body.rows);
        return;
      default:
        // ROTE.RECOVER.1: it does not know what it once knew.
        if (this.#phase === 'active') this.#onActive(from, body);
    }
  }

  #onActive(from: GuardId, body: RoteBody): void {
    switch (body.kind) {
      case 'INC':
        if (body.row.owner === from && this.#isGenuine(body.row)) this.#store(from, body.row);
        return;
      case 'CONFIRM':
        this.#acknowledge(from, body.mark);
        return;
      case 'RECOVER-REQ':
        this.#send(from, { kind: 'RECOVER-R', nonce: body.nonce, rows: [...this.#rows.values()] });
        return;
      case 'READ-REQ': {
        const row = this.#rows.get(keyOf(from, body.application));
        this.#send(from, { kind: 'READ-R', nonce: body.nonce, row });
        return;
      }
      case 'ECHO':
      case 'ACK':
        this.#onVote(from, body.kind, body.mark);
        return;
      case 'NACK':
        if (body.row.owner === this.#self && this.#isGenuine(body.row)) this.#onNack(from, body.row);
        return;
      case 'READ-R':
        this.#onReadAnswer(from, body.nonce, body.row);
        return;
      default:
    }
  }

  #isGenuine(row: Row): boolean {
    const key = this.#group.keys[row.owner];
    return key !== undefined && this.#ports.check(key, rowBytes(this.#group.groupId, row), row.signature);
  }

  // ---- for others -------------------------------------------------------------------------------------------------

  #store(from: GuardId, row: Row): void {
    const key = keyOf(row.owner, row.application);
    const held = this.#rows.get(key);
    if (held === undefined && this.#countOf(row.owner) >= APPLICATIONS_MAX) return;
    // ROTE.STORE.1, ROTE.STORE.2
    const isStale = held !== undefined && held.value > row.value;
    const isOther = held?.value === row.value && held.digest !== row.digest;
    const kept = isStale || isOther ? held : row;
    const { application, value, digest } = kept;
    this.#rows.set(key, kept);
    this.#echoed.set(key, { application, value, digest });
    if (kept !== row) this.#send(from, { kind: 'NACK', row: kept });
    else this.#send(from, { kind: 'ECHO', mark: { application, value, digest } });
  }

  #countOf(owner: GuardId): number {
    return [...this.#rows.values()].filter((row) => row.owner === owner).length;
  }

  /** ROTE.CONFIRM.2: who was started again does not remember, whatever it has recovered since. */
  #acknowledge(from: GuardId, mark: Mark): void {
    const key = keyOf(from, mark.application);
    const echoed = this.#echoed.get(key);
    const held = this.#rows.get(key);
    if (echoed?.value !== mark.value || echoed.digest !== mark.digest) return;
    if (held?.value !== mark.value || held.digest !== mark.digest) return;
    this.#send(from, { kind: 'ACK', mark });
  }

  // ---- answers ----------------------------------------------------------------------------------------------------

  #onVote(from: GuardId, kind: 'ECHO' | 'ACK', mark: Mark): void {
    const application = this.#applications.get(mark.application);
    const pending = application?.pending;
    if (application === undefined || pending?.kind !== 'increment' || pending.row.value !== mark.value) return;
    if (kind === 'ACK') {
      if (pending.echoes.get(from) === mark.digest) pending.acks.add(from);
    } else if (pending.row.digest === mark.digest) this.#onHolder(from, pending, mark.digest);
    this.#settle(mark.application, application);
  }

  #onHolder(from: GuardId, pending: Pending & { kind: 'increment' }, digest: Digest): void {
    if (pending.echoes.has(from)) return;
    pending.echoes.set(from, digest);
    this.#confirm(pending);
  }

  #onNack(from: GuardId, row: Row): void {
    const application = this.#applications.get(row.application);
    const pending = application?.pending;
    if (application === undefined || pending?.kind !== 'increment') return;
    const isHigher = row.value > pending.row.value;
    const isOther = row.value === pending.row.value && row.digest !== pending.row.digest;
    if (!isHigher && !isOther) return;
    // ROTE.FORK.1
    if (application.made !== undefined) return this.#cut();
    if (isOther && pending.adopting) {
      // One value, two digests, neither ever returned: what matters is that a quorum holds the value.
      this.#onHolder(from, pending, row.digest);
      this.#settle(row.application, application);
      return;
    }
    // The first binding of this run met what an earlier run left behind.
    this.#rows.set(keyOf(this.#self, row.application), row);
    this.#expect(application, pending.wish, row, true);
    this.#push(row.application, application);
  }

  #onReadAnswer(from: GuardId, nonce: string, row: Row | undefined): void {
    for (const [name, application] of this.#applications) {
      const { pending } = application;
      if (pending?.kind !== 'read' || pending.nonce !== nonce) continue;
      if (row !== undefined && (row.owner !== this.#self || row.application !== name || !this.#isGenuine(row))) return;
      pending.answers.set(from, row);
      this.#settle(name, application);
      return;
    }
  }

  // ---- recovery ---------------------------------------------------------------------------------------------------

  #onRecovered(from: GuardId, nonce: string, rows: readonly Row[]): void {
    const recovery = this.#recovery;
    if (recovery === undefined || nonce !== recovery.nonce || !rows.every((row) => this.#isGenuine(row))) return;
    recovery.answers.set(from, rows);
    // ROTE.RECOVER.2: the own word does not count, and nobody answers who is recovering itself.
    if (recovery.answers.size < this.#quorum) return;
    for (const row of [...recovery.answers.values()].flat()) this.#raise(row);
    this.#recovery = undefined;
    this.#phase = 'active';
    this.#out.push({ kind: 'phase', phase: 'active' });
    for (const [name, application] of this.#applications) this.#begin(name, application);
  }

  #cut(): void {
    this.#phase = 'cut';
    for (const { pending, queue } of this.#applications.values()) {
      const lost = pending === undefined ? queue : [pending.wish, ...queue];
      for (const { id } of lost)
        this.#out.push({ kind: 'failed', id, reason: 'another copy of this guard runs under its key' });
    }
    this.#applications.clear();
    this.#out.push({ kind: 'phase', phase: 'cut' });
  }

  // ---- sending ----------------------------------------------------------------------------------------------------

  #token(): string {
    return bytesToHex(this.#ports.random(TOKEN_BYTES));
  }

  /** Within the sessions of both ends; nothing while the peer's is not known. */
  #send(to: GuardId, body: RoteBody): void {
    const session = this.#peers.get(to)?.session;
    if (session !== undefined) this.#sendTo(to, session, body);
  }

  #sendBare(to: GuardId, body: RoteBody): void {
    this.#sendTo(to, NO_SESSION, body);
  }

  #sendTo(to: GuardId, toSession: string, body: RoteBody): void {
    const message: RoteMessage = { from: this.#self, to, fromSession: this.#session, toSession, body };
    const bytes = encodeRoteMessage(this.#group.groupId, message, (content) => this.#ports.sign(content));
    this.#out.push({ kind: 'send', to, bytes });
  }

  #take(): readonly GuardEffect[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
