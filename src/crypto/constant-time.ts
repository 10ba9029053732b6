/** Comparison of secrets (MAC tags, tokens). */

/**
 * True if both byte strings are equal. The time depends on the lengths alone, never on where the bytes differ, as
 * far as an engine that compiles at run time can promise it.
 */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index += 1) difference |= a[index]! ^ b[index]!;
  return difference === 0;
}
