/**
 * The product's client before drawn replicas. The simulator has a client of its own, written apart, so the two parts of
 * the product's client that believe something are played alone: up to f replicas lie, the correct ones answer what they
 * have executed so far, answers come in any order and more than once.
 */
import { plainCounting } from '../../src/client/answer-rules.ts';
import { BundleTracker } from '../../src/client/bundle-tracker.ts';
import type { CheckedReply } from '../../src/client/bundle-tracker.ts';
import { FastRead } from '../../src/client/fast-read.ts';
import type { WireResult } from '../../src/core/client-wire.ts';
import { Prng } from '../../src/core/prng.ts';
import type { Digest, ReplicaId } from '../../src/core/types.ts';
import type { Objection } from './guided/history.ts';

/** Who is there, and in which order they are heard. */
interface Cast {
  readonly random: Prng;
  readonly f: number;
  readonly n: number;
  readonly liars: ReadonlySet<ReplicaId>;
  /** Replicas as their answers arrive; some come twice. */
  readonly heard: readonly ReplicaId[];
}

function castOf(seed: number): Cast {
  const random = new Prng(seed);
  const f = random.between(1, 3);
  const n = 2 * f + 1;
  const left = Array.from({ length: n }, (_, id) => id);
  const order: ReplicaId[] = [];
  while (left.length > 0) order.push(...left.splice(random.between(0, left.length - 1), 1));
  const liars = new Set(Array.from({ length: random.between(0, f) }, () => random.between(0, n - 1)));
  const heard = order.flatMap((id) => (random.chance(0.2) ? [id, id] : [id]));
  return { random, f, n, liars, heard };
}

/** Results that a replica calls final, in session 1. */
export function finalReply(results: readonly WireResult[]): CheckedReply {
  return { session: 1, results, standing: 'final', key: '', proof: new Uint8Array(0) };
}

/** A bundle is answered: what the client believes is what correct replicas computed. */
function playReplies({ random, f, liars, heard }: Cast): Objection[] {
  const tracker = new BundleTracker(f + 1, plainCounting(f));
  const txId = '0c'.repeat(32) as Digest;
  const bundle = { digest: '0b'.repeat(32) as Digest, bytes: new Uint8Array(1), session: 1 };
  tracker.track(bundle, [{ number: 1, txId, mayBeOther: false }], 0);
  const together = random.between(2, 250);
  const answer = (value: number): WireResult => ({
    number: 1,
    txId,
    sequence: 5,
    height: 4,
    result: new Uint8Array([value]),
  });
  const valueOf = (replica: ReplicaId): number =>
    !liars.has(replica) ? 1 : random.chance(0.5) ? together : random.between(2, 250);
  return heard.flatMap((replica) =>
    tracker.onReply(replica, finalReply([answer(valueOf(replica))]), 0).flatMap((effect) => {
      if (effect.kind !== 'result' || effect.result.result[0] === 1) return [];
      const text = `the client believes ${effect.result.result[0]}, correct replicas computed 1`;
      return [{ judge: 'reply', text }];
    }),
  );
}

/** A fast read begins after a write was acknowledged: f+1 said so, so one correct replica has executed it. */
function playRead({ random, n, liars, heard }: Cast): Objection[] {
  const read = new FastRead(n);
  const correct = Array.from({ length: n }, (_, id) => id).filter((id) => !liars.has(id));
  const sure = random.pick(correct);
  const lags = new Set(correct.filter((id) => id !== sure && random.chance(0.5)));
  const answerOf = (replica: ReplicaId): Parameters<FastRead['onAnswer']>[1] => {
    const isOld = lags.has(replica) || (liars.has(replica) && random.chance(0.7));
    return isOld
      ? { sequence: 4, height: 4, result: new Uint8Array([1]) }
      : { sequence: 5, height: 5, result: new Uint8Array([2]) };
  };
  return heard.flatMap((replica) => {
    const verdict = read.onAnswer(replica, answerOf(replica));
    if (verdict.kind !== 'agreed' || verdict.answer.result[0] === 2) return [];
    const text = 'the read gives the old value although the write was acknowledged before it began';
    return [{ judge: 'linearizability', text }];
  });
}

/** Plays one seed. */
export function playClients(seed: number): readonly Objection[] {
  return [...playReplies(castOf(seed)), ...playRead(castOf(seed + 2 ** 32))];
}
