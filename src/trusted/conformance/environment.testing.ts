/**
 * A footprint for tests: a trusted program on records in an array, with keys of node:crypto that follow from a seed, a
 * disk that can be full and a power cut at any record. The same seed and calls give the same bytes.
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import type { Suite } from '../../core/config.ts';
import type { Digest } from '../../core/types.ts';
import type { CheckSignature } from '../client.ts';
import type {
  ProgramEnvironment,
  ProgramKey,
  TrustedProgram,
  TrustedRequest,
  TrustedResponse,
} from '../contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../frames.ts';
import { compileModule, startModule } from '../module.ts';
import { statementKeyOf, tcIdOf } from '../statement.ts';

/** Starts a program on an environment. */
export type StartProgram = (environment: ProgramEnvironment) => TrustedProgram;

/** SHA-256. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** A digest that nothing else has. */
export function digestOf(...parts: readonly (number | string)[]): Digest {
  return bytesToHex(sha256(parts.join('/'))) as Digest;
}

const modules = new Map<string, object>();

/** A module of trusted/ by its program's name. */
export function startWasm(program: string): StartProgram {
  return (environment) => {
    let module = modules.get(program);
    if (module === undefined) {
      module = compileModule(readFileSync(new URL(`../../../trusted/${program}.wasm`, import.meta.url)));
      modules.set(program, module);
    }
    return startModule(module, environment);
  };
}

const publicKeys = new Map<string, KeyObject>();

/** Checks an Ed25519 signature under a raw public key (hexadecimal). */
export const checkSignature: CheckSignature = (publicKey, bytes, authenticator) => {
  let key = publicKeys.get(publicKey);
  if (key === undefined) {
    const x = Buffer.from(publicKey, 'hex').toString('base64url');
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    publicKeys.set(publicKey, key);
  }
  return verify(null, bytes, key, authenticator);
};

/** The power is cut: whoever called a program got no answer. */
export class PowerCut extends Error {}

/** When the power is cut: at this record (the first one is 1), before it is kept or just after. */
export interface PowerCutPlan {
  readonly record: number;
  readonly when: 'before' | 'after';
}

/** What a test component is made from. */
export interface TestComponentOptions {
  readonly program: string | StartProgram;
  /** Absent: Ed25519. */
  readonly suite?: Suite;
  /** Absent: persistent. */
  readonly persistent?: boolean;
  /** Another seed is another component. */
  readonly seed?: number;
  /** HMAC suite: the number of the group key, and which replica of the group this is. */
  readonly group?: number;
  readonly replica?: number;
  /** Keys of clients follow from it. */
  readonly clientRoot?: Uint8Array;
}

/** A trusted component of a test. */
export class TestComponent {
  /** Records kept under the key in force, oldest first. A test may change them: a damaged disk. */
  records: Uint8Array[] = [];
  disk: 'good' | 'full' = 'good';
  cut: PowerCutPlan | undefined;
  /** Milliseconds of the component's own clock. */
  clockMs = 0;
  /** The clock goes on by so much whenever it is read. */
  tickMs = 0;
  /** Records kept since it was made. */
  kept = 0;
  readonly #options: TestComponentOptions;
  readonly #start: StartProgram;
  #generation = 1;
  #draws = 0;
  #program: TrustedProgram;

  constructor(options: TestComponentOptions) {
    this.#options = options;
    this.#start = typeof options.program === 'string' ? startWasm(options.program) : options.program;
    this.#program = this.#start(this.#environment());
  }

  /** Bytes in, bytes out; throws `PowerCut` where the plan says so. */
  handle(request: Uint8Array): Uint8Array {
    return this.#program.handle(request);
  }

  /** One request; a canonical answer. */
  ask(request: TrustedRequest): TrustedResponse {
    const response = decodeTrustedResponse(this.handle(encodeTrustedRequest(request)));
    if (response === undefined) throw new TypeError(`${request.op}: the answer is not canonical`);
    return response;
  }

  /** The component as it is after a restart. A volatile one has another key. */
  restart(): this {
    this.cut = undefined;
    if (this.#options.persistent === false) this.#nextGeneration();
    this.#program = this.#start(this.#environment());
    return this;
  }

  /** Replaces the records by the program's image, as a footprint may; false where the program has none. */
  compact(): boolean {
    const image = this.#program.image?.();
    if (image === undefined) return false;
    this.records = [image];
    return true;
  }

  #secret(use: string): Uint8Array {
    return sha256(`test component/${this.#options.seed ?? 0}/${this.#generation}/${use}`);
  }

  #nextGeneration(): void {
    this.#generation += 1;
    this.records = [];
  }

  #key(): ProgramKey {
    const tcEpoch = bytesToTcEpoch(this.#secret('tcEpoch').subarray(0, 8));
    if (this.#options.suite === 'hmac-sha256') {
      const hmac = (key: Uint8Array, message: Uint8Array): Uint8Array =>
        new Uint8Array(createHmac('sha256', key).update(message).digest());
      const groupId = new Uint8Array(16).fill(this.#options.group ?? 0);
      const statementKey = statementKeyOf(hmac, sha256(`group/${this.#options.group ?? 0}`), groupId);
      const authenticate = (bytes: Uint8Array): Uint8Array => hmac(statementKey, bytes);
      return {
        suite: 'hmac-sha256',
        tcId: tcIdOf(sha256, { suite: 'hmac-sha256', groupId, replica: this.#options.replica ?? 0 }),
        tcEpoch,
        publicKey: '',
        authenticate,
        statementKey,
        verify: (bytes, authenticator) =>
          authenticator.length === 32 && timingSafeEqual(authenticator, authenticate(bytes)),
      };
    }
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
    const der = Buffer.concat([prefix, this.#secret('key')]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
    const publicKey = new Uint8Array(Buffer.from(x as string, 'base64url'));
    return {
      suite: 'ed25519',
      tcId: tcIdOf(sha256, { suite: 'ed25519', publicKey }),
      tcEpoch,
      publicKey: bytesToHex(publicKey),
      authenticate: (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
    };
  }

  #persist(record: Uint8Array): boolean {
    const due = this.cut?.record === this.kept + 1;
    if (due && this.cut?.when === 'before') throw new PowerCut();
    if (this.disk === 'full') return false;
    this.records.push(record);
    this.kept += 1;
    if (due) throw new PowerCut();
    return true;
  }

  #environment(): ProgramEnvironment {
    return {
      measurement: digestOf('measurement'),
      persistent: this.#options.persistent !== false,
      hash: sha256,
      ...(this.#options.clientRoot === undefined ? {} : { clientRoot: this.#options.clientRoot }),
      key: this.#key(),
      records: [...this.records],
      persist: (record) => this.#persist(record),
      replaceKey: () => {
        if (this.disk === 'full') return undefined;
        this.#nextGeneration();
        return this.#key();
      },
      random: (length) => {
        const drawn: Uint8Array[] = [];
        for (let have = 0; have < length; have += 32) drawn.push(this.#secret(`random/${(this.#draws += 1)}`));
        return new Uint8Array(Buffer.concat(drawn).subarray(0, length));
      },
      now: () => (this.clockMs += this.tickMs),
      check: (publicKey, bytes, authenticator) => checkSignature(bytesToHex(publicKey), bytes, authenticator),
    };
  }
}
