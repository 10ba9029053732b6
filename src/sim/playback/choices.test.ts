/** Everything that can be chosen in the playground runs, or a sentence says why not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { CHOICE_MAX, liesFor, scriptOfChoices } from './choices.ts';
import { CHOSEN_FAULTS, NETWORKS } from './contract.ts';
import type { ChosenAdversary, Choices, Playback } from './contract.ts';
import { quorumOf } from '../trace/quorums.ts';
import { play } from './play.ts';

const PLAIN: Choices = {
  protocol: 'minbft',
  f: 1,
  seed: 7,
  network: 'calm',
  faults: [],
  adversary: { kind: 'none' },
  clients: 2,
  requests: 3,
  fidelity: 'core',
};

function played(change: Partial<Choices>): Playback {
  const choices = { ...PLAIN, ...change };
  const script = scriptOfChoices(choices);
  if (typeof script === 'string') assert.fail(script);
  const playback = play(script);
  const name = JSON.stringify(choices);
  assert.equal(playback.isCut, false, name);
  // What the address holds is the text.
  assert.equal(play(playback.script).trace.traceHash, playback.trace.traceHash, name);
  return playback;
}

function isClean(change: Partial<Choices>): void {
  const { checkers, trace } = played(change);
  assert.deepEqual(
    checkers.filter(({ found }) => found.length > 0),
    [],
    JSON.stringify(change),
  );
  const believed = trace.events.filter(({ kind }) => kind === 'believe').length;
  assert.ok(believed >= 2 * PLAIN.requests, JSON.stringify(change));
}

function refused(change: object): string {
  const answer = scriptOfChoices({ ...PLAIN, ...change } as Choices);
  assert.equal(typeof answer, 'string', JSON.stringify(change));
  return answer as string;
}

describe('choices', () => {
  for (const { name, replicasFor, trustedProgram } of PROTOCOLS)
    it(`of ${name} run: networks, faults, sizes, two machines as one`, () => {
      for (const network of NETWORKS) isClean({ protocol: name, network });
      for (const what of CHOSEN_FAULTS)
        for (const whom of ['primary', replicasFor(1) - 1] as const)
          isClean({ protocol: name, faults: [{ what, whom, atMs: 22, forMs: 60 }] });
      for (const f of [2, 3]) isClean({ protocol: name, f });
      const half = played({ protocol: name, adversary: { kind: 'twins', replica: 0 } });
      assert.deepEqual(
        half.checkers.filter(({ found }) => found.length > 0),
        [],
        name,
      );
      if (trustedProgram !== undefined) played({ protocol: name, adversary: { kind: 'clone', replica: 0 } });
    });

  it('let a replica tell every lie that it can tell', () => {
    for (const [place, { name }] of PROTOCOLS.entries())
      for (const [index, { name: lie, text }] of liesFor(name, 'core').entries()) {
        assert.ok(text.endsWith('.'));
        // Each lie in two protocols or more; in all of them that would take long.
        if ((index + place) % 4 === 0)
          isClean({ protocol: name, adversary: { kind: 'lie', replica: 0, lie } });
      }
    assert.deepEqual(liesFor('raft', 'core'), []);
    assert.deepEqual(liesFor('pbft', 'whole'), []);
    assert.deepEqual(liesFor('ebawa', 'whole'), []);
    const ofPbft = liesFor('pbft', 'core').map((lie) => lie.name);
    assert.ok(ofPbft.includes('invent') && !ofPbft.includes('equivocate') && !ofPbft.includes('lie-update'));
    assert.ok(liesFor('repbft', 'core').some((lie) => lie.name === 'lie-update'));
  });

  it('show replicas at any moment, also one that has not come to the base of its view yet', () => {
    const adversary = { kind: 'lie', replica: 1, lie: 'deaf' } as const;
    isClean({ protocol: 'ebawa', network: 'lossy', seed: 2, requests: 4, adversary });
  });

  it('run on whole replicas of MinBFT, with every behaviour', () => {
    isClean({ fidelity: 'whole', network: 'lossy' });
    for (const { name: lie } of liesFor('minbft', 'whole').filter((_, index) => index % 5 === 0))
      isClean({ fidelity: 'whole', adversary: { kind: 'lie', replica: 0, lie } });
  });

  it('show that a cloned component breaks agreement, and a shared one does not', () => {
    for (const fidelity of ['core', 'whole'] as const) {
      const { checkers } = played({ fidelity, adversary: { kind: 'clone', replica: 0 } });
      assert.ok(
        checkers.some(({ judge, found }) => judge === 'agreement' && found.length > 0),
        fidelity,
      );
    }
  });

  it('that make no scenario are answered by a sentence', () => {
    const lie = (name: string, replica = 0): ChosenAdversary => ({ kind: 'lie', replica, lie: name });
    const wipe = (whom: number) => ({ what: 'wipe', whom, atMs: 10, forMs: 10 });
    const sentences: readonly [object, RegExp][] = [
      [{ protocol: 'raft' }, /no protocol "raft"/],
      [{ f: 0 }, /f is a whole number from 1 to 3/],
      [{ f: 1.5 }, /f is/],
      [{ seed: -1 }, /seed/],
      [{ network: 'fast' }, /network is one of calm/],
      [{ clients: 9 }, /1 to 4 clients/],
      [{ requests: 0 }, /1 to 50 requests/],
      [{ fidelity: 'half' }, /core or whole/],
      [{ protocol: 'pbft', fidelity: 'whole' }, /MinBFT only/],
      [{ faults: Array.from({ length: CHOICE_MAX.faults + 1 }, () => wipe(0)) }, /12 faults at most/],
      [{ faults: [{ ...wipe(0), what: 'rain' }] }, /one of crash/],
      [{ faults: [wipe(3)] }, /no replica 3: they are 0 to 2/],
      [{ faults: [{ ...wipe(0), atMs: Number.NaN }] }, /Times/],
      [{ faults: [wipe(0), wipe(1)] }, /2 faulty replicas and the cluster is for 1/],
      [{ faults: [wipe(1)], adversary: lie('silent') }, /2 faulty replicas/],
      [{ adversary: lie('honesty') }, /cannot tell the lie "honesty"/],
      [{ adversary: lie('silent', 8) }, /no replica 8/],
      [{ protocol: 'pbft', adversary: { kind: 'clone', replica: 0 } }, /no trusted component/],
      [{ fidelity: 'whole', adversary: { kind: 'twins', replica: 0 } }, /core of the protocol only/],
      [{ adversary: { kind: 'spell', replica: 0 } }, /none, a lie/],
    ];
    for (const [change, words] of sentences) assert.match(refused(change), words);
  });
});

it('a liar that answers falsely is no part of what its client believed', () => {
  for (const fidelity of ['whole', 'core'] as const) {
    const adversary = { kind: 'lie', lie: 'corrupt-reply', replica: 1 } as const;
    const script = scriptOfChoices({ ...PLAIN, requests: 3, fidelity, adversary } as Choices);
    assert.ok(typeof script !== 'string', String(script));
    const { trace } = play(script);
    const from = new Map(
      trace.events.flatMap((event) => (event.kind === 'answer' ? [[event.id, event.from] as const] : [])),
    );
    let believed = 0;
    trace.events.forEach((event, place) => {
      if (event.kind !== 'believe') return;
      believed += 1;
      const authors = quorumOf(trace, place).map((id) => from.get(id));
      assert.ok(authors.length >= 2 && !authors.includes(1), `${fidelity}: ${authors.join()}`);
    });
    assert.ok(believed >= 3);
  }
});
