/**
 * Messages of Flexi-BFT. Only a PREPREPARE needs the trusted component: a counter of its view gave it the value that is its
 * sequence number, so a view has one proposal for each. All others are signed by hosts.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { Reader, Writer } from '../../core/codec.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import type { Digest, Hash, SequenceNumber, View } from '../../core/types.ts';
import type { Checkpoint } from '../../smr/attested/checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from '../../smr/attested/checkpoint.ts';
import type { Sealed, SealedCodec, SealedCodecOptions } from '../../smr/attested/sealed.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'flexi-bft';

/** What one replica says about one order: which batch, in which view. */
interface Word<K extends 'PREPREPARE' | 'PREPARE'> {
  readonly kind: K;
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly batch: Digest;
}
/** The primary proposes a batch; vouched for by the counter of its view. */
export type PrePrepare = Word<'PREPREPARE'>;
/** A backup vouches for a proposal. */
export type Prepare = Word<'PREPARE'>;

/** What a view starts with: every sequence number after `low` up to the last one that was ever vouched for. */
export interface ViewStart {
  readonly view: View;
  /** A stable checkpoint. */
  readonly low: SequenceNumber;
  /** Batches of low+1, low+2, …, in order. */
  readonly batches: readonly Digest[];
}

/** The start of a view, certified by a quorum that entered it. View 0 starts with nothing and needs no certificate. */
export interface ViewBase {
  readonly start: ViewStart;
  readonly enters: readonly FlexiSealed[];
}

/** A replica leaves for `view` and shows what it knows and what it vouched for. */
export interface ViewChange {
  readonly kind: 'VIEW-CHANGE';
  readonly view: View;
  /** CHECKPOINTs of a quorum; empty for genesis. */
  readonly checkpoints: readonly FlexiSealed[];
  /** The last view that it took part in. */
  readonly base: ViewBase;
  /** PREPREPAREs of that view beyond its start that it vouched for, ascending. */
  readonly proposals: readonly FlexiSealed[];
}

/** The new primary shows a quorum of VIEW-CHANGEs; what the view starts with follows from them. */
export interface NewView {
  readonly kind: 'NEW-VIEW';
  readonly view: View;
  readonly changes: readonly FlexiSealed[];
}

/** A replica holds every batch that a view starts with and is ready to take part in it. */
export interface Enter {
  readonly kind: 'ENTER';
  readonly view: View;
  /** Digest of the `ViewStart`. */
  readonly start: Digest;
}

/** Said to nobody: once it is durable, every own proposal before it has got its word or never will. */
export interface Leave {
  readonly kind: 'LEAVE';
  readonly view: View;
}

export type FlexiContent = PrePrepare | Prepare | Checkpoint | ViewChange | NewView | Enter | Leave;
/** A message with the word given for it. */
export type FlexiSealed<C extends FlexiContent = FlexiContent> = Sealed<C>;

/** Purpose byte of a view's counter in the id of an object. */
const PURPOSE = '07';
/**
 * Counters that one component uses for its views: fewer than a component has, so that they never run out. The next
 * view takes the first one again, with values above all that it ever had.
 */
export const VIEW_COUNTERS = 128;
/** Values of a counter for one view. */
export const VALUES_PER_VIEW = 2 ** 40;

/** What has to vouch for the proposal of a sequence number in a view; undefined beyond what counters can express. */
export function counterFor(
  view: View,
  sequence: SequenceNumber,
  n: number,
): Extract<Attestor, { readonly kind: 'object' }> | undefined {
  const turn = Math.floor(view / n);
  const round = Math.floor(turn / VIEW_COUNTERS);
  const value = round * VALUES_PER_VIEW + sequence;
  if (sequence >= VALUES_PER_VIEW || !Number.isSafeInteger(value)) return undefined;
  const instance = (turn % VIEW_COUNTERS).toString(16).padStart(8, '0');
  return { kind: 'object', object: `01${PURPOSE}0000${instance}`, form: 'counter', mode: 'jump', value };
}

/** Last sequence number that a view starts with. */
export function endOf(start: ViewStart): SequenceNumber {
  return start.low + start.batches.length;
}

/** View 0: nothing before it. */
export const GENESIS_BASE: ViewBase = { start: { view: 0, low: 0, batches: [] }, enters: [] };

function writeStart(writer: Writer, start: ViewStart): Writer {
  return writer
    .u64(start.view)
    .u64(start.low)
    .list(start.batches, (w, batch) => w.digest(batch));
}

/** What an ENTER names. */
export function startDigest(hash: Hash, domain: Domain, start: ViewStart): Digest {
  return finishDigest(hash, writeStart(domainWriter(domainTag(PROTOCOL_NAME, 'START'), domain), start));
}

function write(writer: Writer, content: FlexiContent, codec: SealedCodec<FlexiContent>): void {
  switch (content.kind) {
    case 'PREPREPARE':
    case 'PREPARE':
      writer.u64(content.view).u64(content.sequence).digest(content.batch);
      return;
    case 'CHECKPOINT':
      writeCheckpoint(writer, content);
      return;
    case 'VIEW-CHANGE':
      writer.u64(content.view).list(content.checkpoints, codec.writeSealed);
      writeStart(writer, content.base.start)
        .list(content.base.enters, codec.writeSealed)
        .list(content.proposals, codec.writeSealed);
      return;
    case 'NEW-VIEW':
      writer.u64(content.view).list(content.changes, codec.writeSealed);
      return;
    case 'ENTER':
      writer.u64(content.view).digest(content.start);
      return;
    case 'LEAVE':
      writer.u64(content.view);
  }
}

function read(kind: FlexiContent['kind'], reader: Reader, codec: SealedCodec<FlexiContent>): FlexiContent {
  switch (kind) {
    case 'PREPREPARE':
    case 'PREPARE':
      return { kind, view: reader.u64(), sequence: reader.u64(), batch: reader.digest() };
    case 'CHECKPOINT':
      return readCheckpoint(reader);
    case 'VIEW-CHANGE': {
      const view = reader.u64();
      const checkpoints = reader.list(codec.members, codec.readSealed);
      const start = {
        view: reader.u64(),
        low: reader.u64(),
        batches: reader.list(codec.window, (r) => r.digest()),
      };
      const enters = reader.list(codec.members, codec.readSealed);
      const proposals = reader.list(codec.window, codec.readSealed);
      return { kind, view, checkpoints, base: { start, enters }, proposals };
    }
    case 'NEW-VIEW':
      return { kind, view: reader.u64(), changes: reader.list(codec.members, codec.readSealed) };
    case 'ENTER':
      return { kind, view: reader.u64(), start: reader.digest() };
    case 'LEAVE':
      return { kind, view: reader.u64() };
  }
}

/** How these messages travel. The position of a kind is its tag. */
export const FLEXI_MESSAGES: SealedCodecOptions<FlexiContent> = {
  protocol: PROTOCOL_NAME,
  kinds: ['PREPREPARE', 'PREPARE', 'CHECKPOINT', 'VIEW-CHANGE', 'NEW-VIEW', 'ENTER', 'LEAVE'],
  write,
  read,
  quoted: (content) => {
    if (content.kind === 'NEW-VIEW') return content.changes;
    if (content.kind !== 'VIEW-CHANGE') return [];
    return [...content.checkpoints, ...content.base.enters, ...content.proposals];
  },
};
