// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104). State is laid out by hand:
//
//   K      round constants; W message schedule; BLOCK data to hash, with room for padding
//   H      running state; INNER and OUTER states after the first block of the key in force

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
const W: usize = memory.data(256);
const H: usize = memory.data(32);
const PAD: usize = memory.data(64);
const INNER: usize = memory.data(32);
const OUTER: usize = memory.data(32);
const TAIL: usize = memory.data(128);
const SCRATCH: usize = memory.data(32);

// prettier-ignore
function compress(block: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(i + W, bswap<u32>(load<u32>(block + i)));
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

/** Goes on from the state at `from`, to which `before` bytes (a multiple of 64) have gone; the digest to `to`. */
function finish(from: usize, data: usize, length: i32, before: i32, to: usize): void {
  memory.copy(H, from, 32);
  const whole: usize = <usize>(length & ~63);
  for (let at: usize = 0; at < whole; at += 64) compress(data + at);
  const rest = length & 63;
  const end: usize = rest < 56 ? 64 : 128;
  memory.fill(TAIL, 0, end);
  memory.copy(TAIL, data + whole, rest);
  store<u8>(TAIL + rest, 0x80);
  store<u64>(TAIL + end - 8, bswap<u64>(<u64>(before + length) << 3));
  compress(TAIL);
  if (end == 128) compress(TAIL + 64);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(to + i, bswap<u32>(load<u32>(H + i)));
}

/** SHA-256 of `length` bytes to `to` (32 bytes, which may overlap them). */
export function sha256(data: usize, length: i32, to: usize): void {
  finish(START, data, length, 0, to);
}

/** Puts a key of at most 64 bytes in force for `mac`. */
export function setMacKey(key: usize, length: i32): void {
  for (let round: u32 = 0; round < 2; round++) {
    memory.fill(PAD, round ? 0x5c : 0x36, 64);
    for (let i: i32 = 0; i < length; i++) store<u8>(PAD + i, load<u8>(PAD + i) ^ load<u8>(key + i));
    memory.copy(H, START, 32);
    compress(PAD);
    memory.copy(round ? OUTER : INNER, H, 32);
  }
  memory.fill(PAD, 0, 64);
}

/** Copies the key in force, as it is after its first blocks, to `to` (64 bytes). */
export function saveMacKey(to: usize): void {
  memory.copy(to, INNER, 32);
  memory.copy(to + 32, OUTER, 32);
}

/** Puts a key in force that `saveMacKey` copied. */
export function loadMacKey(from: usize): void {
  memory.copy(INNER, from, 32);
  memory.copy(OUTER, from + 32, 32);
}

/** HMAC-SHA-256 under the key in force to `to` (32 bytes). */
export function mac(data: usize, length: i32, to: usize): void {
  finish(INNER, data, length, 64, SCRATCH);
  finish(OUTER, SCRATCH, 32, 64, to);
}

/** Whether 32 bytes are equal; takes the same time wherever they differ. */
export function equal32(a: usize, b: usize): bool {
  let difference: u64 = 0;
  for (let i: usize = 0; i < 32; i += 8) difference |= load<u64>(a + i) ^ load<u64>(b + i);
  return difference == 0;
}
