/**
 * A modelled USIG for the simulator: the real program on a footprint that is a plain value. Its state can be taken out
 * and put back, which is how a run models a crash, a loss, a rollback and a clone. Its seals are cheap bytes that only
 * a component can make: a run has one `ModelledSeals`, whose secret nobody else in the run holds. No cryptography: they
 * model seals, they do not resist anyone who computes with the secret.
 */
import { bytesToHex, bytesToTcEpoch, hexToBytes } from '../core/bytes.ts';
import type { Prng } from '../core/prng.ts';
import type { CounterValue, Digest, Hash, TcEpoch } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { RECENT_DEPTH } from './contract.ts';
import type { ProgramKey, TrustedProgram } from './contract.ts';
import { createUsig } from './programs/usig/program.ts';
import { statementForUi, tcIdOf } from './statement.ts';

const SEAL_BYTES = 64;

function mix(word: number): number {
  let value = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Folds bytes into four words that depend on all of them and on the start. */
function fold(words: Uint32Array, bytes: Uint8Array): void {
  let [a, b, c, d] = [words[0]!, words[1]!, words[2]!, words[3]!];
  for (let at = 0; at < bytes.length; at += 4) {
    const word =
      (bytes[at]! << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    a = Math.imul(a ^ word, 0x9e3779b1);
    a = (a << 13) | (a >>> 19);
    b = (b + a) ^ (c >>> 7);
    c = Math.imul(c + word, 0x85ebca77) ^ d;
    d = ((d << 17) | (d >>> 15)) + (a ^ b);
  }
  words.set([mix(a ^ bytes.length), mix(b ^ a), mix(c ^ b), mix(d ^ c)]);
}

/** All seals of one simulated run. */
export class ModelledSeals {
  readonly #secret: Uint32Array;

  constructor(prng: Prng) {
    this.#secret = Uint32Array.from({ length: 4 }, () => prng.u32());
  }

  /** The 64 bytes that stand for a signature under `publicKey`. For modelled keys only, never for an adversary. */
  seal(publicKey: Uint8Array, bytes: Uint8Array): Uint8Array {
    const words = this.#secret.slice();
    fold(words, publicKey);
    fold(words, bytes);
    const result = new Uint8Array(SEAL_BYTES);
    for (let at = 0; at < SEAL_BYTES; at += 4) {
      const word = mix(words[(at >> 2) & 3]! ^ Math.imul(at + 1, 0x9e3779b1));
      result[at] = word >>> 24;
      result[at + 1] = word >>> 16;
      result[at + 2] = word >>> 8;
      result[at + 3] = word;
    }
    return result;
  }

  /** Whether `seal` is the one that the holder of `publicKey` (hexadecimal) makes over `bytes`. */
  verify(publicKey: string, bytes: Uint8Array, seal: Uint8Array): boolean {
    const key = hexToBytes(publicKey);
    if (key === undefined || seal.length !== SEAL_BYTES) return false;
    const expected = this.seal(key, bytes);
    for (let index = 0; index < SEAL_BYTES; index += 1) if (expected[index] !== seal[index]) return false;
    return true;
  }
}

/** What a modelled UI claims, with the key that the registry binds it to. */
export interface ModelledUi {
  readonly tcId: string;
  readonly publicKey: string;
  readonly tcEpoch: TcEpoch;
  readonly counter: CounterValue;
  readonly digest: Digest;
  readonly authenticator: Uint8Array;
}

/** Verifies a UI of a modelled component. */
export function verifyModelled(seals: ModelledSeals, ui: ModelledUi): boolean {
  const { tcId, publicKey, tcEpoch, counter, digest, authenticator } = ui;
  if (counter < 1) return false;
  const statement = statementForUi({ tcId, suite: 'ed25519', tcEpoch, counter, digest });
  return seals.verify(publicKey, statement, authenticator);
}

/** Everything that a modelled component is: keep it and put it back to model what happens to disks and memories. */
export interface ModelledUsigState {
  readonly tcEpoch: TcEpoch;
  readonly publicKey: string;
  /** Records of the program, oldest first. */
  readonly records: readonly Uint8Array[];
}

/** What a modelled component is made from. */
export interface ModelledUsigOptions {
  readonly seals: ModelledSeals;
  /** Draws keys and tcEpochs; the component's own. */
  readonly prng: Prng;
  readonly hash: Hash;
  readonly persistent: boolean;
  /** Continue from this state (as it is: an older one is a rollback, the one of a living component a clone). */
  readonly state?: ModelledUsigState;
}

/** A component in a simulated run. */
export interface ModelledUsig extends TrustedProgram {
  /** State as it is now; a value that later calls do not change. */
  exportState(): ModelledUsigState;
  /** Replaces the state, whatever it was: rollback or clone. */
  importState(state: ModelledUsigState): void;
  /** The component ends and starts: a persistent one continues, a volatile one is a new component. */
  restart(): void;
}

class Model implements ModelledUsig {
  readonly #options: ModelledUsigOptions;
  #tcEpoch: TcEpoch = '' as TcEpoch;
  #publicKey: Uint8Array = new Uint8Array(0);
  #records: Uint8Array[] = [];
  #program: TrustedProgram;

  constructor(options: ModelledUsigOptions) {
    this.#options = options;
    if (options.state === undefined) this.#drawKey();
    else this.#adopt(options.state);
    this.#program = this.#start();
  }

  handle(request: Uint8Array): Uint8Array {
    return this.#program.handle(request);
  }

  exportState(): ModelledUsigState {
    const publicKey = bytesToHex(this.#publicKey);
    return { tcEpoch: this.#tcEpoch, publicKey, records: this.#records.slice(-RECENT_DEPTH) };
  }

  importState(state: ModelledUsigState): void {
    this.#adopt(state);
    this.#program = this.#start();
  }

  restart(): void {
    if (!this.#options.persistent) this.#drawKey();
    this.#program = this.#start();
  }

  #adopt(state: ModelledUsigState): void {
    this.#tcEpoch = state.tcEpoch;
    this.#publicKey = hexToBytes(state.publicKey)!;
    this.#records = [...state.records];
  }

  #draw(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#options.prng.u32() & 255);
  }

  #drawKey(): void {
    this.#tcEpoch = bytesToTcEpoch(this.#draw(8));
    this.#publicKey = this.#draw(32);
    this.#records = [];
  }

  #key(): ProgramKey {
    const publicKey = this.#publicKey;
    return {
      suite: 'ed25519',
      tcId: tcIdOf(this.#options.hash, { suite: 'ed25519', publicKey }),
      tcEpoch: this.#tcEpoch,
      publicKey: bytesToHex(publicKey),
      authenticate: (bytes) => this.#options.seals.seal(publicKey, bytes),
    };
  }

  #start(): TrustedProgram {
    return createUsig({
      measurement: ZERO_DIGEST,
      persistent: this.#options.persistent,
      hash: this.#options.hash,
      key: this.#key(),
      records: this.#records.slice(-RECENT_DEPTH),
      persist: (record) => {
        this.#records.push(record);
        if (this.#records.length > 2 * RECENT_DEPTH) this.#records = this.#records.slice(-RECENT_DEPTH);
        return true;
      },
      replaceKey: () => {
        this.#drawKey();
        return this.#key();
      },
    });
  }
}

/** A modelled component; the same options and calls give the same bytes. */
export function createModelledUsig(options: ModelledUsigOptions): ModelledUsig {
  return new Model(options);
}
