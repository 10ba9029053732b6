/** Whether the modules of this installation are those that were released with it. */
import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../trusted/', import.meta.url);

/**
 * What is wrong with the module of a program, in words that say what to do; undefined if its bytes are the released
 * ones. It keeps mistakes and bad disks out of new components; who can change the module can change the list as well,
 * so what others rely on is their own policy (docs/attestation.md).
 */
export function moduleProblem(program: string): string | undefined {
  const file = new URL(`${program}.wasm`, FOLDER);
  if (!existsSync(file)) return `there is no trusted program "${program}" in this installation`;
  const list = JSON.parse(readFileSync(new URL('measurements.json', FOLDER), 'utf8')) as Readonly<
    Record<string, { readonly sha256: string }>
  >;
  const expected = list[`${program}.wasm`]?.sha256;
  const found = hash('sha256', readFileSync(file), 'hex');
  if (found === expected) return undefined;
  return (
    `the trusted program "${program}" is not the released one: trusted/${program}.wasm has the measurement ${found}, ` +
    `trusted/measurements.json says ${expected ?? 'nothing about it'}; install this version again`
  );
}
