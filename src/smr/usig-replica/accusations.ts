/** When to accuse: only where the bytes prove it to anybody (see `evidence.ts`). */
import type { ReplicaId } from '../../core/types.ts';
import type { Checkpoint, CheckpointCertificate } from '../usig-stream/messages.ts';
import { agreeOnState, stableSequence } from '../checkpoint-keeper.ts';
import { encodeEvidence, isActive } from './evidence.ts';
import type { Evidence, SealTrace } from './evidence.ts';
import type { ReplicaState, StreamItem, StreamSlot } from './state.ts';

/** Accusations of one replica for one rule are made once. */
function accuse(s: ReplicaState, replica: ReplicaId, evidence: Evidence): void {
  const key = `${replica}/${evidence.kind}`;
  if (replica === s.self || s.accused.has(key)) return;
  s.accused.add(key);
  s.emit({ kind: 'accuse', replica, rule: evidence.kind, evidence: encodeEvidence(evidence) });
}

/** A stream broke a rule with this message: accuse if two messages of it prove that by themselves. */
export function accuseOfStreamFault(s: ReplicaState, slot: StreamSlot, item: StreamItem): void {
  if (item.kind === 'PREPARE') {
    for (const { item: earlier } of slot.log.from(0)) {
      const same =
        earlier.kind === 'PREPARE' &&
        earlier.view === item.view &&
        earlier.sequence === item.sequence &&
        earlier.ui.tcEpoch === item.ui.tcEpoch &&
        earlier.ui.counter !== item.ui.counter;
      if (!same) continue;
      accuse(s, item.ui.replica, { kind: 'doubleProposal', first: earlier, second: item });
      return;
    }
  }
  const last = slot.log.get(slot.log.last)?.item;
  const after = isActive(item) ? item : undefined;
  if (last?.kind !== 'VIEW-CHANGE' || after === undefined) return;
  if (after.ui.counter !== last.ui.counter + 1 || after.ui.tcEpoch !== last.ui.tcEpoch) return;
  accuse(s, after.ui.replica, {
    kind: 'activeAfterViewChange',
    viewChange: { view: last.view, bodyDigest: last.bodyDigest, ui: last.ui },
    message: after,
  });
}

/** A message came under a counter value that another message is held for: proof of two seals, unless they are one. */
export function accuseOfDoubleSeal(s: ReplicaState, held: StreamItem, item: StreamItem): void {
  const [first, second] = [traceOf(held), traceOf(item)];
  if (first.digest === second.digest || first.ui.tcEpoch !== second.ui.tcEpoch) return;
  accuse(s, second.ui.replica, { kind: 'doubleSeal', first, second });
}

function traceOf(item: StreamItem): SealTrace {
  const { ui, digest } = item.kind === 'NEW-VIEW' ? item.header : item;
  return { ui, digest };
}

/** A CHECKPOINT arrived: does it contradict the stable one? */
export function accuseOfWrongCheckpoint(s: ReplicaState, checkpoint: Checkpoint): void {
  for (const certificate of [s.stable, s.knownStable])
    if (certificate !== undefined) compare(s, certificate, checkpoint);
}

/** A certificate was made: does any CHECKPOINT that is held contradict it? */
export function accuseAgainstCertificate(s: ReplicaState, certificate: CheckpointCertificate): void {
  for (const replica of s.slots.keys())
    for (const checkpoint of s.keeper.of(replica)) compare(s, certificate, checkpoint);
}

function compare(s: ReplicaState, certificate: CheckpointCertificate, checkpoint: Checkpoint): void {
  if (checkpoint.sequence !== stableSequence(certificate)) return;
  if (agreeOnState(checkpoint, certificate.checkpoints[0]!)) return;
  accuse(s, checkpoint.ui.replica, { kind: 'wrongCheckpoint', certificate, checkpoint });
}
