/**
 * Damage as data: a list of small steps that are applied to bytes. As data it can be drawn fast by the runner, and drawn
 * and made smaller by fast-check.
 */

/** One step. `at` and `to` are places as a share of the length in [0, 1); `value` is read as the step needs it. */
export interface Step {
  readonly kind: StepKind;
  readonly at: number;
  readonly to: number;
  readonly value: number;
}

/** Kinds of steps. Structure-aware: they know the shapes of the codec (big-endian integers, lengths, kinds, lists). */
export const STEP_KINDS = [
  'bit',
  'byte',
  'edge32',
  'edge64',
  'near32',
  'near64',
  'kind',
  'remove',
  'repeat',
  'insert',
  'swap',
  'cut',
  'extend',
  'splice',
  'zero',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** Integers at which decoders go wrong. Above 2^53 they stand for the 64-bit patterns in `EDGES_64`. */
const EDGES_32 = [
  0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];
const EDGES_64: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 1],
  [0, 0xffffffff],
  [1, 0],
  [0x1fffff, 0xfffffffe],
  [0x1fffff, 0xffffffff],
  [0x200000, 0],
  [0x200000, 1],
  [0x7fffffff, 0xffffffff],
  [0x80000000, 0],
  [0xffffffff, 0xfffffffe],
  [0xffffffff, 0xffffffff],
];
/** Longest result: a mutation must not make inputs grow without end. */
const BYTES_MAX = 256 * 1024;

/** Applies steps to a copy. `others`: inputs to splice from. */
export function applySteps(
  bytes: Uint8Array,
  steps: readonly Step[],
  others: readonly Uint8Array[],
): Uint8Array {
  let out: Uint8Array = bytes.slice();
  for (const step of steps) out = apply(out, step, others);
  return out;
}

function apply(bytes: Uint8Array, step: Step, others: readonly Uint8Array[]): Uint8Array {
  const { length } = bytes;
  const at = Math.floor(step.at * (length + 1));
  const [low, high] = range(step, length);
  switch (step.kind) {
    case 'bit':
      if (at < length) bytes[at]! ^= 1 << (step.value & 7);
      return bytes;
    case 'byte':
      if (at < length) bytes[at] = step.value;
      return bytes;
    case 'kind':
      if (length > 0) bytes[0] = step.value & 31;
      return bytes;
    case 'zero':
      bytes.fill(step.value & 1 ? 255 : 0, low, high);
      return bytes;
    case 'edge32':
    case 'near32':
    case 'edge64':
    case 'near64':
      return overwriteInteger(bytes, at, step);
    case 'remove':
      return join(bytes.subarray(0, low), bytes.subarray(high));
    case 'repeat':
      return join(bytes.subarray(0, high), bytes.subarray(low, high), bytes.subarray(high));
    case 'insert':
      return join(bytes.subarray(0, at), pattern(step), bytes.subarray(at));
    case 'swap': {
      const middle = (low + high) >> 1;
      return join(
        bytes.subarray(0, low),
        bytes.subarray(middle, high),
        bytes.subarray(low, middle),
        bytes.subarray(high),
      );
    }
    case 'cut':
      return bytes.slice(0, at);
    case 'extend':
      return join(bytes, pattern(step));
    case 'splice': {
      const other = others[step.value % Math.max(1, others.length)] ?? bytes;
      return join(bytes.subarray(0, at), other.subarray(Math.floor(step.to * (other.length + 1))));
    }
  }
}

function range(step: Step, length: number): readonly [number, number] {
  const a = Math.floor(step.at * (length + 1));
  const b = Math.floor(step.to * (length + 1));
  // Half of the ranges are short: a field, not a quarter of the message.
  const end = step.value & 1 ? Math.min(length, a + 1 + (step.value % 40)) : b;
  return a < end ? [a, end] : [end, a];
}

function overwriteInteger(bytes: Uint8Array, at: number, { kind, value }: Step): Uint8Array {
  const width = kind === 'edge32' || kind === 'near32' ? 4 : 8;
  if (at + width > bytes.length) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kind === 'edge32') view.setUint32(at, EDGES_32[value % EDGES_32.length]!);
  else if (kind === 'edge64') {
    const [high, low] = EDGES_64[value % EDGES_64.length]!;
    view.setUint32(at, high);
    view.setUint32(at + 4, low);
  } else {
    const place = at + width - 4;
    view.setUint32(place, view.getUint32(place) + (value & 1 ? 1 : -1));
  }
  return bytes;
}

function pattern({ value, to }: Step): Uint8Array {
  return new Uint8Array(1 + Math.floor(to * 16)).fill(value);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const out = new Uint8Array(Math.min(length, BYTES_MAX));
  let offset = 0;
  for (const part of parts) {
    const rest = part.subarray(0, out.length - offset);
    out.set(rest, offset);
    offset += rest.length;
  }
  return out;
}
