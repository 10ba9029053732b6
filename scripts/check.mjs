// Everything that can be checked without running the product: types, format, and the house rules (test/tidy.test.ts).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode24 } from './node24.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node = requireNode24();
const module = (...path) => join(root, 'node_modules', ...path);
const steps = [
  ['types', [module('typescript', 'bin', 'tsc'), '-p', root]],
  ['types of the pages', [module('typescript', 'bin', 'tsc'), '-p', join(root, 'src', 'dashboard')]],
  ['format', [module('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level=warn', '.']],
  ['house rules', ['--test', join(root, 'test', 'tidy.test.ts')]],
];
let failed = 0;
for (const [name, args] of steps) {
  const result = spawnSync(node, args, { cwd: root, stdio: 'inherit' });
  console.log(`${result.status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (result.status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
