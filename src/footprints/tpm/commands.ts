/**
 * TPM 2.0 as bytes: commands are marshalled and answers read by the layouts of the TPM library specification, part 2
 * and 3. Only what the footprints here use; nothing of this touches a device. Sessions are password or policy ones.
 */
import { Reader, Writer } from '../../core/codec.ts';

/** Bytes of the head of a command or answer: tag, size, code. */
export const TPM_HEADER_BYTES = 10;
/** Bytes of a command or answer, at most; the buffer of the reference implementation. */
export const TPM_MESSAGE_BYTES_MAX = 4096;

const TAG_PLAIN = 0x8001;
const TAG_SESSIONS = 0x8002;

/** Command codes. */
export const COMMAND = {
  nvUndefineSpace: 0x122,
  createPrimary: 0x131,
  nvDefineSpace: 0x12a,
  nvIncrement: 0x134,
  nvExtend: 0x136,
  nvWrite: 0x137,
  startup: 0x144,
  activateCredential: 0x147,
  policyNv: 0x149,
  policySecret: 0x151,
  create: 0x153,
  nvRead: 0x14e,
  load: 0x157,
  quote: 0x158,
  unseal: 0x15e,
  flushContext: 0x165,
  makeCredential: 0x168,
  nvReadPublic: 0x169,
  readPublic: 0x173,
  startAuthSession: 0x176,
  getCapability: 0x17a,
  getRandom: 0x17b,
  pcrRead: 0x17e,
  pcrExtend: 0x182,
  nvCertify: 0x184,
  policyGetDigest: 0x189,
} as const;

/** Fixed handles. */
export const HANDLE = {
  owner: 0x40000001,
  none: 0x40000007,
  password: 0x40000009,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
  /** Objects and sessions that take a place in the TPM. */
  transientFirst: 0x80000000,
  sessionFirst: 0x02000000,
  /** First handle of NV indices that an owner may define for own use. */
  nvFirst: 0x01800000,
} as const;

/** Algorithm ids. */
export const ALGORITHM = {
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  none: 0x0010,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

const CURVE_P256 = 0x0003;

/** Object attributes. */
const OBJECT = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  noDictionaryAttack: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** Attributes of an NV index. */
export const NV_ATTRIBUTE = {
  ownerWrite: 1 << 1,
  authWrite: 1 << 2,
  /** Can be removed only by its policy; never, if that is empty. Such an index is the platform's. */
  policyDelete: 1 << 10,
  platformCreate: 1 << 30,
  /** Type bits: 0 ordinary. */
  counter: 1 << 4,
  extend: 4 << 4,
  ownerRead: 1 << 17,
  authRead: 1 << 18,
  noDictionaryAttack: 1 << 25,
  /** Set by the TPM at the first write. */
  written: 1 << 29,
} as const;

/** An authorization of a command: a password, or a policy session. */
export type TpmAuth = { readonly password: Uint8Array } | { readonly session: number };

/** A command to be sent. */
export interface TpmCommand {
  readonly code: number;
  readonly handles?: readonly number[];
  readonly auths?: readonly TpmAuth[];
  readonly parameters?: Uint8Array;
  /** The answer begins with a handle. */
  readonly answersHandle?: boolean;
}

/** What a command was answered with. */
export interface TpmAnswer {
  /** 0 = success. */
  readonly code: number;
  readonly handle: number;
  readonly parameters: Uint8Array;
}

const EMPTY = new Uint8Array(0);
/** Authorization of a hierarchy or object without password. */
export const NO_PASSWORD: TpmAuth = { password: EMPTY };

/** A u16-prefixed byte string (TPM2B). */
export function sized(writer: Writer, bytes: Uint8Array): Writer {
  return writer.u16(bytes.length).raw(bytes);
}

/** Reads a TPM2B of at most `max` bytes, as a copy. */
export function readSized(reader: Reader, max: number): Uint8Array {
  const length = reader.u16();
  if (length > max) reader.fail();
  return new Uint8Array(reader.raw(length > max ? 0 : length));
}

function writeAuths(auths: readonly TpmAuth[]): Uint8Array {
  const writer = new Writer();
  for (const auth of auths) {
    const isSession = 'session' in auth;
    // No nonce; the session, if one, goes on after the command; a password stands where an HMAC would.
    writer
      .u32(isSession ? auth.session : HANDLE.password)
      .u16(0)
      .u8(1);
    sized(writer, isSession ? EMPTY : auth.password);
  }
  return writer.finish();
}

/** Bytes of a command. */
export function encodeCommand(command: TpmCommand): Uint8Array {
  const { code, handles = [], auths = [], parameters = EMPTY } = command;
  const body = new Writer();
  for (const handle of handles) body.u32(handle);
  if (auths.length > 0) body.bytes(writeAuths(auths));
  const rest = body.raw(parameters).finish();
  return new Writer()
    .u16(auths.length > 0 ? TAG_SESSIONS : TAG_PLAIN)
    .u32(TPM_HEADER_BYTES + rest.length)
    .u32(code)
    .raw(rest)
    .finish();
}

/** Reads the answer to a command; undefined unless it is one from its first to its last byte. */
export function decodeAnswer(command: TpmCommand, bytes: Uint8Array): TpmAnswer | undefined {
  if (bytes.length > TPM_MESSAGE_BYTES_MAX) return undefined;
  const reader = new Reader(bytes);
  const tag = reader.u16();
  const size = reader.u32();
  const code = reader.u32();
  if (reader.failed || size !== bytes.length) return undefined;
  // A refusal is nothing but its code.
  if (code !== 0) return reader.done() ? { code, handle: 0, parameters: EMPTY } : undefined;
  const handle = command.answersHandle === true ? reader.u32() : 0;
  const sessions = command.auths?.length ?? 0;
  if (tag !== (sessions > 0 ? TAG_SESSIONS : TAG_PLAIN)) return undefined;
  const length = sessions > 0 ? reader.u32() : reader.remaining;
  const parameters = new Uint8Array(reader.raw(length));
  for (let index = 0; index < sessions; index += 1) {
    readSized(reader, 64);
    reader.u8();
    readSized(reader, 64);
  }
  return reader.done() ? { code, handle, parameters } : undefined;
}

/** Public area of an ECC P-256 key; `scheme` and `symmetric` are written already. */
function eccPublic(
  attributes: number,
  policy: Uint8Array,
  middle: Uint8Array,
  unique: Uint8Array,
): Uint8Array {
  const writer = new Writer().u16(ALGORITHM.ecc).u16(ALGORITHM.sha256).u32(attributes);
  sized(writer, policy).raw(middle).u16(CURVE_P256).u16(ALGORITHM.none);
  sized(writer, unique);
  return sized(writer, unique).finish();
}

const STORAGE_MIDDLE = new Writer()
  .u16(ALGORITHM.aes)
  .u16(128)
  .u16(ALGORITHM.cfb)
  .u16(ALGORITHM.none)
  .finish();
const SIGN_MIDDLE = new Writer().u16(ALGORITHM.none).u16(ALGORITHM.ecdsa).u16(ALGORITHM.sha256).finish();
/** What the TCG's EK profile demands before an EK may be used: the secret of the endorsement hierarchy. */
const EK_POLICY = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');

const STORED = OBJECT.fixedTpm | OBJECT.fixedParent;
const MADE_INSIDE = STORED | OBJECT.sensitiveDataOrigin;

/** Templates of keys and sealed data. */
export const TEMPLATE = {
  /** Storage root: parent of everything that is kept outside of the TPM. */
  storageRoot: eccPublic(
    MADE_INSIDE | OBJECT.userWithAuth | OBJECT.noDictionaryAttack | OBJECT.restricted | OBJECT.decrypt,
    EMPTY,
    STORAGE_MIDDLE,
    EMPTY,
  ),
  /** Attestation key: restricted, so it signs only what the TPM itself made. */
  attestation: eccPublic(
    MADE_INSIDE | OBJECT.userWithAuth | OBJECT.restricted | OBJECT.sign,
    EMPTY,
    SIGN_MIDDLE,
    EMPTY,
  ),
  /** Endorsement key by the TCG's ECC P-256 profile: the one that a vendor's certificate names. */
  endorsement: eccPublic(
    MADE_INSIDE | OBJECT.adminWithPolicy | OBJECT.restricted | OBJECT.decrypt,
    EK_POLICY,
    STORAGE_MIDDLE,
    new Uint8Array(32),
  ),
} as const;

/** Public area of data that only a policy opens: there is no password for it. */
export function sealedTemplate(policy: Uint8Array): Uint8Array {
  const writer = new Writer().u16(ALGORITHM.keyedHash).u16(ALGORITHM.sha256);
  writer.u32(STORED | OBJECT.noDictionaryAttack);
  return sized(writer, policy).u16(ALGORITHM.none).u16(0).finish();
}

/** Public area of an NV index. */
export interface NvPublic {
  readonly index: number;
  readonly attributes: number;
  readonly policy: Uint8Array;
  readonly dataBytes: number;
}

/** Bytes of an NV public area, of which an index's name is the digest. */
export function encodeNvPublic({ index, attributes, policy, dataBytes }: NvPublic): Uint8Array {
  const writer = new Writer().u32(index).u16(ALGORITHM.sha256).u32(attributes);
  return sized(writer, policy).u16(dataBytes).finish();
}

/** Reads an NV public area; undefined unless it is one whose name is made with SHA-256. */
export function decodeNvPublic(bytes: Uint8Array): NvPublic | undefined {
  const reader = new Reader(bytes);
  const index = reader.u32();
  const algorithm = reader.u16();
  const attributes = reader.u32();
  const policy = readSized(reader, 32);
  const dataBytes = reader.u16();
  return reader.done() && algorithm === ALGORITHM.sha256
    ? { index, attributes, policy, dataBytes }
    : undefined;
}

/** A selection of SHA-256 PCRs below 24. */
export function pcrSelection(pcrs: readonly number[]): Uint8Array {
  const select = new Uint8Array(3);
  for (const pcr of pcrs) select[pcr >> 3]! |= 1 << (pcr & 7);
  return new Writer().u32(1).u16(ALGORITHM.sha256).u8(3).raw(select).finish();
}

const FORMAT_ONE = 0x80;
/** Response codes that something here is decided by; those of format one without their position. */
export const RESPONSE = {
  initialize: 0x100,
  policy: 0x126,
  nvAuthorization: 0x149,
  nvUninitialized: 0x14a,
  nvSpace: 0x14b,
  nvDefined: 0x14c,
  lockout: 0x921,
  nvRate: 0x920,
  retry: 0x922,
  yielded: 0x908,
  testing: 0x90a,
  authFail: 0x8e,
  badAuth: 0xa2,
  policyFail: 0x9d,
  handle: 0x8b,
  integrity: 0x9f,
} as const;

/** A response code without the number of the handle, session or parameter that it is about. */
export function responseKind(code: number): number {
  return (code & FORMAT_ONE) === 0 ? code : code & 0xbf;
}

const WORDS: Readonly<Record<number, string>> = {
  [RESPONSE.policy]: 'the policy does not hold now',
  [RESPONSE.policyFail]: 'the policy of the object was not met',
  [RESPONSE.nvAuthorization]: 'the index may not be used in this way',
  [RESPONSE.nvUninitialized]: 'the index was never written',
  [RESPONSE.nvSpace]: 'there is no room for another index',
  [RESPONSE.nvDefined]: 'the index exists already',
  [RESPONSE.lockout]: 'the TPM is locked after wrong passwords; its owner can reset it',
  [RESPONSE.nvRate]: 'the TPM limits the rate of writes',
  [RESPONSE.authFail]: 'wrong password',
  [RESPONSE.badAuth]: 'wrong password of the hierarchy or object',
  [RESPONSE.handle]: 'there is no such object or index',
  [RESPONSE.integrity]: 'the object is of another TPM or was damaged',
};

/** What a response code says, for people. */
export function responseWords(code: number): string {
  const hex = `0x${code.toString(16)}`;
  const words = WORDS[responseKind(code)];
  return words === undefined ? `code ${hex}` : `${words} (${hex})`;
}
