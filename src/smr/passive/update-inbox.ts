/**
 * Updates as a passive replica hears of them. What f+1 active replicas tell alike is the word of a correct one; its bytes
 * may come from anybody, for they have to be those of the digest.
 */
import { bytesToDigest, concatBytes } from '../../core/bytes.ts';
import type { Digest, Hash, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Update, UpdatePart } from './messages.ts';
import { PART_BYTES, UPDATE_BYTES_MAX } from './messages.ts';

/** Bytes of one author that nobody has confirmed yet, at most; what goes beyond is asked for when it is needed. */
const UNCONFIRMED_BYTES_MAX = 8 * 1024 * 1024;

/** What one replica told about a sequence number. */
type Told = Omit<Update, 'bytes' | 'kind'>;

/** Bytes of the update that one replica told, as far as they came from it. */
interface Assembly {
  /** Copies: a part must not keep the message alive that it came in. */
  readonly parts: Uint8Array[];
  have: number;
  /** All of them, once they are here and are those of the digest. */
  whole: Uint8Array | undefined;
}

interface Place {
  readonly told: Map<ReplicaId, Told>;
  readonly assemblies: Map<ReplicaId, Assembly>;
  /** Who sent bytes that were not those of the digest. */
  readonly spoiled: Set<ReplicaId>;
  /** Who was asked for bytes that enough replicas vouch for: they may be many. */
  asked: ReplicaId | undefined;
}

/** A replica that can be asked for the bytes of an update. */
export interface UpdateSource {
  readonly replica: ReplicaId;
  readonly update: Digest;
  /** Bytes of it that came already. */
  readonly offset: number;
}

function isSame(one: Told, other: Told): boolean {
  return one.digest === other.digest && one.update === other.update && one.length === other.length;
}

/** See the top of this file. */
export class UpdateInbox {
  readonly #hash: Hash;
  /** f+1: of so many replicas one is correct. */
  readonly #needed: number;
  readonly #places = new Map<SequenceNumber, Place>();
  /** By author: bytes of its that are not confirmed. */
  readonly #unconfirmed = new Map<ReplicaId, number>();

  constructor(hash: Hash, needed: number) {
    this.#hash = hash;
    this.#needed = needed;
  }

  /** Takes in an UPDATE for a sequence number that the caller found to be of interest. A replica has one say: its first. */
  add(from: ReplicaId, { sequence, digest, update, length, bytes }: Update): void {
    if (length > UPDATE_BYTES_MAX) return;
    let place = this.#places.get(sequence);
    if (place === undefined) {
      place = { told: new Map(), assemblies: new Map(), spoiled: new Set(), asked: undefined };
      this.#places.set(sequence, place);
    }
    if (!place.told.has(from)) place.told.set(from, { sequence, digest, update, length });
    if (bytes.length > 0 || length === 0)
      this.addPart(from, { kind: 'UPDATE-PART', sequence, update, offset: 0, bytes });
  }

  /**
   * Takes in a part: of the update that its author has told, and the next one that is lacking. All but the last have one
   * size, so that what a part costs here is what it carries.
   */
  addPart(from: ReplicaId, { sequence, update, offset, bytes }: UpdatePart): void {
    const place = this.#places.get(sequence);
    const told = place?.told.get(from);
    if (place === undefined || told?.update !== update || place.spoiled.has(from)) return;
    const { length } = told;
    const known = place.assemblies.get(from);
    if (offset !== (known?.have ?? 0) || bytes.length !== Math.min(PART_BYTES, length - offset)) return;
    if (known?.whole !== undefined) return;
    if (known === undefined && !this.#makesRoom(place, from, length)) return;
    const assembly = known ?? { parts: [], have: 0, whole: undefined };
    place.assemblies.set(from, assembly);
    assembly.parts.push(bytes.slice());
    assembly.have += bytes.length;
    if (assembly.have === length) this.#judge(place, update, assembly, from);
  }

  /** Bytes may wait for their confirmation, but no author fills the memory with them. */
  #makesRoom(place: Place, from: ReplicaId, length: number): boolean {
    if (place.asked === from) return true;
    const waiting = this.#unconfirmed.get(from) ?? 0;
    if (waiting + length > UNCONFIRMED_BYTES_MAX) return false;
    this.#unconfirmed.set(from, waiting + length);
    return true;
  }

  #judge(place: Place, update: Digest, assembly: Assembly, from: ReplicaId): void {
    const bytes = assembly.parts.length === 1 ? assembly.parts[0]! : concatBytes(...assembly.parts);
    assembly.parts.length = 0;
    if (bytesToDigest(this.#hash(bytes)) === update) assembly.whole = bytes;
    else {
      place.spoiled.add(from);
      place.assemblies.delete(from);
    }
  }

  #elected(place: Place): Told | undefined {
    for (const told of place.told.values())
      if (this.#agreeing(place, told).length >= this.#needed) return told;
    return undefined;
  }

  #agreeing({ told }: Place, one: Told): ReplicaId[] {
    return [...told.entries()].filter(([, other]) => isSame(one, other)).map(([replica]) => replica);
  }

  /** What enough replicas told alike about a sequence number. */
  elected(sequence: SequenceNumber): Told | undefined {
    const place = this.#places.get(sequence);
    return place === undefined ? undefined : this.#elected(place);
  }

  /** The update of a sequence number, if enough replicas told it and its bytes are here. */
  complete(sequence: SequenceNumber): Uint8Array | undefined {
    const place = this.#places.get(sequence);
    const elected = place && this.#elected(place);
    if (place === undefined || elected === undefined) return undefined;
    for (const [replica, { whole }] of place.assemblies)
      if (whole !== undefined && place.told.get(replica)!.update === elected.update) return whole;
    return undefined;
  }

  /** Who has told alike about a sequence number: the most that did. */
  tellers(sequence: SequenceNumber): readonly ReplicaId[] {
    const place = this.#places.get(sequence);
    const groups = [...(place?.told.values() ?? [])].map((one) => this.#agreeing(place!, one));
    return groups.reduce((most, group) => (group.length > most.length ? group : most), []);
  }

  /** Who can be asked for the bytes of what enough replicas told about a sequence number. */
  sources(sequence: SequenceNumber): readonly UpdateSource[] {
    const place = this.#places.get(sequence);
    const elected = place && this.#elected(place);
    if (place === undefined || elected === undefined) return [];
    return this.#agreeing(place, elected)
      .filter((replica) => !place.spoiled.has(replica))
      .map((replica) => ({
        replica,
        update: elected.update,
        offset: place.assemblies.get(replica)?.have ?? 0,
      }));
  }

  /** Notes who is asked for bytes. */
  noteAsked(sequence: SequenceNumber, replica: ReplicaId): void {
    const place = this.#places.get(sequence);
    if (place !== undefined) place.asked = replica;
  }

  /** Whether two of these replicas told different things about a sequence number: one of them lies. */
  isContradicted(sequence: SequenceNumber, among: readonly ReplicaId[]): boolean {
    const place = this.#places.get(sequence);
    const told = among.flatMap((replica) => place?.told.get(replica) ?? []);
    return told.some((one) => !isSame(one, told[0]!));
  }

  /** Highest sequence number that anything was told about; 0 if there is none. */
  get highest(): SequenceNumber {
    return Math.max(0, ...this.#places.keys());
  }

  /** Forgets what was executed. */
  dropThrough(sequence: SequenceNumber): void {
    for (const known of [...this.#places.keys()]) if (known <= sequence) this.#places.delete(known);
    this.#recount();
  }

  #recount(): void {
    this.#unconfirmed.clear();
    for (const { assemblies, told, asked } of this.#places.values())
      for (const replica of assemblies.keys())
        if (replica !== asked)
          this.#unconfirmed.set(replica, (this.#unconfirmed.get(replica) ?? 0) + told.get(replica)!.length);
  }

  /** Of how many sequence numbers something is kept, and how many bytes of updates, for judges. */
  get size(): { readonly updates: number; readonly bytes: number } {
    let bytes = 0;
    for (const { assemblies } of this.#places.values())
      for (const { parts, whole } of assemblies.values())
        bytes += parts.reduce((sum, part) => sum + part.buffer.byteLength, whole?.buffer.byteLength ?? 0);
    return { updates: this.#places.size, bytes };
  }
}
