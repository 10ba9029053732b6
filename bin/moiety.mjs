#!/usr/bin/env node
// Starts the command line. In the published package it runs the built files on Node >= 20; in a clone it runs the
// sources on the pinned Node 24.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'cli', 'main.ts');
const built = join(root, 'dist', 'cli', 'main.js');

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(`Moiety needs Node 20 or newer; this is Node ${process.versions.node}.`);
  process.exit(1);
}

if (!existsSync(source)) {
  await import(pathToFileURL(built).href);
} else if (!existsSync(join(root, 'node_modules'))) {
  console.error(
    'This clone is not installed yet. Run `npm install` (or `npm start`, which does it) and try again.',
  );
  process.exit(1);
} else {
  const { requireNode24 } = await import('../scripts/node24.mjs');
  const node = requireNode24();
  if (node === process.execPath) {
    await import(pathToFileURL(source).href);
  } else {
    const environment = {
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
      ...process.env,
    };
    // The channel tells the command when this process was killed: nothing it started must outlive it.
    const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
    const child = spawn(node, [source, ...process.argv.slice(2)], { stdio, env: environment });
    // A plain `kill` reaches only this process, so it is passed on. A terminal's Ctrl-C reaches both; commands take the
    // second one for the first.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
  }
}
