// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// X25519 (RFC 7748) over numbers of eight 32-bit words, lowest first, kept below 2^256 and reduced modulo 2^256 - 38,
// which is twice the prime; only the result is brought below 2^255 - 19. No branch and no address depends on a secret.
const WIDE: usize = memory.data(64);
const ELEMENTS: usize = memory.data(13 * 32);
const X1: usize = ELEMENTS;
const X2: usize = ELEMENTS + 32;
const Z2: usize = ELEMENTS + 64;
const X3: usize = ELEMENTS + 96;
const Z3: usize = ELEMENTS + 128;
const A: usize = ELEMENTS + 160;
const B: usize = ELEMENTS + 192;
const C: usize = ELEMENTS + 224;
const D: usize = ELEMENTS + 256;
const E: usize = ELEMENTS + 288;
const AA: usize = ELEMENTS + 320;
const BB: usize = ELEMENTS + 352;
const SCALAR: usize = ELEMENTS + 384;
/** (486662 - 2) / 4 */
const A24: usize = memory.data<u32>([121665, 0, 0, 0, 0, 0, 0, 0]);
const ONE: usize = memory.data<u32>([1, 0, 0, 0, 0, 0, 0, 0]);
const BASE: usize = memory.data<u32>([9, 0, 0, 0, 0, 0, 0, 0]);

/** Adds a small number; gives what is carried out of the top. */
function addSmall(to: usize, small: u64): u64 {
  let carry = small;
  for (let i: usize = 0; i < 32; i += 4) {
    carry += <u64>load<u32>(to + i);
    store<u32>(to + i, <u32>carry);
    carry >>= 32;
  }
  return carry;
}

/** 2^256 is 38. After the second time nothing is left to carry. */
function fold(to: usize, carry: u64): void {
  const again = addSmall(to, carry * 38);
  addSmall(to, again * 38);
}

function add(to: usize, a: usize, b: usize): void {
  let carry: u64 = 0;
  for (let i: usize = 0; i < 32; i += 4) {
    carry += <u64>load<u32>(a + i) + <u64>load<u32>(b + i);
    store<u32>(to + i, <u32>carry);
    carry >>= 32;
  }
  fold(to, carry);
}

/** Subtracts a small number; gives what is borrowed from above the top: 0 or -1. */
function subtractSmall(to: usize, small: i64): i64 {
  let borrow = -small;
  for (let i: usize = 0; i < 32; i += 4) {
    borrow += <i64>load<u32>(to + i);
    store<u32>(to + i, <u32>borrow);
    borrow >>= 32;
  }
  return borrow;
}

function subtract(to: usize, a: usize, b: usize): void {
  let borrow: i64 = 0;
  for (let i: usize = 0; i < 32; i += 4) {
    borrow += <i64>load<u32>(a + i) - <i64>load<u32>(b + i);
    store<u32>(to + i, <u32>borrow);
    borrow >>= 32;
  }
  const again = subtractSmall(to, -38 * borrow);
  subtractSmall(to, -38 * again);
}

function multiply(to: usize, a: usize, b: usize): void {
  memory.fill(WIDE, 0, 64);
  for (let i: usize = 0; i < 32; i += 4) {
    const factor = <u64>load<u32>(a + i);
    let carry: u64 = 0;
    for (let j: usize = 0; j < 32; j += 4) {
      carry += factor * <u64>load<u32>(b + j) + <u64>load<u32>(WIDE + i + j);
      store<u32>(WIDE + i + j, <u32>carry);
      carry >>= 32;
    }
    store<u32>(WIDE + i + 32, <u32>carry);
  }
  let carry: u64 = 0;
  for (let i: usize = 0; i < 32; i += 4) {
    carry += <u64>load<u32>(WIDE + i) + 38 * <u64>load<u32>(WIDE + i + 32);
    store<u32>(to + i, <u32>carry);
    carry >>= 32;
  }
  fold(to, carry);
}

/** Exchanges two numbers if `bit` is 1. */
function exchange(a: usize, b: usize, bit: u32): void {
  const mask: u32 = 0 - bit;
  for (let i: usize = 0; i < 32; i += 4) {
    const difference = (load<u32>(a + i) ^ load<u32>(b + i)) & mask;
    store<u32>(a + i, load<u32>(a + i) ^ difference);
    store<u32>(b + i, load<u32>(b + i) ^ difference);
  }
}

/** 1 / a, by the power p - 2: its bits are all ones but the third and the fifth. */
function invert(to: usize, a: usize): void {
  memory.copy(C, a, 32);
  for (let bit: i32 = 253; bit >= 0; bit--) {
    multiply(C, C, C);
    if (bit != 2 && bit != 4) multiply(C, C, a);
  }
  memory.copy(to, C, 32);
}

/** Brings a number below the prime. */
function reduce(to: usize): void {
  for (let round: i32 = 0; round < 2; round++) {
    const top = load<u32>(to + 28);
    store<u32>(to + 28, top & 0x7fffffff);
    addSmall(to, 19 * <u64>(top >> 31));
  }
  // Now below 2^255: at least the prime if and only if adding 19 reaches 2^255.
  memory.copy(C, to, 32);
  addSmall(C, 19);
  const isOver = load<u32>(C + 28) >> 31;
  store<u32>(C + 28, load<u32>(C + 28) & 0x7fffffff);
  exchange(to, C, isOver);
}

function ladder(): void {
  memory.copy(X2, ONE, 32);
  memory.fill(Z2, 0, 32);
  memory.copy(X3, X1, 32);
  memory.copy(Z3, ONE, 32);
  let last: u32 = 0;
  for (let bit: i32 = 254; bit >= 0; bit--) {
    const next: u32 = (<u32>load<u8>(SCALAR + (bit >> 3)) >> (bit & 7)) & 1;
    exchange(X2, X3, last ^ next);
    exchange(Z2, Z3, last ^ next);
    last = next;
    add(A, X2, Z2);
    subtract(B, X2, Z2);
    add(C, X3, Z3);
    subtract(D, X3, Z3);
    multiply(AA, A, A);
    multiply(BB, B, B);
    subtract(E, AA, BB);
    multiply(D, D, A);
    multiply(C, C, B);
    add(X3, D, C);
    multiply(X3, X3, X3);
    subtract(Z3, D, C);
    multiply(Z3, Z3, Z3);
    multiply(Z3, Z3, X1);
    multiply(X2, AA, BB);
    multiply(A, E, A24);
    add(A, A, AA);
    multiply(Z2, E, A);
  }
  exchange(X2, X3, last);
  exchange(Z2, Z3, last);
}

/** The product of a secret (32 bytes, any) and a point to `to`. False: it is zero, so the point was a bad one. */
export function x25519(secret: usize, point: usize, to: usize): bool {
  memory.copy(SCALAR, secret, 32);
  store<u8>(SCALAR, load<u8>(SCALAR) & 248);
  store<u8>(SCALAR + 31, (load<u8>(SCALAR + 31) & 127) | 64);
  memory.copy(X1, point, 32);
  store<u8>(X1 + 31, load<u8>(X1 + 31) & 127);
  ladder();
  invert(A, Z2);
  multiply(A, A, X2);
  reduce(A);
  memory.copy(to, A, 32);
  let all: u32 = 0;
  for (let i: usize = 0; i < 32; i += 4) all |= load<u32>(A + i);
  memory.fill(ELEMENTS, 0, 13 * 32);
  memory.fill(WIDE, 0, 64);
  return all != 0;
}

/** The public key of a secret to `to`. */
export function x25519Public(secret: usize, to: usize): void {
  x25519(secret, BASE, to);
}
