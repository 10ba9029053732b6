/**
 * Records of the journal: the host's write-ahead log. What a replica stores, seals, attests and executes is one
 * sequence, so "what was appended before is durable before" needs no further bookkeeping (W1 to W3).
 */
import type { Attestor, ObjectAttestation } from '../core/attestation.ts';
import { Reader, Writer } from '../core/codec.ts';
import type { StoreEntry } from '../core/protocol.ts';
import type { CounterValue, Digest, SequenceNumber, TcEpoch } from '../core/types.ts';
import type { RecordSource } from './ports.ts';

/** One record. */
export type JournalRecord =
  /** Changes of the protocol's durable map. */
  | { readonly kind: 'store'; readonly entries: readonly StoreEntry[] }
  /** A seal is about to be asked for (W2). */
  | {
      readonly kind: 'intent';
      readonly tcEpoch: TcEpoch;
      readonly counter: CounterValue;
      readonly digest: Digest;
      readonly draft: Uint8Array;
    }
  /** The seal was given. */
  | {
      readonly kind: 'certificate';
      readonly tcEpoch: TcEpoch;
      readonly counter: CounterValue;
      readonly authenticator: Uint8Array;
    }
  /** A batch was executed for good; `protocolState` only where it changed. */
  | {
      readonly kind: 'executed';
      readonly sequence: SequenceNumber;
      readonly batch: Digest;
      readonly protocolState: Uint8Array | undefined;
    }
  /** Own sealed messages below this counter are not needed any more. */
  | { readonly kind: 'trim'; readonly below: CounterValue }
  /** A new trusted component speaks for this replica; `recover` is the request to register it (decision A4). */
  | { readonly kind: 'renewed'; readonly tcEpoch: TcEpoch; readonly recover: Uint8Array }
  /** Somebody is about to be asked to vouch for an own message. */
  | {
      readonly kind: 'attest';
      readonly id: number;
      readonly digest: Digest;
      readonly draft: Uint8Array;
      readonly by: Attestor;
    }
  /** An object of the trusted component gave its word for the own message `id`. */
  | { readonly kind: 'word'; readonly id: number; readonly word: ObjectWord }
  /** It refused to: the store knows less of the component than it should. The message is not said. */
  | { readonly kind: 'refused'; readonly id: number }
  /** Own attested messages with a number below this are not needed any more. */
  | { readonly kind: 'trimAttested'; readonly below: number }
  /** The update of a batch was applied instead of executing it; `protocolState` only where it changed. */
  | {
      readonly kind: 'applied';
      readonly sequence: SequenceNumber;
      readonly update: Uint8Array;
      readonly protocolState: Uint8Array | undefined;
    }
  /** The trusted component had spoken before this store began: what it said was lost with an earlier store. */
  | { readonly kind: 'behind' }
  /** Newest value that an object was seen to give, where the message is trimmed already. */
  | ({ readonly kind: 'newest' } & ObjectValue);

/** A word without its replica, which is the own one. */
export type ObjectWord = Omit<ObjectAttestation, 'kind' | 'replica'>;

/** Where an object of the trusted component stands, at least. */
export interface ObjectValue {
  readonly object: string;
  readonly form: ObjectAttestation['form'];
  readonly value: CounterValue;
}

const ATTESTORS = ['link', 'host', 'object'] as const;
const FORMS = ['counter', 'log'] as const;
const MODES = ['step', 'jump', 'strict'] as const;

/** Bounds of one record: a VIEW-CHANGE draft is the largest thing a replica writes. */
const VALUE_BYTES_MAX = 256 * 1024 * 1024;
const ENTRIES_MAX = 1 << 20;

/** Canonical bytes of a record. */
export function encodeRecord(record: JournalRecord): Uint8Array {
  const writer = new Writer(512);
  switch (record.kind) {
    case 'store':
      writer.u8(1).list(record.entries, (w, entry) => {
        w.ascii(entry.key).option(entry.value, (inner, value) => inner.bytes(value));
      });
      break;
    case 'intent':
      writer.u8(2).tcEpoch(record.tcEpoch).u64(record.counter).digest(record.digest).bytes(record.draft);
      break;
    case 'certificate':
      writer.u8(3).tcEpoch(record.tcEpoch).u64(record.counter).bytes(record.authenticator);
      break;
    case 'executed':
      writer.u8(4).u64(record.sequence).digest(record.batch);
      writer.option(record.protocolState, (w, state) => w.bytes(state));
      break;
    case 'trim':
      writer.u8(5).u64(record.below);
      break;
    case 'renewed':
      writer.u8(6).tcEpoch(record.tcEpoch).bytes(record.recover);
      break;
    default:
      writeLaterRecord(writer, record);
  }
  return writer.finish();
}

type FirstKind = 'store' | 'intent' | 'certificate' | 'executed' | 'trim' | 'renewed';

function writeLaterRecord(
  writer: Writer,
  record: Exclude<JournalRecord, { readonly kind: FirstKind }>,
): void {
  switch (record.kind) {
    case 'attest':
      return writeAttestor(writer.u8(7).u64(record.id).digest(record.digest).bytes(record.draft), record.by);
    case 'word':
      return writeWord(writer.u8(8).u64(record.id), record.word);
    case 'refused':
      return void writer.u8(9).u64(record.id);
    case 'trimAttested':
      return void writer.u8(10).u64(record.below);
    case 'applied':
      writer.u8(11).u64(record.sequence).bytes(record.update);
      return void writer.option(record.protocolState, (w, state) => w.bytes(state));
    case 'behind':
      return void writer.u8(12);
    case 'newest':
      return void writer.u8(13).ascii(record.object).u8(FORMS.indexOf(record.form)).u64(record.value);
  }
}

function writeAttestor(writer: Writer, by: Attestor): void {
  writer.u8(ATTESTORS.indexOf(by.kind));
  if (by.kind !== 'object') return;
  writer.ascii(by.object).u8(FORMS.indexOf(by.form)).u8(MODES.indexOf(by.mode)).u64(by.value);
}

function readAttestor(reader: Reader): Attestor {
  const kind = readName(reader, ATTESTORS);
  if (kind !== 'object') return { kind };
  const object = reader.ascii(16);
  const form = readName(reader, FORMS);
  return { kind, object, form, mode: readName(reader, MODES), value: reader.u64() };
}

function writeWord(writer: Writer, word: ObjectWord): void {
  writer.tcEpoch(word.tcEpoch).ascii(word.object).u8(FORMS.indexOf(word.form));
  writer
    .u64(word.previous)
    .u64(word.value)
    .option(word.history, (w, digest) => w.digest(digest));
  writer.bool(word.strict === true).bytes(word.authenticator);
}

function readWord(reader: Reader): ObjectWord {
  const tcEpoch = reader.tcEpoch();
  const object = reader.ascii(16);
  const form = readName(reader, FORMS);
  const previous = reader.u64();
  const value = reader.u64();
  const history = reader.option((r) => r.digest());
  const strict = reader.bool();
  const authenticator = reader.bytes(256);
  const word = { tcEpoch, object, form, previous, value, authenticator };
  if (history === undefined) return word;
  return strict ? { ...word, history, strict } : { ...word, history };
}

function readName<T extends string>(reader: Reader, names: readonly T[]): T {
  const name = names[reader.u8()];
  if (name === undefined) reader.fail();
  return name ?? names[0]!;
}

function readRecord(reader: Reader): JournalRecord | undefined {
  const tag = reader.u8();
  switch (tag) {
    case 1: {
      const entries = reader.list(ENTRIES_MAX, (r) => ({
        key: r.ascii(256),
        value: r.option((inner) => inner.bytes(VALUE_BYTES_MAX)),
      }));
      return { kind: 'store', entries };
    }
    case 2: {
      const tcEpoch = reader.tcEpoch();
      const counter = reader.u64();
      return {
        kind: 'intent',
        tcEpoch,
        counter,
        digest: reader.digest(),
        draft: reader.bytes(VALUE_BYTES_MAX),
      };
    }
    case 3:
      return {
        kind: 'certificate',
        tcEpoch: reader.tcEpoch(),
        counter: reader.u64(),
        authenticator: reader.bytes(256),
      };
    case 4: {
      const sequence = reader.u64();
      const batch = reader.digest();
      return {
        kind: 'executed',
        sequence,
        batch,
        protocolState: reader.option((r) => r.bytes(VALUE_BYTES_MAX)),
      };
    }
    case 5:
      return { kind: 'trim', below: reader.u64() };
    case 6:
      return { kind: 'renewed', tcEpoch: reader.tcEpoch(), recover: reader.bytes(VALUE_BYTES_MAX) };
    default:
      return readLaterRecord(tag, reader);
  }
}

function readLaterRecord(tag: number, reader: Reader): JournalRecord | undefined {
  switch (tag) {
    case 7: {
      const id = reader.u64();
      const digest = reader.digest();
      const draft = reader.bytes(VALUE_BYTES_MAX);
      return { kind: 'attest', id, digest, draft, by: readAttestor(reader) };
    }
    case 8:
      return { kind: 'word', id: reader.u64(), word: readWord(reader) };
    case 9:
      return { kind: 'refused', id: reader.u64() };
    case 10:
      return { kind: 'trimAttested', below: reader.u64() };
    case 11: {
      const sequence = reader.u64();
      const update = reader.bytes(VALUE_BYTES_MAX);
      const protocolState = reader.option((r) => r.bytes(VALUE_BYTES_MAX));
      return { kind: 'applied', sequence, update, protocolState };
    }
    case 12:
      return { kind: 'behind' };
    case 13: {
      const object = reader.ascii(16);
      const form = readName(reader, FORMS);
      return { kind: 'newest', object, form, value: reader.u64() };
    }
    default:
      return undefined;
  }
}

/** Reads a record; undefined if this program did not write it (damage, or a newer version). */
export function decodeRecord(bytes: Uint8Array): JournalRecord | undefined {
  const reader = new Reader(bytes);
  const record = readRecord(reader);
  return reader.done() ? record : undefined;
}

/** Bytes of a record of a new journal. */
export function recordOf(source: RecordSource): Uint8Array {
  return typeof source === 'function' ? source() : source;
}
