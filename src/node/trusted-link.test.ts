import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest, TcEpoch } from '../core/types.ts';
import type { OnResponse, TrustedConnection } from '../footprints/contract.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../trusted/frames.ts';
import { TrustedLink } from './trusted-link.ts';

const FIRST = '00000000000000aa' as TcEpoch;
const SECOND = '00000000000000bb' as TcEpoch;
const OTHER = Uint8Array.of(1, 2, 3);

/** One end of a component that can be killed, frozen and thawed. */
class Component implements TrustedConnection {
  readonly #tcEpoch: TcEpoch;
  readonly #waiting: (() => void)[] = [];
  #listener: (reason: string) => void = () => undefined;
  isFrozen = false;
  requests = 0;

  constructor(tcEpoch: TcEpoch) {
    this.#tcEpoch = tcEpoch;
  }

  send(request: Uint8Array, onResponse: OnResponse): void {
    this.requests += 1;
    const answer = (): void => onResponse(this.#answer(request));
    if (this.isFrozen) this.#waiting.push(answer);
    else queueMicrotask(answer);
  }

  #answer(request: Uint8Array): Uint8Array {
    if (decodeTrustedRequest(request)?.op !== 'identify') return OTHER;
    const identity = {
      program: 'usig',
      measurement: '01'.repeat(32) as Digest,
      suite: 'ed25519',
      tcId: '02'.repeat(16),
      tcEpoch: this.#tcEpoch,
      publicKey: '03'.repeat(32),
      persistent: false,
      counter: 0,
    } as const;
    return encodeTrustedResponse({ op: 'identify', identity });
  }

  onClose(listener: (reason: string) => void): void {
    this.#listener = listener;
  }

  close(): void {}

  thaw(): void {
    this.isFrozen = false;
    for (const answer of this.#waiting.splice(0)) answer();
  }

  kill(): void {
    this.#listener('killed');
  }
}

interface Stage {
  readonly link: TrustedLink;
  readonly first: Component;
  readonly seen: string[];
}

/** A link whose component, once lost, is found again as `next`. */
function stage(next: Component, probeMs = 60_000): Stage {
  const first = new Component(FIRST);
  const seen: string[] = [];
  const link = new TrustedLink({
    channel: first,
    open: () => Promise.resolve(next),
    tcEpoch: () => FIRST,
    answerMs: 20,
    probeMs,
    events: {
      onResponse: (id) => seen.push(`response ${id}`),
      onLost: (reason) => seen.push(`lost: ${reason}`),
      onBack: () => seen.push('back'),
      onProblem: (problem) => seen.push(`problem: ${problem}`),
      onReplaced: (before, now) => seen.push(`replaced ${before} ${now}`),
    },
  });
  return { link, first, seen };
}

async function until(seen: readonly string[], what: RegExp): Promise<void> {
  for (let round = 0; !seen.some((one) => what.test(one)); round += 1) {
    assert.ok(round < 1_000, `not seen: ${what} in ${seen.join(', ')}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

test('a component that was killed and keeps its state is found again', async () => {
  const { link, first, seen } = stage(new Component(FIRST));
  first.kill();
  link.call(1, OTHER);
  await until(seen, /back/);
  link.call(2, OTHER);
  await until(seen, /response 2/);
  assert.deepEqual(seen, ['lost: killed', 'back', 'response 2']);
  link.close();
});

test('one that came back as another component is asked for nothing but its name', async () => {
  const next = new Component(SECOND);
  const { link, first, seen } = stage(next);
  first.kill();
  await until(seen, /replaced/);
  link.call(1, OTHER);
  assert.deepEqual(seen, ['lost: killed', `replaced ${FIRST} ${SECOND}`]);
  assert.equal(next.requests, 1);
});

test('one that hangs is reported until it answers', async () => {
  const { link, first, seen } = stage(new Component(FIRST));
  first.isFrozen = true;
  link.call(1, OTHER);
  link.call(2, OTHER);
  await until(seen, /lost/);
  first.thaw();
  await until(seen, /response 2/);
  assert.deepEqual(seen, ['lost: it has not answered for 20 ms', 'response 1', 'response 2']);
  link.close();
});

test('one that hangs while nothing is asked of it is noticed, too', async () => {
  const { link, first, seen } = stage(new Component(FIRST), 5);
  first.isFrozen = true;
  const keepAlive = setInterval(() => undefined, 50);
  await until(seen, /lost/);
  first.thaw();
  await until(seen, /back/);
  clearInterval(keepAlive);
  link.close();
});
