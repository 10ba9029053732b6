/**
 * Putting shares together again, outside of every component: what a node of the tree and the primary do with partials,
 * and what a secret must hash to. Pure. Nothing here is secret any more.
 */
import { asciiBytes, bytesToDigest, bytesToHex, hexToBytes } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { CounterValue, Digest, Hash } from '../../../core/types.ts';
import type { ShareMember } from './frames.ts';
import { SHARE_OBJECT_ID } from './frames.ts';

const SECRET_BYTES = 32;

/** Commitment of a secret at a position: digest of its SHARE_SET statement. */
export function commitmentOf(hash: Hash, position: CounterValue, secret: Uint8Array): Digest {
  const writer = new Writer(64).raw(asciiBytes('sh')).hex(SHARE_OBJECT_ID).u64(position).raw(secret);
  return bytesToDigest(hash(writer.finish()));
}

/** What a box says about the partial of a child, or about the share of a member. */
export function partialDigestOf(hash: Hash, position: CounterValue, partial: Uint8Array): Digest {
  const writer = new Writer(64).raw(asciiBytes('tc-share-partial-v1')).u64(position).raw(partial);
  return bytesToDigest(hash(writer.finish()));
}

/** Digest of a group: `aux` of every SHARE_SET statement. */
export function groupDigestOf(hash: Hash, version: number, members: readonly ShareMember[]): Digest {
  const writer = new Writer(2048).raw(asciiBytes('tc-share-group-v1')).u32(version).u8(members.length);
  for (const { tcId, tcEpoch, keys } of members) {
    writer.raw(hexToBytes(tcId)!).tcEpoch(tcEpoch);
    writer.hex(bytesToHex(keys?.publicKey ?? new Uint8Array(32)));
  }
  return bytesToDigest(hash(writer.finish()));
}

/** The partial of a subtree: its own share and the partials of its children; at the top, the secret. */
export function joinPartials(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(SECRET_BYTES);
  for (const part of parts) for (let index = 0; index < SECRET_BYTES; index += 1) joined[index]! ^= part[index]!;
  return joined;
}

/** Product in the field of 256 elements with the polynomial 0x11b. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let [left, right] = [a, b]; right > 0; right >>= 1) {
    if ((right & 1) === 1) product ^= left;
    left = (left << 1) ^ (left >= 128 ? 0x11b : 0);
  }
  return product;
}

/** 1 / a as the 254th power. */
function invert(a: number): number {
  let result = 1;
  for (let count = 0; count < 254; count += 1) result = multiply(result, a);
  return result;
}

/** A share of a threshold set, with the place of its member. */
export interface ThresholdShare {
  readonly member: number;
  readonly share: Uint8Array;
}

/** The secret from as many shares as are needed, of different members; from others, some other bytes. */
export function joinThreshold(shares: readonly ThresholdShare[]): Uint8Array {
  const secret = new Uint8Array(SECRET_BYTES);
  for (const { member, share } of shares) {
    let weight = 1;
    for (const other of shares) {
      if (other.member === member) continue;
      // Lagrange at 0: x_other / (x_other - x_member), where minus is exclusive or.
      weight = multiply(weight, multiply(other.member + 1, invert((other.member + 1) ^ (member + 1))));
    }
    for (let index = 0; index < SECRET_BYTES; index += 1) secret[index]! ^= multiply(weight, share[index]!);
  }
  return secret;
}
