/** CHECKPOINT as most protocols say it: sequence number and digest of the state, and what a list of them proves. */
import type { Reader, Writer } from '../../core/codec.ts';
import type { CheckpointState } from '../../core/protocol.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import type { CheckpointReading } from './hooks.ts';
import { isQuorum } from './quorums.ts';
import type { Content, Sealed } from './sealed.ts';

/** A boundary was executed with this state. */
export interface Checkpoint {
  readonly kind: 'CHECKPOINT';
  readonly sequence: SequenceNumber;
  readonly stateDigest: Digest;
}

/** Writes the fields; those of a bare state, too. */
export function writeCheckpoint(writer: Writer, { sequence, stateDigest }: CheckpointState): Writer {
  return writer.u64(sequence).digest(stateDigest);
}

/** Reads what `writeCheckpoint` wrote. */
export function readCheckpoint(reader: Reader): Checkpoint {
  return { kind: 'CHECKPOINT', sequence: reader.u64(), stateDigest: reader.digest() };
}

/** The state that a content names if it is a CHECKPOINT; two count together if sequence number and state are equal. */
export function readingOf(content: Content): CheckpointReading | undefined {
  if (content.kind !== 'CHECKPOINT') return undefined;
  const { sequence, stateDigest } = content as Checkpoint;
  return { state: { sequence, stateDigest }, key: `${sequence}/${stateDigest}` };
}

/** What makes CHECKPOINTs prove that they are stable. */
export interface CheckpointProofRules<C extends Content> {
  readonly quorum: number;
  /** The state that a content names; undefined: it is no CHECKPOINT. */
  readonly checkpointOf: (content: C) => CheckpointReading | undefined;
  /** Whether the word for a CHECKPOINT is the one that the protocol asks for. */
  readonly isVouched: (message: Sealed<C>) => boolean;
}

/** The stable checkpoint that a list of CHECKPOINTs proves; 0 (genesis) for none, undefined if they prove nothing. */
export function provenCheckpoint<C extends Content>(
  { quorum, checkpointOf, isVouched }: CheckpointProofRules<C>,
  checkpoints: readonly Sealed<C>[],
): SequenceNumber | undefined {
  const [first] = checkpoints;
  if (first === undefined) return 0;
  const expected = checkpointOf(first.content);
  if (expected === undefined || !isQuorum(quorum, checkpoints)) return undefined;
  const agree = checkpoints.every(
    (message) => checkpointOf(message.content)?.key === expected.key && isVouched(message),
  );
  return agree ? expected.state.sequence : undefined;
}
