import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeKvOperation } from '../apps/kv/operations.ts';
import { trustOf } from '../ledger/trust.ts';
import { verifyReceipt } from '../ledger/verify.ts';
import { connect } from './client.ts';
import type { ConnectOptions } from './client.ts';
import type { LedgerEvent, MoietyClient } from './contract.ts';
import { FakeCluster } from './fake-cluster.testing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value: string): Uint8Array =>
  encodeKvOperation({ kind: 'put', key: bytes(key), value: bytes(value) });

async function using(
  cluster: FakeCluster,
  body: (client: MoietyClient & { whenResumed(): Promise<void> }) => Promise<void>,
  options: Partial<ConnectOptions> = {},
): Promise<void> {
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, connectTimeoutMs: 500, ...options });
  try {
    await body(client);
  } finally {
    await client.close();
  }
}

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

test('puts, gets, swaps, lists and deletes', async () => {
  await using(new FakeCluster(), async (client) => {
    const first = await client.put(bytes('a'), bytes('1'));
    assert.equal(first.existed, false);
    assert.equal(first.height, 1);
    const swap = { key: bytes('a'), expected: bytes('1'), value: bytes('2') };
    assert.equal((await client.compareAndSwap(swap)).swapped, true);
    const again = await client.compareAndSwap(swap);
    assert.equal(again.swapped, false);
    assert.deepEqual(again.current, bytes('2'));
    const read = await client.get(bytes('a'));
    assert.deepEqual(read.value, bytes('2'));
    assert.equal(read.path, 'fast');
    await client.put(bytes('b'), bytes('3'));
    const page = await client.list({ prefix: bytes(''), limit: 1 });
    assert.deepEqual(page.next, bytes('a'));
    assert.equal((await client.delete(bytes('a'))).existed, true);
    assert.equal((await client.get(bytes('a'))).value, undefined);
  });
});

test('a session opens although block time was carried years ahead, or the own clock is years behind', async () => {
  for (const years of [30, -30]) {
    const cluster = new FakeCluster();
    const farMs = years * 365 * 86_400_000;
    cluster.aheadMs = Math.max(0, farMs);
    const now = () => Date.now() + Math.min(0, farMs);
    await using(
      cluster,
      async (client) => {
        assert.equal((await client.put(bytes('a'), bytes('1'))).existed, false);
      },
      years > 0 ? {} : { now },
    );
  }
});

test('a session opens although block time was carried to its very end', async () => {
  const cluster = new FakeCluster();
  cluster.aheadMs = Number.MAX_SAFE_INTEGER - Date.now() - 60_000;
  await using(cluster, async (client) => {
    assert.equal((await client.put(bytes('a'), bytes('1'))).existed, false);
  });
});

test('one lying, one forging or one mute replica changes no answer', async () => {
  for (const behaviour of ['lying', 'forged', 'mute', 'down'] as const) {
    for (const id of [0, 2]) {
      const cluster = new FakeCluster();
      cluster.replicas[id]!.behaviour = behaviour;
      await using(cluster, async (client) => {
        const written = await client.put(bytes('k'), bytes('v'));
        assert.equal(written.height, 1, `${behaviour} ${id}`);
        const read = await client.get(bytes('k'));
        assert.deepEqual(read.value, bytes('v'));
        if (behaviour !== 'forged') assert.equal(read.path, 'ordered');
      });
    }
  }
});

test('f = 2: two liars with equal lies are not believed', async () => {
  const cluster = new FakeCluster(2);
  cluster.replicas[1]!.behaviour = 'lying';
  cluster.replicas[3]!.behaviour = 'lying';
  await using(cluster, async (client) => {
    assert.equal((await client.put(bytes('k'), bytes('v'))).height, 1);
    const seen = await client.transaction((await client.put(bytes('k'), bytes('w'))).txId);
    assert.equal(seen.state, 'committed');
  });
});

test('lost replies are asked for again and nothing is executed twice', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    await client.put(bytes('k'), bytes('0'));
    for (const replica of cluster.replicas) replica.loseReplies = 1;
    const written = await client.put(bytes('k'), bytes('1'));
    assert.equal(written.height, 2);
    assert.equal(cluster.replicas[0]!.executor.height, 2);
  });
});

test('an ordered read whose result was lost is read anew', async () => {
  const cluster = new FakeCluster();
  cluster.replicas[2]!.behaviour = 'down';
  await using(cluster, async (client) => {
    await client.put(bytes('k'), bytes('0'));
    for (const replica of cluster.replicas) replica.loseReplies = 1;
    const read = await client.get(bytes('k'));
    assert.deepEqual([read.value, read.path], [bytes('0'), 'ordered']);
  });
});

test('many calls of one turn share bundles, in order, within the window', async () => {
  const cluster = new FakeCluster();
  await using(
    cluster,
    async (client) => {
      await client.put(bytes('warm'), bytes(''));
      const before = cluster.received[0]!;
      const calls = Array.from({ length: 100 }, (_, index) => client.submit(put(`k${index}`, 'v')));
      const heights = (await Promise.all(calls)).map((one) => one.height);
      assert.deepEqual(
        heights,
        [...heights].sort((a, b) => a - b),
      );
      // Window 64: two bundles.
      assert.equal(cluster.received[0]! - before, 2);
    },
    { window: 64 },
  );
});

test('what is held back while others are on the way is sent soon even if no answer comes', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    await client.put(bytes('warm'), bytes(''));
    cluster.isOrdering = false;
    const before = cluster.received[0]!;
    const turns = async (count: number): Promise<void> => {
      for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    const calls = Array.from({ length: 20 }, (_, index) => client.submit(put(`k${index}`, 'v')));
    await turns(4);
    calls.push(client.submit(put('small', 'v')));
    await turns(4);
    assert.equal(cluster.received[0]! - before, 1);
    while (cluster.received[0]! - before < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    cluster.isOrdering = true;
    cluster.order();
    assert.equal((await Promise.all(calls)).length, 21);
  });
});

test('bundles of one request each, where that is asked for: each request is signed by itself', async () => {
  const cluster = new FakeCluster();
  await using(
    cluster,
    async (client) => {
      const calls = Array.from({ length: 50 }, (_, index) => client.put(bytes(`k${index}`), bytes('v')));
      const sequences = (await Promise.all(calls)).map(({ sequence }) => sequence);
      // One bundle each, in order.
      assert.equal(new Set(sequences).size, 50);
      assert.deepEqual(
        sequences,
        [...sequences].sort((x, y) => x - y),
      );
    },
    { bundleRequestsMax: 1 },
  );
});

test('a full queue is an error at once, not a growing heap', async () => {
  const cluster = new FakeCluster();
  await using(
    cluster,
    async (client) => {
      await client.put(bytes('warm'), bytes(''));
      cluster.isOrdering = false;
      const calls = Array.from({ length: 40 }, () => client.submit(put('k', 'v')));
      const settled = Promise.allSettled(calls);
      setImmediate(() => setImmediate(() => ((cluster.isOrdering = true), cluster.order())));
      const refused = (await settled).filter((one) => one.status === 'rejected');
      assert.ok(refused.length >= 20);
      assert.ok(refused.every((one) => code('overloaded')(one.reason)));
    },
    { window: 8 },
  );
});

test('no quorum: a timeout names the transaction, which is found later', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    await client.put(bytes('warm'), bytes(''));
    cluster.isOrdering = false;
    const error = await client.submit(put('k', 'v'), { timeoutMs: 30 }).catch((failure: unknown) => failure);
    assert.ok(code('timeout')(error));
    const { txId } = error as { txId: never };
    assert.equal((await client.transaction(txId)).state, 'pending');
    cluster.isOrdering = true;
    cluster.order();
    await client.put(bytes('x'), bytes(''));
    assert.equal((await client.transaction(txId)).state, 'committed');
  });
});

test('f+1 BUSY are an overload that says when to try again', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    await client.put(bytes('warm'), bytes(''));
    cluster.isOrdering = false;
    for (const replica of cluster.replicas) replica.behaviour = 'busy';
    const error = await client.submit(put('k', 'v')).catch((failure: unknown) => failure);
    assert.ok(code('overloaded')(error));
    assert.equal((error as { retryAfterMs?: number }).retryAfterMs, 300);
    await assert.rejects(client.submit(put('k', 'v')), code('overloaded'));
  });
});

test('an idempotency key is executed once, and the second call gets the first transaction', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    const idempotencyKey = bytes('key-1');
    const first = await client.submit(put('k', 'v'), { idempotencyKey });
    const second = await client.submit(put('k', 'v'), { idempotencyKey });
    assert.deepEqual(second, first);
    assert.equal(cluster.replicas[0]!.executor.height, 1);
    await assert.rejects(client.submit(put('k', 'other'), { idempotencyKey }), code('refused'));
  });
});

test('an unregistered client is told what to do', async () => {
  const cluster = new FakeCluster();
  const stranger = new FakeCluster().clientKey;
  await using(
    cluster,
    async (client) => {
      await assert.rejects(client.put(bytes('k'), bytes('v')), /unknownClient.*client register/);
    },
    { key: stranger },
  );
});

test('arguments beyond their bounds are refused before anything is sent', async () => {
  const cluster = new FakeCluster();
  await using(cluster, async (client) => {
    await assert.rejects(client.put(bytes(''), bytes('v')), code('invalid'));
    await assert.rejects(client.put(new Uint8Array(1025), bytes('v')), code('invalid'));
    await assert.rejects(client.put(bytes('k'), new Uint8Array(48 * 1024 + 1)), code('invalid'));
    await assert.rejects(client.list({ prefix: bytes(''), limit: 0 }), code('invalid'));
    await assert.rejects(client.submit(new Uint8Array(70_000)), code('invalid'));
    await assert.rejects(client.submitBundle(new Uint8Array(10)), code('invalid'));
    assert.deepEqual(cluster.received, [0, 0, 0]);
  });
});

test('a crash loses no call and repeats none: the state file resends the same bytes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-client-'));
  const stateFile = join(folder, 'client.state');
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  try {
    const first = await connect({ cluster: settings, key, openChannel, stateFile });
    await first.put(bytes('a'), bytes('1'));
    cluster.isOrdering = false;
    const before = cluster.received[0]!;
    const lost = first.put(bytes('b'), bytes('2')).catch((error: unknown) => error);
    while (cluster.received[0] === before) await new Promise((resolve) => setImmediate(resolve));
    const crashed = readFileSync(stateFile);
    assert.equal(statSync(stateFile).mode & 0o777, 0o600);
    await assert.rejects(
      connect({
        cluster: settings,
        key: new FakeCluster().clientKey,
        openChannel,
        stateFile: `${folder}/x/y`,
      }),
    );
    await first.close();
    assert.ok(code('closed')(await lost));
    // What a crash leaves: no mark of a proper close, and a torn record at the end.
    writeFileSync(stateFile, Buffer.concat([crashed, Buffer.from([1, 2, 3])]));
    cluster.isOrdering = true;
    cluster.order();
    const second = await connect({ cluster: settings, key, openChannel, stateFile });
    await second.whenResumed();
    assert.deepEqual((await second.get(bytes('b'))).value, bytes('2'));
    assert.equal(cluster.replicas[0]!.executor.height, 2);
    await second.put(bytes('c'), bytes('3'));
    const sequence = cluster.replicas[0]!.executor.executed;
    await second.close();
    // A proper close: the same session goes on, so no OPEN is ordered.
    const third = await connect({ cluster: settings, key, openChannel, stateFile });
    const written = await third.put(bytes('d'), bytes('4'));
    assert.equal(written.sequence, sequence + 1);
    await third.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a receipt verifies offline, and a block carries its own proof', async () => {
  const cluster = new FakeCluster();
  cluster.replicas[1]!.behaviour = 'mute';
  await using(cluster, async (client) => {
    const { txId, height } = await client.put(bytes('k'), bytes('v'));
    const receipt = new TextDecoder().decode(await client.receipt(txId));
    assert.equal(verifyReceipt(receipt, trustOf(cluster.settings)).valid, true);
    const proven = await client.block(height);
    assert.deepEqual(
      proven?.signatures.map((one) => one.replica),
      [0, 2],
    );
    assert.equal(await client.block(99), undefined);
    await assert.rejects(client.receipt('ab'.repeat(32) as never), code('notFound'));
  });
});

test('status is each replica in its own words; the dead are named with a reason', async () => {
  const cluster = new FakeCluster();
  cluster.replicas[1]!.behaviour = 'down';
  await using(cluster, async (client) => {
    await client.put(bytes('k'), bytes('v'));
    const status = await client.status();
    assert.deepEqual(
      status.map((one) => one.reachable),
      [true, false, true],
    );
    assert.deepEqual(status[1], { id: 1, reachable: false, reason: 'connection refused' });
  });
});

test('events are dense, complete and resumable from any number', async () => {
  const cluster = new FakeCluster();
  cluster.replicas[2]!.behaviour = 'lying';
  await using(cluster, async (client) => {
    await Promise.all(Array.from({ length: 10 }, (_, index) => client.submit(put(`k${index}`, 'v'))));
    await client.put(bytes('late'), bytes('1'));
    const take = async (from: number | 'latest', count: number): Promise<LedgerEvent[]> => {
      const events: LedgerEvent[] = [];
      for await (const event of client.events(from)) if (events.push(event) === count) break;
      return events;
    };
    const all = await take(1, 11);
    assert.deepEqual(
      all.map((event) => event.number),
      Array.from({ length: 11 }, (_, index) => index + 1),
    );
    const rest = await take(5, 7);
    assert.deepEqual(
      rest.map((event) => event.transaction.id),
      all.slice(4).map((event) => event.transaction.id),
    );
    const next = take('latest', 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { txId } = await client.put(bytes('new'), bytes('1'));
    assert.deepEqual(
      (await next).map((event) => [event.number, event.transaction.id]),
      [[12, txId]],
    );
  });
});

test('bundles of another client are carried, bad seals are refused here', async () => {
  const cluster = new FakeCluster();
  const captured: Uint8Array[] = [];
  const { decodeClientFrame } = await import('../core/client-wire.ts');
  await using(cluster, async (client) => client.put(bytes('k'), bytes('v')).then(() => undefined), {
    openChannel: (options) => {
      const channel = cluster.openChannel(options);
      return {
        get isReady() {
          return channel.isReady;
        },
        reason: '',
        close: () => channel.close(),
        send: (payload) => {
          const frame = decodeClientFrame(payload);
          if (frame?.kind === 'bundle') captured.push(frame.bytes);
          return channel.send(payload);
        },
      };
    },
  });
  const bundle = captured.at(-1)!;
  await using(cluster, async (client) => {
    const [executed] = await client.submitBundle(bundle);
    assert.equal(executed?.height, 1);
    const broken = bundle.slice();
    broken[broken.length - 1]! ^= 1;
    await assert.rejects(client.submitBundle(broken), code('invalid'));
  });
  assert.equal(cluster.replicas[0]!.executor.height, 1);
});

test('no method throws, wherever a call goes wrong: it gives a promise that is rejected', async () => {
  await using(new FakeCluster(), async (client) => {
    const failure = new Error('no such option');
    // Read when the operation is encoded already.
    const options = {
      get timeoutMs(): number {
        throw failure;
      },
    };
    const [key, value] = [bytes('a'), bytes('1')];
    const calls = [
      client.submit(put('a', '1'), options),
      client.noop(options),
      client.put(key, value, options),
      client.delete(key, options),
      client.compareAndSwap({ key, expected: undefined, value }, options),
      client.read(value, options),
    ];
    for (const call of calls) await assert.rejects(call, failure);
    await assert.rejects(client.put(bytes(''), value), code('invalid'));
    assert.equal((await client.put(key, value)).existed, false, 'the client goes on');
  });
});
