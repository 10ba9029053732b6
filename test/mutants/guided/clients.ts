/** Operations for histories, and histories of the product's client, which is not part of the simulator. */
import { encodeKvOperation } from '../../../src/apps/kv/operations.ts';
import { plainCounting } from '../../../src/client/answer-rules.ts';
import { BundleTracker } from '../../../src/client/bundle-tracker.ts';
import { FastRead } from '../../../src/client/fast-read.ts';
import { finalReply } from '../drawn-clients.ts';
import type { WireResult } from '../../../src/core/client-wire.ts';
import type { Digest } from '../../../src/core/types.ts';
import { encodeOperation } from '../../../src/ledger/operation.ts';
import type { History, Objection } from './history.ts';

/** An operation that writes one byte under a key of one byte. */
export function putOf(key: number, value: number): Uint8Array {
  const put = encodeKvOperation({
    kind: 'put',
    key: new Uint8Array([key, 0]),
    value: new Uint8Array([value]),
  });
  return encodeOperation({ kind: 'app', idempotencyKey: undefined, operation: put });
}

/** A Byzantine replica answers first, and wrongly. */
export const lyingReply: History = {
  name: 'lying-reply',
  story:
    'N = 3. The Byzantine R0 answers before the others, with a result that no correct replica computes. The client asks ' +
    'on until two replicas say the same.',
  play: () => {
    const tracker = new BundleTracker(2, plainCounting(1));
    const txId = '0c'.repeat(32) as Digest;
    const bundle = { digest: '0b'.repeat(32) as Digest, bytes: new Uint8Array(1), session: 1 };
    tracker.track(bundle, [{ number: 1, txId, mayBeOther: false }], 0);
    const answer = (value: number): WireResult => ({
      number: 1,
      txId,
      sequence: 5,
      height: 4,
      result: new Uint8Array([value]),
    });
    const objections: Objection[] = [];
    for (const [replica, value] of [
      [0, 9],
      [1, 1],
      [2, 1],
    ] as const)
      for (const effect of tracker.onReply(replica, finalReply([answer(value)]), 0))
        if (effect.kind === 'result' && effect.result.result[0] !== 1)
          objections.push({
            judge: 'reply',
            text: `the client believes ${effect.result.result[0]}, correct replicas computed 1`,
          });
    return objections;
  },
};

/** A read after a completed write, answered by one that lags and one that lies. */
export const staleRead: History = {
  name: 'stale-read',
  story:
    'N = 3. A write of 2 over 1 was executed by R0 and R2 and acknowledged. R1, correct, has not executed it yet; R2, ' +
    'Byzantine, answers as if it had not. A fast read that starts now hears 1 twice before it hears 2.',
  play: () => {
    const read = new FastRead(3);
    const old = { sequence: 4, height: 4, result: new Uint8Array([1]) };
    const present = { sequence: 5, height: 5, result: new Uint8Array([2]) };
    const objections: Objection[] = [];
    for (const [replica, answer] of [
      [1, old],
      [2, old],
      [0, present],
    ] as const) {
      const verdict = read.onAnswer(replica, answer);
      if (verdict.kind === 'agreed' && verdict.answer.result[0] === 1)
        objections.push({
          judge: 'linearizability',
          text: 'the read gives 1 although the write of 2 was acknowledged before it began',
        });
    }
    return objections.slice(0, 1);
  },
};
