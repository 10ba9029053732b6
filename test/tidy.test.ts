/** The house rules that a machine can check (docs/style.md): one test each, with the remedy in the message. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Files that git tracks or would track. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = files.filter((file) => file.startsWith('src/') && /\.tsx?$/.test(file));
const isTest = (file: string): boolean =>
  file.endsWith('.test.ts') || file.includes('.testing.') || file.includes('/testing/');
const product = sources.filter(
  (file) => !isTest(file) && !file.endsWith('.d.ts') && !file.includes('/assembly/'),
);
const folderOf = (file: string): string => file.split('/')[1]!;

const PURE = ['core', 'crypto', 'trusted', 'smr', 'protocols', 'ledger', 'apps', 'host', 'adversary'];

/** For each folder, what it may import (itself is always allowed). `node` stands for the platform. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  crypto: ['core'],
  trusted: ['core', 'crypto'],
  smr: ['core', 'trusted'],
  protocols: ['core', 'trusted', 'smr'],
  ledger: ['core', 'crypto', 'smr'],
  apps: ['core'],
  host: ['core', 'crypto', 'trusted', 'smr', 'ledger'],
  adversary: ['core', 'crypto', 'trusted', 'smr', 'protocols', 'ledger', 'apps', 'host'],
  sim: [...PURE, 'client'],
  platform: ['core', 'crypto'],
  footprints: ['core', 'crypto', 'trusted'],
  node: [...PURE.filter((folder) => folder !== 'adversary'), 'footprints', 'platform'],
  client: ['core', 'crypto', 'protocols', 'ledger', 'apps', 'smr', 'platform'],
  gateway: ['core', 'crypto', 'protocols', 'ledger', 'apps', 'smr', 'client', 'platform'],
  cli: [...PURE, 'sim', 'footprints', 'node', 'client', 'gateway', 'platform'],
  dashboard: [...PURE, 'sim'],
};
/** Runtime packages that pure folders may use, with a decision record each. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  crypto: ['@noble/curves', '@noble/hashes'],
  ledger: ['@noble/curves', '@noble/hashes'],
  apps: ['sorted-btree'],
};

/** Without `import type`: what a module needs when it runs. */
function runtimeImportsOf(file: string): string[] {
  const types = new Set<string>();
  const values = new Set<string>();
  const pattern = /^\s*(?:import|export)\s+(type\b)?[^'"]*?from\s+['"]([^'"]+)['"]/gm;
  for (const match of read(file).matchAll(pattern)) (match[1] === undefined ? values : types).add(match[2]!);
  return importsOf(file).filter((specifier) => !types.has(specifier) || values.has(specifier));
}

function importsOf(file: string): string[] {
  const found: string[] = [];
  const pattern =
    /^\s*(?:import|export)\b[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  for (const match of read(file).matchAll(pattern)) found.push(match[1] ?? match[2] ?? match[3]!);
  return found;
}

const resolveImport = (file: string, specifier: string): string => normalize(join(dirname(file), specifier));
const isRelative = (specifier: string): boolean => specifier.startsWith('.');

describe('tidy', () => {
  it('keeps the import table', () => {
    const offences: string[] = [];
    for (const file of product) {
      const folder = folderOf(file);
      const allowed = MAY_IMPORT[folder];
      assert.ok(allowed !== undefined, `${file}: folder ${folder} has no row in the import table`);
      for (const specifier of importsOf(file)) {
        // The deployed bytes of trusted programs: a page holds them as they are.
        if (folder === 'dashboard' && /^(\.\.\/)+trusted\/[a-z0-9]+\.wasm$/.test(specifier)) continue;
        if (isRelative(specifier)) {
          const target = folderOf(resolveImport(file, specifier));
          if (target !== folder && !allowed.includes(target)) offences.push(`${file} imports ${target}/`);
        } else if (PURE.includes(folder)) {
          const name = specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/');
          if (!(PURE_PACKAGES[folder] ?? []).includes(name)) offences.push(`${file} imports ${specifier}`);
        }
      }
    }
    assert.deepEqual(
      offences,
      [],
      'imports point down or, among pure folders, to the right (docs/architecture.md)',
    );
  });

  it('lets no protocol import another', () => {
    const offences = product
      .filter((file) => file.startsWith('src/protocols/') && file.split('/').length > 3)
      .flatMap((file) =>
        importsOf(file)
          .filter(isRelative)
          .map((specifier) => resolveImport(file, specifier))
          .filter(
            (target) => target.startsWith('src/protocols/') && target.split('/')[2] !== file.split('/')[2],
          )
          .map((target) => `${file} imports ${target}`),
      );
    assert.deepEqual(offences, [], 'what two protocols share lives in smr/');
  });

  it('lets no two parts of the replicas share a run of eight lines', () => {
    const places = new Map<string, { readonly file: string; readonly place: string }>();
    const offences: string[] = [];
    for (const file of product.filter((one) => /^src\/(smr|protocols)\//.test(one))) {
      const lines = linesOfCode(read(file));
      for (let at = 0; at + SHARED_LINES_MAX < lines.length; at += 1) {
        const run = lines.slice(at, at + SHARED_LINES_MAX + 1);
        const key = run.map(({ text }) => text).join('\n');
        const place = `${file}:${run[0]!.number}`;
        const known = places.get(key);
        if (known === undefined) places.set(key, { file, place });
        else if (known.file !== file) offences.push(`${place} = ${known.place}`);
      }
    }
    assert.deepEqual(
      offences,
      [],
      'what two protocols share lives in smr/, what two parts of smr/ share in a third',
    );
  });

  it('has no import cycles between files', () => {
    const graph = new Map(
      product.map((file) => [
        file,
        runtimeImportsOf(file)
          .filter(isRelative)
          .map((specifier) => resolveImport(file, specifier)),
      ]),
    );
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open')
        return void cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      state.set(file, 'open');
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of graph.keys()) visit(file, []);
    assert.deepEqual(cycles, []);
  });

  it('keeps clocks, chance, I/O and promises out of pure folders', () => {
    const banned: readonly (readonly [RegExp, string])[] = [
      [/\bDate\b/, 'Date: time is an input'],
      [/\bMath\.random\b/, 'Math.random: use core/prng.ts'],
      [/\bset(Timeout|Interval|Immediate)\b/, 'timers are effects'],
      [/\bprocess\./, 'process: settings are passed in'],
      [/\bconsole\./, 'console: use traces and notes'],
      [/\b(async|await)\b|\bPromise\b/, 'promises: the core is synchronous'],
      [/\bBuffer\b/, 'Buffer: use Uint8Array'],
      [/\blocaleCompare\b|\btoLocale/, 'locale: compare code units'],
      [/['"]node:/, 'node: modules'],
    ];
    const offences: string[] = [];
    for (const file of product.filter((candidate) => PURE.includes(folderOf(candidate)))) {
      const code = stripComments(read(file));
      for (const [pattern, why] of banned) if (pattern.test(code)) offences.push(`${file}: ${why}`);
    }
    assert.deepEqual(offences, []);
  });

  it('keeps to the language subset and leaves no reminders', () => {
    const banned: readonly (readonly [RegExp, string])[] = [
      [/^\s*(export\s+)?(const\s+)?enum\s/m, 'enum: use a union'],
      [/^\s*(export\s+)?namespace\s/m, 'namespace: use modules'],
      [/^export default\b/m, 'default export: name it'],
      [/:\s*any\b(?!\()|\bas any\b|<any>/, 'any: use unknown'],
      [/@ts-(ignore|nocheck|expect-error)/, 'suppressed type error'],
      [/\b(TODO|FIXME|XXX)\b/, 'left-over reminder: do it or file it'],
    ];
    const offences: string[] = [];
    for (const file of sources.filter((candidate) => !candidate.includes('/assembly/'))) {
      const text = read(file);
      const code = stripComments(text);
      for (const [pattern, why] of banned) {
        if (pattern.test(why.startsWith('left-over') ? text : code)) offences.push(`${file}: ${why}`);
      }
    }
    assert.deepEqual(offences, []);
  });

  it('keeps files to 500 lines and functions to about 60', () => {
    const offences: string[] = [];
    for (const file of product) {
      const lines = read(file).split('\n');
      if (lines.length > 501) offences.push(`${file}: ${lines.length} lines; split it by subject`);
      for (const { name, length } of functionLengths(lines)) {
        if (length > 75) offences.push(`${file}: ${name} has ${length} lines; name its steps`);
      }
    }
    assert.deepEqual(offences, []);
  });

  it('has no dead files: everything is reached from an entry point or a test', () => {
    const entries = [
      ...sources.filter(isTest),
      ...files.filter((file) => file.startsWith('test/') && file.endsWith('.ts')),
      ...product.filter((file) => /\/main(-[a-z]+)?\.tsx?$/.test(file) || /\/index\.ts$/.test(file)),
    ];
    const reached = new Set<string>();
    const queue = [...entries];
    const productReached = new Set<string>();
    const visit = (from: readonly string[], into: Set<string>): void => {
      const pending = [...from];
      for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
        if (into.has(file) || !/\.(?:[cm]?[jt]s|tsx)$/.test(file) || !existsSync(join(root, file))) continue;
        into.add(file);
        for (const specifier of importsOf(file).filter(isRelative))
          pending.push(resolveImport(file, specifier));
        for (const match of read(file).matchAll(/new URL\(\s*['"](\.[^'"]+)['"]/g))
          pending.push(resolveImport(file, match[1]!));
      }
    };
    visit(queue, reached);
    visit(
      entries.filter((file) => !isTest(file) && !file.startsWith('test/')),
      productReached,
    );
    assert.deepEqual(
      product.filter((file) => !reached.has(file)),
      [],
      'nothing imports these',
    );
  });

  it('exports no function, class or constant that nobody imports', () => {
    const imported = new Map<string, Set<string>>();
    /** Loaded while it runs: which names are taken from it cannot be seen here. */
    const loaded = new Set<string>();
    const pattern = /\b(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s*from\s+['"](\.[^'"]+)['"]/g;
    for (const file of files.filter((one) => /^(src|test|scripts)\/.*\.(tsx?|mjs)$/.test(one))) {
      const code = stripComments(read(file));
      for (const [, specifier] of code.matchAll(/\bimport\(\s*['"](\.[^'"]+)['"]/g))
        loaded.add(resolveImport(file, specifier!));
      for (const [, names, specifier] of code.matchAll(pattern)) {
        const target = resolveImport(file, specifier!);
        const known = imported.get(target) ?? new Set();
        for (const name of names!.split(','))
          known.add(
            name
              .trim()
              .replace(/^type /, '')
              .split(' as ')[0]!,
          );
        imported.set(target, known);
      }
    }
    const offences: string[] = [];
    for (const file of product.filter((one) => !loaded.has(one) && !/\/main(-[a-z]+)?\.tsx?$/.test(one)))
      for (const [, name] of stripComments(read(file)).matchAll(
        /^export (?:abstract |async )?(?:const|let|function\*?|class) (\w+)/gm,
      ))
        if (imported.get(file)?.has(name!) !== true) offences.push(`${file}: ${name}`);
    assert.deepEqual(
      offences,
      [],
      'used in their own file alone, or not at all: no `export`, or no such thing',
    );
  });

  it('has Markdown links that lead somewhere', () => {
    const offences: string[] = [];
    for (const file of files.filter((candidate) => candidate.endsWith('.md'))) {
      const text = read(file).replace(/```[\s\S]*?```/g, '');
      for (const match of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const target = match[1]!.split('#')[0]!;
        if (target === '' || /^[a-z]+:/.test(target)) continue;
        const path = normalize(join(dirname(file), target));
        if (!existsSync(join(root, path))) offences.push(`${file} -> ${match[1]!}`);
      }
    }
    assert.deepEqual(offences, []);
  });

  it('names no machine, registry or download address', () => {
    const offences: string[] = [];
    const banned = [
      /\/work\/|\/home\/|\/root\//,
      /registry\.npmjs\.org|deb\.debian\.org/,
      /"resolved":\s*"http/,
    ];
    for (const file of files.filter((candidate) =>
      /\.(ts|mjs|js|json|md|sh|txt)$|^\.ci\/run$|^\.npmrc$/.test(candidate),
    )) {
      if (file === relative(root, fileURLToPath(import.meta.url))) continue;
      const text = read(file);
      for (const pattern of banned) if (pattern.test(text)) offences.push(`${file}: ${pattern.source}`);
    }
    assert.deepEqual(offences, []);
  });

  it('cites only rules that exist, and every rule somewhere in code and in a test', () => {
    const listed = new Set<string>();
    for (const file of product.filter((candidate) => candidate.endsWith('/rules.ts'))) {
      for (const match of read(file).matchAll(
        /(?:id:|guard\(|defence\()\s*'([A-Za-z0-9-]+(?:\.[A-Z0-9a-z-]+)+)'/g,
      ))
        listed.add(match[1]!);
    }
    assert.ok(listed.size > 20, 'protocols list their rules in rules.ts');
    const families = [...new Set([...listed].map((id) => id.split('.')[0]!))].join('|');
    const pattern = new RegExp(`\\b((?:${families})\\.[A-Z0-9][A-Za-z0-9-]*(?:\\.[A-Za-z0-9-]+)*)\\b`, 'g');
    const citedInCode = new Set<string>();
    const citedInTests = new Set<string>();
    for (const file of sources) {
      if (file.endsWith('/rules.ts')) continue;
      for (const match of read(file).matchAll(pattern))
        (isTest(file) ? citedInTests : citedInCode).add(match[1]!);
    }
    const unknown = [...citedInCode, ...citedInTests].filter(
      (id) => !listed.has(id) && ![...listed].some((rule) => rule.startsWith(`${id}.`)),
    );
    assert.deepEqual([...new Set(unknown)].sort(), [], 'cited, but in no rules.ts');
    assert.deepEqual(
      [...listed].filter((id) => !citedInCode.has(id)).sort(),
      [],
      'in rules.ts, but no guard cites it',
    );
    assert.deepEqual(
      [...listed].filter((id) => !citedInTests.has(id)).sort(),
      [],
      'in rules.ts, but no test names it',
    );
  });

  it('runs on the pinned runtime', () => {
    assert.ok(Number(process.versions.node.split('.')[0]) >= 24, `this is Node ${process.versions.node}`);
  });
});

/** Lines of code that two files of replicas may have in common in one run, at most. */
const SHARED_LINES_MAX = 7;

/** Lines that say what is done: without imports, type declarations, comments and blank lines. */
function linesOfCode(source: string): { readonly text: string; readonly number: number }[] {
  const found: { text: string; number: number }[] = [];
  let skipping: RegExp | undefined;
  for (const [index, line] of stripComments(source).split('\n').entries()) {
    if (skipping !== undefined) {
      if (skipping.test(line)) skipping = undefined;
      continue;
    }
    if (/^import\b/.test(line)) skipping = /;$/.test(line) ? undefined : /;$/;
    else if (/^(export )?(interface|type) /.test(line))
      skipping = /[;}]$/.test(line) ? undefined : /^}|^\S.*;$|^  .*;$/;
    else if (line.trim() !== '') found.push({ text: line.trim(), number: index + 1 });
  }
  return found;
}

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}

/** Lengths of functions and methods, judged by indentation (prettier makes it reliable). */
function functionLengths(lines: readonly string[]): { name: string; length: number }[] {
  const found: { name: string; length: number }[] = [];
  const named =
    /^(\s*)(?:export\s+)?(?:static\s+|override\s+|async\s+|get\s+)*(?:function\s*\*?\s+)?(#?\w+)(?:<[^(]*>)?\(/;
  lines.forEach((line, index) => {
    const match = named.exec(line);
    if (match === null || /^\s*(if|for|while|switch|catch|return|describe|it|new|assert)\b/.test(line))
      return;
    const indent = match[1]!;
    // The line that opens the body: this one, or the one that closes a signature of several lines.
    const opens = line.endsWith('{')
      ? index
      : line.endsWith('(')
        ? lines.findIndex((next, at) => at > index && next.startsWith(`${indent})`))
        : -1;
    if (opens < 0 || !/\)(: .*)? \{$/.test(lines[opens]!)) return;
    const end = lines.findIndex((next, at) => at > opens && next.startsWith(`${indent}}`));
    if (end > 0) found.push({ name: match[2]!, length: end - index + 1 });
  });
  return found;
}
