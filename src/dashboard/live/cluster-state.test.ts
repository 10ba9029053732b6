/** What the page knows of the cluster, and what it says about it: agreement, cards, headline, gaps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agreementOf, lastAgreementOf, withSayings } from './agreement.ts';
import { cardOf } from './cards.ts';
import { lanesOf, NOTHING_KNOWN, withEvent, withNote } from './cluster-state.ts';
import { headlineOf, spokenOf } from './headline.ts';
import type { LiveReplica, LiveStatus } from './status-shape.ts';
import { LiveStore } from './store.ts';

function replica(id: number, more: Partial<LiveReplica> = {}): LiveReplica {
  const place = { view: 0, sequence: 9, confirmed: 9, height: 7, headerHash: 'aa' };
  const base = { id, isReachable: true, role: id === 0 ? 'primary' : 'backup', isTransferring: false };
  return { ...base, ...place, proven: [], suspects: [], ...more };
}

function status(replicas: readonly LiveReplica[], more: Partial<LiveStatus> = {}): LiveStatus {
  const base = { nowMs: 1_000, protocol: 'minbft', f: 1, explanation: [], hasFaults: false, rates: [] };
  return { ...base, replicas, ...more };
}

const UNKNOWN = { state: 'unknown', words: '' } as const;
const LIVE = { state: 'live' } as const;

describe('agreement', () => {
  it('compares replicas where they spoke of the same place, though they spoke at different moments', () => {
    const first = withSayings(new Map(), [replica(0), replica(1, { height: 6, headerHash: 'bb' })]);
    assert.equal(agreementOf(first, 0).state, 'unknown');
    const later = withSayings(first, [replica(0, { height: 8, headerHash: 'cc' }), replica(1)]);
    assert.deepEqual(agreementOf(later, 0), { state: 'agrees', words: 'agrees with 1 at height 7' });
    assert.deepEqual(lastAgreementOf(later, 0), { state: 'unknown', words: 'agreed with 1 at height 7' });
  });

  it('says who differs where', () => {
    const sayings = withSayings(new Map(), [replica(0), replica(1), replica(2, { headerHash: 'zz' })]);
    assert.deepEqual(agreementOf(sayings, 2), { state: 'differs', words: 'differs from 0, 1 at height 7' });
    assert.deepEqual(
      agreementOf(sayings, 0),
      { state: 'agrees', words: 'agrees with 1 at height 7' },
      'one that says something else makes no other one differ',
    );
  });

  it('compares checkpoints too, and nothing that may still be undone', () => {
    const at = { checkpointSequence: 8, stateDigest: 'dd', confirmed: 5 };
    const one = withSayings(new Map(), [replica(0, at), replica(1, { ...at, headerHash: 'other' })]);
    assert.deepEqual(agreementOf(one, 0), { state: 'agrees', words: 'agrees with 1 at checkpoint 8' });
  });

  it('remembers a bounded number of places', () => {
    let sayings = withSayings(new Map(), []);
    for (let height = 1; height < 1_000; height += 1)
      sayings = withSayings(sayings, [replica(0, { height })]);
    assert.ok(sayings.get(0)!.length <= 64);
  });
});

describe('a card', () => {
  it('says where a replica stands', () => {
    const component = { program: 'usig', footprint: 'process', tcEpoch: '0123456789abcdef', counter: 12 };
    const one = replica(1, {
      sequence: 5,
      pendingBundles: 3,
      component: { ...component, isPersistent: false, answers: false },
    });
    const card = cardOf(status([replica(0), one]), one, UNKNOWN, undefined);
    assert.deepEqual(Object.fromEntries(card.rows), {
      view: '0',
      height: '7',
      sequence: '5',
      lag: '4',
      'in flight': '3',
      counter: '12',
    });
    assert.equal(card.component, 'usig@process, epoch 01234567, volatile, does not answer');
    const none = { program: 'none', footprint: 'none', counter: 0, isPersistent: true, answers: true };
    const bare = replica(0, { component: none });
    const other = cardOf(status([bare]), bare, UNKNOWN, undefined);
    assert.deepEqual([other.component, other.rows.at(-1)], ['none in this protocol', ['counter', '–']]);
  });

  it('has the same rows for a replica that is not there', () => {
    const gone: LiveReplica = {
      id: 2,
      isReachable: false,
      reason: 'connection refused',
      role: 'unreachable',
      isTransferring: false,
      proven: [],
      suspects: [],
    };
    const card = cardOf(status([replica(0), gone]), gone, UNKNOWN, undefined);
    assert.deepEqual(
      [card.tone, card.role, card.note],
      ['bad', 'unreachable', 'Unreachable: connection refused.'],
    );
    assert.deepEqual(
      card.rows.map(([, text]) => text),
      ['–', '–', '–', '–', '–', '–'],
    );
    const stopped = {
      replica: 2,
      state: 'stopped',
      reason: undefined,
      behaviour: undefined,
      isCutOff: false,
    };
    assert.equal(cardOf(status([gone]), gone, UNKNOWN, stopped).note, 'Its process is stopped.');
  });

  it('lists proofs first, then each suspicion once with all who have it', () => {
    const accused = replica(2, { proven: [{ replica: 2, rule: 'equivocation' }] });
    const others = [7, 9].map((seconds, id) =>
      replica(id, { suspects: [{ replica: 2, why: `silent for ${seconds} s` }] }),
    );
    const { accusations } = cardOf(status([...others, accused]), accused, UNKNOWN, undefined);
    assert.deepEqual(accusations, [
      { isProven: true, text: 'equivocation', by: [] },
      { isProven: false, text: 'silent for 7 s', by: [0, 1] },
    ]);
  });
});

describe('the headline', () => {
  const all = [replica(0), replica(1), replica(2)];
  const flow = { perSecond: 12, isStopped: false, p50Ms: 3 };
  const still = { perSecond: 0, isStopped: true, p50Ms: null };

  it('says how it flows, or why not', () => {
    const good = headlineOf(status(all), LIVE, flow);
    assert.deepEqual([good.tone, good.sentence], ['good', 'Commits. 12 transactions a second, p50 3 ms.']);
    const why = ['Replica 0 does not answer.'];
    assert.equal(headlineOf(status(all, { explanation: why }), LIVE, flow).tone, 'warn');
    const pending = { pendingBundles: 2 };
    const waiting = status([replica(0, pending), replica(1, pending), ...all.slice(2)], { explanation: why });
    const bad = headlineOf(waiting, LIVE, still);
    assert.deepEqual([bad.tone, bad.sentence], ['bad', 'Nothing commits: 2 request bundles wait.']);
    assert.deepEqual(bad.reasons, why);
    // Just stopped: the mean of the last seconds is not zero yet.
    assert.equal(headlineOf(waiting, LIVE, { ...flow, isStopped: true }).tone, 'bad');
    const said = status(waiting.replicas, {
      explanation: ['Nothing commits. No quorum.', 'Nothing commits.'],
    });
    assert.deepEqual(headlineOf(said, LIVE, still).reasons, ['No quorum.', 'Nothing commits.']);
    assert.match(headlineOf(status(all), LIVE, still).sentence, /^Idle/);
    const silent = status([
      replica(0, { pendingBundles: 1, waitsFor: 'waits for 1' }),
      replica(1, { isReachable: false }),
    ]);
    assert.deepEqual(headlineOf(silent, LIVE, still), {
      tone: 'bad',
      sentence: 'Nothing commits: one request bundle waits.',
      reasons: ['Replica 0 waits for 1.', 'Replica 1 does not answer.'],
    });
  });

  it('says when the page itself hears nothing', () => {
    const lost = { state: 'reconnecting', sinceMs: 5, why: 'The gateway cannot be reached.' } as const;
    assert.match(headlineOf(undefined, lost, still).sentence, /does not answer/);
    assert.match(headlineOf(status(all), lost, flow).sentence, /^What you see is old/);
    assert.match(headlineOf(undefined, { state: 'denied' }, still).sentence, /token/);
    assert.match(headlineOf(undefined, { state: 'connecting' }, still).sentence, /^Connecting/);
  });

  it('is read out again only when something else than a number changes', () => {
    const first = spokenOf(headlineOf(status(all), LIVE, flow));
    assert.equal(spokenOf(headlineOf(status(all), LIVE, { ...flow, perSecond: 99 })), first);
    const told = (seconds: number): string =>
      spokenOf(headlineOf(status(all, { explanation: [`Nothing of 2 for ${seconds} s.`] }), LIVE, still));
    assert.equal(told(3), told(44));
    assert.notEqual(told(3), first);
  });
});

describe('what is known of the cluster', () => {
  it('remembers when replicas were away, what was done, and the rates, each within bounds', () => {
    let state = withEvent(NOTHING_KNOWN, { kind: 'status', status: status([replica(0), replica(1)]) });
    const away = replica(1, { isReachable: false });
    state = withEvent(state, { kind: 'status', status: status([replica(0), away], { nowMs: 2_000 }) });
    state = withEvent(state, { kind: 'status', status: status([replica(0), away], { nowMs: 2_500 }) });
    assert.deepEqual(state.gaps, [{ replica: 1, fromMs: 2_000, untilMs: undefined }]);
    state = withEvent(state, { kind: 'status', status: status([replica(0), replica(1)], { nowMs: 3_000 }) });
    assert.deepEqual(lanesOf(state, undefined)[1]!.down, [{ replica: 1, fromMs: 2_000, untilMs: 3_000 }]);
    for (let count = 0; count < 100; count += 1) state = withNote(state, `note ${count}`, count);
    assert.ok(state.notes.length <= 32);
    assert.equal(new Set(state.notes.map(({ id }) => id)).size, state.notes.length);
  });

  it('marks lanes of replicas that lie, by proof or on order', () => {
    const proven = replica(0, { proven: [{ replica: 0, rule: 'x' }] });
    const state = withEvent(NOTHING_KNOWN, {
      kind: 'status',
      status: status([proven, replica(1), replica(2)]),
    });
    const process = { replica: 1, state: 'running', reason: undefined, behaviour: 'silent', isCutOff: false };
    const lanes = lanesOf(state, { actions: [], behaviours: [], processes: [process] });
    assert.deepEqual(
      lanes.map(({ isByzantine, note }) => [isByzantine, note]),
      [
        [true, 'primary, view 0'],
        [true, 'backup, view 0'],
        [false, 'backup, view 0'],
      ],
    );
  });

  it('is told to the views, however much happens, once in a while', () => {
    const due: (() => void)[] = [];
    const store = new LiveStore(
      (tell) => due.push(tell),
      () => 5_000,
    );
    let told = 0;
    const stop = store.subscribe(() => (told += 1));
    const moments = { replica: 0, moments: [{ at: 'sent', ms: 1, kind: 'COMMIT' }], missed: 0 } as const;
    // Nobody knows yet how many replicas there are.
    store.take({ kind: 'moments', moments });
    store.take({ kind: 'status', status: status([replica(0), replica(1), replica(2)]) });
    store.take({ kind: 'moments', moments });
    store.note('killed');
    // By the clock of the gateway, not by that of the browser.
    assert.equal(store.state.notes[0]!.atMs, 1_000);
    assert.equal(due.length, 1);
    due[0]!();
    assert.equal(told, 1);
    assert.equal(store.messages.latest(10, true).messages.length, 2);
    stop();
    store.note('again');
    due[1]!();
    assert.equal(told, 1);
  });
});
