/**
 * Runs a trusted program that is a Wasm module (trusted/*.wasm): copies a request in, calls `handle`, copies the answer
 * out. The same bytes, with the same measurement, run on every footprint; what differs is the `ProgramEnvironment`.
 * Needs nothing of Node, so it also runs in a browser. The module's memory belongs to whoever runs this.
 */
import { digestToBytes, hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import { Writer } from '../core/codec.ts';
import type { ProgramEnvironment, ProgramKey, TrustedProgram } from './contract.ts';
import { SUITE_BYTE } from './statement.ts';

/** What every module exports; addresses are of its memory. */
interface ModuleExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Where requests, records and the key block are put, and how many bytes may be put there. */
  input(): number;
  inputBytes(): number;
  /** Where answers are. */
  output(): number;
  /** Takes the key block; 1 if it is one. */
  start(length: number): number;
  /** Takes one record of the environment, oldest first; 0 if it does not follow the one before. */
  restore(length: number): number;
  /** Answers a request; the length of the answer. */
  handle(length: number): number;
  /** Everything that the records so far amount to, at `output`; its length, 0 if they are none of its own. */
  image?(): number;
}

/** The part of the platform's WebAssembly that is used; the same in Node and browsers. */
interface WasmPlatform {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const FLAG_PERSISTENT = 1;
const FLAG_KEEPS_RECORDS = 2;

/** The key block of `lib/component.ts`. */
function keyBlockOf(environment: ProgramEnvironment, key: ProgramKey): Uint8Array {
  const flags =
    (environment.persistent ? FLAG_PERSISTENT : 0) |
    (environment.keepsRecords === false ? 0 : FLAG_KEEPS_RECORDS);
  const publicKey = hexToBytes(key.publicKey)!;
  return new Writer(160)
    .u8(SUITE_BYTE[key.suite])
    .u8(flags)
    .u16(0)
    .hex(key.tcId)
    .tcEpoch(key.tcEpoch)
    .raw(digestToBytes(environment.measurement))
    .raw(key.statementKey ?? new Uint8Array(32))
    .u16(publicKey.length)
    .raw(publicKey)
    .finish();
}

class ModuleProgram implements TrustedProgram {
  readonly #exports: ModuleExports;
  readonly #memory: Uint8Array;
  readonly #input: number;
  readonly #inputBytes: number;
  readonly #output: number;

  constructor(module: object, environment: ProgramEnvironment) {
    const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmPlatform };
    let { key } = environment;
    const view = (at: number, length: number): Uint8Array => this.#memory.slice(at, at + length);
    const put = (at: number, bytes: Uint8Array): number => {
      this.#memory.set(bytes, at);
      return bytes.length;
    };
    const env = {
      persist: (at: number, length: number) => (environment.persist(view(at, length)) ? 1 : 0),
      authenticate: (at: number, length: number, out: number) =>
        put(out, key.authenticate(view(at, length))),
      replaceKey: (out: number) => {
        const next = environment.replaceKey();
        if (next === undefined) return 0;
        key = next;
        return put(out, keyBlockOf(environment, key));
      },
      random: (at: number, length: number) => void put(at, environment.random!(length)),
      clientRoot: (out: number) =>
        environment.clientRoot === undefined ? 0 : put(out, environment.clientRoot),
      now: () => environment.now!(),
      check: (publicKey: number, at: number, length: number, authenticator: number) =>
        environment.check!(view(publicKey, 32), view(at, length), view(authenticator, 64)) ? 1 : 0,
    };
    const instance = new wasm.Instance(module, { env });
    this.#exports = instance.exports as ModuleExports;
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
    this.#input = this.#exports.input();
    this.#inputBytes = this.#exports.inputBytes();
    this.#output = this.#exports.output();
    const started = this.#exports.start(put(this.#input, keyBlockOf(environment, key)));
    assert(started === 1, 'a module takes the key block of its footprint');
    for (const record of environment.records) {
      // Too long for the module, so not a record of it: an empty one is refused like any other wrong one.
      const bytes = record.length > this.#inputBytes ? new Uint8Array(0) : record;
      this.#exports.restore(put(this.#input, bytes));
    }
  }

  handle(request: Uint8Array): Uint8Array {
    // What does not fit is no request: the module refuses the empty one in the same words.
    const fits = request.length <= this.#inputBytes;
    if (fits) this.#memory.set(request, this.#input);
    const length = this.#exports.handle(fits ? request.length : 0);
    return this.#memory.slice(this.#output, this.#output + length);
  }

  image(): Uint8Array | undefined {
    const length = this.#exports.image?.();
    if (length === undefined || length === 0) return undefined;
    return this.#memory.slice(this.#output, this.#output + length);
  }
}

/** Bytes of a module, compiled; throws on bytes that are none: a bug of ours, or a file that was damaged. */
export function compileModule(bytes: Uint8Array): object {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmPlatform };
  return new wasm.Module(bytes);
}

/** Starts a program from a compiled module; it continues after the environment's records. */
export function startModule(module: object, environment: ProgramEnvironment): TrustedProgram {
  return new ModuleProgram(module, environment);
}
