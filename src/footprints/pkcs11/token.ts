/**
 * A PKCS#11 token as the holder of one Ed25519 key. The library is reached through the npm package `pkcs11js`, which is
 * no dependency of this one, as it is compiled when it is installed: only those who use this footprint need it.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';

/** What has to be installed beside this package, and where SoftHSM2 is on Debian. */
export const BINDING = 'pkcs11js';
export const BINDING_INSTALL = 'npm install pkcs11js@2.1.7';
const SOFTHSM_PATHS = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
];

/** The part of `pkcs11js` that is used; names and numbers are those of PKCS#11 3.0. */
interface Cryptoki {
  load(path: string): void;
  C_Initialize(): void;
  C_GetSlotList(tokenPresent: boolean): Buffer[];
  C_GetTokenInfo(slot: Buffer): { readonly label: string; readonly serialNumber: string };
  C_InitToken(slot: Buffer, pin: string, label: string): void;
  C_InitPIN(session: Buffer, pin: string): void;
  C_OpenSession(slot: Buffer, flags: number): Buffer;
  C_CloseSession(session: Buffer): void;
  C_Login(session: Buffer, user: number, pin: string): void;
  C_Logout(session: Buffer): void;
  C_GenerateKeyPair(
    session: Buffer,
    mechanism: Mechanism,
    publicKey: readonly Attribute[],
    privateKey: readonly Attribute[],
  ): { readonly publicKey: Buffer; readonly privateKey: Buffer };
  C_GetAttributeValue(
    session: Buffer,
    object: Buffer,
    wanted: readonly { type: number }[],
  ): { value: Buffer }[];
  C_FindObjectsInit(session: Buffer, template: readonly Attribute[]): void;
  C_FindObjects(session: Buffer, max: number): Buffer[];
  C_FindObjectsFinal(session: Buffer): void;
  C_DestroyObject(session: Buffer, object: Buffer): void;
  C_SignInit(session: Buffer, mechanism: Mechanism, key: Buffer): void;
  C_Sign(session: Buffer, data: Uint8Array, to: Buffer): Buffer;
}
interface Mechanism {
  readonly mechanism: number;
  readonly parameter: null;
}
interface Attribute {
  readonly type: number;
  readonly value: number | boolean | string | Uint8Array;
}

const SERIAL_SESSION = 4;
const READ_WRITE_SESSION = 2;
const USER = { securityOfficer: 0, user: 1 } as const;
const CLASS = { publicKey: 2, privateKey: 3 } as const;
const ATTRIBUTE = {
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  id: 0x102,
  sensitive: 0x103,
  sign: 0x108,
  verify: 0x10a,
  extractable: 0x162,
  ecParams: 0x180,
  ecPoint: 0x181,
} as const;
const GENERATE: Mechanism = { mechanism: 0x1055, parameter: null };
const SIGN: Mechanism = { mechanism: 0x1057, parameter: null };
/** Ed25519 by its object identifier, and by its name as older tokens want it. */
const CURVES = [Buffer.from('06032b6570', 'hex'), Buffer.from('130c656477617264733235353139', 'hex')];
const SIGNATURE_BYTES = 64;
const OBJECTS_MAX = 64;

/** The token cannot be used; the message is for the operator and holds no PIN. */
export class TokenProblem extends Error {
  override readonly name = 'TokenProblem';
}

/** Which token, and where its PIN is. */
export interface TokenPlace {
  /** Path of the vendor's library; empty: SoftHSM2. */
  readonly module: string;
  /** Label of the token. */
  readonly label: string;
  /** File with the PIN of the user. */
  readonly pinFile: string;
  /** Configuration of SoftHSM2; empty: its own default. */
  readonly softhsmConfiguration: string;
  /** What the library needs inside the sandbox besides itself and the libraries that it is linked to. */
  readonly reads?: readonly string[];
  /** The same, to be written to; devices too. */
  readonly writes?: readonly string[];
  /** The library cannot work in a sandbox: its token is behind a network, a daemon or a bus. */
  readonly unconfined?: boolean;
}

/** Path of SoftHSM2; undefined if it is not installed. */
export function softhsmPath(): string | undefined {
  return SOFTHSM_PATHS.find((path) => existsSync(path));
}

/** Whether the binding is installed where the carrier would look for it. */
export function isBindingInstalled(carrier: string): boolean {
  try {
    createRequire(carrier).resolve(BINDING);
    return true;
  } catch {
    return false;
  }
}

async function loadBinding(): Promise<Cryptoki> {
  try {
    // By a name in a variable: a bundler must leave it alone.
    const name: string = BINDING;
    const binding = (await import(name)) as { readonly default: { readonly PKCS11: new () => Cryptoki } };
    return new binding.default.PKCS11();
  } catch (error) {
    throw new TokenProblem(
      `the npm package ${BINDING} is missing or does not load (${(error as Error).message}); ` +
        `install it beside this package: ${BINDING_INSTALL}`,
    );
  }
}

let loaded: Promise<Cryptoki> | undefined;

/** Loads the library of a token; a process has one only. */
export function loadCryptoki(place: TokenPlace): Promise<Cryptoki> {
  loaded ??= initialize(place);
  return loaded;
}

async function initialize(place: TokenPlace): Promise<Cryptoki> {
  const path = place.module === '' ? softhsmPath() : place.module;
  if (path === undefined)
    throw new TokenProblem('SoftHSM2 is not installed: install the Debian package softhsm2');
  // SoftHSM2 reads it when it is initialized; other libraries do not know it.
  if (place.softhsmConfiguration !== '') process.env['SOFTHSM2_CONF'] = place.softhsmConfiguration;
  const cryptoki = await loadBinding();
  try {
    cryptoki.load(path);
    cryptoki.C_Initialize();
  } catch (error) {
    throw new TokenProblem(`the PKCS#11 library ${path} does not load: ${(error as Error).message}`);
  }
  return cryptoki;
}

/** Reads a PIN; its file must be closed to others. */
export function readPin(path: string): string {
  let mode;
  try {
    ({ mode } = statSync(path));
  } catch {
    throw new TokenProblem(`there is no file ${path} with the PIN of the token`);
  }
  if ((mode & 0o077) !== 0) throw new TokenProblem(`${path} is open to others; run: chmod 600 ${path}`);
  const pin = readFileSync(path, 'utf8').trim();
  if (pin === '') throw new TokenProblem(`${path} is empty; it must hold the PIN of the token`);
  return pin;
}

function trimmed(text: string): string {
  return text.replace(/[\0 ]+$/, '');
}

function slotOf(cryptoki: Cryptoki, label: string): Buffer {
  const slots = cryptoki.C_GetSlotList(true);
  const found = slots.filter((slot) => trimmed(cryptoki.C_GetTokenInfo(slot).label) === label);
  if (found.length === 1) return found[0]!;
  const labels = slots
    .map((slot) => trimmed(cryptoki.C_GetTokenInfo(slot).label))
    .filter((one) => one !== '');
  const all = labels.length === 0 ? 'there is none' : `there are ${labels.join(', ')}`;
  throw new TokenProblem(
    `${found.length === 0 ? 'no' : 'more than one'} token has the label "${label}" (${all})`,
  );
}

/**
 * Makes a private SoftHSM2 token in the current folder: configuration, token, PIN. Nobody keeps the PIN of the security
 * officer: the token can be used or thrown away, not be given another PIN. All names are relative, so that a copy of the
 * folder is a copy of the token too, and never uses that of the first.
 */
export async function makeSoftToken(): Promise<TokenPlace> {
  mkdirSync('tokens', { recursive: true, mode: 0o700 });
  const place = { module: '', label: 'moiety', pinFile: 'pin', softhsmConfiguration: 'softhsm2.conf' };
  const lines = ['directories.tokendir = ./tokens', 'objectstore.backend = file', 'log.level = ERROR'];
  writeFileSync(place.softhsmConfiguration, `${lines.join('\n')}\n`, { mode: 0o600 });
  const pin = randomBytes(16).toString('hex');
  writeFileSync(place.pinFile, `${pin}\n`, { mode: 0o600 });
  const cryptoki = await loadCryptoki(place);
  const free = cryptoki.C_GetSlotList(false).at(-1);
  if (free === undefined) throw new TokenProblem('SoftHSM2 has no slot');
  const officerPin = randomBytes(16).toString('hex');
  cryptoki.C_InitToken(free, officerPin, place.label);
  const session = cryptoki.C_OpenSession(slotOf(cryptoki, place.label), SERIAL_SESSION | READ_WRITE_SESSION);
  cryptoki.C_Login(session, USER.securityOfficer, officerPin);
  cryptoki.C_InitPIN(session, pin);
  cryptoki.C_Logout(session);
  cryptoki.C_CloseSession(session);
  return place;
}

/** A key in a token. */
export interface TokenKey {
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

/** An open token with its user logged in. Every failure of the token is thrown and must end the process. */
export class Token {
  readonly #cryptoki: Cryptoki;
  readonly #session: Buffer;

  private constructor(cryptoki: Cryptoki, session: Buffer) {
    this.#cryptoki = cryptoki;
    this.#session = session;
  }

  /** Opens a token whose library was loaded. Throws TokenProblem. */
  static open(cryptoki: Cryptoki, place: TokenPlace): Token {
    const pin = readPin(place.pinFile);
    const slot = slotOf(cryptoki, place.label);
    try {
      const session = cryptoki.C_OpenSession(slot, SERIAL_SESSION | READ_WRITE_SESSION);
      cryptoki.C_Login(session, USER.user, pin);
      return new Token(cryptoki, session);
    } catch (error) {
      throw new TokenProblem(`the token "${place.label}" cannot be opened: ${(error as Error).message}`);
    }
  }

  /** The key of this id; undefined if there is none. */
  find(id: Uint8Array): TokenKey | undefined {
    const byId = { type: ATTRIBUTE.id, value: id };
    const [publicKey] = this.#objects([{ type: ATTRIBUTE.class, value: CLASS.publicKey }, byId]);
    const [privateKey] = this.#objects([{ type: ATTRIBUTE.class, value: CLASS.privateKey }, byId]);
    return publicKey === undefined || privateKey === undefined
      ? undefined
      : this.#keyOf(publicKey, privateKey);
  }

  /** Makes a key that the token never shows. */
  make(id: Uint8Array, label: string): TokenKey {
    const both = [
      { type: ATTRIBUTE.token, value: true },
      { type: ATTRIBUTE.id, value: id },
      { type: ATTRIBUTE.label, value: label },
    ];
    const secret = [
      ...both,
      { type: ATTRIBUTE.private, value: true },
      { type: ATTRIBUTE.sensitive, value: true },
      { type: ATTRIBUTE.extractable, value: false },
      { type: ATTRIBUTE.sign, value: true },
    ];
    let problem = '';
    for (const curve of CURVES) {
      const open = [
        ...both,
        { type: ATTRIBUTE.verify, value: true },
        { type: ATTRIBUTE.ecParams, value: curve },
      ];
      try {
        const made = this.#cryptoki.C_GenerateKeyPair(this.#session, GENERATE, open, secret);
        return this.#keyOf(made.publicKey, made.privateKey);
      } catch (error) {
        problem = (error as Error).message;
      }
    }
    throw new TokenProblem(`the token makes no Ed25519 key (CKM_EC_EDWARDS_KEY_PAIR_GEN): ${problem}`);
  }

  /** Destroys all keys of a label but that of the id. */
  destroyOthers(label: string, id: Uint8Array): void {
    for (const object of this.#objects([{ type: ATTRIBUTE.label, value: label }])) {
      const [found] = this.#cryptoki.C_GetAttributeValue(this.#session, object, [{ type: ATTRIBUTE.id }]);
      if (!found!.value.equals(id)) this.#cryptoki.C_DestroyObject(this.#session, object);
    }
  }

  /** Gives the token up. */
  close(): void {
    this.#cryptoki.C_Logout(this.#session);
    this.#cryptoki.C_CloseSession(this.#session);
  }

  #objects(template: readonly Attribute[]): Buffer[] {
    this.#cryptoki.C_FindObjectsInit(this.#session, template);
    try {
      return this.#cryptoki.C_FindObjects(this.#session, OBJECTS_MAX);
    } finally {
      this.#cryptoki.C_FindObjectsFinal(this.#session);
    }
  }

  #keyOf(publicObject: Buffer, privateObject: Buffer): TokenKey {
    const [found] = this.#cryptoki.C_GetAttributeValue(this.#session, publicObject, [
      { type: ATTRIBUTE.ecPoint },
    ]);
    // 32 bytes, by most tokens wrapped into an OCTET STRING.
    const point = found!.value;
    const publicKey = new Uint8Array(point.subarray(point.length - 32));
    if (point.length !== 32 && !(point.length === 34 && point[0] === 4 && point[1] === 32))
      throw new TokenProblem('the token shows a public key that is none of Ed25519');
    const room = Buffer.alloc(SIGNATURE_BYTES);
    return {
      publicKey,
      sign: (bytes) => {
        this.#cryptoki.C_SignInit(this.#session, SIGN, privateObject);
        const signature = new Uint8Array(this.#cryptoki.C_Sign(this.#session, bytes, room));
        if (signature.length !== SIGNATURE_BYTES)
          throw new TokenProblem('the token signs with another length');
        return signature;
      },
    };
  }
}
