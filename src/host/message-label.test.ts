import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelOfMessage } from './message-label.ts';

const ui = { replica: 2, counter: 9, tcEpoch: '00', authenticator: new Uint8Array(1) };

test('a label has what the message has, and no field besides', () => {
  const prepare = { kind: 'PREPARE', view: 1, sequence: 7, ui };
  assert.deepEqual(labelOfMessage(prepare), { kind: 'PREPARE', view: 1, sequence: 7, author: 2, counter: 9 });
  // A COMMIT has the place of its PREPARE, and its own author.
  const commit = { kind: 'COMMIT', prepare, ui: { ...ui, replica: 0, counter: 4 } };
  assert.deepEqual(labelOfMessage(commit), { kind: 'COMMIT', view: 1, sequence: 7, author: 0, counter: 4 });
  assert.deepEqual(labelOfMessage({ kind: 'REQ-VIEW-CHANGE', replica: 1, target: 3 }), {
    kind: 'REQ-VIEW-CHANGE',
    view: 3,
    author: 1,
  });
  assert.deepEqual(labelOfMessage({ kind: 'NEW-VIEW', header: { view: 4, ui }, viewChanges: [] }), {
    kind: 'NEW-VIEW',
    view: 4,
    author: 2,
    counter: 9,
  });
});

test('an attested message has the place of its content and the value of its object', () => {
  const content = { kind: 'PREPARE', view: 1, sequence: 5 };
  const vote = { kind: 'PREPARE', author: 3, content, attestation: { kind: 'object', value: 12 } };
  assert.deepEqual(labelOfMessage(vote), { kind: 'PREPARE', view: 1, sequence: 5, author: 3, counter: 12 });
  const signed = { ...vote, attestation: { kind: 'host' } };
  assert.equal('counter' in labelOfMessage(signed), false);
});

test('anything has a label', () => {
  for (const message of [undefined, null, 7, 'x', {}, { kind: 'X', view: 'one', prepare: null }])
    assert.equal(typeof labelOfMessage(message).kind, 'string');
});
