/** Messages that are put together from what their two ends tell. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LiveMoment } from '../../core/live.ts';
import { LiveMessages } from './messages.ts';

const COMMIT = { kind: 'COMMIT', view: 0, sequence: 12, author: 1, counter: 40 } as const;

function tell(messages: LiveMessages, replica: number, moments: readonly LiveMoment[], missed = 0): void {
  messages.add({ replica, moments, missed }, 3);
}

describe('messages between replicas', () => {
  it('pairs what was sent with what was taken, in whatever order the two are told', () => {
    for (const order of ['sender first', 'receiver first']) {
      const messages = new LiveMessages();
      const sent = (): void => tell(messages, 1, [{ at: 'sent', ms: 100, to: 0, ...COMMIT }]);
      const taken = (): void => tell(messages, 0, [{ at: 'taken', ms: 103, from: 1, ...COMMIT }]);
      for (const half of order === 'sender first' ? [sent, taken] : [taken, sent]) half();
      const [one, ...others] = messages.latest(120, false).messages;
      assert.deepEqual(others, []);
      assert.deepEqual([one!.from, one!.to, one!.sentMs, one!.takenMs], [1, 0, 100, 103], order);
      assert.deepEqual(one!.label, COMMIT);
    }
  });

  it('makes one message of a broadcast for each other replica', () => {
    const messages = new LiveMessages();
    tell(messages, 1, [{ at: 'sent', ms: 100, ...COMMIT }]);
    tell(messages, 2, [{ at: 'taken', ms: 102, from: 1, ...COMMIT, refused: 'minbft.C3' }]);
    const seen = messages.latest(120, false).messages;
    assert.deepEqual(
      seen.map(({ to, takenMs, refused }) => [to, takenMs, refused]),
      [
        [0, undefined, undefined],
        [2, 102, 'minbft.C3'],
      ],
    );
  });

  it('pairs equal messages one by one, and never those that differ in view, sequence, author or counter', () => {
    const messages = new LiveMessages();
    const sent = (ms: number): LiveMoment => ({ at: 'sent', ms, to: 0, ...COMMIT });
    tell(messages, 1, [sent(100), sent(200)]);
    tell(messages, 0, [
      { at: 'taken', ms: 101, from: 1, ...COMMIT },
      { at: 'taken', ms: 150, from: 1, ...COMMIT, counter: 41 },
      { at: 'taken', ms: 160, from: 1, ...COMMIT, view: 1 },
      { at: 'taken', ms: 201, from: 1, ...COMMIT },
      { at: 'executed', ms: 5_000, sequence: 12, height: 3, requests: 1 },
    ]);
    const times = messages.latest(120, false).messages.map(({ sentMs, takenMs }) => [sentMs, takenMs]);
    assert.deepEqual(times, [
      [100, 101],
      [undefined, 150],
      [undefined, 160],
      [200, 201],
    ]);
  });

  it('waits a while for the sender before it shows a message that only its receiver told', () => {
    const messages = new LiveMessages();
    tell(messages, 0, [{ at: 'taken', ms: 1_000, from: 1, ...COMMIT }]);
    assert.equal(messages.latest(120, false).messages.length, 0);
    tell(messages, 2, [{ at: 'view', ms: 2_500, view: 1 }]);
    assert.equal(messages.latest(120, false).messages.length, 1);
    assert.equal(messages.latestMs, 2_500);
  });

  it('keeps the latest, says how many are not shown, and never grows beyond a bound', () => {
    const messages = new LiveMessages();
    for (let sequence = 1; sequence <= 5_000; sequence += 1)
      tell(messages, 1, [
        { at: 'sent', ms: sequence, ...COMMIT, sequence },
        { at: 'executed', ms: sequence, sequence, height: sequence, requests: 1 },
      ]);
    const { messages: shown, deeds, notShown } = messages.latest(120, false);
    assert.equal(shown.length, 120);
    assert.equal(notShown, 10_000 - 120);
    assert.deepEqual([shown[0]!.sentMs, shown.at(-1)!.sentMs], [4_941, 5_000]);
    assert.ok(deeds.every(({ ms }) => ms >= 4_941) && deeds.length === 60);
    assert.ok(messages.latest(1_000_000, true).messages.length <= 1_500);
  });

  it('hides gossip unless it is asked for, and does not count it as not shown', () => {
    const messages = new LiveMessages();
    tell(messages, 0, [
      { at: 'sent', ms: 1, kind: 'STATUS' },
      { at: 'sent', ms: 2, to: 1, ...COMMIT },
    ]);
    const { messages: shown, notShown } = messages.latest(120, false);
    assert.deepEqual([shown.length, notShown], [1, 0]);
    assert.equal(messages.latest(120, true).messages.length, 3);
  });

  it('ends where the slowest teller is, but waits for none that is away or tells nothing, nor for ever', () => {
    const messages = new LiveMessages();
    assert.equal(messages.horizon(5_000, 5_000), 0);
    const at = (ms: number): LiveMoment => ({ at: 'sent', ms, to: 0, ...COMMIT, sequence: ms });
    tell(messages, 1, [at(10_000), at(10_200)]);
    tell(messages, 2, [at(10_100)]);
    const untilMs = messages.horizon(10_250, 10_250);
    assert.equal(untilMs, 10_100);
    const until = messages.latest(120, false, untilMs);
    assert.deepEqual(
      until.messages.map(({ sentMs }) => sentMs),
      [10_000, 10_100],
    );
    assert.equal(until.notShown, 1);
    assert.equal(messages.horizon(10_250, 10_250, [2]), 10_200);
    // What a status long after it has not brought is not waited for, nor what the clock says is old.
    assert.equal(messages.horizon(11_900, 12_000), 10_200);
    assert.equal(messages.horizon(10_250, 13_300), 10_200);
    // Replica 2 has told nothing for long.
    tell(messages, 1, [at(12_900)]);
    assert.equal(messages.horizon(12_950, 12_950), 12_900);
  });

  it('keeps what happened before a long quiet time, in which there is only gossip', () => {
    const messages = new LiveMessages();
    tell(messages, 0, [{ at: 'sent', ms: 2, to: 1, ...COMMIT }]);
    for (let ms = 10; ms < 5_000; ms += 1) tell(messages, 0, [{ at: 'sent', ms, kind: 'STATUS', view: 0 }]);
    assert.equal(messages.latest(120, false).messages.length, 1);
    assert.ok(messages.latest(1_000_000, true).messages.length <= 401);
  });

  it('calls a message uncertain when its receiver forgot what it did', () => {
    const messages = new LiveMessages();
    tell(messages, 1, [{ at: 'sent', ms: 100, ...COMMIT }]);
    tell(messages, 2, [], 300);
    const seen = messages.latest(120, false);
    assert.deepEqual(
      seen.messages.map(({ to, isUncertain }) => [to, isUncertain]),
      [
        [0, false],
        [2, true],
      ],
    );
    assert.equal(seen.missed, 300);
  });

  it('knows a protocol with three phases by its PRE-PREPARE', () => {
    const messages = new LiveMessages();
    assert.equal(messages.hasThreePhases, false);
    tell(messages, 0, [{ at: 'sent', ms: 1, kind: 'PRE-PREPARE', view: 0, sequence: 1 }]);
    assert.equal(messages.hasThreePhases, true);
  });
});
