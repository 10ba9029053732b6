/**
 * Modelled cryptography for the simulator: perfect by construction, fast, and worth nothing against a person. The
 * hash is collision-free among the inputs that simulated (also Byzantine) replicas make; a signature is a keyed mix
 * that only the holder of the signer object can produce, because the secret never leaves the registry.
 */
import { assert } from '../core/assert.ts';
import { digestToBytes, equalBytes } from '../core/bytes.ts';
import type { Hash } from '../core/types.ts';
import type { Signer } from './port.ts';

const GOLDEN = 0x9e3779b1;
const SECOND = 0x85ebca77;
const THIRD = 0xc2b2ae3d;
const FOURTH = 0x27d4eb2f;

function avalanche(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** Puts four lanes as eight words (each a different mix of all lanes) at `at`. */
function spread(out: Uint8Array, at: number, a: number, b: number, c: number, d: number): void {
  const sum = avalanche((a + Math.imul(b, SECOND) + Math.imul(c, THIRD) + Math.imul(d, FOURTH)) | 0);
  const cross = avalanche(
    (a ^ ((b << 7) | (b >>> 25)) ^ ((c << 15) | (c >>> 17)) ^ ((d << 23) | (d >>> 9))) | 0,
  );
  // The first four words determine (sum, and b, c, d) and with them all lanes: nothing of the 128 bits is lost.
  const words = [sum, avalanche(b ^ sum), avalanche(c ^ sum), avalanche(d ^ sum)];
  for (let index = 0; index < 8; index += 1) {
    const word = index < 4 ? words[index]! : avalanche((words[index - 4]! + Math.imul(cross, index)) | 0);
    const offset = at + 4 * index;
    out[offset] = word;
    out[offset + 1] = word >>> 8;
    out[offset + 2] = word >>> 16;
    out[offset + 3] = word >>> 24;
  }
}

/** Initial values of the four lanes. */
type Lanes = readonly [number, number, number, number];
const UNKEYED: Lanes = [GOLDEN, SECOND, THIRD, FOURTH];

function mixInto(out: Uint8Array, at: number, bytes: Uint8Array, lanes: Lanes): void {
  const length = bytes.length;
  let a = lanes[0] ^ length;
  let b = (lanes[1] + Math.imul(length, SECOND)) | 0;
  let c = (lanes[2] - length) | 0;
  let d = Math.imul(lanes[3] ^ length, GOLDEN);
  const whole = length & ~3;
  let index = 0;
  while (index <= length) {
    // The last round absorbs the remaining zero to three bytes; the length went in at the start.
    let word = 0;
    if (index < whole) {
      word = bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24);
    } else {
      for (let rest = length - 1; rest >= whole; rest -= 1) word = (word << 8) | bytes[rest]!;
    }
    index += 4;
    a = Math.imul(a ^ word, GOLDEN);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b + word, SECOND);
    b = (b << 17) | (b >>> 15);
    c = Math.imul(((c << 11) | (c >>> 21)) ^ word, THIRD);
    d = (Math.imul(d, FOURTH) + word) | 0;
    d ^= d >>> 15;
  }
  spread(out, at, avalanche(a), avalanche(b), avalanche(c), avalanche(d));
}

/** Substitute for SHA-256 in the simulator: 32 bytes, deterministic on every machine, without BigInt. */
export const modelHash: Hash = (bytes) => {
  const out = new Uint8Array(32);
  mixInto(out, 0, bytes, UNKEYED);
  return out;
};

/** A signer that can also sign bytes of any length, as a modelled trusted component needs. */
export interface ModelSigner extends Signer {
  signBytes(message: Uint8Array): Uint8Array;
}

/** Registry of modelled key pairs. One for each simulated cluster: keys of different registries are unrelated. */
export interface ModelKeys {
  /** Makes (or finds again) the key pair of a seed; equal seeds give equal keys in every registry. */
  signer(secretSeed: string): ModelSigner;
  /** Whether `signature` was made with the key pair of `publicKey`. An unknown key has made none. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** What the registry keeps of one key pair. */
interface ModelPair {
  readonly publicKey: Uint8Array;
  readonly secret: Lanes;
}

function pairOf(secretSeed: string): ModelPair {
  const seed = new Uint8Array(2 * secretSeed.length);
  for (let index = 0; index < secretSeed.length; index += 1) {
    const code = secretSeed.charCodeAt(index);
    seed[2 * index] = code >>> 8;
    seed[2 * index + 1] = code;
  }
  const material = new Uint8Array(32);
  mixInto(material, 0, seed, [FOURTH, THIRD, SECOND, GOLDEN]);
  const word = (index: number): number =>
    material[index]! |
    (material[index + 1]! << 8) |
    (material[index + 2]! << 16) |
    (material[index + 3]! << 24);
  const publicKey = new Uint8Array(32);
  mixInto(publicKey, 0, material, [THIRD, FOURTH, GOLDEN, SECOND]);
  return { publicKey, secret: [word(0), word(4), word(8), word(12)] };
}

function signWith(pair: ModelPair, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  mixInto(signature, 0, message, pair.secret);
  // The second half says who signed, in the clear: a real signature has as many bytes, nothing more is modelled.
  signature.set(pair.publicKey, 32);
  return signature;
}

/** Map key of a public key: its first six bytes as a number; the rest is compared. */
function shortName(publicKey: Uint8Array): number {
  const high = (publicKey[0]! << 16) | (publicKey[1]! << 8) | publicKey[2]!;
  const low = (publicKey[3]! << 16) | (publicKey[4]! << 8) | publicKey[5]!;
  return high * 2 ** 24 + low;
}

/** Makes an empty registry of modelled keys. */
export function createModelKeys(): ModelKeys {
  const pairs = new Map<number, ModelPair>();
  return {
    signer: (secretSeed) => {
      const pair = pairOf(secretSeed);
      const name = shortName(pair.publicKey);
      assert(equalBytes((pairs.get(name) ?? pair).publicKey, pair.publicKey), 'modelled keys have own names');
      pairs.set(name, pair);
      const signBytes = (message: Uint8Array): Uint8Array => signWith(pair, message);
      return { publicKey: pair.publicKey, signBytes, sign: (digest) => signBytes(digestToBytes(digest)) };
    },
    verify: (publicKey, message, signature) => {
      if (publicKey.length !== 32) return false;
      const pair = pairs.get(shortName(publicKey));
      if (pair === undefined || !equalBytes(pair.publicKey, publicKey)) return false;
      return equalBytes(signWith(pair, message), signature);
    },
  };
}
