/** The service at work: one batch or update at a time, and what its answers mean for requests, bodies and deadlines. */
import type { Input } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { SequenceNumber } from '../../core/types.ts';
import type { Execution } from './hooks.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** See the top of this file. */
export class ServiceDesk<C extends Content> {
  readonly #replica: AttestedReplica<C>;
  /** What the service does right now; without a batch: it applies an update. */
  #running: { readonly sequence: SequenceNumber; readonly batch: Batch | undefined } | undefined;

  constructor(replica: AttestedReplica<C>) {
    this.#replica = replica;
  }

  /** Whether an answer of the service is outstanding. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Hands the service its next work. */
  start(sequence: SequenceNumber, next: Execution): void {
    const { desk, bodies, protocolState } = this.#replica;
    if (next.kind === 'apply') {
      this.#running = { sequence, batch: undefined };
      return desk.emit({ kind: 'apply', sequence, update: next.update, protocolState });
    }
    const { batch, mode } = next;
    bodies.makeDurable(batch, sequence);
    this.#running = { sequence, batch };
    const base = { kind: 'execute', sequence, batch, protocolState } as const;
    desk.emit(mode === undefined ? base : { ...base, mode });
  }

  /** The service has answered; undefined if that is not what it was asked for. */
  finish(input: Extract<Input<never>, { kind: 'executed' }>): 'executed' | 'refused' | undefined {
    const done = this.#running;
    this.#running = undefined;
    if (done === undefined || done.sequence !== input.sequence) return undefined;
    if (input.refused === true) return 'refused';
    const replica = this.#replica;
    const { desk, requests, bodies, backoff, context } = replica;
    replica.executed = input.sequence;
    // An update does not name the requests that it stands for: what is overdue is looked up.
    if (done.batch === undefined) requests.pending.isOverdue(desk.now, context.isExecuted);
    else {
      requests.settle(done.batch.bundles);
      bodies.release(done.batch.digest);
    }
    if (backoff.onExecuted(input.sequence)) requests.pending.restartDeadlines(desk.now, replica.requestDelay);
    if (input.checkpoint !== undefined) replica.boundaries.set(input.checkpoint.sequence, input.checkpoint);
    return 'executed';
  }
}
