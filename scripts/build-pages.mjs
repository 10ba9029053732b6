// Builds the web pages (dashboard, playground) from src/dashboard into build/pages: one folder each, which needs nothing
// from anywhere else. With --if-stale only when a source is newer than what was built.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'dashboard');
const target = join(root, 'build', 'pages');
const stamp = join(target, 'built.json');

/** Each page and its folder in src/dashboard. Its worker, if it has one, runs the same script: a classic one, so that a page may hold it. */
const PAGES = [
  { name: 'dashboard', folder: 'live' },
  { name: 'playground', folder: 'playground' },
];

/** When the newest file below a folder was changed. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

function isFresh() {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  const sources = [
    newest(join(root, 'src')),
    newest(join(root, 'trusted')),
    statSync(join(root, 'package-lock.json')).mtimeMs,
  ];
  return sources.every((changed) => changed <= built);
}

async function buildPage(esbuild, { name, folder }) {
  const out = join(target, name);
  mkdirSync(out, { recursive: true });
  await esbuild.build({
    entryPoints: { main: join(source, folder, 'main.tsx') },
    outdir: out,
    bundle: true,
    format: 'iife',
    minify: true,
    legalComments: 'linked',
    charset: 'utf8',
    target: ['es2022'],
    platform: 'browser',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.wasm': 'binary', '.txt': 'text' },
    logLevel: 'warning',
  });
  copyFileSync(join(source, folder, 'index.html'), join(out, 'index.html'));
  copyFileSync(join(source, 'theme', 'icon.svg'), join(out, 'icon.svg'));
}

function sizesOf(name) {
  const folder = join(target, name);
  const files = readdirSync(folder).filter((file) => /\.(html|js|css|svg)$/.test(file));
  const gzipped = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0);
  return { files: files.length, gzipped };
}

if (!process.argv.includes('--if-stale') || !isFresh()) {
  const esbuild = await import('esbuild');
  rmSync(target, { recursive: true, force: true });
  for (const page of PAGES) await buildPage(esbuild, page);
  const sizes = Object.fromEntries(PAGES.map(({ name }) => [name, sizesOf(name)]));
  writeFileSync(stamp, `${JSON.stringify(sizes, null, 2)}\n`);
  if (!process.argv.includes('--quiet'))
    for (const [name, { files, gzipped }] of Object.entries(sizes))
      console.log(`build/pages/${name}: ${files} files, ${(gzipped / 1000).toFixed(1)} kB gzipped`);
}
