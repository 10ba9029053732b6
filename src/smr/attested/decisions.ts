/**
 * What is decided above the stable checkpoint. Few replicas may know a decision, or one alone: whoever executes it keeps what
 * shows it, durable before the execution, so that it can bring the others on after a restart, too.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Effect } from '../../core/protocol.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import type { Desk } from './desk.ts';
import type { Decision } from './hooks.ts';
import type { AttestedMessage, Content, SealedCodec } from './sealed.ts';

const KEY = 'decided/';
/** Two decisions of one order that contradict each other: what this replica stops for, and shows to whoever looks. */
const CONFLICT_KEY = 'contradiction/';
/** Messages that show one decision, at most: far more than a quorum. */
const PROOF_BYTES_MAX = 1024 * 1024;

/** Why a replica that knows two decisions of one order stops, and what to do. */
export function contradiction(sequence: SequenceNumber): string {
  return (
    `two different batches are proven to be decided as order ${sequence}: more replicas lie than this cluster stands, or a ` +
    `trusted component was copied or broken. This replica stops so that it spreads neither. Both proofs are in its store ` +
    `(${CONFLICT_KEY}${sequence}). Compare the ledgers ("moiety audit") before any replica is trusted again; wipe the store ` +
    `of this one (never its keys) to let it fetch what the others hold.`
  );
}

/** Whether an effect leaves behind what a replica stops for. */
export function keepsContradiction(effect: Effect<unknown>): boolean {
  return effect.kind === 'store' && effect.entries.every(({ key }) => key.startsWith(CONFLICT_KEY));
}

/** See the top of this file. */
export class Decisions<C extends Content> extends Map<SequenceNumber, Decision<C>> {
  readonly #desk: Desk<AttestedMessage<C>>;
  readonly #codec: SealedCodec<C>;
  readonly #kept = new Set<SequenceNumber>();

  constructor(desk: Desk<AttestedMessage<C>>, codec: SealedCodec<C>) {
    super();
    this.#desk = desk;
    this.#codec = codec;
  }

  /** False: another one is known, which can only be a broken budget. Both are kept for whoever has to find out. */
  note(sequence: SequenceNumber, decision: Decision<C>): boolean {
    const known = this.get(sequence);
    if (known === undefined) this.set(sequence, decision);
    if (known === undefined || known.digest === decision.digest) return true;
    this.#desk.note('contradiction', { sequence, first: known.digest, second: decision.digest });
    const writer = new Writer(1024);
    for (const { digest, proof } of [known, decision])
      writer.digest(digest).bytes(this.#codec.encodeList(proof));
    this.#desk.store([{ key: CONFLICT_KEY + String(sequence), value: writer.finish() }]);
    return false;
  }

  /** The order for which this replica stopped before; undefined if it did not. */
  static contradicted(stored: ReadonlyMap<string, Uint8Array>): SequenceNumber | undefined {
    const key = [...stored.keys()].find((one) => one.startsWith(CONFLICT_KEY));
    return key === undefined ? undefined : Number(key.slice(CONFLICT_KEY.length));
  }

  /** Makes what shows a decision durable; once. */
  keep(sequence: SequenceNumber): void {
    const decision = this.get(sequence);
    if (decision === undefined || this.#kept.has(sequence)) return;
    this.#kept.add(sequence);
    const writer = new Writer(512).digest(decision.digest).bytes(this.#codec.encodeList(decision.proof));
    this.#desk.store([{ key: KEY + String(sequence), value: writer.finish() }]);
  }

  /** Takes back what was kept above the stable checkpoint, after a restart. */
  restore(stored: ReadonlyMap<string, Uint8Array>, stable: SequenceNumber): void {
    for (const [key, value] of stored) {
      const sequence = key.startsWith(KEY) ? Number(key.slice(KEY.length)) : 0;
      const kept = sequence > 0 ? this.#decode(value) : undefined;
      if (kept === undefined) continue;
      this.#kept.add(sequence);
      if (sequence > stable) this.set(sequence, kept);
    }
  }

  #decode(value: Uint8Array): Decision<C> | undefined {
    const read = decodeWhole(value, (reader): { digest: Digest; list: Uint8Array } => ({
      digest: reader.digest(),
      list: reader.bytes(PROOF_BYTES_MAX),
    }));
    const proof = read && this.#codec.decodeList(read.list);
    return proof && { digest: read.digest, proof, sources: proof.map(({ author }) => author) };
  }

  /** Orders at or below a stable checkpoint need no showing. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.keys()]) if (known <= sequence) this.delete(known);
    const past = [...this.#kept].filter((known) => known <= sequence);
    for (const known of past) this.#kept.delete(known);
    this.#desk.store(past.map((known) => ({ key: KEY + String(known), value: undefined })));
  }
}
