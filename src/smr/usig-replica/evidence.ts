/**
 * Evidence: canonical bytes that prove to anybody, offline, that a replica did what no correct replica does. Four
 * kinds: two PREPAREs for one order in one view; a CHECKPOINT that contradicts a stable one; a PREPARE, COMMIT or
 * CHECKPOINT right after the own VIEW-CHANGE; two statements under one counter value (its component was rolled back or
 * cloned). Silence, delay and bad batches prove nothing and are never accused.
 */
import { Reader, Writer } from '../../core/codec.ts';
import type { DecodeContext, Seal, UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { agreeOnState } from '../checkpoint-keeper.ts';
import { decodeMessage, encodeMessage } from '../usig-stream/codec.ts';
import { createStreamContext } from '../usig-stream/context.ts';
import type { StreamContext } from '../usig-stream/context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  UsigMessage,
  Prepare,
  Vote,
} from '../usig-stream/messages.ts';
import type { UsigForm } from './part.ts';
import { proposalsIn } from '../usig-stream/slots.ts';
import { sealsOf } from '../usig-stream/seals.ts';
import { readUi, viewChangeDigest, writeUi } from '../usig-stream/wire.ts';

/** The part of a VIEW-CHANGE that its UI covers. */
export interface ViewChangeTrace {
  readonly view: number;
  readonly bodyDigest: Digest;
  readonly ui: UniqueIdentifier;
}

/** A statement that a trusted component has sealed, without the message around it. */
export interface SealTrace {
  readonly digest: Digest;
  readonly ui: UniqueIdentifier;
}

/** What a record can prove. */
export type Evidence =
  | { readonly kind: 'doubleProposal'; readonly first: Prepare; readonly second: Prepare }
  | {
      readonly kind: 'wrongCheckpoint';
      readonly certificate: CheckpointCertificate;
      readonly checkpoint: Checkpoint;
    }
  | {
      readonly kind: 'activeAfterViewChange';
      readonly viewChange: ViewChangeTrace;
      readonly message: Prepare | Vote | Checkpoint;
    }
  | { readonly kind: 'doubleSeal'; readonly first: SealTrace; readonly second: SealTrace };

/** Whether a message is one that only an active replica makes. */
export function isActive(item: { readonly kind: string }): item is Prepare | Vote | Checkpoint {
  return item.kind === 'CHECKPOINT' || proposalsIn(item).length > 0;
}

/** Rule that evidence speaks of. */
export type EvidenceRule = Evidence['kind'];

/** A judgement. It stands if all `seals` hold under keys that a registry of the cluster binds. */
export interface EvidenceVerdict {
  readonly replica: ReplicaId;
  readonly rule: EvidenceRule;
  /** One sentence for people. */
  readonly explanation: string;
  readonly seals: readonly Seal[];
}

const CODE: Readonly<Record<EvidenceRule, number>> = {
  doubleProposal: 1,
  wrongCheckpoint: 2,
  activeAfterViewChange: 3,
  doubleSeal: 4,
};
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** Canonical bytes of a record. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const writer = new Writer(2048).u8(1).u8(CODE[evidence.kind]);
  const put = (message: UsigMessage): Writer => writer.bytes(encodeMessage(message));
  switch (evidence.kind) {
    case 'doubleProposal':
      put(evidence.first);
      put(evidence.second);
      break;
    case 'wrongCheckpoint':
      put({ kind: 'CHECKPOINT-PROOF', certificate: evidence.certificate, links: [] });
      put(evidence.checkpoint);
      break;
    case 'activeAfterViewChange': {
      const { view, bodyDigest, ui } = evidence.viewChange;
      writer.u64(view).digest(bodyDigest);
      writeUi(writer, ui);
      put(evidence.message);
      break;
    }
    case 'doubleSeal':
      for (const { digest, ui } of [evidence.first, evidence.second]) writeUi(writer.digest(digest), ui);
      break;
  }
  return writer.finish();
}

function readEvidence(context: StreamContext, reader: Reader): Evidence | undefined {
  const message = (): UsigMessage | undefined => decodeMessage(context, reader.bytes(MESSAGE_BYTES_MAX));
  if (reader.u8() !== 1) return undefined;
  switch (reader.u8()) {
    case CODE.doubleProposal: {
      const first = message();
      const second = message();
      if (first?.kind !== 'PREPARE' || second?.kind !== 'PREPARE') return undefined;
      return { kind: 'doubleProposal', first, second };
    }
    case CODE.wrongCheckpoint: {
      const proof = message();
      const checkpoint = message();
      if (proof?.kind !== 'CHECKPOINT-PROOF' || proof.links.length > 0) return undefined;
      if (checkpoint?.kind !== 'CHECKPOINT') return undefined;
      return { kind: 'wrongCheckpoint', certificate: proof.certificate, checkpoint };
    }
    case CODE.activeAfterViewChange: {
      const view = reader.u64();
      const bodyDigest = reader.digest();
      const ui = readUi(context, reader);
      const after = message();
      if (after === undefined || !isActive(after)) return undefined;
      return { kind: 'activeAfterViewChange', viewChange: { view, bodyDigest, ui }, message: after };
    }
    case CODE.doubleSeal: {
      const trace = (): SealTrace => ({ digest: reader.digest(), ui: readUi(context, reader) });
      return { kind: 'doubleSeal', first: trace(), second: trace() };
    }
    default:
      return undefined;
  }
}

/**
 * Judges a record offline: who did what, and which seals must hold for it. Undefined unless the bytes are one canonical
 * record whose contents prove a fault. The caller checks `seals`. `form`: that of the cluster's protocol.
 */
export function verifyEvidence(
  context: DecodeContext,
  bytes: Uint8Array,
  form: UsigForm = { vote: 'COMMIT' },
): EvidenceVerdict | undefined {
  const { settings, hash, domain } = context;
  const streams = createStreamContext(settings, hash, domain, settings.protocol, form.vote, form.slots);
  const reader = new Reader(bytes);
  const evidence = readEvidence(streams, reader);
  if (evidence === undefined || !reader.done()) return undefined;
  switch (evidence.kind) {
    case 'doubleProposal':
      return judgeDoubleProposal(streams, evidence.first, evidence.second);
    case 'wrongCheckpoint':
      return judgeWrongCheckpoint(streams, evidence.certificate, evidence.checkpoint);
    case 'activeAfterViewChange':
      return judgeActive(streams, evidence.viewChange, evidence.message);
    case 'doubleSeal':
      return judgeDoubleSeal(evidence.first, evidence.second);
  }
}

/** A trusted component gives each value of its counter to one statement only. */
function judgeDoubleSeal(first: SealTrace, second: SealTrace): EvidenceVerdict | undefined {
  const { replica, tcEpoch, counter } = first.ui;
  const { ui } = second;
  const sameValue = ui.replica === replica && ui.tcEpoch === tcEpoch && ui.counter === counter;
  if (!sameValue || first.digest === second.digest) return undefined;
  return {
    replica,
    rule: 'doubleSeal',
    explanation:
      `the trusted component of replica ${replica} sealed two statements with counter ${counter}: it was put back to an ` +
      'old state or copied, or its key is known',
    seals: [first, second].map((trace): Seal => ({ kind: 'counter', ...trace })),
  };
}

/** A correct primary seals one PREPARE for each order of a view, under whatever counter. */
function judgeDoubleProposal(
  context: StreamContext,
  first: Prepare,
  second: Prepare,
): EvidenceVerdict | undefined {
  const { replica, tcEpoch } = first.ui;
  const sameSlot = first.view === second.view && first.sequence === second.sequence;
  const sameAuthor = second.ui.replica === replica && second.ui.tcEpoch === tcEpoch;
  if (!sameSlot || !sameAuthor || first.ui.counter === second.ui.counter) return undefined;
  if (replica !== context.primaryOf(first.view)) return undefined;
  return {
    replica,
    rule: 'doubleProposal',
    explanation:
      `replica ${replica} proposed order ${first.sequence} of view ${first.view} twice, ` +
      `with counters ${first.ui.counter} and ${second.ui.counter}`,
    seals: [...sealsOf(first), ...sealsOf(second)],
  };
}

/** One of the f+1 signers of a certificate is correct, and correct replicas agree on a checkpoint. */
function judgeWrongCheckpoint(
  context: StreamContext,
  certificate: CheckpointCertificate,
  checkpoint: Checkpoint,
): EvidenceVerdict | undefined {
  const [first] = certificate.checkpoints;
  if (first === undefined || certificate.checkpoints.length <= context.f) return undefined;
  const signers = new Set<ReplicaId>();
  for (const one of certificate.checkpoints) {
    if (!agreeOnState(one, first)) return undefined;
    signers.add(one.ui.replica);
  }
  if (signers.size !== certificate.checkpoints.length) return undefined;
  if (checkpoint.sequence !== first.sequence || agreeOnState(checkpoint, first)) return undefined;
  const { replica } = checkpoint.ui;
  return {
    replica,
    rule: 'wrongCheckpoint',
    explanation:
      `replica ${replica} stated state ${checkpoint.stateDigest} after order ${checkpoint.sequence}, ` +
      `where replicas ${[...signers].join(', ')} agree on ${first.stateDigest}`,
    seals: [...certificate.checkpoints.flatMap((one) => sealsOf(one)), ...sealsOf(checkpoint)],
  };
}

/** Between a VIEW-CHANGE and the next NEW-VIEW or COMMIT-NV a correct replica only changes views. */
function judgeActive(
  context: StreamContext,
  viewChange: ViewChangeTrace,
  message: Prepare | Vote | Checkpoint,
): EvidenceVerdict | undefined {
  const { ui } = viewChange;
  const next =
    message.ui.replica === ui.replica &&
    message.ui.tcEpoch === ui.tcEpoch &&
    message.ui.counter === ui.counter + 1;
  if (!next) return undefined;
  return {
    replica: ui.replica,
    rule: 'activeAfterViewChange',
    explanation:
      `replica ${ui.replica} sealed a ${message.kind} (counter ${message.ui.counter}) ` +
      `right after its VIEW-CHANGE to view ${viewChange.view}`,
    seals: [{ kind: 'counter', ui, digest: viewChangeDigest(context, viewChange) }, ...sealsOf(message)],
  };
}
