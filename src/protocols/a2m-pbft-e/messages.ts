/**
 * Messages of A2M-PBFT-E: those of three-phase agreement, with the execution history in CHECKPOINTs, and the entry of the
 * execution log that every answer to a client carries.
 */
import type { Digest, SequenceNumber } from '../../core/types.ts';
import type { Checkpoint } from '../../smr/attested/checkpoint.ts';
import type { SealedCodecOptions } from '../../smr/attested/sealed.ts';
import type { PhaseContent } from '../../smr/three-phase/messages.ts';
import {
  isPhaseContent,
  PHASE_KINDS,
  quotedInPhase,
  readPhaseContent,
  writePhaseContent,
} from '../../smr/three-phase/messages.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'a2m-pbft-e';

/** The execution log of every replica: class 2 (log), purpose 1. */
export const EXECUTION_LOG = '0201000000000000';

/** A boundary was executed with this state after this history of batches. */
export interface ExecutionCheckpoint extends Checkpoint {
  /** d of the execution log at `sequence`. */
  readonly history: Digest;
}

/** Entry `sequence` of the execution log; its digest x names no replica, so that equal histories have equal d. */
export interface Executed {
  readonly kind: 'EXECUTED';
  readonly sequence: SequenceNumber;
  /** Digest of the batch body. */
  readonly digest: Digest;
}

/** Asks for the digests of batches that the own log lacks. */
export interface HistoryRequest {
  readonly kind: 'HISTORY-REQUEST';
  readonly first: SequenceNumber;
}

/** Digests of executed batches from `first` on: a hint, judged by the history that they lead to. */
export interface History {
  readonly kind: 'HISTORY';
  readonly first: SequenceNumber;
  readonly digests: readonly Digest[];
}

export type ExecutionContent =
  Exclude<PhaseContent, Checkpoint> | ExecutionCheckpoint | Executed | HistoryRequest | History;

/** Digests of one HISTORY, at most. */
export const HISTORY_MAX = 2_048;

/** See the top of this file. */
export const EXECUTION_MESSAGES: SealedCodecOptions<ExecutionContent> = {
  protocol: PROTOCOL_NAME,
  kinds: [...PHASE_KINDS, 'EXECUTED', 'HISTORY-REQUEST', 'HISTORY'],
  impersonal: ['EXECUTED'],
  write(writer, content, codec) {
    switch (content.kind) {
      case 'EXECUTED':
        writer.u64(content.sequence).digest(content.digest);
        return;
      case 'HISTORY-REQUEST':
        writer.u64(content.first);
        return;
      case 'HISTORY':
        writer.u64(content.first).list(content.digests, (w, digest) => w.digest(digest));
        return;
      case 'CHECKPOINT':
        writePhaseContent(writer, content, codec as never);
        writer.digest(content.history);
        return;
      default:
        writePhaseContent(writer, content, codec as never);
    }
  },
  read(kind, reader, codec) {
    switch (kind) {
      case 'EXECUTED':
        return { kind, sequence: reader.u64(), digest: reader.digest() };
      case 'HISTORY-REQUEST':
        return { kind, first: reader.u64() };
      case 'HISTORY':
        return { kind, first: reader.u64(), digests: reader.list(HISTORY_MAX, (r) => r.digest()) };
      case 'CHECKPOINT': {
        const checkpoint = readPhaseContent(kind, reader, codec as never) as Checkpoint;
        return { ...checkpoint, history: reader.digest() };
      }
      default:
        return readPhaseContent(kind, reader, codec as never) as Exclude<PhaseContent, Checkpoint>;
    }
  },
  quoted: (content) => (isPhaseContent(content) ? (quotedInPhase(content) as never) : []),
};
