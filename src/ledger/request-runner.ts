/**
 * Judges and executes single bundles against the ledger's replicated state. Everything here is a function of the
 * executed sequence; a bundle that must not be executed is a deterministic no-op.
 */
import type { ExecutionContext } from '../core/application.ts';
import type { Bundle, BundleContent, Request } from '../core/request.ts';
import type { Digest, Hash, Height, SequenceNumber } from '../core/types.ts';
import { RESULT_BODY_BYTES_MAX } from '../smr/client-table.ts';
import type { Session } from '../smr/client-table.ts';
import type { Outcome } from '../smr/outcome-ring.ts';
import { BatchRun } from './batch-run.ts';
import type { ClientRecord } from './clients.ts';
import type { Admission, RefusalReason, RequestResult } from './contract.ts';
import { IDEMPOTENCY_RESULT_BYTES_MAX, isSameOperation } from './idempotency.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Operation } from './operation.ts';
import { decodeOperation, errorResult, okResult, openedResult, OPEN_VALIDITY_MAX_MS } from './operation.ts';
import type { Policy } from './policy.ts';
import { TransactionHasher } from './transaction.ts';

type AppOperation = Extract<Operation, { kind: 'app' }>;
type OpenOperation = Extract<Operation, { kind: 'open' }>;

/** What a runner is made of. */
export interface RunnerParts {
  readonly hash: Hash;
  readonly clusterId: Digest;
  readonly policy: Policy;
  readonly isKeyAcceptable: (key: Uint8Array) => boolean;
  /** Whether requests have MACs, so that versions of keys count. */
  readonly hasMacs: boolean;
}

/** Where and as whom one bundle is executed. */
interface Place {
  readonly run: BatchRun;
  readonly sequence: SequenceNumber;
  /** Height of the block that the batch makes if it has a leaf. */
  readonly blockHeight: Height;
  readonly client: ClientRecord;
  readonly context: ExecutionContext;
}

/** What executing one request gave. */
interface Effect {
  readonly result: Uint8Array;
  /** Whether it is a leaf of the block (decision D2). */
  readonly leaf: boolean;
  /** Whether its result may be kept for retries (not for reads, decision C6). */
  readonly kept: boolean;
  /** The first execution under the same idempotency key, which the reply names instead. */
  readonly first?: { readonly txId: Digest; readonly sequence: SequenceNumber; readonly height: Height };
}

/**
 * Operations of a well-formed bundle, in order, or undefined: session 0 holds exactly one OPEN, every other session
 * none. A pure function of the bytes, so the whole bundle stands or falls everywhere alike.
 */
function operationsOf(bundle: BundleContent, requests: readonly Request[]): readonly Operation[] | undefined {
  if (bundle.session === 0 && requests.length !== 1) return undefined;
  const operations: Operation[] = [];
  for (const request of requests) {
    const operation = decodeOperation(request.operation);
    if (operation === undefined || (operation.kind === 'open') !== (bundle.session === 0)) return undefined;
    operations.push(operation);
  }
  return operations;
}

/** Executes and judges bundles; holds no replicated state of its own. */
export class RequestRunner {
  readonly #parts: RunnerParts;
  readonly #hasher: TransactionHasher;
  readonly #wellFormed = new WeakMap<Bundle, boolean>();

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#hasher = new TransactionHasher(parts.hash, parts.clusterId);
  }

  /** Executes one authentic bundle, or does nothing. */
  executeBundle(state: LedgerState, bundle: BundleContent, run: BatchRun): void {
    const client = state.clients.byKey(bundle.clientKey);
    if (client === undefined || client.revoked || this.#judgeVersion(client, bundle) !== undefined) return;
    const { requests } = bundle;
    const operations = operationsOf(bundle, requests);
    if (operations === undefined) return;
    const place = this.#placeOf(state, client, run);
    const first = operations[0]!;
    this.#hasher.begin(client.id, bundle.session);
    if (first.kind === 'open') {
      run.service.begin?.(bundle, requests[0]!);
      run.resultsFor(bundle.clientKey, 0).push(this.#open(state, place, requests[0]!, first));
      return;
    }
    const session = state.sessions.find(bundle.session);
    if (session?.clientId !== client.id) return;
    // Asked for with the first request that is executed: the order of replies must not depend on bundles that do nothing.
    let results: RequestResult[] | undefined;
    operations.forEach((operation, index) => {
      const request = requests[index]!;
      if (session.isDone(request.number)) return;
      run.service.begin?.(bundle, request);
      results ??= run.resultsFor(bundle.clientKey, session.id);
      results.push(this.#executeRequest(state, place, session, request, operation));
    });
  }

  #placeOf(state: LedgerState, client: ClientRecord, run: BatchRun): Place {
    const { id: clientId, organisation } = client;
    const sequence = state.sequence + 1;
    const mayWrite = this.#parts.policy.writerCheck(organisation);
    const context = { clientId, organisation, time: state.time, sequence, mayWrite };
    return { run, sequence, blockHeight: state.height + 1, client, context };
  }

  #open(state: LedgerState, place: Place, request: Request, operation: OpenOperation): RequestResult {
    const { number } = request;
    const txId = this.#hasher.id(number, request.operation);
    const known = state.opens.find(txId);
    if (known !== undefined)
      return { number, txId, sequence: known.sequence, height: 0, result: openedResult(known) };
    const answer = (result: Uint8Array) => ({ number, txId, sequence: place.sequence, height: 0, result });
    const { validUntil } = operation;
    if (validUntil < state.time) return answer(errorResult('openExpired'));
    if (validUntil > state.time + OPEN_VALIDITY_MAX_MS) return answer(errorResult('openTooFarAhead'));
    const clientId = place.client.id;
    const session = state.opens.hasRoom(clientId)
      ? state.sessions.open(clientId, operation.window, place.sequence)
      : undefined;
    if (session === undefined) return answer(errorResult('sessionsExhausted'));
    const opened = { session: session.id, window: session.window };
    state.opens.add({ txId, clientId, ...opened, sequence: place.sequence, validUntil });
    return answer(openedResult(opened));
  }

  #executeRequest(
    state: LedgerState,
    place: Place,
    session: Session,
    request: Request,
    operation: Operation,
  ): RequestResult {
    const { number } = request;
    const ownId = this.#hasher.id(number, request.operation);
    const effect = this.#perform(state, place, operation, ownId);
    const { result, leaf, first } = effect;
    const organisation = place.client.organisation;
    const txId = first?.txId ?? ownId;
    const sequence = first?.sequence ?? place.sequence;
    const height = first?.height ?? (leaf ? place.blockHeight : 0);
    const resultDigest = leaf ? this.#hasher.outcome(ownId, organisation, result) : undefined;
    if (resultDigest !== undefined) {
      place.run.addLeaf(
        {
          id: ownId,
          clientId: place.client.id,
          organisation,
          session: session.id,
          number,
          operation: request.operation,
          result,
        },
        resultDigest,
      );
    }
    const isKept = effect.kept && result.length <= RESULT_BODY_BYTES_MAX;
    const kept = isKept ? result : undefined;
    const outcome: Outcome = { number, txId, sequence, height, resultDigest, result: kept };
    const isFirst = first === undefined;
    const recorded = isFirst ? outcome : { ...outcome, repeatedAt: place.sequence };
    state.sessions.record(session, recorded, place.sequence);
    return { number, txId, sequence, height, result };
  }

  #perform(state: LedgerState, place: Place, operation: Operation, txId: Digest): Effect {
    switch (operation.kind) {
      case 'app':
        return this.#runApplication(state, place, operation, txId);
      case 'read':
        return {
          result: okResult(place.run.service.query(operation.operation)),
          leaf: false,
          kept: false,
        };
      case 'noop':
        return { result: okResult(new Uint8Array(0)), leaf: false, kept: true };
      case 'register':
      case 'revoke':
      case 'renewKey':
        return { result: this.#administer(state, place, operation), leaf: true, kept: true };
      case 'open':
        return { result: errorResult('malformedOperation'), leaf: false, kept: true };
    }
  }

  #runApplication(state: LedgerState, place: Place, operation: AppOperation, txId: Digest): Effect {
    const { idempotencyKey: key } = operation;
    if (key === undefined)
      return {
        result: okResult(place.run.service.execute(operation.operation, place.context)),
        leaf: true,
        kept: true,
      };
    const { organisation } = place.client;
    const operationDigest = this.#parts.hash(operation.operation);
    const first = state.idempotency.find(organisation, key);
    if (first !== undefined) {
      if (!isSameOperation(first, operationDigest))
        return { result: errorResult('idempotencyKeyReused'), leaf: false, kept: true };
      return { result: first.result ?? errorResult('resultForgotten'), leaf: false, kept: true, first };
    }
    if (!state.idempotency.hasRoom)
      return { result: errorResult('idempotencyExhausted'), leaf: false, kept: true };
    const result = okResult(place.run.service.execute(operation.operation, place.context));
    state.idempotency.add({
      organisation,
      key,
      operationDigest,
      txId,
      sequence: place.sequence,
      height: place.blockHeight,
      result: result.length <= IDEMPOTENCY_RESULT_BYTES_MAX ? result : undefined,
    });
    return { result, leaf: true, kept: true };
  }

  #administer(
    state: LedgerState,
    place: Place,
    operation: Extract<Operation, { kind: 'register' | 'revoke' | 'renewKey' }>,
  ): Uint8Array {
    // The registry is asked again: an earlier request of this very bundle may have revoked its own author.
    const author = state.clients.byId(place.client.id);
    if (operation.kind === 'renewKey') return this.#renewKey(state, author, operation.clientId);
    if (author?.role !== 'admin' || author.revoked) return errorResult('notAdministrator');
    if (operation.kind === 'revoke') {
      const revoked = state.clients.revoke(operation.clientId);
      return typeof revoked === 'string' ? errorResult(revoked) : okResult(new Uint8Array(0));
    }
    const { clientKey: key, organisation, role } = operation;
    if (!this.#parts.isKeyAcceptable(key)) return errorResult('unacceptableKey');
    const registered = state.clients.register({ key, organisation, role });
    return typeof registered === 'string' ? errorResult(registered) : okResult(new Uint8Array(0));
  }

  #renewKey(state: LedgerState, author: ClientRecord | undefined, clientId: Digest): Uint8Array {
    if (!this.#parts.hasMacs) return errorResult('malformedOperation');
    const may =
      author !== undefined && !author.revoked && (author.role === 'admin' || author.id === clientId);
    if (!may) return errorResult('notAdministrator');
    const renewed = state.clients.renewKey(clientId);
    return typeof renewed === 'string' ? errorResult(renewed) : okResult(new Uint8Array(0));
  }

  /**
   * Whether the MACs of a bundle are under the version of the client's key that counts now. Part of what is judged at
   * execution: whether they are right at all was judged from the bytes.
   */
  #judgeVersion(client: ClientRecord, bundle: BundleContent): RefusalReason | undefined {
    if (!this.#parts.hasMacs || bundle.macs === undefined) return undefined;
    const { keyVersion } = bundle.macs;
    if (keyVersion === client.keyVersion) return undefined;
    return keyVersion < client.keyVersion ? 'keyVersionRetired' : 'keyVersionNotYetKnown';
  }

  /** A bundle is judged more than once on its way; its bytes do not change. */
  #isWellFormed(bundle: Bundle): boolean {
    let known = this.#wellFormed.get(bundle);
    if (known === undefined)
      this.#wellFormed.set(bundle, (known = operationsOf(bundle, bundle.requests) !== undefined));
    return known;
  }

  /** Judges a bundle; changes nothing. */
  admit(state: LedgerState, bundle: Bundle): Admission {
    const client = state.clients.byKey(bundle.clientKey);
    if (client === undefined) return refused('unknownClient');
    if (client.revoked) return refused('clientRevoked');
    if (!this.#isWellFormed(bundle)) return refused('malformedOperation');
    if (bundle.session === 0) return this.#admitOpen(state, client, bundle);
    const session = state.sessions.find(bundle.session);
    if (session === undefined)
      return refused(bundle.session <= state.sessions.lastSession ? 'unknownSession' : 'sessionNotYetKnown');
    if (session.clientId !== client.id) return refused('sessionOfOtherClient');
    if (bundle.lastNumber > session.low + session.window) return refused('windowExceeded');
    // What the next rule would say, too, but most bundles are new, and then their list of requests need not be made.
    const isNew =
      !session.isDone(bundle.firstNumber) || bundle.requests.some(({ number }) => !session.isDone(number));
    // What was executed under an older version of the key is still answered.
    if (isNew) return this.#admitNew(client, bundle);
    const { requests } = bundle;
    if (requests.every((request) => session.find(request.number) === undefined))
      return refused('requestForgotten');
    this.#hasher.begin(client.id, bundle.session);
    const results = requests.map((request) => this.#resultOf(session, request));
    const sequence = Math.max(...requests.map((request) => executedAt(session, request)));
    return {
      kind: 'executed',
      reply: { clientKey: bundle.clientKey, session: session.id, results },
      sequence,
    };
  }

  #admitNew(client: ClientRecord, bundle: Bundle): Admission {
    const reason = this.#judgeVersion(client, bundle);
    return reason === undefined ? { kind: 'new' } : refused(reason);
  }

  #admitOpen(state: LedgerState, client: ClientRecord, bundle: Bundle): Admission {
    const { number, operation } = bundle.requests[0]!;
    const txId = this.#hasher.begin(client.id, 0).id(number, operation);
    const known = state.opens.find(txId);
    // Whether it has expired is judged at execution: block time here may be old while the cluster is idle.
    if (known === undefined) return this.#admitNew(client, bundle);
    const result = { number, txId, sequence: known.sequence, height: 0, result: openedResult(known) };
    const reply = { clientKey: bundle.clientKey, session: 0, results: [result] };
    return { kind: 'executed', reply, sequence: known.sequence };
  }

  #resultOf(session: Session, request: Request): RequestResult {
    const { number } = request;
    const outcome = session.find(number);
    if (outcome === undefined) {
      const txId = this.#hasher.id(number, request.operation);
      return { number, txId, sequence: 0, height: 0, result: errorResult('requestForgotten') };
    }
    const { txId, sequence, height } = outcome;
    return { number, txId, sequence, height, result: outcome.result ?? errorResult('resultForgotten') };
  }
}

function refused(reason: RefusalReason): Admission {
  return { kind: 'refused', reason };
}

/** Where a request that is done was executed, at most: a forgotten one may have been forgotten in the latest use. */
function executedAt(session: Session, request: Request): SequenceNumber {
  const outcome = session.find(request.number);
  return outcome === undefined ? session.lastSequence : (outcome.repeatedAt ?? outcome.sequence);
}

const MAY_LAG: ReadonlySet<RefusalReason> = new Set([
  'unknownClient',
  'sessionNotYetKnown',
  'keyVersionNotYetKnown',
  'windowExceeded',
]);

/**
 * Whether a refusal holds for ever at every replica that has executed as much. The others (`unknownClient`,
 * `sessionNotYetKnown`, `keyVersionNotYetKnown`, `windowExceeded`) may only mean that this replica lags behind: a host answers those with BUSY,
 * so that f lagging replicas and one liar cannot talk a client out of a good bundle.
 */
export function isFinalRefusal(reason: RefusalReason): boolean {
  return !MAY_LAG.has(reason);
}
