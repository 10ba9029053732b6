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

test('a label names the batch that is proposed or voted for, where the message does', () => {
  const digest = '0123456789abcdef'.repeat(4);
  const other = 'f'.repeat(64);
  const prepare = { kind: 'PREPARE', view: 1, sequence: 7, batchDigest: digest, digest: other, ui };
  const attested = (content: object) => ({ author: 1, digest: other, content, attestation: {} });
  const about = (message: object) => labelOfMessage(message).about;
  assert.equal(about(prepare), '01234567');
  assert.equal(about({ kind: 'COMMIT', prepare, digest: other, ui }), '01234567');
  assert.equal(about(attested({ kind: 'PREPARE', view: 1, sequence: 5, digest })), '01234567');
  assert.equal(about(attested({ kind: 'PREPREPARE', view: 1, sequence: 5, batch: digest })), '01234567');
  const quoted = attested({ kind: 'PREPARE', instance: 0, offset: 1, batch: digest });
  assert.equal(about(attested({ kind: 'COMMIT', instance: 0, offset: 1, prepare: quoted })), '01234567');
  // The digest of a message itself, of a view or of a state is that of no batch.
  for (const message of [
    { kind: 'REQUEST-VIEW-CHANGE', digest: other },
    { kind: 'COMMIT-VECTOR', prepares: [prepare], digest: other, ui },
    attested({ kind: 'NV-ACK', view: 1, digest: other }),
    attested({ kind: 'CHECKPOINT', sequence: 8, stateDigest: other }),
    attested({ kind: 'PREPARE', sequence: 5, digest: 7 }),
  ])
    assert.equal('about' in labelOfMessage(message), false);
});

test('anything has a label', () => {
  for (const message of [undefined, null, 7, 'x', {}, { kind: 'X', view: 'one', prepare: null }])
    assert.equal(typeof labelOfMessage(message).kind, 'string');
});
