/**
 * Byzantine clients: admitted clients (or strangers) that use their key as no honest program would. Their world is the
 * client's side of a link: they see replies, send any frame to any replica, and sign what they like with their own key.
 * What such a client signed counts as sent; correct clients must not suffer. Its keys in the service start with a letter
 * of their own, so it disturbs no correct client's history.
 */
import { decodeReplicaFrame, encodeClientFrame } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { Prng } from '../core/prng.ts';
import {
  BUNDLE_REQUESTS_MAX,
  bundleDigest,
  clientIdOf,
  encodeBundle,
  OPERATION_BYTES_MAX,
} from '../core/request.ts';
import type { BundleContent, Request } from '../core/request.ts';
import type { Digest, ReplicaId, RequestNumber, SessionId } from '../core/types.ts';
import { encodeKvOperation } from '../apps/kv/operations.ts';
import { modelHash } from '../crypto/fast-model.ts';
import type { ModelSigner } from '../crypto/fast-model.ts';
import {
  APPLICATION_OPERATION_BYTES_MAX,
  decodeOpened,
  decodeResult,
  encodeOperation,
} from '../ledger/operation.ts';
import { transactionId } from '../ledger/transaction.ts';
import { bundleMaker } from './make-bundle.ts';
import type { MakeBundle } from './make-bundle.ts';
import { DRAWN_LIES } from './client-lies.ts';
import type { ClientLie } from './client-lies.ts';
import type { EventQueue } from './event-queue.ts';
import type { Scenario } from './scenario.ts';

/** One Byzantine client of a scenario; its index follows those of the correct ones. */
export interface LiarClientPlan {
  readonly lie: ClientLie;
  /** Things that it does. */
  readonly actions: number;
  readonly paceMs: number;
}

/** What a seed is mixed with for this draw, so that it shifts no other. */
const DRAW = 0x11a2c1;

/** The scenario with one Byzantine client, or two if none is named, beside its correct ones. */
export function withLiarClients(scenario: Scenario, lie?: ClientLie): Scenario {
  const random = new Prng(scenario.seed + DRAW);
  const count = lie === undefined && random.chance(0.3) ? 2 : 1;
  const liarClients = Array.from({ length: count }, (): LiarClientPlan => {
    const actions = random.pick([8, 16, 30]);
    const paceMs = (scenario.calmMs / actions) * (0.3 + random.unit());
    return { lie: lie ?? random.pick(DRAWN_LIES), actions, paceMs };
  });
  return { ...scenario, liarClients };
}

/** Whether the swarm gives this seed Byzantine clients. */
export function drawsLiarClients(seed: number): boolean {
  return new Prng(seed + DRAW + 1).chance(0.2);
}

/** What a Byzantine client is made of. */
export interface LiarClientOptions {
  readonly index: number;
  readonly plan: LiarClientPlan;
  readonly settings: ClusterSettings;
  readonly signer: ModelSigner;
  /** Key of a correct client, to abuse its name. */
  readonly victim: Uint8Array;
  readonly random: Prng;
  readonly queue: EventQueue;
  /** What clocks show when virtual time is 0. */
  readonly epochMs: number;
  readonly send: (to: ReplicaId, frame: Uint8Array) => void;
  /** Called before a request leaves that it signed: from now on it may be executed. */
  readonly onIssued: (txId: Digest) => void;
}

/** Bundles that it remembers, to send them again. */
const MEMORY = 64;
/** Frames of one action of a flood. */
const FLOOD = 24;
/** First byte of its keys in the service. */
const KEY_PREFIX = 120;
/** Times that it asks for its session. */
const OPEN_ATTEMPTS = 20;
const INTEGER_MAX = Number.MAX_SAFE_INTEGER;

/** See the top of this file. */
export class LiarClient {
  readonly #options: LiarClientOptions;
  readonly #domain: Domain;
  readonly #make: MakeBundle;
  readonly #clientId: Digest;
  readonly #half: ReadonlySet<ReplicaId>;
  readonly #sent: Uint8Array[] = [];
  #session: SessionId = 0;
  #next: RequestNumber = 1;
  #actions = 0;
  #primaryHint: ReplicaId = 0;
  /** Nobody pities it: refusals are not collected here. */
  readonly refused: string[] = [];
  /** Lies told, by kind. */
  readonly told = new Map<string, number>();
  /** Results that replicas signed for it, and refusals, by reason. */
  readonly heard = new Map<string, number>();

  constructor(options: LiarClientOptions) {
    const { settings, signer, random } = options;
    this.#options = options;
    this.#domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.#make = bundleMaker(settings, signer);
    this.#clientId = clientIdOf(modelHash, signer.publicKey);
    this.#half = new Set(this.#everybody.filter(() => random.chance(0.5)));
  }

  get #everybody(): ReplicaId[] {
    return this.#options.settings.members.map(({ id }) => id);
  }

  /** Whether it has done everything that it is there for. */
  get done(): boolean {
    return this.#actions >= this.#options.plan.actions;
  }

  /** For failure messages. */
  describe(): string {
    return `liar client ${this.#options.index}: ${this.#actions} of ${this.#options.plan.actions} lies told`;
  }

  /** Opens a session, as an honest client would, and begins. */
  start(): void {
    this.#askForSession(this.#open(this.#now + 60_000, 0), 0);
    this.#later();
  }

  #askForSession(frame: Uint8Array, attempt: number): void {
    if (this.#session !== 0 || attempt >= OPEN_ATTEMPTS || this.#options.plan.lie === 'stranger') return;
    this.#send(frame);
    this.#options.queue.after(100 * (attempt + 1), () => this.#askForSession(frame, attempt + 1));
  }

  /** A frame of a replica. It believes whoever speaks first. */
  onFrame(from: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeReplicaFrame(bytes);
    if (frame?.kind === 'refused') this.#count(this.heard, frame.reason);
    if (frame?.kind !== 'reply') return;
    this.#primaryHint = frame.view % this.#options.settings.members.length;
    for (const { result } of frame.results) {
      const outcome = decodeResult(result);
      this.#count(this.heard, outcome?.ok === true ? 'ok' : 'error');
      const opened = frame.session === 0 && outcome?.ok === true ? decodeOpened(outcome.payload) : undefined;
      if (this.#session === 0 && opened !== undefined && from >= 0) this.#session = opened.session;
    }
  }

  get #now(): number {
    return Math.floor(this.#options.epochMs + this.#options.queue.now);
  }

  #later(): void {
    const { queue, plan, random } = this.#options;
    queue.after(plan.paceMs * (0.5 + random.unit()), () => {
      if (this.#session !== 0 || plan.lie === 'stranger' || random.chance(0.1)) this.#act(plan.lie);
      this.#actions += 1;
      if (!this.done) this.#later();
    });
  }

  #count(tally: Map<string, number>, name: string): void {
    tally.set(name, (tally.get(name) ?? 0) + 1);
  }

  // ---- what it does -----------------------------------------------------------------------------------------------

  #act(lie: ClientLie): void {
    const { random } = this.#options;
    this.#count(this.told, lie);
    switch (lie) {
      case 'two-faced':
        return this.#twoFaced();
      case 'partial':
        return this.#send(this.#next1(), [random.pick(this.#everybody)]);
      case 'backups-only':
        return this.#send(
          this.#next1(),
          this.#everybody.filter((id) => id !== this.#primaryHint),
        );
      case 'huge':
        return this.#huge();
      case 'replay':
        if (random.chance(0.4) || this.#sent.length === 0) return this.#send(this.#next1());
        return this.#send(random.pick(this.#sent), this.#some());
      case 'forged':
        return this.#forged();
      case 'numbers':
        return this.#numbers();
      case 'foreign-session':
        return this.#foreignSession();
      case 'stranger':
        return this.#send(this.#signed(random.pick([0, 1, 2]), [this.#put(this.#next)]));
      case 'revoked':
        return this.#revoked();
      case 'open-storm':
        return this.#openStorm();
      case 'garbage':
        return this.#garbage();
      case 'flood':
        return this.#flood();
      case 'other-cluster':
        return this.#send(random.chance(0.3) ? this.#next1() : this.#elsewhere(), this.#some());
      case 'two-seals':
        return this.#twoSeals();
    }
  }

  #twoFaced(): void {
    const number = this.#next;
    this.#next += 1;
    const one = this.#signed(this.#session, [this.#put(number)]);
    const other = this.#signed(this.#session, [this.#put(number)]);
    for (const to of this.#everybody) this.#send(this.#half.has(to) ? one : other, [to]);
    // Now and then everybody gets both, in no particular order.
    if (this.#options.random.chance(0.3)) for (const frame of [other, one]) this.#send(frame);
  }

  /** Signature and tags stand last. */
  #twoSeals(): void {
    const good = this.#next1();
    const bad = good.slice();
    bad[bad.length - 1]! ^= 1;
    const half = this.#everybody.filter(() => this.#options.random.chance(0.5));
    for (const to of this.#everybody) this.#send(half.includes(to) ? good : bad, [to]);
  }

  #huge(): void {
    const { random } = this.#options;
    const raw = (length: number): Request => ({ number: this.#take(), operation: new Uint8Array(length) });
    const app = (length: number): Request => {
      const operation = encodeOperation({
        kind: 'app',
        idempotencyKey: undefined,
        operation: new Uint8Array(length),
      });
      return { number: this.#take(), operation };
    };
    const noop = encodeOperation({ kind: 'noop' });
    const many = (count: number): Request[] =>
      Array.from({ length: count }, () => ({ number: this.#take(), operation: noop }));
    const value = new Uint8Array(40 * 1024);
    const put = encodeKvOperation({ kind: 'put', key: new Uint8Array([KEY_PREFIX]), value });
    const wide = encodeOperation({ kind: 'app', idempotencyKey: undefined, operation: put });
    const requests = random.pick([
      () => [raw(OPERATION_BYTES_MAX)],
      () => [raw(OPERATION_BYTES_MAX + 1)],
      () => [app(APPLICATION_OPERATION_BYTES_MAX)],
      () => [app(APPLICATION_OPERATION_BYTES_MAX + 1)],
      () => [{ number: this.#take(), operation: wide }],
      () => many(48),
      () => many(BUNDLE_REQUESTS_MAX),
      () => many(BUNDLE_REQUESTS_MAX + 1),
      () => [raw(20_000), raw(20_000), raw(24_000)],
    ] as const)();
    this.#send(this.#signed(this.#session, requests), this.#some());
    // What was beyond the window leaves a gap that would stop it from doing more.
    if (requests.length > 64) this.#next -= requests.length;
  }

  #forged(): void {
    const { random, victim, signer } = this.#options;
    const { request } = this.#issue(this.#session, this.#next);
    const session = random.pick([this.#session, 1, 2]);
    const content: BundleContent = { clientKey: victim, session, requests: [request] };
    const digest = bundleDigest(modelHash, this.#domain, content);
    const signature = random.pick([
      () => signer.sign(digest),
      () => new Uint8Array(64),
      () => this.#noise(64),
    ] as const)();
    this.#send(this.#framed(encodeBundle(content, signature)), this.#some());
    if (this.#options.settings.authenticator === 'mac')
      this.#send(this.#framed(this.#make(content).bytes), this.#some());
    // Its own bundle under a seal that does not fit.
    const own = { clientKey: signer.publicKey, session: this.#session, requests: [request] };
    this.#send(this.#framed(encodeBundle(own, this.#noise(64))), this.#some());
  }

  #numbers(): void {
    const { random } = this.#options;
    const number = random.pick([
      this.#next,
      this.#next,
      1,
      Math.max(1, this.#next - 1),
      this.#next + 1,
      this.#next + 62,
      this.#next + 63,
      this.#next + 64,
      this.#next + 1_000_000,
      2 ** 32,
      INTEGER_MAX - 1,
      INTEGER_MAX,
    ]);
    if (random.chance(0.2)) return this.#oddNumber();
    this.#send(this.#signed(this.#session, [this.#put(number)]), this.#some());
    if (number === this.#next) this.#next += 1;
  }

  /** A number that no integer here can hold, or two in the wrong order, under a seal that holds. */
  #oddNumber(): void {
    const { random, signer } = this.#options;
    const frame = this.#body([this.#put(this.#next), this.#put(this.#next + 1)]);
    // Version, key, session, count: the first number follows.
    const at = 1 + 32 + 8 + 4;
    const eight = random.pick([
      [0, 0x20, 0, 0, 0, 0, 0, 0],
      [255, 255, 255, 255, 255, 255, 255, 255],
      [0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 255, 255],
    ]);
    frame.set(eight, at);
    const writer = domainWriter(domainTag('client', 'BUNDLE'), this.#domain).bytes(frame);
    const signature = signer.sign(finishDigest(modelHash, writer));
    this.#send(this.#framed(Uint8Array.from([...frame, ...signature])), this.#some());
  }

  #foreignSession(): void {
    const { random } = this.#options;
    const session = random.pick([0, 1, 2, 3, this.#session + 1, this.#session + 1000, INTEGER_MAX]);
    this.#send(this.#signed(session, [this.#put(random.pick([1, this.#next, 7]))]), this.#some());
    if (random.chance(0.3)) this.#send(this.#next1());
  }

  #revoked(): void {
    const half = Math.floor(this.#options.plan.actions / 2);
    if (this.#actions !== half) return this.#send(this.#next1());
    const operation = encodeOperation({ kind: 'revoke', clientId: this.#clientId });
    const requests = [{ number: this.#take(), operation }, this.#put(this.#take())];
    this.#send(this.#signed(this.#session, requests));
  }

  #openStorm(): void {
    const { random } = this.#options;
    const validUntil = this.#now + random.pick([0, -1, 10, 1000, 60_000, 599_000, 601_000, 10 ** 9]);
    this.#send(this.#open(validUntil, random.pick([0, 1, 64, 65, 4096, 0xffffffff])), this.#some());
    if (random.chance(0.3)) this.#send(this.#next1());
  }

  #garbage(): void {
    const { random } = this.#options;
    const good = random.chance(0.5) && this.#sent.length > 0 ? random.pick(this.#sent) : this.#next1();
    const cut = good.subarray(0, random.between(0, good.length - 1));
    const altered = good.slice();
    for (let flips = random.between(1, 4); flips > 0; flips -= 1)
      altered[random.between(0, altered.length - 1)]! ^= 1 << random.between(0, 7);
    const frame = random.pick([
      () => this.#noise(random.between(0, 200)),
      () => cut,
      () => altered,
      () => this.#framed(this.#noise(random.between(0, 300))),
      () => encodeClientFrame({ kind: 'read', id: 7, operation: this.#noise(random.between(0, 60)) }),
      () => good,
    ] as const)();
    this.#send(frame, this.#some());
  }

  #flood(): void {
    const { random } = this.#options;
    if (random.chance(0.3) || this.#sent.length === 0) this.#next1();
    for (let count = 0; count < FLOOD; count += 1) this.#send(random.pick(this.#sent), this.#some());
  }

  // ---- making and sending -----------------------------------------------------------------------------------------

  #take(): RequestNumber {
    this.#next += 1;
    return this.#next - 1;
  }

  #put(number: RequestNumber): Request {
    const { random } = this.#options;
    const key = new Uint8Array([KEY_PREFIX, random.between(0, 3)]);
    const value = this.#noise(random.between(1, 6));
    const operation = encodeKvOperation({ kind: 'put', key, value });
    return { number, operation: encodeOperation({ kind: 'app', idempotencyKey: undefined, operation }) };
  }

  /** A bundle with the next request, as an honest client would make it. */
  #next1(): Uint8Array {
    return this.#signed(this.#session, [this.#put(this.#take())]);
  }

  #open(validUntil: number, window: number): Uint8Array {
    const operation = encodeOperation({
      kind: 'open',
      nonce: this.#noise(16),
      validUntil: Math.max(0, validUntil),
      window,
    });
    const number = this.#options.random.pick([1, 1, 2, INTEGER_MAX]);
    return this.#signed(0, [{ number, operation }]);
  }

  #issue(session: SessionId, number: RequestNumber): { readonly request: Request; readonly txId: Digest } {
    const request = this.#put(number);
    return { request, txId: this.#txId(session, request) };
  }

  #txId(session: SessionId, { number, operation }: Request): Digest {
    const { clusterId } = this.#options.settings;
    return transactionId(modelHash, clusterId, this.#clientId, session, number, operation.slice());
  }

  #body(requests: readonly Request[]): Uint8Array {
    const content = { clientKey: this.#options.signer.publicKey, session: this.#session, requests };
    const whole = encodeBundle(content, new Uint8Array(64));
    return whole.slice(0, whole.length - 64);
  }

  /** A bundle under its own seal, that holds. */
  #signed(session: SessionId, requests: readonly Request[]): Uint8Array {
    const { signer, onIssued } = this.#options;
    const content: BundleContent = { clientKey: signer.publicKey, session, requests };
    for (const request of requests) onIssued(this.#txId(session, request));
    const frame = this.#framed(this.#make(content).bytes);
    if (this.#sent.length < MEMORY) this.#sent.push(frame);
    else this.#sent[this.#options.random.between(0, MEMORY - 1)] = frame;
    return frame;
  }

  /** A bundle that is sent nowhere but in another cluster, where the session has the same number. */
  #elsewhere(): Uint8Array {
    const { signer } = this.#options;
    const content: BundleContent = {
      clientKey: signer.publicKey,
      session: this.#session,
      requests: [{ number: this.#next, operation: this.#put(this.#next).operation }],
    };
    const domain = { ...this.#domain, clusterId: '5a'.repeat(32) as Digest };
    return this.#framed(encodeBundle(content, signer.sign(bundleDigest(modelHash, domain, content))));
  }

  #framed(bytes: Uint8Array): Uint8Array {
    return encodeClientFrame({ kind: 'bundle', bytes });
  }

  #noise(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#options.random.between(0, 255));
  }

  #some(): ReplicaId[] {
    const { random } = this.#options;
    if (random.chance(0.4)) return this.#everybody;
    return this.#everybody.filter(() => random.chance(0.5));
  }

  #send(frame: Uint8Array, to: readonly ReplicaId[] = this.#everybody): void {
    for (const replica of to) this.#options.send(replica, frame);
  }
}
