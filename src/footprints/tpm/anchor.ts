/**
 * The anchor of a component in a TPM (decision A8): a counter index that is moved once at every start, and a state that
 * the TPM opens only while the counter stands where the last orderly stop left it.
 *
 * A start reads the counter (c), opens the sealed state if it was sealed at c, moves the counter and reads it again.
 * It owns the number c+1 only if it reads exactly that: then no other start moved it in between, so at most one start
 * ever continues a sealed state. From then on every sealed copy of before is dead, as the counter never goes back. The
 * key lives in memory only and is sealed again, at c+1, by an orderly stop; after anything else it is lost and the next
 * start is a new component. docs/trusted/hardware.md has the argument.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, randomInt } from 'node:crypto';
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import type { Hash } from '../../core/types.ts';
import { nvNameOf, tpmEpochOf } from '../../trusted/attestation/tpm-attest.ts';
import { encodeNvPublic, HANDLE, NV_ATTRIBUTE, RESPONSE } from './commands.ts';
import type { NvPublic } from './commands.ts';
import { TpmRefusal } from './driver.ts';
import type { NvAccess, Tpm, TpmBlob } from './driver.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOB_BYTES_MAX = 1024;
const SEALED_BYTES_MAX = 4 * 1024 * 1024;
const MAGIC = 'MOIETYTPM1';
/** Tries to find a free index, and to own a number while others count too. */
const TRIES = 16;
/** Pause of somebody who counted in between, at most, before the first further try; it doubles. */
const PAUSE_MS = 8;
const COUNTER_ATTRIBUTES =
  NV_ATTRIBUTE.counter | NV_ATTRIBUTE.authWrite | NV_ATTRIBUTE.authRead | NV_ATTRIBUTE.noDictionaryAttack;

const sha256: Hash = (bytes) => createHash('sha256').update(bytes).digest();

/** Finds a free index, defines it and gives access to it. The password keeps strangers from counting. */
export async function defineIndex(tpm: Tpm, attributes: number, dataBytes: number): Promise<NvAccess> {
  const password = randomBytes(16);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const index = HANDLE.nvFirst + (randomBytes(4).readUInt32BE(0) % 0x400000);
    try {
      await tpm.nvDefine({ index, attributes, policy: new Uint8Array(0), dataBytes }, password);
      return { index, password };
    } catch (error) {
      if (!(error instanceof TpmRefusal) || error.kind !== RESPONSE.nvDefined) throw error;
    }
  }
  throw new Error('the TPM has no free index');
}

/** Makes the counter of a new component and moves it for the first time. */
export async function defineCounter(tpm: Tpm): Promise<NvAccess> {
  const nv = await defineIndex(tpm, COUNTER_ATTRIBUTES, 8);
  await tpm.nvIncrement(nv);
  return nv;
}

/** Public area of the counter; rejects with a sentence for the operator if it is not there or is no counter. */
export async function counterArea(tpm: Tpm, nv: NvAccess): Promise<NvPublic> {
  const area = await tpm.nvPublic(nv.index);
  if (area === undefined || area.attributes !== (COUNTER_ATTRIBUTES | NV_ATTRIBUTE.written))
    throw new Error(
      `the TPM has no counter 0x${nv.index.toString(16)} of this component: it is another TPM or was cleared; ` +
        'give the replica a new component and re-admit it by RECOVER',
    );
  return area;
}

/** A state as it lies on disk: `content` encrypted under a key that the TPM gives out at counter `run` only. */
interface SealedState {
  readonly run: number;
  readonly blob: TpmBlob;
  readonly box: Uint8Array;
}

function encodeSealed({ run, blob, box }: SealedState): Uint8Array {
  const writer = new Writer(1024).ascii(MAGIC).u64(run);
  return writer.bytes(blob.publicArea).bytes(blob.privateArea).bytes(box).finish();
}

function decodeSealed(bytes: Uint8Array): SealedState | undefined {
  return decodeWhole(bytes, (reader: Reader) => {
    if (reader.ascii(MAGIC.length) !== MAGIC) reader.fail();
    const run = reader.u64();
    const publicArea = new Uint8Array(reader.bytes(BLOB_BYTES_MAX));
    const privateArea = new Uint8Array(reader.bytes(BLOB_BYTES_MAX));
    return { run, blob: { publicArea, privateArea }, box: new Uint8Array(reader.bytes(SEALED_BYTES_MAX)) };
  });
}

function lock(key: Uint8Array, content: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

function unlock(key: Uint8Array, box: Uint8Array): Uint8Array | undefined {
  if (key.length !== KEY_BYTES || box.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    const content = decipher.update(box.subarray(NONCE_BYTES, box.length - TAG_BYTES));
    return new Uint8Array(Buffer.concat([content, decipher.final()]));
  } catch {
    return undefined;
  }
}

/** What a start has got. */
export interface AnchoredStart {
  /** Value of the counter that is this start's alone. */
  readonly run: number;
  /** Name of the counter index, 34 bytes. */
  readonly counterName: Uint8Array;
  /** What the last orderly stop sealed; undefined: there is nothing that may be continued. */
  readonly content: Uint8Array | undefined;
  /** Why there is nothing, in words. */
  readonly reason: string;
  /** Seals a state for the next start; to be used once, when nothing is certified any more. Needs no TPM. */
  seal(content: Uint8Array): Uint8Array;
}

/** Opens a sealed state if the counter stands at its number. */
async function openSealed(tpm: Tpm, nv: NvAccess, sealed: SealedState): Promise<Uint8Array | undefined> {
  try {
    const key = await tpm.withStorageRoot((root) =>
      tpm.withObject(root, sealed.blob, (object) =>
        tpm.withCounterPolicy(nv, sealed.run, (session) => tpm.unseal(object, session)),
      ),
    );
    return unlock(key, sealed.box);
  } catch (error) {
    // Of another TPM, changed, or not at this number: nothing to continue. Trouble with the TPM itself goes up.
    if (error instanceof TpmRefusal) return undefined;
    throw error;
  }
}

/** Moves the counter to a number that no other start has got. */
async function ownNumber(tpm: Tpm, nv: NvAccess, from: number): Promise<{ run: number; alone: boolean }> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const before = attempt === 0 ? from : await tpm.nvCounter(nv);
    await tpm.nvIncrement(nv);
    const run = await tpm.nvCounter(nv);
    if (run === before + 1) return { run, alone: attempt === 0 };
    const pauseMs = randomInt(PAUSE_MS * 2 ** Math.min(attempt, 6));
    await new Promise((done) => setTimeout(done, pauseMs));
  }
  throw new Error(
    'others move the counter of this component all the time: several copies of it are being started',
  );
}

/** One start: see the top of this file. `stored`: the file that the last orderly stop wrote. */
export async function beginRun(
  tpm: Tpm,
  nv: NvAccess,
  stored: Uint8Array | undefined,
): Promise<AnchoredStart> {
  await counterArea(tpm, nv);
  const before = await tpm.nvCounter(nv);
  const sealed = stored === undefined ? undefined : decodeSealed(stored);
  let content: Uint8Array | undefined;
  let reason = 'there is no sealed state';
  if (sealed !== undefined) {
    reason = `the state was sealed at ${sealed.run}, the counter of the TPM stands at ${before}`;
    if (sealed.run === before) {
      content = await openSealed(tpm, nv, sealed);
      reason = 'the TPM does not open the state';
    }
  }
  const { run, alone } = await ownNumber(tpm, nv, before);
  if (!alone && content !== undefined) {
    content.fill(0);
    content = undefined;
    reason = 'another copy of the component was started at the same time';
  }
  const key = new Uint8Array(randomBytes(KEY_BYTES));
  // Made now, so that an orderly stop is a matter of this machine and takes no time.
  const blob = await tpm.withStorageRoot(async (root) =>
    tpm.seal(root, key, await tpm.counterPolicy(nv, run)),
  );
  const counterName = nvNameOf(sha256, encodeNvPublic(await counterArea(tpm, nv)));
  return {
    run,
    counterName,
    content,
    reason,
    seal: (next) => {
      const box = lock(key, next);
      key.fill(0);
      return encodeSealed({ run, blob, box });
    },
  };
}

/** What is sealed: the key of a component, the number of the start that made it, what its program needs to go on. */
export interface AnchoredState {
  readonly seed: Uint8Array;
  readonly born: number;
  readonly records: readonly Uint8Array[];
}

/** Bytes of a state, to be sealed. */
export function encodeState({ seed, born, records }: AnchoredState): Uint8Array {
  return new Writer(4096)
    .raw(seed)
    .u64(born)
    .list(records, (writer, record) => writer.bytes(record))
    .finish();
}

/** Reads a state that the TPM opened; undefined if it is of another version. */
export function decodeState(bytes: Uint8Array): AnchoredState | undefined {
  return decodeWhole(bytes, (reader) => {
    const seed = new Uint8Array(reader.raw(KEY_BYTES));
    const born = reader.u64();
    const records = reader.list(1024, (r) => new Uint8Array(r.bytes(SEALED_BYTES_MAX)));
    return { seed, born, records };
  });
}

/** tcEpoch of a key that was made by the start `born`: 8 bytes. */
export function epochBytes(counterName: Uint8Array, born: number, publicKey: Uint8Array): Uint8Array {
  return Buffer.from(tpmEpochOf(sha256, { counterName, born, publicKey }), 'hex');
}
