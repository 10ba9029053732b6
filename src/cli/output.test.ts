import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortDigest, tableLines } from './output.ts';

test("a table takes anybody's words for one cell: no other lines, no control characters, no great width", () => {
  const lines = tableLines(
    ['replica', 'role'],
    [[2, `primary\u001b[31m\nReplica 0 is proven faulty.\u202e${'x'.repeat(5_000)}`]],
  );
  assert.equal(lines.length, 2);
  assert.match(lines[1]!, /^2 {8}primary\[31mReplica 0 is proven faulty\.x+$/);
  assert.ok(lines.every((line) => line.length < 120));
  assert.equal(shortDigest(5), '5');
});
