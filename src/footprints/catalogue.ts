/**
 * What each footprint protects against and what not (survey, Fig. 3), and which program runs on which. The footprints
 * themselves stand in their own folders and are loaded when they are used (`registry.ts`).
 */
import { PROGRAMS } from '../trusted/programs/catalogue.ts';
import type { ProgramEntry } from '../trusted/programs/catalogue.ts';

/** One footprint, as it is shown. */
export interface FootprintEntry {
  readonly name: string;
  /** Scenario of the survey's Fig. 3. */
  readonly scenario: 'a' | 'b' | 'c' | 'd' | 'e' | 'f';
  readonly title: string;
  /** What must be trusted besides the program itself. */
  readonly trusts: string;
  readonly protectsAgainst: string;
  readonly notAgainst: string;
  /** What is left after a restart of the component. */
  readonly afterRestart: 'continues' | 'new component';
  /** What is left after a kill or a power cut, if that is less. */
  readonly afterKill?: 'new component';
  /** Argument for measurements and tests on this machine; absent: none is needed. */
  readonly developmentArgument?: string;
}

/** All footprints, in the order of the survey. */
export const FOOTPRINTS: readonly FootprintEntry[] = [
  {
    name: 'service',
    scenario: 'a',
    title: 'trusted service on another machine, mutual TLS',
    trusts: 'the provider: its machine, its staff',
    protectsAgainst: "everything on the replica's machine, its root and its operator included",
    notAgainst: 'the provider itself; an outage of the provider stops the replica',
    afterRestart: 'continues',
    developmentArgument: 'loopback',
  },
  {
    name: 'wasm',
    scenario: 'b',
    title: 'module in the memory of the replica',
    trusts: 'the whole process of the replica and all below it',
    protectsAgainst: 'mistakes of the replica, not malice',
    notAgainst: 'anything that runs in the process, the operator, a debugger',
    afterRestart: 'new component',
  },
  {
    name: 'worker',
    scenario: 'b',
    title: 'module in a worker thread of the replica',
    trusts: 'the whole process of the replica and all below it',
    protectsAgainst: "mistakes of the replica; the key is not in the main thread's reach",
    notAgainst: 'native code in the process, the operator, a debugger',
    afterRestart: 'new component',
  },
  {
    name: 'process',
    scenario: 'c',
    title: 'own process, hardened where bubblewrap is installed',
    trusts: 'kernel, root, hardware',
    protectsAgainst: 'a replica that was taken over, as long as it is not root; crashes; power cuts',
    notAgainst: 'root, the operator, an old copy of its folder put back (the replica notices that)',
    afterRestart: 'continues',
  },
  {
    name: 'rote',
    scenario: 'c',
    title: 'process whose state counts only if a quorum of guards names it (ROTE)',
    trusts: 'kernel, root; that no more guards than agreed lose their memory at once',
    protectsAgainst: 'an old copy of its folder put back: it begins anew',
    notAgainst: 'root; here all guards run on one machine: if it is started again, the component begins anew',
    afterRestart: 'continues',
  },
  {
    name: 'vm',
    scenario: 'd',
    title: 'only process of a virtual machine',
    trusts: 'the virtual machine monitor and its host',
    protectsAgainst: 'a replica in another virtual machine, its root included',
    notAgainst: 'root of the host, a snapshot of the machine that is run twice',
    afterRestart: 'new component',
  },
  {
    name: 'vmm',
    scenario: 'e',
    title: "beside the monitor of the replica's virtual machine",
    trusts: 'the virtual machine monitor and its host',
    protectsAgainst: "everything in the replica's virtual machine, its root included",
    notAgainst: 'root of the host, an escape from the virtual machine',
    afterRestart: 'continues',
  },
  {
    name: 'tpm',
    scenario: 'f',
    title: 'own process whose key a TPM 2.0 keeps between two runs',
    trusts: 'kernel, root, the TPM',
    protectsAgainst:
      'as process, and every old copy of its folder: the TPM opens what the last stop sealed, once',
    notAgainst: 'root while it runs; killed, it is a new component; with swtpm nothing more than process',
    afterRestart: 'continues',
    afterKill: 'new component',
    developmentArgument: 'swtpm',
  },
  {
    name: 'pkcs11',
    scenario: 'f',
    title: 'own process whose key lies in a PKCS#11 token',
    trusts: 'kernel, root, the token',
    protectsAgainst: 'as process, and theft of the key',
    notAgainst: 'as process: the token signs what the process says, it does not count',
    afterRestart: 'continues',
  },
];

/** A footprint by its name. */
export function footprintEntry(name: string): FootprintEntry | undefined {
  return FOOTPRINTS.find((entry) => entry.name === name);
}

/** Whether a program runs on a footprint, or why not. */
export type Cell =
  /** `note`: what to know about this pair. */
  { readonly runs: true; readonly note?: string } | { readonly runs: false; readonly reason: string };

const HOST_CLOCK = 'the clock is that of the host: for tests, no proof of waiting';

/** The cell of the matrix for a program and a footprint. */
export function cellOf(program: ProgramEntry, footprint: FootprintEntry): Cell {
  if (program.abstraction === 'wait certificate' && !['service', 'vm', 'vmm'].includes(footprint.name))
    return { runs: true, note: HOST_CLOCK };
  return { runs: true };
}

/** All pairs. */
export function matrix(): readonly {
  readonly program: ProgramEntry;
  readonly footprint: FootprintEntry;
  readonly cell: Cell;
}[] {
  return PROGRAMS.flatMap((program) =>
    FOOTPRINTS.map((footprint) => ({ program, footprint, cell: cellOf(program, footprint) })),
  );
}
