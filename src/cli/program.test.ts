/** The commands as a whole: what help says, and that docs/cli.md has them all. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { GENERIC_LIES } from '../adversary/generic/lies.ts';
import { SIMULATED } from './byzantine-choice.ts';
import { createProgram } from './main.ts';
import { rangeOf } from './options.ts';
import { withReference } from './reference.ts';

function all(command: Command): Command[] {
  return [command, ...command.commands.flatMap(all)];
}

const plain = (text: string): string => text.replaceAll(/\s+/g, ' ');

test('help tells the range of every number', () => {
  let numbers = 0;
  for (const command of all(createProgram())) {
    const text = plain(command.helpInformation());
    for (const { flags, parseArg } of command.options) {
      const range = rangeOf(parseArg);
      if (range === undefined) continue;
      numbers += 1;
      const [, behind = ''] = text.split(plain(flags));
      assert.ok(behind.includes(range), `${command.name()} ${flags}: ${range}`);
    }
  }
  assert.ok(numbers > 30);
});

test('help to a reader that goes away ends quietly', () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const script = 'set -o pipefail; "$0" "$1" sim --help | true';
  const { status, stderr } = spawnSync('bash', ['-c', script, process.execPath, main], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('docs/cli.md has every command and option', () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const program = createProgram();
  assert.equal(page, withReference(page, program), 'write it anew: npm run cli:page');
  for (const command of all(program).slice(1)) {
    if (command.name() === 'help') continue;
    assert.ok(page.includes(` ${command.name()}`), command.name());
    for (const { flags } of command.options)
      assert.ok(page.includes(`\`${flags}\``), `${command.name()} ${flags}`);
  }
});

test('help of fault explains the lies of every protocol', () => {
  let text = '';
  const fault = createProgram().commands.find((command) => command.name() === 'fault')!;
  fault.configureOutput({ writeOut: (more) => void (text += more) }).outputHelp();
  for (const { name, text: words } of GENERIC_LIES)
    assert.equal(text.includes(`  ${name.padEnd(18)} ${words}`), !SIMULATED.includes(name), name);
  assert.match(text, /Behaviours of MinBFT, lies in its messages:\n +\S+ +\S/);
});
