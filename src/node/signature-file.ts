/**
 * Header signatures beside the blocks: one slot of fixed size per (height, replica). A slot names the header hash that
 * it signs by a check value, so a slot that is empty, torn, or of a block that was replaced, simply holds nothing. What
 * is lost in a crash is learnt again or not needed: f+1 replicas keep them.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Digest, Height, ReplicaId } from '../core/types.ts';
import type { HeaderSignature } from '../ledger/contract.ts';
import type { Disk, DiskFile } from './disk.ts';

const CHECK_BYTES = 16;
const SIGNATURE_BYTES = 64;
const SLOT_BYTES = CHECK_BYTES + SIGNATURE_BYTES;
/** Slots written in the background once this many wait. */
const WAITING_MAX = 1024;

interface WaitingSlots {
  readonly headerHash: Digest;
  readonly byReplica: Map<number, Uint8Array>;
}

function checkOf(headerHash: Digest, replica: number, signature: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(`${headerHash}/${replica}/`).update(signature);
  return hash.digest().subarray(0, CHECK_BYTES);
}

/** Signatures of one replica over blocks that are not here yet, at most. */
const EARLY_MAX = 512;

interface EarlySignature {
  readonly headerHash: Digest;
  readonly signature: HeaderSignature;
}

/** Signatures over headers of blocks that are not here yet: bounded for each replica, the oldest are dropped first. */
export class EarlySignatures {
  readonly #byReplica = new Map<ReplicaId, Map<Height, EarlySignature>>();

  put(height: Height, headerHash: Digest, { replica, signature }: HeaderSignature): void {
    let early = this.#byReplica.get(replica);
    if (early === undefined) {
      early = new Map();
      this.#byReplica.set(replica, early);
    }
    early.set(height, { headerHash, signature: { replica, signature: signature.slice() } });
    if (early.size > EARLY_MAX) early.delete(early.keys().next().value!);
  }

  /** What was said about this height; it is forgotten here. */
  take(height: Height): EarlySignature[] {
    const found: EarlySignature[] = [];
    for (const early of this.#byReplica.values()) {
      const one = early.get(height);
      if (one === undefined) continue;
      early.delete(height);
      found.push(one);
    }
    return found;
  }
}

/** See the top of this file. */
export class SignatureFile {
  readonly #file: DiskFile;
  readonly #replicas: number;
  #waiting = new Map<Height, WaitingSlots>();
  #waitingCount = 0;
  #writing: Promise<void> = Promise.resolve();
  #beingWritten = new Map<Height, WaitingSlots>();
  #failure: unknown;

  private constructor(file: DiskFile, replicas: number) {
    this.#file = file;
    this.#replicas = replicas;
  }

  static async open(disk: Disk, folder: string, replicas: number): Promise<SignatureFile> {
    return new SignatureFile(await disk.open(path.join(folder, 'header-signatures.dat')), replicas);
  }

  /** Keeps a signature; the first one per replica and header hash stays. */
  put(height: Height, headerHash: Digest, signature: HeaderSignature): void {
    const { replica } = signature;
    if (replica < 0 || replica >= this.#replicas || signature.signature.length !== SIGNATURE_BYTES) return;
    if (height < 1) return;
    let slots = this.#waiting.get(height);
    if (slots === undefined || slots.headerHash !== headerHash) {
      slots = { headerHash, byReplica: new Map() };
      this.#waiting.set(height, slots);
    }
    if (slots.byReplica.has(replica)) return;
    slots.byReplica.set(replica, signature.signature.slice());
    this.#waitingCount += 1;
    if (this.#waitingCount > WAITING_MAX) void this.flush(false).catch(() => undefined);
  }

  /** Signatures kept for this block, ascending by replica. */
  get(height: Height, headerHash: Digest): HeaderSignature[] {
    const slotsBytes = SLOT_BYTES * this.#replicas;
    const bytes = this.#file.readNow((height - 1) * slotsBytes, slotsBytes);
    const found: HeaderSignature[] = [];
    for (let replica = 0; replica < this.#replicas; replica += 1) {
      const waiting = this.#lookUp(this.#waiting, height, headerHash, replica);
      const signature =
        waiting ??
        this.#lookUp(this.#beingWritten, height, headerHash, replica) ??
        this.#slot(bytes, headerHash, replica);
      if (signature !== undefined) found.push({ replica, signature });
    }
    return found;
  }

  #lookUp(
    from: Map<Height, WaitingSlots>,
    height: Height,
    headerHash: Digest,
    replica: number,
  ): Uint8Array | undefined {
    const slots = from.get(height);
    return slots?.headerHash === headerHash ? slots.byReplica.get(replica) : undefined;
  }

  #slot(bytes: Uint8Array, headerHash: Digest, replica: number): Uint8Array | undefined {
    const slot = bytes.subarray(replica * SLOT_BYTES, (replica + 1) * SLOT_BYTES);
    if (slot.length < SLOT_BYTES) return undefined;
    const signature = slot.slice(CHECK_BYTES);
    const check = checkOf(headerHash, replica, signature);
    return check.every((byte, index) => byte === slot[index]) ? signature : undefined;
  }

  /** Writes what waits, and syncs if asked. Rejects with the system's error. */
  flush(sync: boolean): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(sync));
    return this.#writing;
  }

  async #write(sync: boolean): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure as Error;
    this.#beingWritten = this.#waiting;
    this.#waiting = new Map();
    this.#waitingCount = 0;
    try {
      for (const { place, slots } of this.#runs(this.#beingWritten))
        await this.#file.write(Buffer.concat(slots), place * SLOT_BYTES);
      if (sync) await this.#file.sync();
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#beingWritten = new Map();
    }
  }

  /** Slots that stand beside each other in the file, so that one write takes them all. */
  #runs(
    waiting: ReadonlyMap<Height, WaitingSlots>,
  ): { readonly place: number; readonly slots: Uint8Array[] }[] {
    const byPlace: [number, Uint8Array][] = [];
    for (const [height, { headerHash, byReplica }] of waiting) {
      for (const [replica, signature] of byReplica) {
        const slot = Buffer.concat([checkOf(headerHash, replica, signature), signature]);
        byPlace.push([(height - 1) * this.#replicas + replica, slot]);
      }
    }
    byPlace.sort(([one], [other]) => one - other);
    const runs: { place: number; slots: Uint8Array[] }[] = [];
    for (const [place, slot] of byPlace) {
      const last = runs.at(-1);
      if (last !== undefined && last.place + last.slots.length === place) last.slots.push(slot);
      else runs.push({ place, slots: [slot] });
    }
    return runs;
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close().catch(() => undefined);
  }
}
