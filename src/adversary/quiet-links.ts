/**
 * Lies that need to know nothing of what is sent: silence, delay and withholding. Links of bytes (`wire-liar.ts`) and
 * links of objects (the core fidelity of the simulator) lie in the same way.
 */
import type { Prng } from '../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';

/** Where a host sends: frames `F` to replicas, answers `R` to clients. */
export interface Links<F, R> {
  readonly toPeer: (to: ReplicaId, frame: F) => void;
  readonly toClient: (link: number, answer: R) => void;
}

/** Speaks for a while, so that others depend on it, and then never again. */
export function silenced<F, R>(random: Prng, links: Links<F, R>): Links<F, R> {
  let left = random.pick([0, 20, 100, 400]);
  const speaks = (): boolean => {
    left -= 1;
    return left >= 0;
  };
  return {
    toPeer: (to, frame) => {
      if (speaks()) links.toPeer(to, frame);
    },
    toClient: (link, answer) => {
      if (speaks()) links.toClient(link, answer);
    },
  };
}

/** Holds everything back for a drawn time of at most `highMs`; `after` runs an action later. */
export function delayed<F, R>(
  random: Prng,
  highMs: Milliseconds,
  after: (delayMs: Milliseconds, action: () => void) => void,
  links: Links<F, R>,
): Links<F, R> {
  const hold = (action: () => void): void => after(highMs * (0.5 + random.unit() / 2), action);
  return {
    toPeer: (to, frame) => hold(() => links.toPeer(to, frame)),
    toClient: (link, answer) => hold(() => links.toClient(link, answer)),
  };
}

/** How long a liar is willing to make the others wait, in what they are willing to wait. */
export function drawnDelay(random: Prng, patienceMs: Milliseconds): Milliseconds {
  return patienceMs * random.pick([0.3, 0.9, 1.5, 4]);
}

/** Keeps its frames, or only bodies, from some of `n` replicas; whom it cheats changes from time to time. */
export function withheld<F, R>(
  random: Prng,
  n: number,
  isBody: (frame: F) => boolean,
  links: Links<F, R>,
): Links<F, R> {
  const onlyBodies = random.chance(0.4);
  let victims: boolean[] = [];
  let left = 0;
  return {
    toPeer: (to, frame) => {
      if (left === 0) {
        left = random.pick([50, 300, 2000]);
        victims = Array.from({ length: n }, () => random.chance(0.5));
      }
      left -= 1;
      if (victims[to] !== true || (onlyBodies && !isBody(frame))) links.toPeer(to, frame);
    },
    toClient: (link, answer) => links.toClient(link, answer),
  };
}
