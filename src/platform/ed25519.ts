/**
 * Ed25519 as fast as this machine has it: libsodium where its binding loads, else OpenSSL, which is half as fast
 * (docs/benchmarks.md, "Signatures"). Both judge alike: rules K1 (in bytes) and K2 of `crypto/ed25519-rule.ts` stand
 * before either library, and K3 is the same equation in both (decision record 0005).
 */
import * as crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { assert } from '../core/assert.ts';
import { bytesToHex, digestToBytes } from '../core/bytes.ts';
import { isAdmissibleSignature, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/ed25519-rule.ts';
import type { Signer } from '../crypto/port.ts';
import { BoundedMap } from './bounded-map.ts';

/** Key objects kept; making one costs a few microseconds. */
const KEYS_MAX = 8 * 1024;

/** What is used of libsodium. */
interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  sodium_malloc(bytes: number): Uint8Array;
  sodium_memzero(bytes: Uint8Array): void;
}

/** Whether a signature over a message is right under a raw public key (rules K1 in bytes, K2, K3). Never throws. */
export type Ed25519Check = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** One library. */
export interface Ed25519Backend {
  readonly name: 'libsodium' | 'openssl';
  readonly verify: Ed25519Check;
  /** Signs with a private key of Ed25519. Throws for any other key: a bug of the caller. */
  readonly signer: (key: KeyObject) => Signer;
}

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    // Not built for this machine: OpenSSL does the same.
    return undefined;
  }
}

/**
 * y coordinates of the points of small order, without the sign bit. OpenSSL 3.5 refuses such keys, 3.0 does not, and
 * replicas on both must judge alike; registration (rule K1) refuses them anyway.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
]);

function isSmallOrder(key: Uint8Array): boolean {
  // Not `slice`: of a Buffer that would be a view, and this changes a byte.
  const y = Uint8Array.from(key);
  y[31] = y[31]! & 0x7f;
  return SMALL_ORDER.has(bytesToHex(y));
}

/** Whether 32 bytes are a canonical encoding: y below p = 2^255 - 19, and no negative zero (y = 1 or p - 1). */
export function isCanonicalKeyEncoding(key: Uint8Array): boolean {
  if (key.length !== PUBLIC_KEY_BYTES) return false;
  const low = key[0]!;
  const high = key[31]! & 0x7f;
  const negative = key[31]! >= 0x80;
  let allOnes = high === 0x7f;
  let allZeros = high === 0;
  for (let index = 1; index < 31; index += 1) {
    if (key[index] !== 0xff) allOnes = false;
    if (key[index] !== 0) allZeros = false;
  }
  if (allOnes && low >= 0xed) return false;
  if (negative && ((allOnes && low === 0xec) || (allZeros && low === 1))) return false;
  return true;
}

/** Key object of a raw Ed25519 public key; undefined unless it has 32 bytes. Whether it is a point shows later. */
export function publicKeyOfRaw(raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== PUBLIC_KEY_BYTES) return undefined;
  try {
    const x = Buffer.from(raw).toString('base64url');
    return crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** Raw public key (32 bytes) of an Ed25519 key, private or public; undefined for other kinds of keys. */
export function rawPublicKeyOf(key: KeyObject): Uint8Array | undefined {
  if (key.asymmetricKeyType !== 'ed25519') return undefined;
  const publicKey = key.type === 'private' ? crypto.createPublicKey(key) : key;
  const info = publicKey.export({ format: 'der', type: 'spki' });
  return new Uint8Array(info.subarray(info.length - PUBLIC_KEY_BYTES));
}

function publicKeyOfSigner(key: KeyObject): Uint8Array {
  const publicKey = rawPublicKeyOf(key);
  assert(publicKey !== undefined && key.type === 'private', 'a signer has an Ed25519 private key');
  return publicKey;
}

function opensslBackend(): Ed25519Backend {
  const keys = new BoundedMap<KeyObject>(KEYS_MAX);
  const keyOf = (publicKey: Uint8Array): KeyObject | undefined => {
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
    const known = keys.get(name);
    if (known !== undefined) return known;
    const isUsable = isCanonicalKeyEncoding(publicKey) && !isSmallOrder(publicKey);
    const key = isUsable ? publicKeyOfRaw(publicKey) : undefined;
    if (key !== undefined) keys.set(name, key);
    return key;
  };
  return {
    name: 'openssl',
    verify: (publicKey, message, signature) => {
      if (publicKey.length !== PUBLIC_KEY_BYTES || !isAdmissibleSignature(signature)) return false;
      const key = keyOf(publicKey);
      return key !== undefined && crypto.verify(null, message, key, signature);
    },
    signer: (key) => ({
      publicKey: publicKeyOfSigner(key),
      sign: (digest) => {
        const signature = crypto.sign(null, digestToBytes(digest), key);
        return new Uint8Array(signature.buffer, signature.byteOffset, signature.length);
      },
    }),
  };
}

function sodiumBackend(sodium: Sodium): Ed25519Backend {
  return {
    name: 'libsodium',
    // It refuses keys of small order and encodings that are not canonical by itself (rule K1 in bytes).
    verify: (publicKey, message, signature) =>
      publicKey.length === PUBLIC_KEY_BYTES &&
      isAdmissibleSignature(signature) &&
      sodium.crypto_sign_verify_detached(signature, message, publicKey),
    signer: (key) => {
      const publicKey = publicKeyOfSigner(key);
      // Guarded memory: never swapped, unreadable for overruns of other buffers.
      const secretKey = sodium.sodium_malloc(64);
      const der = key.export({ format: 'der', type: 'pkcs8' });
      const seed = der.subarray(der.length - 32);
      sodium.crypto_sign_seed_keypair(Buffer.alloc(PUBLIC_KEY_BYTES), secretKey, seed);
      sodium.sodium_memzero(der);
      return {
        publicKey,
        sign: (digest) => {
          const signature = new Uint8Array(SIGNATURE_BYTES);
          sodium.crypto_sign_detached(signature, digestToBytes(digest), secretKey);
          return signature;
        },
      };
    },
  };
}

const sodium = loadSodium();

/** All back ends that work here, the fastest first. */
export const ED25519_BACKENDS: readonly Ed25519Backend[] =
  sodium === undefined ? [opensslBackend()] : [sodiumBackend(sodium), opensslBackend()];

/** The one that is used. */
export const ED25519: Ed25519Backend = ED25519_BACKENDS[0]!;
