// Runs every test with Node's own runner on the pinned Node, and prints a summary last. Arguments are passed on (for
// example a file or --test-name-pattern=...).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { requireNode24 } from './node24.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node = requireNode24();
const given = process.argv.slice(2);
const isWhole = !given.some((argument) => !argument.startsWith('-'));
const files = isWhole ? ['src/**/*.test.ts', 'test/**/*.test.ts'] : [];
const limit = isWhole ? [`--import=${pathToFileURL(join(root, 'scripts', 'test-limit.mjs')).href}`] : [];
const folder = mkdtempSync(join(tmpdir(), 'moiety-tests-'));
const summary = join(folder, 'summary');
const reporter = pathToFileURL(join(root, 'scripts', 'test-summary.mjs')).href;
const reporters = [
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  `--test-reporter=${reporter}`,
  `--test-reporter-destination=${summary}`,
];
const result = spawnSync(
  node,
  ['--test', '--test-concurrency=2', '--test-timeout=1500000', ...limit, ...reporters, ...given, ...files],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, MOIETY_TEST: '1' },
  },
);
let text = '';
try {
  text = readFileSync(summary, 'utf8').replaceAll(`${root}/`, '');
} catch (error) {
  text = `no summary was written: ${error.message}\n`;
}
rmSync(folder, { recursive: true, force: true });
console.log(`\n${text.trimEnd()}\n${result.status === 0 ? 'All tests passed.' : 'Tests FAILED.'}`);
process.exit(result.status ?? 1);
