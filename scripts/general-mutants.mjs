// `npm run mutants:general`: StrykerJS over codec, smr/ and ledger/ with the tests beside the code (decision 0009). Files
// or globs as arguments replace what is mutated: `npm run mutants:general -- src/ledger/merkle.ts`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode24 } from './node24.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stryker = join(root, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js');
const given = process.argv.slice(2);
if (given.includes('--help')) {
  console.log(
    'npm run mutants:general -- [files]\n\nMutates codec, smr/ and ledger/, or the given files or globs, and asks the tests beside ' +
      'the code.\nThe report is coverage/general-mutants.html; what has not changed since the last run is not run again.',
  );
  process.exit(0);
}
if (!existsSync(stryker)) {
  console.error(
    'StrykerJS is not installed. Install it with\n' +
      '  npm install --save-dev --save-exact @stryker-mutator/core@10.0.0 @stryker-mutator/tap-runner@10.0.0',
  );
  process.exit(2);
}
const node = requireNode24();
const chosen = given.length === 0 ? [] : ['--mutate', given.join(',')];
const result = spawnSync(node, [stryker, 'run', 'test/mutants/stryker.json', ...chosen], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
});
process.exit(result.status ?? 1);
