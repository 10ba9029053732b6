import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROGRAMS, moduleOf } from '../trusted/programs/catalogue.ts';
import { moduleProblem } from './release.ts';

test('every module of this installation is the released one; what is not there is said', () => {
  for (const program of PROGRAMS) assert.equal(moduleProblem(moduleOf(program)), undefined, program.name);
  assert.match(moduleProblem('nothing') ?? '', /no trusted program "nothing"/);
});
