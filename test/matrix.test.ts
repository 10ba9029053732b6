/**
 * The matrix of programs and footprints: every cell really runs. By default one conformance check for each cell, another
 * one in each column, so that all checks run somewhere; MOIETY_MATRIX=all runs every check in every cell.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FOOTPRINTS, matrix } from '../src/footprints/catalogue.ts';
import { footprintNamed } from '../src/footprints/registry.ts';
import { conformanceOf } from '../src/trusted/conformance/suite.ts';
import { moduleOf, PROGRAMS } from '../src/trusted/programs/catalogue.ts';
import { runCell } from './matrix/run-cell.ts';

const everything = process.env['MOIETY_MATRIX'] === 'all';
const CALLS = everything ? 1_000 : 40;

async function whyNot(footprint: string): Promise<string | undefined> {
  const missing = await (await footprintNamed(footprint)).missing();
  if (missing.length === 0) return undefined;
  return missing
    .map(({ what, debianPackage }) =>
      debianPackage === undefined ? what : `${what}: apt-get install ${debianPackage}`,
    )
    .join('; ');
}

describe('matrix of trusted programs and footprints', () => {
  it('has every footprint, and checks for every program', async () => {
    for (const { name } of FOOTPRINTS) assert.ok(await footprintNamed(name), `no footprint ${name}`);
    for (const program of PROGRAMS) assert.ok(conformanceOf(moduleOf(program)).length > 0, program.name);
  });

  it('gives a reason for every empty cell', () => {
    for (const { cell } of matrix()) assert.ok(cell.runs || cell.reason.length > 20);
  });

  for (const footprint of FOOTPRINTS) {
    describe(footprint.name, async () => {
      const lacks = await whyNot(footprint.name);
      for (const [index, program] of PROGRAMS.entries()) {
        const cell = matrix().find((each) => each.program === program && each.footprint === footprint)!.cell;
        // A program without a module of its own is that module: its cell is the other one's.
        if (!cell.runs || program.builtOn !== undefined) continue;
        const checks = conformanceOf(program.name);
        const column = FOOTPRINTS.indexOf(footprint) + index;
        const chosen = everything
          ? checks
          : checks.slice(column % checks.length, (column % checks.length) + 1);
        it(
          `${program.name}@${footprint.name}: ${everything ? 'all checks' : (chosen[0]?.name ?? 'no check')}`,
          {
            skip: lacks ?? false,
          },
          async () => {
            assert.ok(chosen.length > 0, `there are no checks for ${program.name}`);
            const found = await footprintNamed(footprint.name);
            await runCell(found, footprint, program.name, chosen, CALLS);
          },
        );
      }
    });
  }
});
