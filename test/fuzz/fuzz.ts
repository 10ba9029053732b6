/**
 * The loop: draws a target, a valid input and some damage, and asks the decoder. What must hold: nothing is thrown,
 * nothing is accepted that its encoder would write in another way, nothing is allocated beyond what the input can pay for.
 */
import { Prng } from '../../src/core/prng.ts';
import { equalBytes } from '../../src/core/bytes.ts';
import { applySteps, STEP_KINDS } from './mutations.ts';
import type { Step } from './mutations.ts';
import { shown } from './targets.ts';
import type { Target } from './targets.ts';

/** What was found. */
export interface Escape {
  readonly target: string;
  readonly what: 'threw' | 'not canonical' | 'allocated too much';
  readonly detail: string;
  /** The input, as text. */
  readonly input: string;
}

/** Counts of a run. */
export interface FuzzCounts {
  readonly inputs: number;
  readonly accepted: number;
  /** Accepted by a decoder that has an encoder, and byte for byte what that makes of the value. */
  readonly canonical: number;
  readonly escapes: readonly Escape[];
}

/** Memory that decoding a handful of inputs may take: frames are at most 64 MiB, these inputs at most 256 KiB. */
const MEMORY_BYTES_MAX = 192 * 1024 * 1024;
const MEMORY_EVERY = 64;
const ESCAPES_MAX = 20;

/** Asks a decoder about one input; what went wrong, if something did, and whether it was accepted. */
export function ask(target: Target, input: Uint8Array): Escape | 'accepted' | 'canonical' | 'refused' {
  const escape = (what: Escape['what'], detail: string): Escape => ({
    target: target.name,
    what,
    detail,
    input: shown(input),
  });
  try {
    const verdict = target.decode(input);
    if (verdict === undefined) return 'refused';
    if (verdict === 'accepted') return 'accepted';
    if (equalBytes(verdict, input)) return 'canonical';
    return escape('not canonical', `is written again as ${shown(verdict)}`);
  } catch (error) {
    return escape('threw', String((error as Error).stack ?? error).slice(0, 600));
  }
}

/** Draws damage: mostly one or two steps, so that inputs stay nearly valid, sometimes many. */
export function drawSteps(random: Prng): Step[] {
  const count = random.pick([0, 1, 1, 1, 1, 2, 2, 3, 5, 8]);
  return Array.from({ length: count }, () => ({
    kind: random.pick(STEP_KINDS),
    at: random.unit(),
    to: random.unit(),
    value: random.between(0, 255),
  }));
}

const memoryNow = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Sends `count` drawn inputs through the targets. `onProgress` is told how many were done. */
export function fuzz(
  targets: readonly Target[],
  seed: number,
  count: number,
  onProgress?: (done: number) => void,
): FuzzCounts {
  const random = new Prng(seed);
  const all = targets.flatMap((target) => target.seeds);
  const escapes: Escape[] = [];
  let accepted = 0;
  let canonical = 0;
  let inputs = 0;
  let before = memoryNow();
  while (inputs < count && escapes.length < ESCAPES_MAX) {
    // One target at a time, so that a jump of memory has a name.
    const target = random.pick(targets);
    if (target.weight !== undefined && !random.chance(target.weight)) continue;
    for (let index = 0; index < MEMORY_EVERY && inputs < count; index += 1) {
      inputs += 1;
      // From time to time the input of another target: every kind is shown to every decoder.
      const base = random.pick(random.chance(0.05) ? all : target.seeds);
      const outcome = ask(target, applySteps(base, drawSteps(random), target.seeds));
      if (outcome === 'accepted' || outcome === 'canonical') accepted += 1;
      else if (outcome !== 'refused') escapes.push(outcome);
      if (outcome === 'canonical') canonical += 1;
    }
    const after = memoryNow();
    if (after - before > MEMORY_BYTES_MAX)
      escapes.push({
        target: target.name,
        what: 'allocated too much',
        detail: `${after - before} bytes for ${MEMORY_EVERY} inputs`,
        input: '',
      });
    before = after;
    onProgress?.(inputs);
  }
  return { inputs, accepted, canonical, escapes };
}
