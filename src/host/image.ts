/**
 * What a journal says, replayed: the durable map, own sealed messages, executed batches, the latest trusted epoch, own attested messages.
 * Also the reverse: the records of a new journal that holds just what is still needed (compaction).
 */
import { assert } from '../core/assert.ts';
import type { UniqueIdentifier } from '../core/protocol.ts';
import type { CounterValue, Digest, ReplicaId, SequenceNumber, TcEpoch } from '../core/types.ts';
import { AttestedImage } from './attested-image.ts';
import type { BodyPort, RecordSource } from './ports.ts';
import { decodeRecord, encodeRecord } from './records.ts';
import type { JournalRecord } from './records.ts';

/** A message for which a seal was asked, with its certificate if it was given. */
export interface OwnMessage {
  readonly counter: CounterValue;
  readonly digest: Digest;
  readonly draft: Uint8Array;
  authenticator: Uint8Array | undefined;
}

/** An executed batch that no durable snapshot covers yet. */
export interface ExecutedRecord {
  readonly sequence: SequenceNumber;
  readonly batch: Digest;
  readonly protocolState: Uint8Array | undefined;
}

/** The update of a batch, applied instead of executing it, that no durable snapshot covers yet. */
export interface AppliedRecord {
  readonly sequence: SequenceNumber;
  readonly update: Uint8Array;
  readonly protocolState: Uint8Array | undefined;
}

/** Prefix of the keys under which batch bodies are stored. */
const BODY_KEY = 'body/';

/** The record of what a restart does again. */
export function encodeStep(step: ExecutedRecord | AppliedRecord): Uint8Array {
  return encodeRecord('batch' in step ? { kind: 'executed', ...step } : { kind: 'applied', ...step });
}

/** Bodies that stay in memory: of simulations and tests. */
function bodiesInMemory(): BodyPort {
  const bodies = new Map<Digest, Uint8Array>();
  return {
    put: (digest, bytes) => void bodies.set(digest, bytes),
    get: (digest) => bodies.get(digest),
    drop: (digest) => void bodies.delete(digest),
  };
}

/** Bytes of the bodies that a journal record keeps. */
export function bodiesIn(bytes: Uint8Array): Uint8Array[] {
  const record = decodeRecord(bytes);
  if (record?.kind !== 'store') return [];
  return record.entries.flatMap(({ key, value }) =>
    value !== undefined && bodyOfKey(key) !== undefined ? [value] : [],
  );
}

/** The digest of the body that a key of the durable map names; undefined for other keys. */
function bodyOfKey(key: string): Digest | undefined {
  return key.startsWith(BODY_KEY) ? (key.slice(BODY_KEY.length) as Digest) : undefined;
}

/** The replayed journal; the host keeps it up to date while it runs. */
export class JournalImage {
  readonly #room: BodyPort;
  /** Durable map of the protocol, without bodies. */
  readonly #small = new Map<string, Uint8Array>();
  /** Bodies in the durable map. */
  readonly #bodies = new Set<Digest>();
  /** Bodies that the protocol dropped but that a restart needs to re-execute. */
  readonly #retained = new Set<Digest>();
  /** Journals that are being written from here, and bodies that they may still want. */
  #rewrites = 0;
  #dropped = new Set<Digest>();
  /** Own messages of the current tcEpoch, ascending. */
  readonly own = new Map<CounterValue, OwnMessage>();
  readonly attested = new AttestedImage();
  /** Ascending; with `applied` without a hole. */
  executed: ExecutedRecord[] = [];
  /** Ascending. */
  applied: AppliedRecord[] = [];
  tcEpoch: TcEpoch;
  /** RECOVER content of the latest renewal, until the protocol does not need it any more. */
  recover: Uint8Array | undefined;
  trimmedBelow: CounterValue = 0;

  /** `room`: where bodies lie. */
  constructor(tcEpoch: TcEpoch, room: BodyPort = bodiesInMemory()) {
    this.tcEpoch = tcEpoch;
    this.#room = room;
  }

  /** The durable map of the protocol, bodies included: at a start. */
  get stored(): ReadonlyMap<string, Uint8Array> {
    const bodies = [...this.#bodies].map((digest) => [BODY_KEY + digest, this.#room.get(digest)] as const);
    const found = bodies.filter((entry): entry is [string, Uint8Array] => entry[1] !== undefined);
    return new Map([...this.#small, ...found]);
  }

  /** Numbers of things that it keeps: for judges. */
  get sizes(): Readonly<Record<'stored' | 'retained', number>> {
    return { stored: this.#small.size + this.#bodies.size, retained: this.#retained.size };
  }

  /** Replays one record; false if it cannot be read. */
  apply(bytes: Uint8Array): boolean {
    // A copy: something small must not keep a whole journal in memory.
    const record = decodeRecord(bytes.slice());
    if (record === undefined) return false;
    this.take(record);
    return true;
  }

  /** Replays one record that is read already. */
  take(record: JournalRecord): void {
    switch (record.kind) {
      case 'store':
        for (const { key, value } of record.entries) this.put(key, value);
        break;
      case 'intent':
        // A later intent for the same value replaces one that was never certified.
        if (record.tcEpoch === this.tcEpoch) {
          const { counter, digest, draft } = record;
          this.own.set(counter, { counter, digest, draft, authenticator: undefined });
        }
        break;
      case 'certificate': {
        const message = this.own.get(record.counter);
        if (record.tcEpoch === this.tcEpoch && message !== undefined)
          message.authenticator = record.authenticator;
        break;
      }
      case 'executed':
        this.executed.push(record);
        break;
      case 'applied':
        this.applied.push(record);
        break;
      case 'trim':
        this.trim(record.below);
        break;
      case 'renewed':
        this.renew(record.tcEpoch, record.recover);
        break;
      default:
        this.attested.take(record);
    }
  }

  /** Changes the durable map; a dropped body stays as long as a restart would have to re-execute it. */
  put(key: string, value: Uint8Array | undefined): void {
    const digest = bodyOfKey(key);
    if (digest === undefined) {
      if (value === undefined) this.#small.delete(key);
      else this.#small.set(key, value);
    } else if (value !== undefined) {
      this.#bodies.add(digest);
      this.#room.put(digest, value);
    } else if (this.#bodies.delete(digest)) this.#retained.add(digest);
  }

  trim(below: CounterValue): void {
    this.trimmedBelow = Math.max(this.trimmedBelow, below);
    for (const counter of this.own.keys()) if (counter < below) this.own.delete(counter);
  }

  renew(tcEpoch: TcEpoch, recover: Uint8Array): void {
    this.tcEpoch = tcEpoch;
    this.recover = recover;
    this.own.clear();
    this.trimmedBelow = 0;
  }

  /** The body of a batch that is kept. */
  body(digest: Digest): Uint8Array | undefined {
    return this.#keeps(digest) ? this.#room.get(digest) : undefined;
  }

  #keeps(digest: Digest): boolean {
    return this.#bodies.has(digest) || this.#retained.has(digest);
  }

  /** A durable snapshot at `sequence` exists: what only a re-execution up to it needed may go. */
  coverThrough(sequence: SequenceNumber): void {
    this.executed = this.executed.filter((record) => record.sequence > sequence);
    this.applied = this.applied.filter((record) => record.sequence > sequence);
    const needed = new Set<Digest>();
    for (const record of this.executed) needed.add(record.batch);
    for (const digest of this.#retained) {
      if (needed.has(digest)) continue;
      this.#retained.delete(digest);
      if (this.#bodies.has(digest)) continue;
      if (this.#rewrites > 0) this.#dropped.add(digest);
      else this.#room.drop(digest);
    }
  }

  /** What a restart does again, ascending. */
  steps(): readonly (ExecutedRecord | AppliedRecord)[] {
    if (this.applied.length === 0) return this.executed;
    return [...this.executed, ...this.applied].sort((a, b) => a.sequence - b.sequence);
  }

  /** Whether nothing was ever written: a new or wiped store. */
  isEmpty(): boolean {
    return (
      this.#small.size === 0 &&
      this.#bodies.size === 0 &&
      this.own.size === 0 &&
      this.executed.length === 0 &&
      this.applied.length === 0 &&
      this.attested.isEmpty() &&
      this.trimmedBelow === 0 &&
      this.recover === undefined
    );
  }

  /** Highest own counter whose certificate is known; below the trimmed part it is the value before it. */
  certifiedThrough(): CounterValue {
    let highest = Math.max(0, this.trimmedBelow - 1);
    for (const message of this.own.values()) {
      if (message.authenticator !== undefined && message.counter > highest) highest = message.counter;
    }
    return highest;
  }

  /** Own messages with certificates, ascending; undefined if there is a hole between the first and the last. */
  certifiedLog(
    replica: ReplicaId,
  ): readonly { readonly draft: Uint8Array; readonly ui: UniqueIdentifier }[] | undefined {
    const messages = [...this.own.values()]
      .filter((message) => message.authenticator !== undefined)
      .sort((a, b) => a.counter - b.counter);
    const first = Math.max(1, this.trimmedBelow);
    const whole = messages.every((message, index) => message.counter === first + index);
    if (!whole) return undefined;
    return messages.map(({ draft, counter, authenticator }) => ({
      draft,
      ui: { replica, tcEpoch: this.tcEpoch, counter, authenticator: authenticator! },
    }));
  }

  /** Begins a new journal with the same meaning; bodies are read when they are written. `endRewrite` ends it. */
  beginRewrite(): readonly RecordSource[] {
    this.#rewrites += 1;
    const records: RecordSource[] = [];
    if (this.recover !== undefined) {
      records.push(encodeRecord({ kind: 'renewed', tcEpoch: this.tcEpoch, recover: this.recover }));
    }
    if (this.trimmedBelow > 0) records.push(encodeRecord({ kind: 'trim', below: this.trimmedBelow }));
    for (const [key, value] of this.#small)
      records.push(encodeRecord({ kind: 'store', entries: [{ key, value }] }));
    for (const digest of this.#bodies) records.push(() => this.#bodyRecord(digest));
    for (const digest of this.#retained) {
      // Put and dropped again: that is how the replay learns that it is only retained.
      records.push(() => this.#bodyRecord(digest));
      records.push(encodeRecord({ kind: 'store', entries: [{ key: BODY_KEY + digest, value: undefined }] }));
    }
    const own = [...this.own.values()].sort((a, b) => a.counter - b.counter);
    for (const { counter, digest, draft, authenticator } of own) {
      const { tcEpoch } = this;
      records.push(encodeRecord({ kind: 'intent', tcEpoch, counter, digest, draft }));
      if (authenticator !== undefined) {
        records.push(encodeRecord({ kind: 'certificate', tcEpoch, counter, authenticator }));
      }
    }
    records.push(...this.attested.toRecords());
    // One after the other: protocol states are kept where they changed only.
    for (const step of this.steps()) records.push(encodeStep(step));
    return records;
  }
  /** The new journal is there. */
  endRewrite(): void {
    this.#rewrites -= 1;
    if (this.#rewrites > 0) return;
    for (const digest of this.#dropped) if (!this.#keeps(digest)) this.#room.drop(digest);
    this.#dropped.clear();
  }

  #bodyRecord(digest: Digest): Uint8Array {
    const value = this.#room.get(digest);
    assert(value !== undefined, 'a body is kept as long as a journal is written from it');
    return encodeRecord({ kind: 'store', entries: [{ key: BODY_KEY + digest, value }] });
  }
}
