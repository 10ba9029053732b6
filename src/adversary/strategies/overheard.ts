/** What a liar has heard and said lately, as material for lies. Everything is bounded: the oldest goes first. */
import type { Batch, Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  Commit,
  FullNewView,
  LogEntry,
  MinbftMessage,
  Prepare,
  StreamMessage,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import type { StreamInput } from './strategy.ts';

const KEPT = 64;
const BATCHES = 32;

function keep<T>(list: T[], item: T, limit = KEPT): void {
  list.push(item);
  if (list.length > limit) list.shift();
}

/** See the top of this file. */
export class Overheard {
  readonly prepares: Prepare[] = [];
  readonly commits: Commit[] = [];
  readonly checkpoints: Checkpoint[] = [];
  readonly viewChanges: ViewChange[] = [];
  readonly newViews: FullNewView[] = [];
  readonly certificates: CheckpointCertificate[] = [];
  /** Entries of streams, whoever sealed them. */
  readonly entries: LogEntry[] = [];
  readonly bundles: Bundle[] = [];
  readonly batches = new Map<Digest, Batch>();
  readonly digests: Digest[] = [ZERO_DIGEST];

  /** Takes note of an input. */
  hear(input: StreamInput): void {
    if (input.kind === 'message') this.note(input.message);
    else if (input.kind === 'body') this.noteBatch(input.batch);
    else if (input.kind === 'bundle') keep(this.bundles, input.bundle);
  }

  /** Takes note of a message, own ones included. */
  note(message: MinbftMessage | StreamMessage): void {
    if ('digest' in message && !this.digests.includes(message.digest)) keep(this.digests, message.digest);
    switch (message.kind) {
      case 'PREPARE':
        this.#notePrepare(message);
        keep(this.entries, message);
        break;
      case 'COMMIT':
        keep(this.commits, message);
        keep(this.entries, message);
        this.#notePrepare(message.prepare);
        break;
      case 'CHECKPOINT':
        keep(this.checkpoints, message);
        keep(this.entries, message);
        keep(this.digests, message.stateDigest);
        break;
      case 'VIEW-CHANGE':
        this.#noteViewChange(message);
        break;
      case 'NEW-VIEW':
        keep(this.newViews, message, 8);
        keep(this.entries, message.header);
        for (const viewChange of message.viewChanges) this.#noteViewChange(viewChange);
        break;
      case 'COMMIT-NEW-VIEW':
        keep(this.entries, message);
        break;
      case 'CHECKPOINT-PROOF':
        keep(this.certificates, message.certificate, 16);
        break;
      default:
        break;
    }
  }

  /** Takes note of a body. */
  noteBatch(batch: Batch): void {
    this.batches.set(batch.digest, batch);
    for (const oldest of this.batches.keys()) {
      if (this.batches.size <= BATCHES) break;
      this.batches.delete(oldest);
    }
  }

  /** Proposals of a view that were heard of, oldest first. */
  preparesOf(view: View): readonly Prepare[] {
    return this.prepares.filter((prepare) => prepare.view === view);
  }

  /** A proposal for an order of a view. */
  prepareFor(view: View, sequence: SequenceNumber): Prepare | undefined {
    return this.prepares.findLast((one) => one.view === view && one.sequence === sequence);
  }

  /** The newest VIEW-CHANGE of each replica for a view. */
  viewChangesFor(view: View): ReadonlyMap<ReplicaId, ViewChange> {
    const found = new Map<ReplicaId, ViewChange>();
    for (const one of this.viewChanges) if (one.view === view) found.set(one.ui.replica, one);
    return found;
  }

  #notePrepare(prepare: Prepare): void {
    const known = this.prepares.some(
      ({ digest, ui }) => digest === prepare.digest && ui.counter === prepare.ui.counter,
    );
    if (known) return;
    keep(this.prepares, prepare);
    keep(this.digests, prepare.batchDigest);
  }

  #noteViewChange(message: ViewChange): void {
    if (this.viewChanges.some(({ digest }) => digest === message.digest)) return;
    keep(this.viewChanges, message, 24);
    if (message.stable !== undefined) keep(this.certificates, message.stable, 16);
    for (const entry of message.log.slice(-8)) keep(this.entries, entry);
  }
}
