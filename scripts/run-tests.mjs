// Runs every test with Node's own runner on the pinned Node. Arguments are passed on (for example a file or
// --test-name-pattern=...).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode24 } from './node24.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node = requireNode24();
const given = process.argv.slice(2);
const files = given.some((argument) => !argument.startsWith('-'))
  ? []
  : ['src/**/*.test.ts', 'test/**/*.test.ts'];
const result = spawnSync(
  node,
  ['--test', '--test-concurrency=2', '--test-timeout=1500000', ...given, ...files],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}`, MOIETY_TEST: '1' },
  },
);
process.exit(result.status ?? 1);
