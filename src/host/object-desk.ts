/**
 * The conversation with a trusted component whose objects (counters, logs) give their word for own messages: one
 * request at a time, in the order in which they were asked for. Every certificate is checked before it counts (decision
 * A6). A question whose answer was lost is asked again and finds what was given: no value is ever given twice.
 */
import type { Attestor, ObjectAttestation } from '../core/attestation.ts';
import type { CounterValue, Digest, ReplicaId } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { SealVerifier } from '../crypto/port.ts';
import { FLAG_STRICT_LOG } from '../trusted/programs/a2m/answers.ts';
import { CERTIFICATES_MAX, STATEMENT_KIND } from '../trusted/contract.ts';
import type {
  Statement,
  TrustedCertificate,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedRequest,
  TrustedResponse,
} from '../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../trusted/frames.ts';
import { decodeStatement } from '../trusted/statement.ts';
import type { TrustedPort } from './ports.ts';
import type { ObjectValue } from './records.ts';

/** An object as a protocol names it. */
export type ObjectAttestor = Extract<Attestor, { readonly kind: 'object' }>;

/** What became of a question. `refused`: the value belongs to something else. */
export type WordOutcome =
  { readonly kind: 'given'; readonly word: ObjectAttestation } | { readonly kind: 'refused' };

/** What the desk is made of. */
export interface ObjectDeskOptions {
  readonly self: ReplicaId;
  readonly verifier: SealVerifier;
  readonly trusted: Pick<TrustedPort, 'call'>;
  /** Whether another word may be asked for now: words that are not durable yet must still be in the component's memory. */
  readonly mayAsk: () => boolean;
  /** Calls back once every word that was given so far is durable here. */
  readonly whenSynced: (then: () => void) => void;
  readonly halt: (reason: string) => void;
}

interface Job {
  readonly by: ObjectAttestor;
  readonly digest: Digest;
  readonly done: (outcome: WordOutcome) => void;
  truncated: boolean;
}

type Answer = Exclude<TrustedResponse, { readonly op: 'error' }>;
type Failures = Partial<Record<TrustedErrorCode, () => void>>;

/** Object that stands for all counters of a component: `replay` of it gives its whole queue. */
const ALL_COUNTERS = '0100000000000000';
/** No nonce: what is final is answered the same each time. */
const NO_NONCE = '0'.repeat(32);

/** See the top of this file. */
export class ObjectDesk {
  readonly #options: ObjectDeskOptions;
  readonly #queue: Job[] = [];
  #current: Job | undefined;
  #callId = 0;
  #open: { readonly id: number; readonly onAnswer: (response: TrustedResponse) => void } | undefined;
  /** Starts over what is being asked. */
  #again: () => void = () => undefined;
  /** Where logs stand, as far as this start has seen. */
  readonly #ends = new Map<string, { readonly slot: CounterValue; readonly history: Digest }>();
  #answers = true;

  constructor(options: ObjectDeskOptions) {
    this.#options = options;
  }

  /** Whether the component answers. */
  get answers(): boolean {
    return this.#answers;
  }

  /** Asks the component who it is. */
  identify(then: (identity: TrustedIdentity) => void): void {
    this.#start(() =>
      this.#call({ op: 'identify' }, (answer) => {
        if (answer.op === 'identify') then(answer.identity);
        else this.#strange('identify', answer.op);
      }),
    );
  }

  /** Whether the component remembers having given this value: else it was put back to before it. */
  remembers(newest: ObjectValue, then: (remembers: boolean) => void): void {
    const { object, form, value } = newest;
    const isThat = (statement: Statement): boolean =>
      statement.objectId === object && statement.value >= value;
    const judge = (answer: Answer): void => then(statementsOf(answer).some(isThat));
    const request: TrustedRequest =
      form === 'log'
        ? { op: 'end', objectId: object, nonce: NO_NONCE }
        : { op: 'replay', objectId: ALL_COUNTERS, count: CERTIFICATES_MAX };
    this.#start(() => this.#call(request, judge, { NO_OBJECT: () => then(false) }));
  }

  /** Asks for an object's word; answered in the order of the questions. */
  word(by: ObjectAttestor, digest: Digest, done: (outcome: WordOutcome) => void): void {
    this.#queue.push({ by, digest, done, truncated: false });
    this.pump();
  }

  /** Goes on with the next question, if there is one and it may be asked. */
  pump(): void {
    if (this.#current !== undefined || this.#open !== undefined || !this.#options.mayAsk()) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#current = job;
    this.#start(() => (job.by.form === 'log' ? this.#place(job) : this.#move(job)));
  }

  /** The component's answer. One to an older call (before a reconnection) is ignored. */
  onResponse(id: number, bytes: Uint8Array): void {
    const open = this.#open;
    if (open?.id !== id) return;
    this.#answers = true;
    this.#open = undefined;
    const response = decodeTrustedResponse(bytes);
    if (response === undefined)
      return this.#options.halt('the trusted component answered with bytes that are no TCS1 response');
    open.onAnswer(response);
  }

  /** The component was lost: the host stays mute until it is back. */
  onLost(): void {
    this.#answers = false;
  }

  /** The component is back: what was open is asked again, and may have been done already. */
  onBack(): void {
    this.#answers = true;
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#ends.clear();
    this.#again();
  }

  // ---- counters ---------------------------------------------------------------------------------------------------

  #move(job: Job): void {
    const { object: objectId, value } = job.by;
    const { digest } = job;
    this.#call(
      { op: 'advance', objectId, value, independent: false, digest },
      (answer) => this.#take(job, answer),
      {
        NO_OBJECT: () => this.#create(job, () => this.#move(job)),
        NOT_MONOTONIC: () => this.#findMove(job),
        CLOSED: () => this.#finish(job, { kind: 'refused' }),
      },
    );
  }

  /** The counter is at this value or beyond, or steps from elsewhere: perhaps it gave it to this very digest. */
  #findMove(job: Job): void {
    const { object: objectId, value } = job.by;
    this.#call({ op: 'replay', objectId, count: CERTIFICATES_MAX }, (answer) => {
      const moves = answer.op === 'certificates' ? answer.certificates : [];
      const found = moves.find((move) => {
        const statement = decodeStatement(move.statement);
        return statement?.value === value && statement.digest === job.digest;
      });
      if (found === undefined) this.#finish(job, { kind: 'refused' });
      else this.#take(job, { op: 'certificates', certificates: [found] });
    });
  }

  // ---- logs -------------------------------------------------------------------------------------------------------

  #place(job: Job): void {
    const { object: objectId, value, mode } = job.by;
    const end = this.#ends.get(objectId);
    if (end === undefined) return this.#findEnd(job);
    if (value <= end.slot) return this.#findEntry(job);
    const take = (answer: Answer): void => this.#take(job, answer);
    const failures = { QUOTA: () => this.#truncate(job) };
    if (value === end.slot + 1)
      return this.#call({ op: 'append', objectId, entry: job.digest }, take, failures);
    if (mode !== 'jump') return this.#finish(job, { kind: 'refused' });
    const jump = { op: 'advanceLog', objectId, slot: value, base: end.history, entry: job.digest } as const;
    this.#call(jump, take, failures);
  }

  #findEnd(job: Job): void {
    const { object: objectId } = job.by;
    const judge = (answer: Answer): void => {
      const statement = statementsOf(answer)[0];
      if (statement?.kind !== STATEMENT_KIND.logEnd) return this.#strange('end', answer.op);
      this.#ends.set(objectId, { slot: statement.value, history: statement.aux ?? ZERO_DIGEST });
      this.#place(job);
    };
    this.#call({ op: 'end', objectId, nonce: NO_NONCE }, judge, {
      NO_OBJECT: () =>
        this.#create(job, () => {
          this.#ends.set(objectId, { slot: 0, history: ZERO_DIGEST });
          this.#place(job);
        }),
    });
  }

  #findEntry(job: Job): void {
    const { object: objectId, value: slot } = job.by;
    this.#call({ op: 'lookup', objectId, slot, nonce: NO_NONCE }, (answer) => {
      const statement = statementsOf(answer)[0];
      const isOurs = statement?.kind === STATEMENT_KIND.logEntry && statement.digest === job.digest;
      if (isOurs) this.#take(job, answer);
      else this.#finish(job, { kind: 'refused' });
    });
  }

  /** The log is full: what is durable here need not be in it any more, save the newest, by which it is recognised. */
  #truncate(job: Job): void {
    const { object: objectId } = job.by;
    if (job.truncated) return this.#options.halt(`the log ${objectId} of the trusted component is full`);
    job.truncated = true;
    this.#options.whenSynced(() => {
      const { slot } = this.#ends.get(objectId)!;
      this.#call({ op: 'truncate', objectId, slot }, () => this.#place(job));
    });
  }

  // ---- both -------------------------------------------------------------------------------------------------------

  #create(job: Job, then: () => void): void {
    const { object: objectId, form, mode } = job.by;
    const made = form === 'log' ? (mode === 'jump' ? 'jump' : 'strict') : mode === 'jump' ? 'jump' : 'step';
    this.#call({ op: 'create', objectId, mode: made }, then, {
      CLOSED: () => this.#finish(job, { kind: 'refused' }),
    });
  }

  #take(job: Job, answer: Answer): void {
    const { by, digest } = job;
    const { self, verifier, halt } = this.#options;
    const certificate = answer.op === 'certificates' ? answer.certificates[0] : undefined;
    if (certificate === undefined) return this.#strange('give its word', answer.op);
    const word = wordOf(self, by.form, certificate);
    if (word === undefined || word.statement.value !== by.value || word.statement.objectId !== by.object)
      return halt(
        `the trusted component gave a value of object ${word?.statement.objectId ?? 'unknown'} where ${by.value} of ` +
          `${by.object} was expected: someone else uses it. Make sure that only this replica reaches it.`,
      );
    const { attestation } = word;
    const verdict = verifier.verifyMany([{ kind: 'object', attestation, digest }]);
    if (verdict !== 'valid')
      return halt(
        `the trusted component gave a certificate for value ${by.value} of object ${by.object} that does not verify ` +
          `(${verdict}) under the registered key: it is not the component that cluster.json names. Put its own folder ` +
          'back or replace the replica.',
      );
    const end = this.#ends.get(by.object);
    if (by.form === 'log' && (end === undefined || by.value > end.slot))
      this.#ends.set(by.object, { slot: by.value, history: attestation.history ?? ZERO_DIGEST });
    this.#finish(job, { kind: 'given', word: attestation });
  }

  #finish(job: Job, outcome: WordOutcome): void {
    this.#current = undefined;
    job.done(outcome);
    this.pump();
  }

  #start(work: () => void): void {
    this.#again = work;
    work();
  }

  #call(request: TrustedRequest, onAnswer: (answer: Answer) => void, failures: Failures = {}): void {
    this.#callId += 1;
    this.#open = {
      id: this.#callId,
      onAnswer: (response) => {
        if (response.op !== 'error') return onAnswer(response);
        const failure = failures[response.code];
        if (failure !== undefined) return failure();
        this.#options.halt(
          `the trusted component refused to ${request.op}: ${response.code} ${response.message}`,
        );
      },
    };
    this.#options.trusted.call(this.#callId, encodeTrustedRequest(request));
  }

  #strange(what: string, op: string): void {
    this.#options.halt(`the trusted component answered ${op} when it was asked to ${what}`);
  }
}

function statementsOf(answer: Answer): readonly Statement[] {
  if (answer.op !== 'certificates') return [];
  return answer.certificates.flatMap(({ statement }) => decodeStatement(statement) ?? []);
}

/** What a certificate says, as peers will be told; undefined if it is no word about a message. */
function wordOf(
  replica: ReplicaId,
  form: ObjectAttestation['form'],
  { statement: bytes, authenticator }: TrustedCertificate,
): { readonly statement: Statement; readonly attestation: ObjectAttestation } | undefined {
  const statement = decodeStatement(bytes);
  const kind = form === 'log' ? STATEMENT_KIND.logEntry : STATEMENT_KIND.advance;
  if (statement?.kind !== kind) return undefined;
  const { tcEpoch, objectId: object, previous, value, aux } = statement;
  const attestation = {
    kind: 'object',
    replica,
    tcEpoch,
    object,
    form,
    previous,
    value,
    authenticator,
  } as const;
  if (form === 'counter') return { statement, attestation };
  const word = { ...attestation, history: aux ?? ZERO_DIGEST };
  const isStrict = (statement.flags & FLAG_STRICT_LOG) !== 0;
  return { statement, attestation: isStrict ? { ...word, strict: true } : word };
}
