/**
 * Trusted MACs of requests (decision C3, docs/decisions/0021): the keys and what a tag is over. The root lives in trusted components only; a client knows the one key that follows from it for the
 * client's own id and a version. Pure: components, clients and the simulator make the same bytes of it.
 */
import { asciiBytes, bytesToDigest, digestToBytes } from '../core/bytes.ts';
import { Writer } from '../core/codec.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import type { Domain } from '../core/domain.ts';
import type { Digest, Hash } from '../core/types.ts';

/** HMAC-SHA-256. */
export type Hmac = (key: Uint8Array, message: Uint8Array) => Uint8Array;

/** Bytes of an envelope: one-time public key, the key enciphered, MAC. */
export const KEY_ENVELOPE_BYTES = 96;
const BLOCK_BYTES = 64;
const ROOT_NAME = 'moiety-client-root-v1';

/** HMAC (RFC 2104) over a hash with blocks of 64 bytes, for keys of at most one block. */
export function hmacOver(hash: Hash): Hmac {
  return (key, message) => {
    const padded = (with_: number, rest: Uint8Array): Uint8Array => {
      const bytes = new Uint8Array(BLOCK_BYTES + rest.length).fill(with_, 0, BLOCK_BYTES);
      for (let index = 0; index < key.length; index += 1) bytes[index] = key[index]! ^ with_;
      bytes.set(rest, BLOCK_BYTES);
      return bytes;
    };
    return hash(padded(0x5c, hash(padded(0x36, message))));
  };
}

/** Kroot: HKDF-SHA-256 of a group key, salt = group id. Never the key of statements. */
export function clientRootOf(hmac: Hmac, groupKey: Uint8Array, groupId: Uint8Array): Uint8Array {
  return hmac(hmac(groupId, groupKey), new Writer(32).raw(asciiBytes(ROOT_NAME)).u8(1).finish());
}

/** K_c: key of one client and version. */
export function clientMacKeyOf(hmac: Hmac, root: Uint8Array, clientId: Digest, version: number): Uint8Array {
  return hmac(root, new Writer(48).raw(asciiBytes('req')).digest(clientId).u32(version).u8(1).finish());
}

/** What a client signs to be given its key: its one-time X25519 key, for one cluster. */
export interface KeyQuery {
  readonly version: number;
  /** 32 bytes. */
  readonly agreementKey: Uint8Array;
}

/** Digest that the client signs. */
export function keyQueryDigest(hash: Hash, domain: Domain, query: KeyQuery): Digest {
  const writer = domainWriter(domainTag('client', 'ENVELOPE-KEY'), domain);
  return finishDigest(hash, writer.raw(query.agreementKey).u32(query.version));
}

/** The tag of a request: MAC over its digest (`requestMacDigest`). */
export function requestTag(hmac: Hmac, key: Uint8Array, digest: Digest): Uint8Array {
  return hmac(key, digestToBytes(digest));
}

/** clientId of a public key. */
export function macClientId(hash: Hash, clientKey: Uint8Array): Digest {
  return bytesToDigest(hash(clientKey));
}
