// Builds dist/ for publishing: plain JavaScript with declarations for Node >= 20. Not needed to work in a clone.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
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
for (const asset of ['dashboard']) {
  const from = join(root, 'src', asset, 'public');
  if (existsSync(from)) cpSync(from, join(root, 'dist', asset, 'public'), { recursive: true });
}
