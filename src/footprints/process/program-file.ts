/**
 * Which program a component's folder was made for: `program.json` with its name and the SHA-256 of its module. The
 * process measures the module's bytes at each start and runs nothing else.
 */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesToDigest } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { compileModule } from '../../trusted/module.ts';
import { writeWhole } from '../durable-file.ts';
import { FOLDER_FILES } from './channel.ts';

/** Program of a folder that was made before there was a choice. */
export const FIRST_PROGRAM = 'usig';

const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** A module as it was found beside the carrier. */
export interface MeasuredModule {
  readonly program: string;
  readonly measurement: Digest;
  readonly module: object;
}

/** SHA-256 of a file. */
export function measureFile(path: string | URL): Digest {
  return bytesToDigest(hash('sha256', readFileSync(path), 'buffer'));
}

/**
 * Reads, measures and compiles the module of a program from the folder `modules`. Throws a sentence for the operator if
 * there is none, or if one byte of it is not as in the module that was `expected`.
 */
export function loadModule(modules: URL, program: string, expected?: unknown): MeasuredModule {
  const file = new URL(`${program}.wasm`, modules);
  if (!NAME.test(program) || !existsSync(file))
    throw new Error(`there is no trusted program "${program}" in this installation`);
  const bytes = readFileSync(file);
  const measurement = bytesToDigest(hash('sha256', bytes, 'buffer'));
  if (expected !== undefined && measurement !== expected)
    throw new Error(
      `the trusted program "${program}" is not the one that this component was made for: its module has the ` +
        `measurement ${measurement}, expected ${String(expected)}; install the version of before, ` +
        'or give the replica a new component and re-admit it by RECOVER',
    );
  return { program, measurement, module: compileModule(bytes) };
}

/** Says in the component's folder (the current one) which module it is for; durable when this returns. */
export function writeProgramFile({ program, measurement }: MeasuredModule): void {
  writeWhole(FOLDER_FILES.program, `${JSON.stringify({ program, measurement })}\n`);
}

/** Name of the program of a folder, for whoever starts its process; the process itself judges the file. */
export function programOf(folder: string): string {
  try {
    const { program } = JSON.parse(readFileSync(join(folder, FOLDER_FILES.program), 'utf8')) as {
      readonly program?: unknown;
    };
    return typeof program === 'string' && NAME.test(program) ? program : FIRST_PROGRAM;
  } catch {
    return FIRST_PROGRAM;
  }
}

/**
 * The module of the component's folder (the current one). Throws a sentence for the operator if it is not the one that
 * the folder was made for, in so much as one byte. A folder of before is a USIG and gets its file now.
 */
export function moduleOfFolder(modules: URL): MeasuredModule {
  if (!existsSync(FOLDER_FILES.program)) {
    const first = loadModule(modules, FIRST_PROGRAM);
    writeProgramFile(first);
    return first;
  }
  let expected: { readonly program?: unknown; readonly measurement?: unknown };
  try {
    expected = JSON.parse(readFileSync(FOLDER_FILES.program, 'utf8')) as typeof expected;
  } catch {
    throw new Error(`${FOLDER_FILES.program} of the trusted component is damaged`);
  }
  return loadModule(modules, String(expected.program), String(expected.measurement));
}
