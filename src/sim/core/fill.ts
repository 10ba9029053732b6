/** Names and bytes of modelled things: of the right length, told apart at a glance, worth nothing as secrets. */

/** So many bytes of one value. */
export function fillBytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

/** `length` hexadecimal digits that name (family, a, b). */
export function hexName(length: number, family: number, a: number, b: number): string {
  const head = family.toString(16).padStart(2, '0') + a.toString(16).padStart(4, '0');
  return head + b.toString(16).padStart(length - head.length, '0');
}
