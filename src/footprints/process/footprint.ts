/** Footprint (c): a trusted program in a process of its own, locked in where bubblewrap is installed. */
import type { Footprint } from '../contract.ts';
import {
  createTrustedFolder,
  openTrustedProcess,
  PROCESS_FOOTPRINT,
  stopTrustedProcess,
} from './launcher.ts';

/** See the top of this file. */
export const processFootprint: Footprint = {
  name: PROCESS_FOOTPRINT,
  scenario: 'c',
  summary: 'own process and folder, hardened where bubblewrap is installed',
  persistent: true,
  // Bubblewrap is no requirement: without it the process runs, and says so.
  missing: () => Promise.resolve([]),
  create: ({ folder, program, hardening = 'auto' }) => createTrustedFolder(folder, { program, hardening }),
  open: ({ folder, durability = 'fsync', hardening = 'auto' }) =>
    openTrustedProcess({ folder, durability, hardening }),
  stop: stopTrustedProcess,
};
