/**
 * The table of docs/scenarios.md against the repository: every scenario of the catalogue has one row, every row has one
 * state, and whatever a row names as its place (a test, a script, a fault, a lie, a history, ...) is there.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { BEHAVIOURS } from '../../src/adversary/behaviours.ts';
import { PROTOCOLS } from '../../src/protocols/catalogue.ts';
import { CLIENT_LIES } from '../../src/sim/client-lies.ts';
import { FAULT_KINDS } from '../../src/sim/scenario.ts';

const root = new URL('../../', import.meta.url);
const textOf = (file: string): string => readFileSync(new URL(file, root), 'utf8');

/** Families of the catalogue, with how many scenarios each has. */
const FAMILIES: readonly (readonly [family: string, count: number])[] = [
  ['C', 15],
  ['N', 16],
  ['B', 34],
  ['BC', 15],
  ['T', 22],
  ['D', 18],
  ['O', 17],
  ['M', 18],
  ['K', 14],
  ['P', 17],
];
const STATES = ['automated', 'partly', 'waits', 'does not apply'] as const;
type State = (typeof STATES)[number];

interface Row {
  readonly id: string;
  readonly text: string;
  readonly state: State;
  readonly where: string;
}

const document = textOf('docs/scenarios.md');

function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split('\n')) {
    const [, id, phrase, state, where] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (id === undefined || !/^[A-Z]{1,2}-\d\d$/.test(id)) continue;
    assert.ok(STATES.includes(state as State), `${id}: "${state}" is no state`);
    rows.push({ id, text: phrase ?? '', state: state as State, where: where ?? '' });
  }
  return rows;
}

/** What stands between backticks in the last column. */
function referencesOf(where: string): string[] {
  return [...where.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}

function sourceOf(folder: string): string {
  return readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => textOf(`${folder}${file}`))
    .join('\n');
}

const guided = sourceOf('test/mutants/guided/');
const mutants = sourceOf('test/mutants/');
const troubles = textOf('src/sim/component-trouble.ts');
const forks = textOf('src/sim/trusted-faults.ts');
const nemesis = textOf('test/nemesis/nemesis.ts');
const judges = textOf('src/sim/judges/bench.ts');
const targets = textOf('test/fuzz/targets.ts');
const rules = textOf('src/smr/usig-stream/rules.ts') + textOf('src/smr/usig-replica/rules.ts');

/** Kinds of places other than files, and whether there is one of that name. */
const KINDS: Readonly<Record<string, (name: string) => boolean>> = {
  fault: (name) => (FAULT_KINDS as readonly string[]).includes(name),
  lie: (name) => BEHAVIOURS.some((entry) => entry.name === name),
  client: (name) => CLIENT_LIES.some((entry) => entry.name === name),
  trouble: (name) => troubles.includes(`readonly kind: '${name}'`),
  fork: (name) => forks.includes(`'${name}'`),
  history: (name) => guided.includes(`name: '${name}'`),
  mutant: (name) => mutants.includes(`id: '${name}'`),
  nemesis: (name) => nemesis.includes(`['${name}', `),
  judge: (name) => judges.includes(`'${name}'`),
  fuzz: (name) => targets.includes(`name: '${name}'`),
  rule: (name) => rules.includes(`'${name}'`),
};

/** Why a reference leads nowhere; undefined if it leads somewhere. */
function problemOf(reference: string): string | undefined {
  const [file = '', test] = reference.split(' › ');
  if (/^(src|test|scenarios|docs)\//.test(file)) {
    if (!existsSync(new URL(file, root))) return `there is no file ${file}`;
    if (test === undefined || textOf(file).includes(test)) return undefined;
    return `${file} has no test "${test}"`;
  }
  const space = reference.indexOf(' ');
  const known = KINDS[reference.slice(0, space)];
  if (known === undefined) return `"${reference}" is neither a file nor a known kind of place`;
  return known(reference.slice(space + 1)) ? undefined : `there is no ${reference}`;
}

describe('catalogue of scenarios', () => {
  const rows = rowsOf(document);

  it('has one row for every scenario, in order', () => {
    const expected = FAMILIES.flatMap(([family, count]) =>
      Array.from({ length: count }, (_, index) => `${family}-${String(index + 1).padStart(2, '0')}`),
    );
    assert.deepEqual(
      rows.map(({ id }) => id),
      expected,
    );
  });

  it('says of each row what it is and where', () => {
    for (const { id, text, state, where } of rows) {
      assert.ok(text.length > 8, `${id} has no description`);
      const count = referencesOf(where).length;
      if (state === 'automated' || state === 'partly') assert.ok(count > 0, `${id} names no place`);
      // Words beside the references: what is missing, what it waits for, why it does not apply.
      const words = where.replaceAll(/`[^`]+`/g, '');
      if (state !== 'automated') assert.ok(words.length > 12, `${id} gives no reason`);
    }
  });

  it('names only places that exist', () => {
    const problems = rows.flatMap(({ id, where }) =>
      referencesOf(where).flatMap((reference) => {
        const problem = problemOf(reference);
        return problem === undefined ? [] : [`${id}: ${problem}`];
      }),
    );
    assert.deepEqual(problems, []);
  });

  it('counts its rows right', () => {
    for (const state of STATES) {
      const count = rows.filter((row) => row.state === state).length;
      assert.ok(new RegExp(`\\| ${state} +\\| +${count} `).test(document), `there are ${count} "${state}"`);
    }
  });

  it('counts the scripts of each protocol, and names them all', () => {
    const scripts = new Map<string, string[]>();
    for (const file of readdirSync(new URL('scenarios/', root)).sort()) {
      if (!file.endsWith('.txt')) continue;
      const protocol = /^protocol (\S+)$/m.exec(textOf(`scenarios/${file}`))?.[1] ?? 'minbft';
      scripts.set(protocol, [...(scripts.get(protocol) ?? []), file.slice(0, -'.txt'.length)]);
    }
    const all = [...scripts.values()].flat();
    assert.ok(document.includes(`${all.length} scripts stand in \`scenarios/\``), `there are ${all.length}`);
    for (const { name } of PROTOCOLS) {
      const names = scripts.get(name) ?? [];
      assert.ok(names.length >= 2, `${name} has fewer than two scripts`);
      const row = document.split('\n').find((line) => line.startsWith(`| ${name} `)) ?? '';
      const [, , count, cells = ''] = row.split('|').map((cell) => cell.trim());
      assert.deepEqual([Number(count), referencesOf(cells)], [names.length, names], name);
    }
  });

  it('notices a reference that leads nowhere', () => {
    for (const wrong of [
      'src/nowhere.ts',
      'src/index.ts › no such test',
      'fault earthquake',
      'star 7',
      'lie',
      '',
    ])
      assert.notEqual(problemOf(wrong), undefined, wrong);
  });
});
