/** What becomes of calls that wait while their session turns out to be gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeClientFrame } from '../core/client-wire.ts';
import type { ReplicaFrame } from '../core/client-wire.ts';
import { decodeBundle } from '../core/request.ts';
import type { Digest } from '../core/types.ts';
import { nodeHash } from '../platform/sha256.ts';
import { connect } from './client.ts';
import type { MoietyClient } from './contract.ts';
import { FakeCluster } from './fake-cluster.testing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A client whose session is in use, and how f+1 replicas say that they do not know it. */
async function connected(cluster: FakeCluster): Promise<{ client: MoietyClient; loseSession: () => void }> {
  const says: ((frame: ReplicaFrame) => void)[] = [];
  let latest: Digest | undefined;
  const client = await connect({
    cluster: cluster.settings,
    key: cluster.clientKey,
    connectTimeoutMs: 500,
    openChannel: (options) => {
      const channel = cluster.openChannel(options);
      says[options.member.id] = (frame) => options.onFrame(frame);
      return {
        get isReady() {
          return channel.isReady;
        },
        reason: '',
        close: () => channel.close(),
        send: (payload) => {
          const frame = decodeClientFrame(payload);
          if (frame?.kind === 'bundle')
            latest = decodeBundle(nodeHash, cluster.settings, frame.bytes)?.digest;
          return channel.send(payload);
        },
      };
    },
  });
  await client.put(bytes('warm'), bytes(''));
  const loseSession = (): void => {
    for (const say of says.slice(0, 2)) say({ kind: 'refused', bundle: latest!, reason: 'unknownSession' });
  };
  return { client, loseSession };
}

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const failureOf = (call: Promise<unknown>): Promise<{ code?: string }> =>
  call.then(
    () => ({}),
    (error: { code?: string }) => error,
  );

test('what was never sent goes to the next session, unless its caller was told that it was not sent', async (t) => {
  const cluster = new FakeCluster();
  const { client, loseSession } = await connected(cluster);
  t.after(() => client.close());
  cluster.isOrdering = false;
  const sent = Array.from({ length: 12 }, (_, index) =>
    failureOf(client.put(bytes(`k${index}`), bytes('v'))),
  );
  await turns(4);
  // Too few to be worth a bundle of their own while the other is on the way.
  const givenUp = failureOf(client.put(bytes('givenUp'), bytes('v'), { timeoutMs: 30 }));
  const kept = client.put(bytes('kept'), bytes('v'));
  loseSession();
  for (const failure of await Promise.all(sent)) assert.equal(failure.code, 'refused');
  assert.equal((await givenUp).code, 'overloaded');
  cluster.isOrdering = true;
  cluster.order();
  assert.equal((await kept).existed, false);
  assert.equal((await client.get(bytes('givenUp'))).value, undefined);
});

test('a call keeps its deadline when it goes to the next session', async (t) => {
  const cluster = new FakeCluster();
  const { client, loseSession } = await connected(cluster);
  t.after(() => client.close());
  cluster.isOrdering = false;
  const sent = failureOf(client.put(bytes('sent'), bytes('v')));
  const begun = performance.now();
  await turns(4);
  const moved = failureOf(client.put(bytes('moved'), bytes('v'), { timeoutMs: 400 }));
  loseSession();
  assert.equal((await sent).code, 'refused');
  await turns(4);
  // The OPEN is ordered, what the session carries is not.
  cluster.isOrdering = true;
  cluster.order();
  cluster.isOrdering = false;
  assert.equal((await moved).code, 'timeout');
  assert.ok(performance.now() - begun < 5_000);
});
