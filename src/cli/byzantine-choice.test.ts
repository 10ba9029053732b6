/** `--byzantine`: which replica is told which lie, judged before anything is made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addByzantine,
  describedBehaviours,
  processBehaviours,
  requireBehaviour,
  requireByzantine,
} from './byzantine-choice.ts';
import { CommandFailure, EXIT } from './failure.ts';
import { PROTOCOLS } from '../protocols/catalogue.ts';

function refusal(action: () => unknown): string {
  let message = '';
  assert.throws(action, (error) => {
    assert.ok(error instanceof CommandFailure);
    message = error.message;
    return error.exitCode === EXIT.usage;
  });
  return message;
}

test('lies are added one by one, and what is none is refused', () => {
  const choice = addByzantine('11=silent', addByzantine('0=equivocate', undefined));
  assert.deepEqual(
    [...choice],
    [
      [0, 'equivocate'],
      [11, 'silent'],
    ],
  );
  for (const text of ['equivocate', '0', '0=', 'a=silent', '100=silent'])
    assert.match(
      refusal(() => addByzantine(text, undefined)),
      /takes REPLICA=BEHAVIOUR, .* "moiety fault --help"/,
    );
});

test('a lie is of the protocol, and told to a replica that there is', () => {
  const silent = addByzantine('3=silent', undefined);
  requireByzantine(undefined, 3, { name: 'minbft' });
  requireByzantine(silent, 4, { name: 'pbft' });
  assert.match(
    refusal(() => requireByzantine(silent, 3, { name: 'minbft' })),
    /There is no replica 3; this cluster has replicas 0 to 2\./,
  );
  assert.match(
    refusal(() => requireBehaviour('equivocate', 'pbft')),
    /"equivocate" is a lie in the messages of MinBFT, which pbft does not have\. .*silent.*"none" makes/,
  );
  assert.match(
    refusal(() => requireBehaviour('sing', 'pbft')),
    /^A replica process of pbft takes one behaviour: /,
  );
});

test('each behaviour of a replica process has a sentence', () => {
  for (const protocol of PROTOCOLS) {
    const described = describedBehaviours(protocol);
    assert.deepEqual(
      described.map(({ name }) => name),
      processBehaviours(protocol),
    );
    for (const { name, text } of described)
      assert.match(text, /^[A-Z].{10,}\.$/, `${protocol.name}: ${name}`);
  }
});
