/**
 * Messages of three-phase agreement (Castro and Liskov, OSDI 1999): PRE-PREPARE, PREPARE, COMMIT, and the signed ones of
 * checkpoints and view changes. The body of a batch travels apart, under its digest.
 */
import type { Reader, Writer } from '../../core/codec.ts';
import type { Digest, SequenceNumber, View } from '../../core/types.ts';
import type { Checkpoint } from '../attested/checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from '../attested/checkpoint.ts';
import type { Content, Sealed, SealedCodec } from '../attested/sealed.ts';

/** What one replica says about one order: which batch, in which view. */
export interface Phase<K extends 'PRE-PREPARE' | 'PREPARE' | 'COMMIT'> {
  readonly kind: K;
  readonly view: View;
  readonly sequence: SequenceNumber;
  /** Digest of the batch body. */
  readonly digest: Digest;
}
export type PrePrepare = Phase<'PRE-PREPARE'>;
export type Prepare = Phase<'PREPARE'>;
export type Commit = Phase<'COMMIT'>;

/** That a batch was prepared: the proposal and PREPAREs of a quorum of backups (2f). */
export interface PreparedProof {
  readonly prePrepare: Sealed<PhaseContent>;
  readonly prepares: readonly Sealed<PhaseContent>[];
}

/** A replica leaves for `view` and shows what it prepared above its stable checkpoint. */
export interface ViewChange {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** C: CHECKPOINTs of a quorum for the stable checkpoint; empty for genesis. */
  readonly checkpoints: readonly Sealed<PhaseContent>[];
  /** P: one per sequence number, ascending; each of the highest view in which it was prepared here. */
  readonly prepared: readonly PreparedProof[];
}

/** The new primary shows a quorum of VIEW-CHANGEs; what it has to propose (O) follows from them. */
export interface NewView {
  readonly kind: 'NEW-VIEW';
  readonly view: View;
  readonly viewChanges: readonly Sealed<PhaseContent>[];
}

/** What replicas say inside a view. */
export type OrderContent = PrePrepare | Prepare | Commit | Checkpoint;
/** With what they say to change views by signatures. */
export type PhaseContent = OrderContent | ViewChange | NewView;

/** Kinds that are said inside a view, in the order of their tags. */
export const ORDER_KINDS = ['PRE-PREPARE', 'PREPARE', 'COMMIT', 'CHECKPOINT'] as const;

/** All kinds, in the order of their tags. */
export const PHASE_KINDS = [
  ...ORDER_KINDS,
  'VIEW-CHANGE',
  'NEW-VIEW',
] as const satisfies readonly PhaseContent['kind'][];

/** Whether a content is one of this folder's; a protocol may have more kinds. */
export function isPhaseContent(content: Content): content is PhaseContent {
  return (PHASE_KINDS as readonly string[]).includes(content.kind);
}

/** Whether a content is said inside a view. */
export function isOrderContent(content: Content): content is OrderContent {
  return (ORDER_KINDS as readonly string[]).includes(content.kind);
}

/** Writes the fields of what is said inside a view. */
export function writeOrderContent(writer: Writer, content: OrderContent): void {
  if (content.kind === 'CHECKPOINT') writeCheckpoint(writer, content);
  else writer.u64(content.view).u64(content.sequence).digest(content.digest);
}

/** Reads what `writeOrderContent` wrote. */
export function readOrderContent(kind: OrderContent['kind'], reader: Reader): OrderContent {
  if (kind === 'CHECKPOINT') return readCheckpoint(reader);
  return { kind, view: reader.u64(), sequence: reader.u64(), digest: reader.digest() };
}

/** Writes the fields of a content. */
export function writePhaseContent(
  writer: Writer,
  content: PhaseContent,
  codec: SealedCodec<PhaseContent>,
): void {
  switch (content.kind) {
    case 'VIEW-CHANGE':
      writer.u64(content.view).list(content.checkpoints, codec.writeSealed);
      writer.list(content.prepared, (w, proof) => {
        codec.writeSealed(w, proof.prePrepare);
        w.list(proof.prepares, codec.writeSealed);
      });
      return;
    case 'NEW-VIEW':
      writer.u64(content.view).list(content.viewChanges, codec.writeSealed);
      return;
    default:
      writeOrderContent(writer, content);
  }
}

/** Reads the fields of a kind. */
export function readPhaseContent(
  kind: PhaseContent['kind'],
  reader: Reader,
  codec: SealedCodec<PhaseContent>,
): PhaseContent {
  switch (kind) {
    case 'VIEW-CHANGE':
      return {
        kind,
        view: reader.u64(),
        checkpoints: reader.list(codec.members, codec.readSealed),
        prepared: reader.list(codec.window, (r) => ({
          prePrepare: codec.readSealed(r),
          prepares: r.list(codec.members, codec.readSealed),
        })),
      };
    case 'NEW-VIEW':
      return { kind, view: reader.u64(), viewChanges: reader.list(codec.members, codec.readSealed) };
    default:
      return readOrderContent(kind, reader);
  }
}

/** Messages whose seals must hold with that of a content. */
export function quotedInPhase(content: PhaseContent): readonly Sealed<PhaseContent>[] {
  if (content.kind === 'NEW-VIEW') return content.viewChanges;
  if (content.kind !== 'VIEW-CHANGE') return NONE;
  const proofs = content.prepared.flatMap(({ prePrepare, prepares }) => [prePrepare, ...prepares]);
  return [...content.checkpoints, ...proofs];
}

const NONE: readonly Sealed<PhaseContent>[] = [];
