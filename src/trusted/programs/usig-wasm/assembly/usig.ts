// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// USIG as a Wasm module: counter, statement and HMAC-SHA-256 are in here; nothing is imported. AssemblyScript, built by
// scripts/build-trusted.mjs without a runtime. All memory is laid out by hand:
//
//   INPUT      what the loader writes before a call, OUTPUT what it reads after one
//   K          round constants; W message schedule; BLOCK data to hash, with room for padding
//   H          running state; INNER and OUTER states after the first block of HMAC's key
//   KEY, PAD   the key that is being prepared
//   STATEMENT  the 136 bytes: kind, suite, tcId, tcEpoch and object are written once per tcEpoch
//
// The loader is the host: it may call anything in any order. What it cannot do is to get a second statement for a
// value, as `certify` is the only function that authenticates 136 bytes, and it counts first.

const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);
const START: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const INPUT: usize = memory.data(192);
const OUTPUT: usize = memory.data(32);
const W: usize = memory.data(256);
const H: usize = memory.data(32);
const INNER: usize = memory.data(32);
const OUTER: usize = memory.data(32);
const KEY: usize = memory.data(96);
const PAD: usize = KEY + 32;
const BLOCK: usize = memory.data(192);
const STATEMENT: usize = memory.data(136);

const STATEMENT_BYTES: i32 = 136;
const EPOCH: usize = 24;

let counter: u64 = 0;
let started: bool = false;

/** Address where the loader puts arguments. */
export function input(): usize {
  return INPUT;
}

/** Address where results are. */
export function output(): usize {
  return OUTPUT;
}

/** Address of the id of this component, 16 bytes. */
export function identity(): usize {
  return STATEMENT + 8;
}

/** Last value given under this tcEpoch. */
export function value(): u64 {
  return counter;
}

// prettier-ignore
function compress(block: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(i, bswap<u32>(load<u32>(block + i)), W);
  for (let i: usize = 0; i < 192; i += 4) {
    const x = load<u32>(i, W + 4);
    const y = load<u32>(i, W + 56);
    store<u32>(
      i,
      load<u32>(i, W) + (rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3)) +
        load<u32>(i, W + 36) + (rotr<u32>(y, 17) ^ rotr<u32>(y, 19) ^ (y >> 10)),
      W + 64,
    );
  }
  let a = load<u32>(H), b = load<u32>(H, 4), c = load<u32>(H, 8), d = load<u32>(H, 12);
  let e = load<u32>(H, 16), f = load<u32>(H, 20), g = load<u32>(H, 24), h = load<u32>(H, 28);
  for (let i: usize = 0; i < 256; i += 4) {
    const t = h + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + (g ^ (e & (f ^ g))) +
      load<u32>(i, K) + load<u32>(i, W);
    h = g; g = f; f = e; e = d + t; d = c;
    const s = t + (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22)) + ((a & b) | (c & (a | b)));
    c = b; b = a; a = s;
  }
  store<u32>(H, load<u32>(H) + a); store<u32>(H, load<u32>(H, 4) + b, 4);
  store<u32>(H, load<u32>(H, 8) + c, 8); store<u32>(H, load<u32>(H, 12) + d, 12);
  store<u32>(H, load<u32>(H, 16) + e, 16); store<u32>(H, load<u32>(H, 20) + f, 20);
  store<u32>(H, load<u32>(H, 24) + g, 24); store<u32>(H, load<u32>(H, 28) + h, 28);
}

/** Hashes `length` bytes (at most 183) from state `from`, to which `before` bytes have gone; the digest to `to`. */
function hash(from: usize, data: usize, length: i32, before: i32, to: usize): void {
  const end: usize = ((length + 72) >> 6) << 6;
  memory.fill(BLOCK, 0, end);
  memory.copy(BLOCK, data, length);
  store<u8>(BLOCK + length, 0x80);
  store<u32>(BLOCK + end - 4, bswap<u32>(<u32>((before + length) << 3)));
  memory.copy(H, from, 32);
  for (let at: usize = 0; at < end; at += 64) compress(BLOCK + at);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(H + i)));
}

/** Prepares HMAC with a key of `length` bytes, at most 32. */
function setKey(key: usize, length: i32): void {
  for (let round: u32 = 0; round < 2; round++) {
    memory.fill(PAD, round ? 0x5c : 0x36, 64);
    for (let i: i32 = 0; i < length; i++) store<u8>(PAD + i, load<u8>(PAD + i) ^ load<u8>(key + i));
    memory.copy(H, START, 32);
    compress(PAD);
    memory.copy(round ? OUTER : INNER, H, 32);
  }
}

/** HMAC of `length` bytes to OUTPUT. */
function mac(data: usize, length: i32): void {
  hash(INNER, data, length, 64, OUTPUT);
  hash(OUTER, OUTPUT, 32, 64, OUTPUT);
}

/**
 * Takes group key (32) || group id (16) || replica (4) || tcEpoch (8) from INPUT, once: derives the statement key
 * (HKDF) and the id of this component.
 */
export function start(): void {
  if (started) return;
  started = true;
  setKey(INPUT + 32, 16);
  mac(INPUT, 32);
  memory.copy(KEY, OUTPUT, 32);
  setKey(KEY, 32);
  // "tcs1-hmac" || 0x01
  store<u64>(INPUT, 0x616d682d31736374);
  store<u16>(INPUT, 0x0163, 8);
  mac(INPUT, 10);
  memory.copy(KEY, OUTPUT, 32);
  setKey(KEY, 32);
  // What is left of the keys outside INNER and OUTER.
  memory.fill(KEY, 0, 96);
  // "tc-id-v1" || suite || group id || replica
  store<u64>(INPUT, 0x31762d64692d6374, 23);
  store<u8>(INPUT, 1, 31);
  hash(START, INPUT + 23, 29, 0, OUTPUT);
  // "TCS1", ADVANCE, HMAC; the object 0101000000000000
  store<u64>(STATEMENT, 0x0000010131534354);
  memory.copy(STATEMENT + 8, OUTPUT, 16);
  store<u64>(STATEMENT, load<u64>(INPUT, 52), EPOCH);
  store<u16>(STATEMENT, 0x0101, 32);
  memory.fill(INPUT, 0, 192);
}

/** Certifies the digest (32) at INPUT as the next value; the tag is at OUTPUT. */
export function certify(): void {
  store<u64>(STATEMENT, bswap<u64>(counter), 40);
  counter++;
  store<u64>(STATEMENT, bswap<u64>(counter), 48);
  memory.copy(STATEMENT + 56, INPUT, 32);
  mac(STATEMENT, STATEMENT_BYTES);
}

/** Whether the tag (32) behind the statement (136) at INPUT is right. Takes the same time for every wrong one. */
export function verify(): bool {
  mac(INPUT, STATEMENT_BYTES);
  let difference: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8)
    difference |= load<u64>(OUTPUT + i) ^ load<u64>(INPUT + STATEMENT_BYTES + i);
  // The right tag of a statement that the caller made up must not stay where it can be read.
  memory.fill(OUTPUT, 0, 32);
  return difference == 0;
}

/** Tag over the 32 bytes at INPUT: evidence. Never a statement, which is longer. */
export function attest(): void {
  mac(INPUT, 32);
}

/** Starts again under the tcEpoch (8) at INPUT; false if it is the one in force. */
export function renew(): bool {
  const epoch = load<u64>(INPUT);
  if (epoch == load<u64>(STATEMENT, EPOCH)) return false;
  store<u64>(STATEMENT, epoch, EPOCH);
  counter = 0;
  return true;
}
