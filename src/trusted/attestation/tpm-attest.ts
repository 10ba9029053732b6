/**
 * What a TPM 2.0 says, as bytes: TPMS_ATTEST of a quote and of an NV index, public areas, names. Strict and bounded;
 * layouts of the TPM library specification, part 2. Nothing here trusts anything yet: `tpm-quote.ts` judges.
 */
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import { domainTag } from '../../core/domain.ts';
import type { Digest, Hash, TcEpoch } from '../../core/types.ts';

const MAGIC = 0xff544347;
const TYPE_NV = 0x8014;
const TYPE_QUOTE = 0x8018;
const ALGORITHM = { sha256: 0x000b, none: 0x0010, ecdsa: 0x0018, ecc: 0x0023 } as const;
const CURVE_P256 = 0x0003;
const NAME_BYTES_MAX = 34;
const DATA_BYTES_MAX = 64;
const DIGEST_BYTES = 32;
const CONTENT_BYTES_MAX = 1024;

/** fixedTPM, fixedParent, sensitiveDataOrigin, restricted, sign: made in the TPM, stays there, signs only its words. */
const ATTESTATION_KEY_NEEDS = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 16) | (1 << 18);
/** decrypt: such a key could be used for other things. */
const ATTESTATION_KEY_MUST_NOT = 1 << 17;
const NV_TYPE_MASK = 15 << 4;
const NV_COUNTER = 1 << 4;
const NV_EXTEND = 4 << 4;
const NV_WRITTEN = 1 << 29;
/** platformcreate and policydelete: with an empty policy nobody can remove such an index, so it never begins again. */
const NV_IRREMOVABLE = (1 << 30) | (1 << 10);
/** orderly: the value lives in RAM. clear_stclear: it starts again with the machine. */
const NV_VOLATILE = (1 << 26) | (1 << 27);

/** An attestation, as far as it is used. */
export interface TpmAttest {
  /** Data of whoever asked. */
  readonly data: Uint8Array;
  readonly content:
    | {
        readonly kind: 'quote';
        /** Bit i of it: SHA-256 PCR i is in the digest. */
        readonly pcrs: number;
        readonly pcrDigest: Digest;
      }
    | { readonly kind: 'nv'; readonly name: Uint8Array; readonly offset: number; readonly bytes: Uint8Array };
}

function sized(reader: Reader, max: number): Uint8Array {
  const length = reader.u16();
  if (length > max) reader.fail();
  return new Uint8Array(reader.raw(length > max ? 0 : length));
}

function readQuote(reader: Reader): TpmAttest['content'] {
  if (reader.u32() !== 1 || reader.u16() !== ALGORITHM.sha256 || reader.u8() !== 3) reader.fail();
  const pcrs = reader.u8() | (reader.u8() << 8) | (reader.u8() << 16);
  if (reader.u16() !== DIGEST_BYTES) reader.fail();
  return { kind: 'quote', pcrs, pcrDigest: reader.digest() };
}

function readNv(reader: Reader): TpmAttest['content'] {
  const name = sized(reader, NAME_BYTES_MAX);
  const offset = reader.u16();
  return { kind: 'nv', name, offset, bytes: sized(reader, CONTENT_BYTES_MAX) };
}

/** Reads a TPMS_ATTEST of a quote or an NV index; undefined unless it is one from its first to its last byte. */
export function decodeTpmAttest(bytes: Uint8Array): TpmAttest | undefined {
  return decodeWhole(bytes, (reader) => {
    if (reader.u32() !== MAGIC) reader.fail();
    const type = reader.u16();
    sized(reader, NAME_BYTES_MAX);
    const data = sized(reader, DATA_BYTES_MAX);
    // Clock, resetCount, restartCount, safe, firmwareVersion: masked by the TPM for such a key.
    reader.raw(8 + 4 + 4 + 1 + 8);
    if (type !== TYPE_QUOTE && type !== TYPE_NV) reader.fail();
    return { data, content: type === TYPE_QUOTE ? readQuote(reader) : readNv(reader) };
  });
}

/** Public key of an attestation key (65 bytes, uncompressed) by its public area, or why it is none that counts. */
export function attestationKeyOf(area: Uint8Array): { readonly publicKey: Uint8Array } | string {
  const reader = new Reader(area);
  const type = reader.u16();
  const nameAlgorithm = reader.u16();
  const attributes = reader.u32();
  sized(reader, DIGEST_BYTES);
  if (type !== ALGORITHM.ecc || nameAlgorithm !== ALGORITHM.sha256) return 'no ECC key named by SHA-256';
  const scheme = [reader.u16(), reader.u16(), reader.u16(), reader.u16(), reader.u16()].join();
  const x = sized(reader, DIGEST_BYTES);
  const y = sized(reader, DIGEST_BYTES);
  const wanted = [ALGORITHM.none, ALGORITHM.ecdsa, ALGORITHM.sha256, CURVE_P256, ALGORITHM.none].join();
  if (!reader.done() || scheme !== wanted) return 'no ECDSA key on P-256 with SHA-256';
  if ((attributes & ATTESTATION_KEY_NEEDS) !== ATTESTATION_KEY_NEEDS)
    return 'a key that may leave the TPM or may sign what is not from it';
  if ((attributes & ATTESTATION_KEY_MUST_NOT) !== 0) return 'a key that also decrypts';
  const publicKey = new Uint8Array(65);
  publicKey[0] = 4;
  publicKey.set(x, 33 - x.length);
  publicKey.set(y, 65 - y.length);
  return { publicKey };
}

/** Name of an NV index by its public area: what an attestation calls it. 34 bytes. */
export function nvNameOf(hash: Hash, area: Uint8Array): Uint8Array {
  return new Writer(64).u16(ALGORITHM.sha256).raw(hash(area)).finish();
}

/**
 * Whether an NV public area is of an index that was written and never goes back: a counter (one that is removed and made
 * again starts above all before it), or an EXTEND index that nobody can remove (made again, it would start at zero).
 */
export function isOneWayIndex(area: Uint8Array, type: 'counter' | 'extend'): boolean {
  const reader = new Reader(area);
  reader.u32();
  const algorithm = reader.u16();
  const attributes = reader.u32();
  const policy = sized(reader, DIGEST_BYTES);
  const dataBytes = reader.u16();
  const [bits, length] = type === 'counter' ? [NV_COUNTER, 8] : [NV_EXTEND, DIGEST_BYTES];
  const stays = (attributes & NV_IRREMOVABLE) === NV_IRREMOVABLE && policy.length === 0;
  return (
    reader.done() &&
    algorithm === ALGORITHM.sha256 &&
    (attributes & NV_TYPE_MASK) === bits &&
    (attributes & NV_WRITTEN) !== 0 &&
    (attributes & NV_VOLATILE) === 0 &&
    (type === 'counter' || stays) &&
    dataBytes === length
  );
}

/** What a tcEpoch of the footprint `tpm` is made of. */
export interface TpmEpochParts {
  /** Name of the counter index. */
  readonly counterName: Uint8Array;
  /** Value of the counter that belongs to the start which made the key. */
  readonly born: number;
  /** Raw Ed25519 key of the component. */
  readonly publicKey: Uint8Array;
}

/** tcEpoch of a component: anybody can compute it from what the TPM certifies. */
export function tpmEpochOf(hash: Hash, { counterName, born, publicKey }: TpmEpochParts): TcEpoch {
  const writer = new Writer(160).ascii(domainTag('tpm', 'EPOCH'));
  writer.bytes(counterName).u64(born).bytes(publicKey);
  return bytesToTcEpoch(hash(writer.finish()).subarray(0, 8));
}

/** What a component has the TPM say. */
export interface QualifyingParts {
  /** Over its key and the challenge. */
  readonly bind: Digest;
  /** Of the program that runs, as the process that loaded it has measured it: the bind digest does not cover it. */
  readonly measurement: Digest;
  /** The start that made the key, and the one that runs. */
  readonly born: number;
  readonly run: number;
}

/** The 32 bytes that the TPM signs. */
export function tpmQualifyingData(hash: Hash, { bind, measurement, born, run }: QualifyingParts): Uint8Array {
  const writer = new Writer(160).ascii(domainTag('tpm', 'QUOTE')).digest(bind).digest(measurement).u64(born).u64(run);
  return new Uint8Array(hash(writer.finish()));
}

/** Hexadecimal of what a check found, shortened for people. */
export function shown(bytes: Uint8Array): string {
  const text = bytesToHex(bytes);
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}
