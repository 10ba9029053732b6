/**
 * The folder of a trusted service: its own key, the list of client keys that it admits, one-time tokens for those whose
 * keys it does not know yet, and a folder for each client with that client's component. Everything is of mode 0600 in
 * folders of mode 0700; what the operator edits is read again whenever it has changed.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { bytesToHex, hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { writeWhole } from '../durable-file.ts';
import { decodeAnswer, encodeAnswer, ENROLMENT_TOKEN_BYTES } from './wire.ts';
import { ServiceError } from './identity.ts';

const FILES = { key: 'service.pem', clients: 'clients', tokens: 'tokens.json', components: 'components' };
const CLIENT_FILES = { registration: 'registration', component: 'component' };
/** A list longer than this is none that a person wrote. */
const LIST_BYTES_MAX = 1024 * 1024;
/** Tokens that wait to be used, at most. */
const TOKENS_MAX = 256;

interface PendingToken {
  /** SHA-256 of the token, hexadecimal: who reads the file cannot enrol with it. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Makes a folder that only its owner may enter; throws ServiceError if others may. */
export function privateFolder(folder: string): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
  const { mode, uid } = statSync(folder);
  if ((mode & 0o077) !== 0)
    throw new ServiceError(
      `${folder} is open to others: name a folder of the service's own; if it is that, run: chmod 700 ${folder}`,
    );
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new ServiceError(`${folder} belongs to another user`);
}

function hashOf(token: Uint8Array): Buffer {
  return createHash('sha256').update(token).digest();
}

/** See the top of this file. Methods throw ServiceError, or the system's error if the folder cannot be written. */
export class Roster {
  readonly #folder: string;
  readonly #now: () => number;
  #listStamp = '';
  #listed = new Set<string>();

  /** `now`: milliseconds since 1970. */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
    privateFolder(folder);
    privateFolder(join(folder, FILES.components));
  }

  /** The service's own key file. */
  get keyFile(): string {
    return join(this.#folder, FILES.key);
  }

  /** Folder of a client's component. */
  componentFolder(key: string): string {
    return join(this.#folder, FILES.components, key, CLIENT_FILES.component);
  }

  /** Keys of all clients that have a component here. */
  clients(): string[] {
    return readdirSync(join(this.#folder, FILES.components)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  }

  /** Whether a key is on the list now. */
  isAdmitted(key: string): boolean {
    const file = join(this.#folder, FILES.clients);
    const info = statSync(file, { throwIfNoEntry: false });
    if (info === undefined) return false;
    const stamp = `${info.mtimeMs} ${info.size} ${info.ino}`;
    if (stamp !== this.#listStamp) {
      if (info.size > LIST_BYTES_MAX) throw new ServiceError(`${file} is too long for a list of keys`);
      this.#listed = new Set(
        readFileSync(file, 'utf8')
          .split('\n')
          .map((line) => line.replace(/#.*/, '').trim().toLowerCase())
          .filter((line) => /^[0-9a-f]{64}$/.test(line)),
      );
      this.#listStamp = stamp;
    }
    return this.#listed.has(key);
  }

  /** Puts a key on the list. */
  admit(key: string): void {
    if (!/^[0-9a-f]{64}$/.test(key)) throw new ServiceError(`"${key}" is not a key of 64 hexadecimal digits`);
    if (this.isAdmitted(key)) return;
    const file = join(this.#folder, FILES.clients);
    // The last line that a person wrote may have no end: the key must not become a part of it.
    const isOpen = existsSync(file) && !/(^|\n)$/.test(readFileSync(file, 'utf8'));
    appendFileSync(file, `${isOpen ? '\n' : ''}${key}\n`, { mode: 0o600, flush: true });
  }

  // ---- tokens -----------------------------------------------------------------------------------------------------

  #tokens(): PendingToken[] {
    const file = join(this.#folder, FILES.tokens);
    if (!existsSync(file)) return [];
    const isToken = (value: unknown): value is PendingToken =>
      typeof value === 'object' &&
      value !== null &&
      /^[0-9a-f]{64}$/.test(String((value as PendingToken).hash)) &&
      Number.isFinite((value as PendingToken).expiresAt);
    try {
      const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (Array.isArray(parsed) && parsed.every(isToken))
        return parsed.filter(({ expiresAt }) => expiresAt > this.#now());
    } catch {
      // Told below.
    }
    throw new ServiceError(`${file} is damaged; remove it and make new tokens`);
  }

  #writeTokens(tokens: readonly PendingToken[]): void {
    writeWhole(join(this.#folder, FILES.tokens), `${JSON.stringify(tokens)}\n`);
  }

  /** Makes a one-time token that ends after `forMs`; its hexadecimal digits are shown once and kept nowhere. */
  makeToken(forMs: number): string {
    const tokens = this.#tokens();
    if (tokens.length >= TOKENS_MAX) throw new ServiceError(`${TOKENS_MAX} tokens wait to be used already`);
    const token = randomBytes(ENROLMENT_TOKEN_BYTES);
    const expiresAt = this.#now() + forMs;
    this.#writeTokens([...tokens, { hash: hashOf(token).toString('hex'), expiresAt }]);
    return token.toString('hex');
  }

  /** Uses a token up; undefined if it is none. Gives what brings it back, for an enrolment that failed. */
  takeToken(token: Uint8Array): (() => void) | undefined {
    if (token.length !== ENROLMENT_TOKEN_BYTES) return undefined;
    const shown = hashOf(token);
    const tokens = this.#tokens();
    // All are compared, each in constant time.
    const found = tokens.filter(({ hash }) => timingSafeEqual(Buffer.from(hash, 'hex'), shown));
    if (found.length === 0) return undefined;
    this.#writeTokens(tokens.filter((one) => !found.includes(one)));
    return () => this.#writeTokens([...this.#tokens(), ...found]);
  }

  // ---- components -------------------------------------------------------------------------------------------------

  /** Registration of a client's component; undefined if it has none. */
  registrationOf(key: string): TrustedRegistration | undefined {
    const file = join(this.#folder, FILES.components, key, CLIENT_FILES.registration);
    if (!existsSync(file)) return undefined;
    const answer = decodeAnswer(hexToBytes(readFileSync(file, 'utf8').trim()) ?? new Uint8Array(0));
    if (answer?.kind !== 'welcome') throw new ServiceError(`the registration of client ${key} is damaged`);
    return answer.registration;
  }

  /** Room for a new component: what an enrolment left that never came to its end is removed. */
  prepare(key: string): string {
    const folder = join(this.#folder, FILES.components, key);
    if (this.registrationOf(key) !== undefined) throw new ServiceError('this client has a component already');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    return this.componentFolder(key);
  }

  /** The component is made: from now on it is this client's. */
  register(key: string, registration: TrustedRegistration): void {
    const file = join(this.#folder, FILES.components, key, CLIENT_FILES.registration);
    writeWhole(file, `${bytesToHex(encodeAnswer({ kind: 'welcome', registration }))}\n`);
  }
}
