/** Words of the form in which a run is chosen. */
import type { ChosenAdversary, ChosenFault, Choices, NetworkChoice } from '../../sim/playback/contract.ts';

/** How links behave, as a choice says it. */
export const NETWORK_WORDS: Readonly<Record<NetworkChoice, string>> = {
  calm: 'calm',
  slow: 'slow',
  lossy: 'loses messages',
  reordering: 'changes their order',
  partitioned: 'is cut for a while',
};

/** What happens to a replica. */
export const FAULT_WORDS: Readonly<Record<ChosenFault['what'], string>> = {
  crash: 'crashes',
  restart: 'restarts',
  wipe: 'loses its disk',
  pause: 'stands still',
  'cut-off': 'is cut off',
};

/** Kinds of adversaries. */
export const ADVERSARY_WORDS: Readonly<Record<ChosenAdversary['kind'], string>> = {
  none: 'nobody lies',
  lie: 'a replica lies',
  clone: 'a trusted component is cloned',
  twins: 'a replica is two machines',
};

/** What runs when nothing was chosen. */
export const DEFAULT_CHOICES: Choices = {
  protocol: 'minbft',
  f: 1,
  seed: 1,
  network: 'calm',
  faults: [],
  adversary: { kind: 'none' },
  clients: 1,
  requests: 2,
  fidelity: 'core',
};

/** Faults that one may choose, at most. */
export const FAULTS_MAX = 4;

/** Another fault, a while after the last one. */
export function nextFault(faults: readonly ChosenFault[]): ChosenFault {
  const last = faults.at(-1);
  return {
    what: 'crash',
    whom: 'primary',
    atMs: last === undefined ? 15 : last.atMs + last.forMs + 50,
    forMs: 200,
  };
}

/** A number that a person typed: whole, and within bounds; undefined if it is none. */
export function wholeIn(text: string, low: number, high: number): number | undefined {
  if (!/^\d{1,10}$/.test(text.trim())) return undefined;
  const value = Number(text.trim());
  return value >= low && value <= high ? value : undefined;
}
