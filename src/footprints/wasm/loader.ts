/**
 * `usig@wasm`: the USIG as a Wasm module in the memory of its caller (footprint b of the sheet). Volatile, HMAC suite,
 * and no protection against its own host, who can read all of its memory: for the simulator, the playground,
 * benchmarks and `--dev` (decision A1). Counter, statements and keys are handled inside; this file carries bytes, keeps
 * the certificates that `recent` shows, and runs wherever there is WebAssembly.
 */
import { bytesToHex, bytesToTcEpoch, digestToBytes, hexToBytes } from '../../core/bytes.ts';
import type { Digest, Hash, TcEpoch } from '../../core/types.ts';
import { SAFE_INTEGER_END } from '../../core/types.ts';
import { RECENT_DEPTH, STATEMENT_BYTES, USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type {
  RecentCertificate,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedProgram,
  TrustedRequest,
  TrustedResponse,
} from '../../trusted/contract.ts';
import { encodeEvidence } from '../../trusted/evidence.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../../trusted/frames.ts';
import { bindDigestOf } from '../../trusted/statement.ts';

/** Name of this footprint in registrations. */
export const WASM_FOOTPRINT = 'wasm';

const TAG_BYTES = 32;

/** What the module exports; addresses are of its memory. */
interface UsigExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  input(): number;
  output(): number;
  identity(): number;
  value(): bigint;
  start(): void;
  certify(): void;
  verify(): number;
  attest(): void;
  renew(): number;
}

/** The part of the platform's WebAssembly that is used; the same in Node and browsers. */
interface WasmPlatform {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** What a component is started with. */
export interface UsigWasmOptions {
  /** 32 bytes, the same for all members. */
  readonly groupKey: Uint8Array;
  /** 16 bytes. */
  readonly groupId: Uint8Array;
  readonly replica: number;
  /** Never used before: eight random bytes at every start. */
  readonly tcEpoch: TcEpoch;
  /** Gives another tcEpoch for `renew`; without it `renew` is refused. */
  readonly newTcEpoch?: () => TcEpoch;
  /** SHA-256; for the measurement and for evidence. */
  readonly hash: Hash;
}

class UsigWasm implements TrustedProgram {
  readonly #exports: UsigExports;
  readonly #memory: Uint8Array;
  readonly #input: number;
  readonly #output: number;
  readonly #tcId: string;
  readonly #measurement: Digest;
  readonly #options: UsigWasmOptions;
  #tcEpoch: TcEpoch;
  #recent: RecentCertificate[] = [];

  constructor(exports: UsigExports, measurement: Digest, options: UsigWasmOptions) {
    this.#exports = exports;
    this.#memory = new Uint8Array(exports.memory.buffer);
    this.#input = exports.input();
    this.#output = exports.output();
    this.#measurement = measurement;
    this.#options = options;
    this.#tcEpoch = options.tcEpoch;
    const replica = new Uint8Array(4);
    new DataView(replica.buffer).setUint32(0, options.replica);
    this.#give(0, options.groupKey, 32);
    this.#give(32, options.groupId, 16);
    this.#give(48, replica, 4);
    this.#give(52, hexToBytes(options.tcEpoch), 8);
    exports.start();
    const identity = exports.identity();
    this.#tcId = bytesToHex(this.#memory.subarray(identity, identity + 16));
  }

  handle(bytes: Uint8Array): Uint8Array {
    const request = decodeTrustedRequest(bytes);
    const response =
      request === undefined ? refuse('BAD_REQUEST', 'not a canonical TCS1 request') : this.#answer(request);
    return encodeTrustedResponse(response);
  }

  #give(at: number, bytes: Uint8Array | undefined, length: number): void {
    if (bytes?.length !== length) throw new TypeError(`a parameter of the Wasm USIG has not ${length} bytes`);
    this.#memory.set(bytes, this.#input + at);
  }

  #tag(): Uint8Array {
    return this.#memory.slice(this.#output, this.#output + TAG_BYTES);
  }

  #answer(request: TrustedRequest): TrustedResponse {
    switch (request.op) {
      case 'identify':
        return { op: 'identify', identity: this.#identity() };
      case 'certify':
        return this.#certify(request.objectId, request.digest, request.core);
      case 'recent':
        if (request.objectId !== USIG_OBJECT_ID) return refuse('NO_OBJECT', 'a USIG has one counter only');
        return {
          op: 'recent',
          certificates: request.count === 0 ? [] : this.#recent.slice(-Math.min(request.count, RECENT_DEPTH)),
        };
      case 'renew':
        return this.#renew();
      case 'verify':
        return { op: 'verify', valid: this.#verify(request.statement, request.authenticator) };
      case 'attest':
        return this.#attest(request.challenge);
    }
  }

  #identity(): TrustedIdentity {
    return {
      program: 'usig',
      measurement: this.#measurement,
      suite: 'hmac-sha256',
      tcId: this.#tcId,
      tcEpoch: this.#tcEpoch,
      publicKey: '',
      persistent: false,
      counter: Number(this.#exports.value()),
    };
  }

  #certify(objectId: string, digest: Digest, core: Uint8Array): TrustedResponse {
    if (objectId !== USIG_OBJECT_ID) return refuse('NO_OBJECT', 'a USIG has one counter only');
    const previous = Number(this.#exports.value());
    if (previous + 1 >= SAFE_INTEGER_END) return refuse('OVERFLOW', 'the counter is used up');
    this.#memory.set(digestToBytes(digest), this.#input);
    this.#exports.certify();
    const authenticator = this.#tag();
    const value = Number(this.#exports.value());
    this.#recent.push({ counter: value, digest, authenticator, core });
    if (this.#recent.length > RECENT_DEPTH) this.#recent.shift();
    return { op: 'certify', tcEpoch: this.#tcEpoch, previous, value, digest, authenticator };
  }

  #renew(): TrustedResponse {
    const tcEpoch = this.#options.newTcEpoch?.();
    if (tcEpoch === undefined) return refuse('NOT_READY', 'this component was started without chance');
    this.#give(0, hexToBytes(tcEpoch), 8);
    if (this.#exports.renew() === 0) return refuse('EXISTS', 'that tcEpoch is in force');
    this.#tcEpoch = tcEpoch;
    this.#recent = [];
    return { op: 'renew', identity: this.#identity() };
  }

  #verify(statement: Uint8Array, authenticator: Uint8Array): boolean {
    if (statement.length !== STATEMENT_BYTES || authenticator.length !== TAG_BYTES) return false;
    this.#memory.set(statement, this.#input);
    this.#memory.set(authenticator, this.#input + STATEMENT_BYTES);
    return this.#exports.verify() !== 0;
  }

  #attest(challenge: Digest): TrustedResponse {
    const parts = {
      suite: 'hmac-sha256',
      tcId: this.#tcId,
      tcEpoch: this.#tcEpoch,
      publicKey: '',
      challenge,
    } as const;
    this.#memory.set(digestToBytes(bindDigestOf(this.#options.hash, parts)), this.#input);
    this.#exports.attest();
    const authenticator = this.#tag();
    const evidence = { ...parts, platform: 'none', measurement: this.#measurement, authenticator };
    return { op: 'attest', evidence: encodeEvidence(evidence) };
  }
}

function refuse(code: TrustedErrorCode, message: string): TrustedResponse {
  return { op: 'error', code, message };
}

/** Eight random bytes as a tcEpoch; `random` fills an array, like `crypto.getRandomValues`. */
export function randomTcEpoch(random: (bytes: Uint8Array) => void): TcEpoch {
  const bytes = new Uint8Array(8);
  random(bytes);
  return bytesToTcEpoch(bytes);
}

/** Starts a component from the bytes of trusted/usig.wasm. Throws on bytes that are no such module: a bug of ours. */
export function instantiateUsigWasm(bytes: Uint8Array, options: UsigWasmOptions): TrustedProgram {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmPlatform };
  const instance = new wasm.Instance(new wasm.Module(bytes), {});
  const measurement = bytesToHex(options.hash(bytes)) as Digest;
  return new UsigWasm(instance.exports as UsigExports, measurement, options);
}
