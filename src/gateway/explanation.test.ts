/** `explanation` and `waiting` in `/v1/status`: what the gateway makes of replicas, of its own requests and of processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../client/client.ts';
import { FakeCluster } from '../client/fake-cluster.testing.ts';
import type { FaultList } from './fault-port.ts';
import { createGateway } from './server.ts';

const headers = { host: '127.0.0.1:4600' };

interface Seen {
  readonly waiting: { readonly what: string; readonly lacks: readonly number[] } | null;
  readonly explanation: readonly string[];
}

interface Rows {
  readonly replicas: readonly {
    readonly reachable: boolean;
    readonly role: string;
    readonly supervised?: { readonly state: string };
  }[];
  readonly explanation: readonly string[];
}

async function seen(list: () => Promise<FaultList>): Promise<{ readonly idle: Seen; readonly stuck: Seen }> {
  const cluster = new FakeCluster();
  const { settings, clientKey: key, openChannel } = cluster;
  const client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  const fault = { token: 't', perform: () => Promise.resolve(), list };
  const { server, stop } = createGateway({ client, fault, timeoutMs: 60_000 });
  const look = async (): Promise<Seen> => (await server.inject({ url: '/v1/status', headers })).json<Seen>();
  try {
    await server.inject({ method: 'PUT', url: '/v1/kv/a', headers, payload: '1' });
    const idle = await look();
    cluster.isOrdering = false;
    void server.inject({ method: 'PUT', url: '/v1/kv/b', headers, payload: '2' }).catch(() => undefined);
    let stuck = await look();
    while (stuck.waiting === null || !stuck.explanation.join('').includes('oldest request'))
      stuck = await look();
    return { idle, stuck };
  } finally {
    stop.abort();
    await client.close();
    await server.close();
  }
}

test('the status says whose answers a request lacks, and what the supervisor knows of processes', async () => {
  const report = { reason: 'killed by hand', byzantine: null, cutOff: false };
  const processes = [
    { name: 'gateway', state: 'running', ...report },
    { name: 'replica 1', state: 'stopped', ...report },
  ];
  const { idle, stuck } = await seen(() => Promise.resolve({ behaviours: [], processes }));
  assert.equal(idle.waiting, null);
  assert.deepEqual(idle.explanation, ['Replica 1: its process is stopped: killed by hand.']);
  assert.deepEqual(
    { what: stuck.waiting?.what, lacks: stuck.waiting?.lacks },
    { what: 'answers', lacks: [0, 1, 2] },
  );
  const [sentence] = stuck.explanation.filter((one) => one.includes('oldest request'));
  assert.match(
    sentence!,
    /waits for the answers of 2 more of replicas 0, 1, 2 \(0 of 2 there\), for \d+\.\d s/,
  );
  assert.match(sentence!, /replica 1 is not running \(killed by hand\)/);
});

test('a supervisor that fails or does not answer holds nobody up', async () => {
  for (const list of [
    () => Promise.reject(new Error('gone')),
    () => new Promise<FaultList>(() => undefined),
  ]) {
    const { idle } = await seen(list);
    assert.deepEqual(idle.explanation, []);
  }
});

test('a replica that is dead by its supervisor is told from one that nobody reaches', async () => {
  const cluster = new FakeCluster(2);
  const { settings, clientKey: key, openChannel } = cluster;
  const report = { pid: 4711, reason: null, byzantine: null, cutOff: false };
  const processes = [
    { name: 'gateway', state: 'running', ...report },
    { name: 'replica 0', state: 'running', ...report },
    { name: 'replica 1', state: 'stopped', ...report, pid: null, reason: 'killed by hand' },
    { name: 'replica 2', state: 'running', ...report },
  ];
  const client = await connect({ cluster: settings, key, openChannel, window: 4096 });
  // One was killed, two cannot be reached; another one says of itself what only a supervisor knows.
  for (const id of [1, 2, 3]) cluster.replicas[id]!.behaviour = 'down';
  cluster.replicas[4]!.more = { supervised: { ...processes[2], name: 'replica 4' } };
  const fault = {
    token: 't',
    perform: () => Promise.resolve(),
    list: () => Promise.resolve({ behaviours: [], processes }),
  };
  const { server, stop } = createGateway({ client, fault });
  const unwatched = createGateway({ client });
  const look = async (gateway: typeof server): Promise<Rows> =>
    (await gateway.inject({ url: '/v1/status', headers })).json<Rows>();
  try {
    const { replicas, explanation } = await look(server);
    assert.deepEqual(
      replicas.map(({ reachable, role, supervised }) => [reachable, role, supervised?.state]),
      [
        [true, 'primary', 'running'],
        [false, 'unreachable', 'stopped'],
        [false, 'unreachable', 'running'],
        [false, 'unreachable', undefined],
        [true, 'backup', undefined],
      ],
    );
    const { pid: _, ...shown } = processes[2]!;
    assert.deepEqual(replicas[1]!.supervised, shown, 'numbers of processes are not for everybody');
    assert.deepEqual(explanation.slice(1), [
      'Replica 1: its process is stopped: killed by hand.',
      'Replica 2 is unreachable: connection refused.',
      'Replica 3 is unreachable: connection refused.',
    ]);
    assert.match(explanation[0]!, /^No quorum, as far as can be seen from here: 2 of 5 replicas take part/);
    const alone = await look(unwatched.server);
    assert.ok(alone.replicas.every(({ supervised }) => supervised === undefined));
    assert.ok(alone.explanation.includes('Replica 1 is unreachable: connection refused.'));
  } finally {
    for (const one of [stop, unwatched.stop]) one.abort();
    await client.close();
    await Promise.all([server.close(), unwatched.server.close()]);
  }
});
