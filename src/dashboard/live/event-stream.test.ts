/** Server-sent events. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventStreamParser } from './event-stream.ts';

describe('an event stream', () => {
  it('is read whole however it is cut', () => {
    const text = 'id: 1\nevent: a\ndata: x\ndata: y\n\n: still here\n\ndata:z\r\n\r\nevent: none\n\n';
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new EventStreamParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size))!);
      assert.deepEqual(found, [
        { id: '1', event: 'a', data: 'x\ny' },
        { id: '1', event: 'message', data: 'z' },
      ]);
    }
  });

  it('goes on with the id that it was given', () => {
    assert.deepEqual(new EventStreamParser('r-7').push('data: x\n\n'), [
      { id: 'r-7', event: 'message', data: 'x' },
    ]);
  });

  it('ends at an event that is longer than it may be, in one line or in many', () => {
    const long = 'x'.repeat(1024 * 1024);
    const parser = new EventStreamParser();
    for (let count = 0; count < 8; count += 1) assert.deepEqual(parser.push(long), []);
    assert.equal(parser.push(long), undefined);
    const lines = new EventStreamParser();
    for (let count = 0; count < 7; count += 1) assert.deepEqual(lines.push(`data: ${long}\n`), []);
    assert.equal(lines.push(`data: ${long}\n`), undefined);
  });
});
