/**
 * What a batch changed, for replicas that do not execute it. An update names the requests that were executed, in order,
 * with what the service answered to each, and what the service changed. All the rest (sessions with their results,
 * idempotency keys, clients, the block) is a function of these and of the state before, so a passive replica makes it
 * by the same code as an active one: there is one set of rules, and nothing to disagree about. What a passive replica
 * is spared is the batch, the signatures of its clients, and the work of the service.
 *
 * An update ends in the header hash of the ledger after it: one that was made for another history is refused. What no
 * header covers (answers to reads, changes of the service) is as good as the word of those who sent the update.
 */
import type { ExecutionContext } from '../core/application.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { Reader } from '../core/codec.ts';
import type { BundleContent, Request } from '../core/request.ts';
import { BUNDLE_REQUESTS_MAX, OPERATION_BYTES_MAX } from '../core/request.ts';
import type { Digest, Milliseconds, SequenceNumber, View } from '../core/types.ts';
import { LEAVES_MAX } from './merkle.ts';
import { RESULT_PAYLOAD_BYTES_MAX } from './operation.ts';

const UPDATE_VERSION = 1;
/** Bytes of the service's part of an update, at most. */
const SERVICE_UPDATE_BYTES_MAX = 256 * 1024 * 1024;

/** Of an answer that is longer than a result may be, as much is told as shows that. */
const ANSWER_BYTES_MAX = RESULT_PAYLOAD_BYTES_MAX + 1;

/** What executing a bundle asks of the service. */
export interface ServiceCalls {
  execute(operation: Uint8Array, context: ExecutionContext): Uint8Array;
  query(operation: Uint8Array): Uint8Array;
  /** This request is executed next; it asks the service for at most one of the above. */
  begin?(bundle: BundleContent, request: Request): void;
}

interface UpdateRequest extends Request {
  /** What the service answered; undefined if it was not asked. */
  answer: Uint8Array | undefined;
}

/** The requests of one bundle that were executed. */
interface UpdateBundle extends BundleContent {
  readonly requests: readonly UpdateRequest[];
}

/** What an update says. */
export interface UpdateContent {
  readonly sequence: SequenceNumber;
  /** Block time after the batch. */
  readonly time: Milliseconds;
  readonly proposedInView: View;
  readonly bundles: readonly UpdateBundle[];
  /** Changes of the service, as of `Application.updateSinceMark`. */
  readonly service: Uint8Array;
  /** Of the latest block after the batch. */
  readonly headerHash: Digest;
}

/** Canonical bytes of an update. */
export function encodeUpdate(content: UpdateContent): Uint8Array {
  const writer = new Writer(4096).u8(UPDATE_VERSION);
  writer.u64(content.sequence).u64(content.time).u64(content.proposedInView);
  writer.list(content.bundles, (w, bundle) =>
    w.raw(bundle.clientKey).u64(bundle.session).list(bundle.requests, writeRequest),
  );
  return writer.bytes(content.service).digest(content.headerHash).finish();
}

function writeRequest(writer: Writer, request: UpdateRequest): void {
  writer
    .u64(request.number)
    .bytes(request.operation)
    .option(request.answer, (w, answer) => w.bytes(answer));
}

/** Reads an update; undefined unless canonical and bounded. Whether it fits a state is seen by applying it. */
export function decodeUpdate(bytes: Uint8Array): UpdateContent | undefined {
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== UPDATE_VERSION) reader.fail();
    const [sequence, time, proposedInView] = [reader.u64(), reader.u64(), reader.u64()];
    const bundles = reader.list(LEAVES_MAX, readBundle);
    const service = reader.bytes(SERVICE_UPDATE_BYTES_MAX);
    return { sequence, time, proposedInView, bundles, service, headerHash: reader.digest() };
  });
}

function readBundle(reader: Reader): UpdateBundle {
  const clientKey = reader.raw(32);
  const session = reader.u64();
  let previous = 0;
  const requests = reader.list(BUNDLE_REQUESTS_MAX, (r): UpdateRequest => {
    const number = r.u64();
    if (number <= previous) r.fail();
    previous = number;
    const operation = r.bytes(OPERATION_BYTES_MAX);
    return { number, operation, answer: r.option((w) => w.bytes(ANSWER_BYTES_MAX)) };
  });
  if (requests.length === 0) reader.fail();
  return { clientKey, session, requests };
}

/** Listens to the execution of a batch for what an update must name. */
export class UpdateRecorder implements ServiceCalls {
  readonly #service: ServiceCalls;
  readonly #bundles: { clientKey: Uint8Array; session: number; requests: UpdateRequest[] }[] = [];
  #bundle: BundleContent | undefined;
  #request: UpdateRequest | undefined;

  constructor(service: ServiceCalls) {
    this.#service = service;
  }

  get bundles(): readonly UpdateBundle[] {
    return this.#bundles;
  }

  begin(bundle: BundleContent, request: Request): void {
    const { number, operation } = request;
    const last = this.#bundles.at(-1)?.requests.at(-1);
    // The second condition: a batch may hold one and the same OPEN twice, and both times it is answered.
    if (bundle !== this.#bundle || number <= last!.number) {
      const { clientKey, session } = bundle;
      this.#bundles.push({ clientKey, session, requests: [] });
      this.#bundle = bundle;
    }
    this.#request = { number, operation, answer: undefined };
    this.#bundles.at(-1)!.requests.push(this.#request);
  }

  execute(operation: Uint8Array, context: ExecutionContext): Uint8Array {
    return this.#record(this.#service.execute(operation, context));
  }

  query(operation: Uint8Array): Uint8Array {
    return this.#record(this.#service.query(operation));
  }

  #record(answer: Uint8Array): Uint8Array {
    this.#request!.answer = answer.length > ANSWER_BYTES_MAX ? answer.subarray(0, ANSWER_BYTES_MAX) : answer;
    return answer;
  }
}

/** Stands in for the service while an update is applied: gives the answers that it names, in their places. */
export class UpdatePlayback implements ServiceCalls {
  readonly #expected: readonly UpdateRequest[];
  #next = 0;
  #answer: Uint8Array | undefined;
  #fits = true;

  constructor(bundles: readonly UpdateBundle[]) {
    this.#expected = bundles.flatMap((bundle) => bundle.requests);
  }

  begin(): void {
    // An answer that nobody asked for.
    if (this.#answer !== undefined) this.#fits = false;
    this.#answer = this.#expected[this.#next]?.answer;
    this.#next += 1;
  }

  #take(): Uint8Array {
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer === undefined) this.#fits = false;
    return answer ?? new Uint8Array(0);
  }

  execute(): Uint8Array {
    return this.#take();
  }

  query(): Uint8Array {
    return this.#take();
  }

  /** Whether every request was executed and every answer was asked for, at the end. */
  get isComplete(): boolean {
    return this.#fits && this.#answer === undefined && this.#next === this.#expected.length;
  }
}
