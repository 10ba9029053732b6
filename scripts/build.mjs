// Builds dist/ for publishing: plain JavaScript with declarations for Node >= 20. Not needed to work in a clone.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode24 } from './node24.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const result = spawnSync(requireNode24(), [compiler, '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
if (result.status !== 0) process.exit(result.status ?? 1);
const pages = spawnSync(requireNode24(), [join(root, 'scripts', 'build-pages.mjs')], { stdio: 'inherit' });
if (pages.status !== 0) process.exit(pages.status ?? 1);
cpSync(join(root, 'build', 'pages'), join(root, 'dist', 'pages'), { recursive: true });
