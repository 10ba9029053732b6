/** The table of protocols as people see it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindsOf, protocolRows, totalOf } from '../../sim/family/table.ts';
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
