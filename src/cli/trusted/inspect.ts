/** What the folder of a trusted component tells without asking the component, and without showing a secret. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cellOf, footprintEntry } from '../../footprints/catalogue.ts';
import { readComponentFolder } from '../../footprints/component-note.ts';
import { moduleOf, programNamed } from '../../trusted/programs/catalogue.ts';
import { printableSpec } from '../component-choice.ts';
import { CommandFailure } from '../failure.ts';
import { readMeasurements } from './artifacts.ts';

/** What is known about a folder. */
export interface FolderReport {
  readonly component: string;
  readonly program: string;
  readonly footprint: string;
  /** Measurement of the program in this version; what a running component says must equal it. */
  readonly measurement: string;
  readonly afterRestart: string;
  readonly trusts: string;
  readonly protectsAgainst: string;
  readonly notAgainst: string;
  /** Names of its files. */
  readonly files: string;
  /** What is wrong with its permissions; `none` if nothing is. */
  readonly problems: string;
}

function permissionProblems(folder: string, names: readonly string[]): string[] {
  const open = (path: string): boolean => (statSync(path).mode & 0o077) !== 0;
  const problems = open(folder) ? [`the folder is open to others; run: chmod 700 ${folder}`] : [];
  for (const name of names) {
    const path = join(folder, name);
    if (statSync(path).isFile() && open(path)) problems.push(`${name} is open to others`);
  }
  return problems;
}

/** Names of the files of a component's folder. Throws CommandFailure with a sentence if it is none. */
export function requireComponentFolder(folder: string): readonly string[] {
  const path = resolve(folder);
  if (!existsSync(path) || !statSync(path).isDirectory())
    throw new CommandFailure(`${folder} is no folder: name that of a trusted component.`);
  const names = readdirSync(path).sort();
  const known = ['footprint.json', 'state', 'component.json'];
  if (!names.some((name) => known.includes(name)))
    throw new CommandFailure(`${folder} does not hold a trusted component (none of ${known.join(', ')} is there).`);
  return names;
}

/** Reads a component's folder. Throws CommandFailure with a sentence if it is none. */
export function inspectFolder(folder: string): FolderReport {
  const path = resolve(folder);
  const names = requireComponentFolder(folder);
  const spec = readComponentFolder(path);
  const program = programNamed(spec.program);
  const footprint = footprintEntry(spec.footprint);
  if (program === undefined || footprint === undefined)
    throw new CommandFailure(`${folder} is of ${printableSpec(spec)}, which this version does not know.`);
  const cell = cellOf(program, footprint);
  const problems = permissionProblems(path, names);
  return {
    component: printableSpec(spec),
    program: `${program.title} (${program.paper})`,
    footprint: footprint.title,
    measurement: readMeasurements().get(moduleOf(program))?.sha256 ?? 'unknown',
    afterRestart: footprint.afterRestart,
    trusts: footprint.trusts,
    protectsAgainst: footprint.protectsAgainst,
    notAgainst: footprint.notAgainst + (cell.runs && cell.note !== undefined ? `; ${cell.note}` : ''),
    files: names.join(' '),
    problems: problems.length === 0 ? 'none' : problems.join('; '),
  };
}
