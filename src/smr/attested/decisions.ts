/**
 * What is decided above the stable checkpoint. Few replicas may know a decision, or one alone: whoever executes it keeps what
 * shows it, durable before the execution, so that it can bring the others on after a restart, too.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest, SequenceNumber } from '../../core/types.ts';
import type { Desk } from './desk.ts';
import type { Decision } from './hooks.ts';
import type { AttestedMessage, Content, SealedCodec } from './sealed.ts';

const KEY = 'decided/';
/** Messages that show one decision, at most: far more than a quorum. */
const PROOF_BYTES_MAX = 1024 * 1024;

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

  /** The first word stands; a second one can only be a broken budget. */
  note(sequence: SequenceNumber, decision: Decision<C>): void {
    const known = this.get(sequence);
    if (known === undefined) this.set(sequence, decision);
    else if (known.digest !== decision.digest) this.#desk.note('conflictingDecision', { sequence });
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
