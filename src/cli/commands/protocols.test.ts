/** The table of protocols as people see it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { kindsOf, protocolRows, totalOf } from '../../sim/family/table.ts';
import { afterLoss } from '../component-choice.ts';
import { protocolLines } from './protocols.ts';

test('the table fits a terminal, says who is active, and explains its columns below itself', () => {
  const rows = protocolRows();
  const lines = protocolLines(rows, totalOf, kindsOf);
  for (const line of lines) assert.ok([...line].length <= 110, line);
  const [head = '', ...rest] = lines;
  assert.match(head, /^protocol .* N .* active .* component .* safe .* live .* TC calls$/);
  const lineOf = (name: string): string => rest.find((line) => line.startsWith(`${name} `)) ?? '';
  assert.match(lineOf('cheapbft'), /OA +2f\+1 +f\+1 +cash/);
  assert.match(lineOf('pbft'), /C +3f\+1 +all +none/);
  const legend = rest.slice(rest.indexOf(''));
  for (const word of ['code', 'N', 'active', 'component', 'phases', 'safe', 'messages'])
    assert.ok(
      legend.some((line) => line.startsWith(`${word} `)),
      word,
    );
  for (const { name, quorums } of rows) {
    const at = legend.indexOf(`  ${name}`);
    assert.ok(at > 0 && legend[at + 1]!.endsWith(quorums), name);
  }
});

test('the page on choosing tells of every protocol, and of what becomes of a lost component as `up` does', () => {
  const page = readFileSync(new URL('../../../docs/choosing.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  for (const { name, trustedProgram } of PROTOCOLS) {
    assert.ok(
      rows.some((row) => row.includes(`[\`${name}\`](../src/protocols/${name}/README.md)`)),
      name,
    );
    const last = rows.findLast((row) => row.includes(`\`${name}\``)) ?? '';
    const lost = last.split('|').at(-2)!.trim();
    if (trustedProgram === undefined) assert.equal(lost, 'there is none', name);
    else
      assert.equal(
        lost === 're-admitted by RECOVER',
        afterLoss({ name, trustedProgram }).includes('RECOVER'),
        name,
      );
  }
});
