/** Whether a PREPARE, COMMIT or HISTORY of a CheapTiny instance is what it must be. Pure: outsiders come to the same answer. */
import type { Digest, SequenceNumber } from '../../core/types.ts';
import { provenCheckpoint, readingOf } from '../../smr/attested/checkpoint.ts';
import { isSigned } from '../../smr/attested/quorums.ts';
import type { Instance } from './instances.ts';
import { activeSet, labelOf } from './instances.ts';
import type { CheapContent, CheapSealed, Commit, Prepare } from './messages.ts';
import { entriesMax } from './messages.ts';

/** What the judgement depends on beside the bytes. */
export interface TinyJudge {
  readonly n: number;
  readonly f: number;
  /** L. */
  readonly window: number;
}

/** What a valid HISTORY amounts to. */
export interface JudgedHistory {
  readonly message: CheapSealed;
  /** h. */
  readonly low: SequenceNumber;
  /** Batches of h+1, h+2, …, in order. */
  readonly batches: readonly Digest[];
}

/** Whether the agreement counter of the instance gave this message this value. */
function hasValue({ attestation, author }: CheapSealed, instance: number, value: number): boolean {
  return (
    attestation.kind === 'object' &&
    attestation.replica === author &&
    attestation.object === labelOf('tiny', instance) &&
    attestation.form === 'counter' &&
    attestation.value === value
  );
}

/** Whether a message is the leader's PREPARE of an offset. */
function isPrepare(judge: TinyJudge, message: CheapSealed, instance: Instance, offset: number): boolean {
  const { content, author } = message;
  return (
    content.kind === 'PREPARE' &&
    content.instance === instance.number &&
    content.offset === offset &&
    author === activeSet(instance, judge.n, judge.f)[0] &&
    hasValue(message, instance.number, offset)
  );
}

/** Whether a PREPARE or COMMIT has the value of its offset (rule T2), by whom it must be. */
export function isAgreement(judge: TinyJudge, message: CheapSealed, instance: Instance): boolean {
  const { content, author } = message;
  if (content.kind === 'PREPARE') return isPrepare(judge, message, instance, content.offset);
  if (content.kind !== 'COMMIT' || content.instance !== instance.number) return false;
  const place = activeSet(instance, judge.n, judge.f).indexOf(author);
  return place > 0 && hasValue(message, instance.number, content.offset);
}

/** Whether a COMMIT shows the PREPARE that it agrees to (rule T3). */
export function showsPrepare(judge: TinyJudge, content: Commit, instance: Instance): boolean {
  return isPrepare(judge, content.prepare, instance, content.offset);
}

/** The PREPARE that a PREPARE or COMMIT stands for. */
export function prepareOf(message: CheapSealed): CheapSealed {
  return message.content.kind === 'COMMIT' ? message.content.prepare : message;
}

/** The boundary that f+1 equal CHECKPOINTs prove; `low` for none, undefined if they prove nothing above it. */
function provenAbove(
  { f }: TinyJudge,
  checkpoints: readonly CheapSealed[],
  low: SequenceNumber,
): SequenceNumber | undefined {
  if (checkpoints.length === 0) return low;
  const rules = { quorum: f + 1, checkpointOf: readingOf, isVouched: isSigned };
  const proven = provenCheckpoint(rules, checkpoints);
  return proven !== undefined && proven >= low ? proven : undefined;
}

/** What a HISTORY of an instance amounts to, or undefined if it is not valid (rule S3). Every seal in it holds already. */
export function judgeHistory(
  judge: TinyJudge,
  message: CheapSealed,
  instance: Instance,
): JudgedHistory | undefined {
  const content: CheapContent = message.content;
  if (content.kind !== 'HISTORY' || content.instance !== instance.number) return undefined;
  if (!activeSet(instance, judge.n, judge.f).includes(message.author)) return undefined;
  const { entries, checkpoints } = content;
  const low = provenAbove(judge, checkpoints, instance.low);
  if (low === undefined || entries.length > entriesMax(judge.window)) return undefined;
  const first = low - instance.low + 1;
  // The counter is closed by the HISTORY itself: no value between its entries and its own can hide anything.
  if (!hasValue(message, instance.number, first + entries.length)) return undefined;
  const isNext = (entry: CheapSealed, index: number): boolean =>
    entry.author === message.author &&
    isAgreement(judge, entry, instance) &&
    (entry.content as Prepare | Commit).offset === first + index &&
    isPrepare(judge, prepareOf(entry), instance, first + index);
  if (!entries.every(isNext)) return undefined;
  const batches = entries.map((entry) => (prepareOf(entry).content as Prepare).batch);
  return { message, low, batches };
}
