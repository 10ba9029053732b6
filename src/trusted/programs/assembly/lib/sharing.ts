// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// Secrets of counter values, their shares, and the boxes in which shares travel from component to component. A secret
// is a function of the component's own key and of what it drew for the view, so splitting it again gives the same one,
// and nothing secret is ever kept.
import { writeRaw, writeU32, writeU8 } from './frames';
import { random } from './host';
import { groupAt, memberAt, ownPlace, pairAt } from './members';
import { macUnderKey, ownSecret, putName } from './secret';
import { equal32, sha256 } from './sha256';

/** Who holds a share, and whose partial it joins: place in the group, and position of the parent in this list. */
export const HOLDERS: usize = memory.data(25 * 2);
const SHARES: usize = memory.data(25 * 32);
const PARTIALS: usize = memory.data(25 * 32);
const SEED: usize = memory.data(32);
const SECRET: usize = memory.data(32);
const WORK: usize = memory.data(128);
const BOX_KEY: usize = memory.data(32);
const CIPHER_KEY: usize = memory.data(32);
const SEAL_KEY: usize = memory.data(32);
const STREAM: usize = memory.data(32);
const TAG: usize = memory.data(32);
/** What a box is sealed over: position (8) | commitment (32) | nonce (16) | content. */
const SEALED: usize = memory.data(56 + 1024);
/** Content of a box: share (32) | number of checks (1) | of each member (1) and digest of its partial (32). */
export const CONTENT: usize = memory.data(1024);
const CONTENT_BYTES_MAX: i32 = 33 + 25 * 33;
const NONCE_BYTES: i32 = 16;
/** Nonce (16) | content | seal (32). */
export const BOX_BYTES_MAX: i32 = 16 + 33 + 25 * 33 + 32;
/** Content of the smallest box. */
const CONTENT_BYTES_MIN: i32 = 33;

/** SHA-256("sh" | object | position | secret) to `to`. */
export function commitment(object: u64, position: u64, secret: usize, to: usize): void {
  store<u16>(WORK, 0x6873);
  store<u64>(WORK + 2, object);
  store<u64>(WORK + 10, bswap<u64>(position));
  memory.copy(WORK + 18, secret, 32);
  sha256(WORK, 50, to);
  memory.fill(WORK, 0, 50);
}

/** A value of 32 bytes that only this component can compute, of a position and a number. */
function derive(use: u8, position: u64, number: i32, to: usize): void {
  store<u8>(WORK, use);
  store<u64>(WORK + 1, bswap<u64>(position));
  store<u32>(WORK + 9, bswap<u32>(number));
  macUnderKey(SEED, WORK, 13, to);
}

function exclusiveOr(to: usize, from: usize): void {
  for (let i: usize = 0; i < 32; i += 8) store<u64>(to + i, load<u64>(to + i) ^ load<u64>(from + i));
}

/** Puts the secret of a position in force; its commitment to `to`. `salt`: what was drawn for the view (32 bytes). */
export function makeSecret(object: u64, position: u64, salt: usize, to: usize): void {
  ownSecret('tc-share-seed-v1', SEED);
  macUnderKey(SEED, salt, 32, SEED);
  derive(1, position, 0, SECRET);
  commitment(object, position, SECRET, to);
}

/** Splits the secret in force so that all `count` holders are needed; partials are those of the subtrees. */
export function splitForAll(position: u64, count: i32): void {
  // The shares of one set of holders do not fit those of another.
  sha256(HOLDERS, 2 * count, TAG);
  macUnderKey(SEED, TAG, 32, SEED);
  memory.copy(SHARES, SECRET, 32);
  for (let index: i32 = 1; index < count; index++) {
    derive(2, position, index, SHARES + 32 * <usize>index);
    exclusiveOr(SHARES, SHARES + 32 * <usize>index);
  }
  memory.copy(PARTIALS, SHARES, 32 * count);
  for (let index = count - 1; index > 0; index--)
    exclusiveOr(PARTIALS + 32 * <usize>load<u8>(HOLDERS + 2 * index + 1), PARTIALS + 32 * <usize>index);
}

/** Times x in the field of 256 elements with the polynomial 0x11b. */
function timesX(a: u32): u32 {
  return ((a << 1) ^ (0x11b & (0 - (a >> 7)))) & 255;
}

function timesField(a: u32, b: u32): u32 {
  let product: u32 = 0;
  for (let bit: u32 = 0; bit < 8; bit++) {
    product ^= a & (0 - ((b >> bit) & 1));
    a = timesX(a);
  }
  return product;
}

/** Splits the secret in force so that any `threshold` of `count` holders are enough: Shamir, byte by byte, x = place + 1. */
export function splitForSome(position: u64, count: i32, threshold: i32): void {
  memory.fill(SHARES, 0, 25 * 32);
  for (let power = threshold - 1; power >= 0; power--) {
    if (power > 0) derive(3, position, power, TAG);
    else memory.copy(TAG, SECRET, 32);
    for (let index: i32 = 0; index < count; index++) {
      const share = SHARES + 32 * <usize>index;
      for (let i: usize = 0; i < 32; i++)
        store<u8>(share + i, timesField(load<u8>(share + i), index + 1) ^ load<u8>(TAG + i));
    }
  }
  memory.copy(PARTIALS, SHARES, 32 * count);
  for (let index: i32 = 0; index < count; index++) {
    store<u8>(HOLDERS + 2 * index, index);
    store<u8>(HOLDERS + 2 * index + 1, 0);
  }
}

/** Keys of the boxes from one member to another in a view. Only these two components can compute them. */
function useBoxKeys(from: i32, to: i32, view: u64): void {
  const other = from == ownPlace() ? to : from;
  let at = WORK + putName('tc-share-box-v1', WORK);
  memory.copy(at, groupAt(), 32);
  memory.copy(at + 32, memberAt(from), 16);
  memory.copy(at + 48, memberAt(to), 16);
  store<u64>(at + 64, bswap<u64>(view));
  macUnderKey(pairAt(other), WORK, <i32>(at + 72 - WORK), BOX_KEY);
  store<u8>(WORK, 1);
  macUnderKey(BOX_KEY, WORK, 1, CIPHER_KEY);
  store<u8>(WORK, 2);
  macUnderKey(BOX_KEY, WORK, 1, SEAL_KEY);
}

/** Adds the key stream of the nonce at SEALED + 40 to the content at SEALED + 56. */
function cipher(length: i32): void {
  memory.copy(WORK, SEALED + 40, NONCE_BYTES);
  for (let block: i32 = 0; block * 32 < length; block++) {
    store<u32>(WORK + NONCE_BYTES, bswap<u32>(block));
    macUnderKey(CIPHER_KEY, WORK, NONCE_BYTES + 4, STREAM);
    const at = SEALED + 56 + 32 * <usize>block;
    for (let i: usize = 0; i < 32; i++) store<u8>(at + i, load<u8>(at + i) ^ load<u8>(STREAM + i));
  }
  memory.fill(STREAM, 0, 32);
}

/** Writes the boxes of all holders: number (1), of each place (1) | length (4) | box. They were split just before. */
export function writeBoxes(position: u64, view: u64, sum: usize, count: i32, isTree: bool): void {
  writeU8(count);
  for (let index: i32 = 0; index < count; index++) {
    const place = load<u8>(HOLDERS + 2 * index);
    memory.copy(SEALED + 56, SHARES + 32 * <usize>index, 32);
    let checks: i32 = 0;
    let at = SEALED + 56 + 33;
    // In a tree a holder checks its children, otherwise the primary checks everybody.
    for (let child: i32 = 0; child < count; child++) {
      const isChecked = isTree
        ? child > 0 && load<u8>(HOLDERS + 2 * child + 1) == index
        : place == ownPlace();
      if (!isChecked) continue;
      store<u8>(at, load<u8>(HOLDERS + 2 * child));
      partialDigest(position, PARTIALS + 32 * <usize>child, at + 1);
      at += 33;
      checks++;
    }
    store<u8>(SEALED + 56 + 32, checks);
    writeBox(position, view, sum, place, 33 + 33 * checks);
  }
  memory.fill(SHARES, 0, 25 * 32);
  memory.fill(PARTIALS, 0, 25 * 32);
  memory.fill(SECRET, 0, 32);
  memory.fill(SEED, 0, 32);
}

/** SHA-256("tc-share-partial-v1" | position | partial). */
function partialDigest(position: u64, partial: usize, to: usize): void {
  const length = putName('tc-share-partial-v1', WORK);
  store<u64>(WORK + length, bswap<u64>(position));
  memory.copy(WORK + length + 8, partial, 32);
  sha256(WORK, length + 40, to);
}

function writeBox(position: u64, view: u64, sum: usize, place: i32, length: i32): void {
  useBoxKeys(ownPlace(), place, view);
  store<u64>(SEALED, bswap<u64>(position));
  memory.copy(SEALED + 8, sum, 32);
  random(SEALED + 40, NONCE_BYTES);
  cipher(length);
  macUnderKey(SEAL_KEY, SEALED, 56 + length, TAG);
  writeU8(place);
  writeU32(NONCE_BYTES + length + 32);
  writeRaw(SEALED + 40, NONCE_BYTES + length);
  writeRaw(TAG, 32);
  forgetKeys();
}

/** Opens a box of the member `from` for this component: its content to CONTENT; the length, or -1. */
export function openBox(from: i32, position: u64, view: u64, sum: usize, box: usize, length: i32): i32 {
  const content = length - NONCE_BYTES - 32;
  if (content < CONTENT_BYTES_MIN || content > CONTENT_BYTES_MAX) return -1;
  useBoxKeys(from, ownPlace(), view);
  store<u64>(SEALED, bswap<u64>(position));
  memory.copy(SEALED + 8, sum, 32);
  memory.copy(SEALED + 40, box, NONCE_BYTES + content);
  macUnderKey(SEAL_KEY, SEALED, 56 + content, TAG);
  const isOwn = equal32(TAG, box + NONCE_BYTES + content);
  if (isOwn) {
    cipher(content);
    memory.copy(CONTENT, SEALED + 56, content);
  }
  forgetKeys();
  return isOwn ? content : -1;
}

function forgetKeys(): void {
  memory.fill(BOX_KEY, 0, 32);
  memory.fill(CIPHER_KEY, 0, 32);
  memory.fill(SEAL_KEY, 0, 32);
  memory.fill(TAG, 0, 32);
  memory.fill(SEALED, 0, 56 + 1024);
}
