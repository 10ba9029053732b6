/**
 * What a component of many counters must answer, as short as it can be said: TrInc, TrInX and CASH differ in what they
 * allow. The model predicts statements and error codes; seals are the component's.
 */
import { hexToBytes } from '../../core/bytes.ts';
import { Reader } from '../../core/codec.ts';
import type { CounterValue, Digest, Hash } from '../../core/types.ts';
import { SAFE_INTEGER_END } from '../../core/types.ts';
import { COUNTER_SENTINEL, MOVES_MAX, RECENT_DEPTH, STATEMENT_KIND } from '../contract.ts';
import type {
  CounterMove,
  ObjectMode,
  Statement,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedRequest,
} from '../contract.ts';
import { auxOf } from '../programs/counters/claims.ts';

/** What a program of counters allows. */
export interface CounterProfile {
  readonly program: string;
  readonly modes: readonly ObjectMode[];
  /** Certificates that do not disclose the value before; moves to the same value, answered by STATUS. */
  readonly independent: boolean;
  readonly operations: readonly ('status' | 'close' | 'plain' | 'advanceMany')[];
  /** Counters below the last instance but one are closed and forgotten. */
  readonly labelled: boolean;
}

/** Counters that a component has room for. */
export const COUNTERS_MAX = 256;
/** Object id under which a component tells how many counters were ever created, and replays all of them. */
export const META_OBJECT_ID = '0100000000000000';
const NO_OBJECT_ID = '0'.repeat(16);

interface Counter {
  value: CounterValue;
  readonly mode: ObjectMode;
  closed: boolean;
}

/** What must be answered: statements in this order, nothing, or an error. */
export type Expected =
  | { readonly op: 'certificates'; readonly statements: readonly Statement[] }
  | { readonly op: 'done' }
  | { readonly op: 'error'; readonly code: TrustedErrorCode };

const refuse = (code: TrustedErrorCode): Expected => ({ op: 'error', code });

/** Instance of an object id: its last four bytes. */
function instanceOf(objectId: string): number {
  return new Reader(hexToBytes(objectId.slice(8))!).u32();
}

/** Counters as they must be. */
export class CounterModel {
  readonly profile: CounterProfile;
  readonly #hash: Hash;
  readonly #counters = new Map<string, Counter>();
  /** The last certificates, oldest first. */
  readonly #queue: Statement[] = [];
  #created = 0;
  #identity: TrustedIdentity;

  constructor(profile: CounterProfile, identity: TrustedIdentity, hash: Hash) {
    this.profile = profile;
    this.#identity = identity;
    this.#hash = hash;
  }

  /** Counters ever created. */
  get created(): number {
    return this.#created;
  }

  /** Ids of the counters it has, closed ones too. */
  get objectIds(): readonly string[] {
    return [...this.#counters.keys()];
  }

  /** Value of a counter; 0 for one that it does not have. */
  valueOf(objectId: string): CounterValue {
    return this.#counters.get(objectId)?.value ?? 0;
  }

  /** What the request must be answered with; the model moves on. */
  answer(request: TrustedRequest): Expected {
    switch (request.op) {
      case 'create':
        return this.#create(request.objectId, request.mode);
      case 'advance':
        return this.#advance(request);
      case 'replay':
        return this.#replay(request.objectId, request.count);
      case 'status':
        if (!this.profile.operations.includes('status')) return refuse('BAD_REQUEST');
        return this.#status(request);
      case 'close':
        if (!this.profile.operations.includes('close')) return refuse('BAD_REQUEST');
        return this.#close(request.objectId, request.digest);
      case 'plain':
        if (!this.profile.operations.includes('plain')) return refuse('BAD_REQUEST');
        return this.#once(this.#statement(STATEMENT_KIND.plain, NO_OBJECT_ID, 0, 0, request.digest));
      case 'advanceMany':
        if (!this.profile.operations.includes('advanceMany')) return refuse('BAD_REQUEST');
        return this.#advanceMany(request.moves, request.digest);
      default:
        return refuse('BAD_REQUEST');
    }
  }

  #statement(
    kind: number,
    objectId: string,
    previous: CounterValue,
    value: CounterValue,
    digest: Digest,
  ): Statement {
    const { suite, tcId, tcEpoch } = this.#identity;
    return { kind, suite, flags: 0, tcId, tcEpoch, objectId, previous, value, digest };
  }

  #once(statement: Statement): Expected {
    return { op: 'certificates', statements: [statement] };
  }

  #kept(statements: readonly Statement[]): Expected {
    this.#queue.push(...statements);
    this.#queue.splice(0, Math.max(0, this.#queue.length - RECENT_DEPTH));
    return { op: 'certificates', statements };
  }

  #least(): number {
    if (!this.profile.labelled) return 0;
    const instances = this.objectIds.map((id) => instanceOf(id));
    return Math.max(1, ...instances) - 1;
  }

  #create(objectId: string, mode: ObjectMode): Expected {
    if (objectId === META_OBJECT_ID || this.#counters.has(objectId)) return refuse('EXISTS');
    if (!objectId.startsWith('01') || !this.profile.modes.includes(mode)) return refuse('MODE');
    if (instanceOf(objectId) < this.#least()) return refuse('CLOSED');
    if (this.#counters.size >= COUNTERS_MAX) return refuse('QUOTA');
    this.#counters.set(objectId, { value: 0, mode, closed: false });
    this.#created += 1;
    const least = this.#least();
    for (const id of this.objectIds)
      if (instanceOf(id) < least) this.#counters.delete(id);
    return { op: 'done' };
  }

  #problem(objectId: string): TrustedErrorCode | undefined {
    const counter = this.#counters.get(objectId);
    if (counter === undefined) return 'NO_OBJECT';
    return counter.closed ? 'CLOSED' : undefined;
  }

  /** The value that a counter goes to, or why it does not. */
  #target(objectId: string, wanted: CounterValue): CounterValue | TrustedErrorCode {
    const problem = this.#problem(objectId);
    if (problem !== undefined) return problem;
    const { value, mode } = this.#counters.get(objectId)!;
    const target = wanted === COUNTER_SENTINEL ? value + 1 : wanted;
    if (target >= SAFE_INTEGER_END) return 'OVERFLOW';
    return target <= value || (mode === 'step' && target !== value + 1) ? 'NOT_MONOTONIC' : target;
  }

  #advance(request: Extract<TrustedRequest, { op: 'advance' }>): Expected {
    const { objectId, independent, digest } = request;
    const problem = this.#problem(objectId);
    if (problem !== undefined) return refuse(problem);
    if (independent && !this.profile.independent) return refuse('MODE');
    const counter = this.#counters.get(objectId)!;
    const previous = counter.value;
    if (this.profile.independent && !independent && request.value === previous)
      return this.#once(this.#statement(STATEMENT_KIND.status, objectId, previous, previous, digest));
    const value = this.#target(objectId, request.value);
    if (typeof value === 'string') return refuse(value);
    counter.value = value;
    const kind = independent ? STATEMENT_KIND.advanceNoPrevious : STATEMENT_KIND.advance;
    const shown = independent ? COUNTER_SENTINEL : previous;
    return this.#kept([this.#statement(kind, objectId, shown, value, digest)]);
  }

  #advanceMany(moves: readonly CounterMove[], digest: Digest): Expected {
    if (moves.length === 0 || moves.length > MOVES_MAX) return refuse('BAD_REQUEST');
    const made: { objectId: string; previous: CounterValue; value: CounterValue }[] = [];
    for (const { objectId, value: wanted } of moves) {
      const again = made.some((move) => move.objectId === objectId);
      const value = this.#target(objectId, again ? 0 : wanted);
      if (typeof value === 'string') return refuse(value);
      made.push({ objectId, previous: this.valueOf(objectId), value });
    }
    for (const { objectId, value } of made) this.#counters.get(objectId)!.value = value;
    const aux = auxOf(this.#hash, made);
    return this.#kept(
      made.map(({ objectId, previous, value }) => ({
        ...this.#statement(STATEMENT_KIND.advance, objectId, previous, value, digest),
        flags: 4,
        aux,
      })),
    );
  }

  #status(request: Extract<TrustedRequest, { op: 'status' }>): Expected {
    const { objectId, nonce, digest } = request;
    const problem = objectId === META_OBJECT_ID ? undefined : this.#problem(objectId);
    if (problem !== undefined) return refuse(problem);
    const value = objectId === META_OBJECT_ID ? this.#created : this.valueOf(objectId);
    return this.#once({
      ...this.#statement(STATEMENT_KIND.status, objectId, value, value, digest),
      flags: 2,
      nonce,
    });
  }

  #close(objectId: string, digest: Digest): Expected {
    const problem = this.#problem(objectId);
    if (problem !== undefined) return refuse(problem);
    const counter = this.#counters.get(objectId)!;
    counter.closed = true;
    return this.#kept([
      this.#statement(STATEMENT_KIND.closed, objectId, counter.value, COUNTER_SENTINEL, digest),
    ]);
  }

  #replay(objectId: string, count: number): Expected {
    const all = objectId === META_OBJECT_ID;
    if (!all && !this.#counters.has(objectId)) return refuse('NO_OBJECT');
    const own = this.#queue.filter((statement) => all || statement.objectId === objectId);
    return { op: 'certificates', statements: count === 0 ? [] : own.slice(-Math.min(count, RECENT_DEPTH)) };
  }
}
