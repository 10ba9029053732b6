/**
 * The arithmetic of wait times, as the module does it: integers alone, so that every machine gets the same. For models
 * and for the test that compares both with the logarithm of the platform.
 */
import { MINIMUM_WAIT_MS } from './frames.ts';

/** ln 2 in 2^-32. */
const LN2 = 2_977_044_472n;
const FRACTION_BITS = 24n;

/** -ln(drawn / 2^64) in units of 2^-24; `drawn` is below 2^64, and 0 counts as 1. */
export function negativeLogarithm(drawn: bigint): bigint {
  const value = drawn === 0n ? 1n : drawn;
  const zeros = BigInt(64 - value.toString(2).length);
  let rest = (value << zeros) >> 32n;
  let binary = 63n - zeros;
  for (let bit = 0n; bit < FRACTION_BITS; bit += 1n) {
    rest = (rest * rest) >> 31n;
    binary <<= 1n;
    if (rest >= 1n << 32n) {
      rest >>= 1n;
      binary |= 1n;
    }
  }
  return (((64n << FRACTION_BITS) - binary) * LN2) >> 32n;
}

/** Milliseconds: the minimum, minus the mean times the logarithm of what was drawn. */
export function waitDurationMs(drawn: bigint, meanMs: number): number {
  return MINIMUM_WAIT_MS + Number((BigInt(meanMs) * negativeLogarithm(drawn)) >> FRACTION_BITS);
}
