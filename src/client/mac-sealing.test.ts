/** A client of a cluster whose requests have MACs: how it comes by its key, and what it does without one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeClientFrame } from '../core/client-wire.ts';
import { decodeBundle, macBundle } from '../core/request.ts';
import { nodeHash } from '../platform/sha256.ts';
import { connect } from './client.ts';
import { ClientError } from './errors.ts';
import { FakeCluster } from './fake-cluster.testing.ts';
import type { Behaviour } from './fake-cluster.testing.ts';
import type { OpenChannel } from './replica-channels.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A client, and what it sent and got; `spoil` changes what replicas answer about keys. */
async function start(cluster: FakeCluster, spoil?: (replica: number, envelope: Uint8Array) => Uint8Array) {
  const queries: number[] = [];
  const openChannel: OpenChannel = (options) => {
    const channel = cluster.openChannel({
      ...options,
      onFrame: (frame) =>
        options.onFrame(
          frame.kind === 'keyEnvelope' && spoil !== undefined
            ? { ...frame, envelope: spoil(options.member.id, frame.envelope) }
            : frame,
        ),
    });
    return {
      ...channel,
      get isReady(): boolean {
        return channel.isReady;
      },
      send: (payload) => {
        const frame = decodeClientFrame(payload);
        if (frame?.kind === 'keyQuery') queries.push(frame.version);
        if (frame?.kind === 'bundle') {
          const bundle = decodeBundle(nodeHash, cluster.settings, frame.bytes);
          assert.ok(bundle?.macs !== undefined && bundle.signature.length === 0);
        }
        return channel.send(payload);
      },
    };
  };
  const client = await connect({ cluster: cluster.settings, key: cluster.clientKey, openChannel });
  return { client, queries };
}

const withMacs = (): FakeCluster => new FakeCluster(1, false, 'mac');

function behave(cluster: FakeCluster, ...behaviours: Behaviour[]): void {
  behaviours.forEach((behaviour, id) => (cluster.replicas[id]!.behaviour = behaviour));
}

describe('MACs of requests: the client', () => {
  it('asks for its key once and has its operations executed', async () => {
    const { client, queries } = await start(withMacs());
    await Promise.all(Array.from({ length: 20 }, (_, index) => client.put(bytes(`k${index}`), bytes('v'))));
    assert.equal((await client.get(bytes('k7'))).value?.length, 1);
    assert.deepEqual(queries, [1, 1, 1]);
    await client.close();
  });

  it('blocks say that their requests were authenticated by MAC', async () => {
    const cluster = withMacs();
    const { client } = await start(cluster);
    const { height } = await client.put(bytes('k'), bytes('v'));
    assert.equal(cluster.replicas[0]!.blocks[height - 1]!.header.authenticatedBy, 'mac');
    await client.close();
  });

  it('a replica that answers with another envelope, or with none, is outvoted', async () => {
    for (const lie of [new Uint8Array(96), new Uint8Array(0), new Uint8Array(95), undefined]) {
      const { client } = await start(withMacs(), (replica, envelope) =>
        replica === 1 ? (lie ?? envelope.map((byte, at) => (at === 40 ? byte ^ 1 : byte))) : envelope,
      );
      await client.put(bytes('k'), bytes('v'));
      await client.close();
    }
  });

  it('without f+1 equal answers it says why nothing is sent', async () => {
    const { client } = await start(withMacs(), (replica, envelope) =>
      replica === 1 ? envelope : envelope.map((byte) => byte ^ replica ^ 0x55),
    );
    await assert.rejects(client.put(bytes('k'), bytes('v')), (error: ClientError) => {
      assert.equal(error.code, 'unavailable');
      assert.match(error.message, /no 2 replicas gave the same key/);
      return true;
    });
    await client.close();
  });

  it('goes on where one replica is down', async () => {
    const cluster = withMacs();
    behave(cluster, 'correct', 'down', 'correct');
    const { client } = await start(cluster);
    await client.put(bytes('k'), bytes('v'));
    await client.close();
  });

  it('after its key was renewed it asks for the next one, and finds the version that counts in a new life', async () => {
    const cluster = withMacs();
    const first = await start(cluster);
    await first.client.put(bytes('k'), bytes('1'));
    await first.client.renewKey();
    await first.client.put(bytes('k'), bytes('2'));
    await first.client.renewKey();
    await first.client.put(bytes('k'), bytes('3'));
    assert.deepEqual(first.queries.slice(3, 6), [1, 1, 1]);
    await first.client.close();
    const second = await start(cluster);
    await second.client.put(bytes('k'), bytes('4'));
    assert.deepEqual(second.queries, [1, 1, 1, 3, 3, 3]);
    await second.client.close();
  });

  it('does not pass on bundles of others, which nobody outside the replicas could check', async () => {
    const { client } = await start(withMacs());
    const other = {
      clientKey: new Uint8Array(32).fill(5),
      session: 1,
      requests: [{ number: 1, operation: bytes('x') }],
    };
    const bundle = macBundle(nodeHash, client.settings, other, 1, () => new Uint8Array(32));
    await assert.rejects(client.submitBundle(bundle.bytes), /which only replicas can check/);
    await client.close();
  });
});

describe('a signature for each request: the client', () => {
  it('sends one request in each bundle, whatever it is told', async () => {
    const cluster = new FakeCluster(1, false, 'request');
    const counts: number[] = [];
    const client = await connect({
      cluster: cluster.settings,
      key: cluster.clientKey,
      bundleRequestsMax: 50,
      openChannel: (options) => {
        const channel = cluster.openChannel(options);
        return {
          ...channel,
          get isReady(): boolean {
            return channel.isReady;
          },
          send: (payload) => {
            const frame = decodeClientFrame(payload);
            if (frame?.kind === 'bundle')
              counts.push(decodeBundle(nodeHash, cluster.settings, frame.bytes)!.requestCount);
            return channel.send(payload);
          },
        };
      },
    });
    await Promise.all(Array.from({ length: 9 }, (_, index) => client.put(bytes(`k${index}`), bytes('v'))));
    assert.ok(counts.length >= 9 && counts.every((count) => count === 1));
    await client.close();
  });
});
