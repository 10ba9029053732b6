/**
 * Records of the journal: the host's write-ahead log. What a replica stores, seals and executes is one sequence, so
 * "what was appended before is durable before" needs no further bookkeeping (W1 to W3).
 */
import { Reader, Writer } from '../core/codec.ts';
import type { StoreEntry } from '../core/protocol.ts';
import type { CounterValue, Digest, SequenceNumber, TcEpoch } from '../core/types.ts';

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
  /** A batch was executed; `protocolState` only where it changed. */
  | {
      readonly kind: 'executed';
      readonly sequence: SequenceNumber;
      readonly batch: Digest;
      readonly protocolState: Uint8Array | undefined;
    }
  /** Own sealed messages below this counter are not needed any more. */
  | { readonly kind: 'trim'; readonly below: CounterValue }
  /** A new trusted component speaks for this replica; `recover` is the request to register it (decision A4). */
  | { readonly kind: 'renewed'; readonly tcEpoch: TcEpoch; readonly recover: Uint8Array };

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
  }
  return writer.finish();
}

function readRecord(reader: Reader): JournalRecord | undefined {
  switch (reader.u8()) {
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
      return undefined;
  }
}

/** Reads a record; undefined if this program did not write it (damage, or a newer version). */
export function decodeRecord(bytes: Uint8Array): JournalRecord | undefined {
  const reader = new Reader(bytes);
  const record = readRecord(reader);
  return reader.done() ? record : undefined;
}
