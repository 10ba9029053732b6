import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { CLIENT_WIRE_VERSION, decodeReplicaFrame, encodeClientFrame } from '../core/client-wire.ts';
import type { QueryTopic, ReplicaFrame } from '../core/client-wire.ts';
import type { ClusterFiles } from './cluster.testing.ts';
import { makeClusterFiles } from './cluster.testing.ts';
import { EvidenceStore } from './evidence-store.ts';
import { linkIdentityOf, readKeyFile } from './keys.ts';
import { readClusterFile, readNodeConfig } from './node-config.ts';
import { readStopNote } from './process-log.ts';
import { ReplicaProcess } from './replica-process.ts';
import type { ReplicaProcessOptions } from './replica-process.ts';
import type { TrustedConnection } from '../footprints/contract.ts';
import { stopTrustedProcess } from '../footprints/process/launcher.ts';
import type { HostStatus } from '../host/status.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** A trusted component that never answers: enough for everything around a replica. */
const MUTE: TrustedConnection = { send: () => undefined, onClose: () => undefined, close: () => undefined };
const OPTIONS: ReplicaProcessOptions = { openTrusted: async () => MUTE };

let folder: string;
let cluster: ClusterFiles;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-node-'));
  cluster = await makeClusterFiles(folder, { trusted: false });
});
after(() => fs.rmSync(folder, { recursive: true }));

function replicaOf(id: number, change: Record<string, unknown> = {}): ReplicaProcess {
  const file = path.join(folder, `changed-${id}.json`);
  const config = JSON.parse(fs.readFileSync(cluster.configs[id]!, 'utf8')) as Record<string, unknown>;
  fs.writeFileSync(file, JSON.stringify({ ...config, ...change }));
  return new ReplicaProcess(readNodeConfig(file), OPTIONS);
}

/** Asks one replica one question over a real connection. */
async function ask(
  port: number,
  topic: QueryTopic,
  argument: string,
  of: ClusterFiles = cluster,
): Promise<ReplicaFrame & { kind: 'queryAnswer' }> {
  const key = readKeyFile(of.clientKeyFile);
  const identity = linkIdentityOf(key, 'client');
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['moiety-client/1'],
    key: identity.key,
    cert: identity.certificate,
  });
  const send = (bytes: Uint8Array): void => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(bytes.length, 0);
    socket.write(Buffer.concat([head, bytes]));
  };
  const { clusterId } = of.settings;
  send(
    encodeClientFrame({
      kind: 'hello',
      version: CLIENT_WIRE_VERSION,
      clusterId,
      clientKey: rawPublicKeyOf(key)!,
    }),
  );
  send(encodeClientFrame({ kind: 'query', id: 7, topic, argument }));
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    while (received.length >= 4 && received.length >= 4 + received.readUInt32BE(0)) {
      const end = 4 + received.readUInt32BE(0);
      const frame = decodeReplicaFrame(new Uint8Array(received.subarray(4, end)));
      received = received.subarray(end);
      if (frame?.kind !== 'queryAnswer') continue;
      socket.destroy();
      return frame;
    }
  }
  throw new Error('closed without an answer');
}

describe('replica process', () => {
  it('starts, answers queries, stops in order, starts again', async () => {
    for (let round = 0; round < 2; round += 1) {
      const replica = replicaOf(0);
      await replica.start();
      const json = async (topic: QueryTopic, argument = ''): Promise<Record<string, unknown>> => {
        const answer = await ask(replica.port, topic, argument);
        assert.ok(answer.found);
        return JSON.parse(new TextDecoder().decode(answer.bytes)) as Record<string, unknown>;
      };
      const status = await json('status');
      assert.equal(status['id'], 0);
      assert.equal(status['role'], 'starting');
      assert.equal((status['process'] as { durability: string }).durability, 'fsync');
      const metrics = await json('metrics');
      assert.match(String(metrics['text']), /moiety_height\{replica="0"\} 0/);
      for (const [topic, argument] of [
        ['block', '1'],
        ['block', '-1'],
        ['transaction', 'zz'],
        ['transaction', '00'.repeat(32)],
        ['receipt', '00'.repeat(32)],
        ['events', 'number:1'],
        ['events', 'height:x'],
        ['evidence', '../keys/host.pem'],
      ] as const)
        assert.equal((await ask(replica.port, topic, argument)).found, false, `${topic} ${argument}`);
      await replica.stop();
    }
  });

  it('refuses a second process on one folder', async () => {
    const first = replicaOf(1);
    await first.start();
    const child = spawnSync(
      process.execPath,
      [path.join(import.meta.dirname, 'main-replica.ts'), '--config', cluster.configs[1]!],
      { encoding: 'utf8', timeout: 20_000 },
    );
    assert.equal(child.status, 3);
    assert.match(child.stderr, new RegExp(`in use by another replica process \\(process ${process.pid}\\)`));
    await first.stop();
  });

  it('refuses a store of another cluster, another replica, a newer or older version, and a foreign folder', async () => {
    const mark = path.join(cluster.folders[2]!, 'store', 'format.json');
    fs.mkdirSync(path.dirname(mark), { recursive: true });
    const attempts: readonly (readonly [string, RegExp])[] = [
      [JSON.stringify({ format: 3, clusterId: 'ab'.repeat(32), replica: 2 }), /belongs to cluster abab/],
      [
        JSON.stringify({ format: 3, clusterId: cluster.settings.clusterId, replica: 1 }),
        /belongs to replica 1, not/,
      ],
      [
        JSON.stringify({ format: 4, clusterId: cluster.settings.clusterId, replica: 2 }),
        /format 4, this version/,
      ],
      [
        JSON.stringify({ format: 2, clusterId: cluster.settings.clusterId, replica: 2 }),
        /format 2, this version/,
      ],
      ['null', /unreadable/],
      ['{', /unreadable/],
    ];
    for (const [content, expected] of attempts) {
      fs.writeFileSync(mark, content);
      await assert.rejects(replicaOf(2).start(), expected);
    }
    fs.renameSync(mark, path.join(path.dirname(mark), 'photo.jpg'));
    await assert.rejects(replicaOf(2).start(), /not a store of this program/);
    fs.rmSync(path.dirname(mark), { recursive: true });
  });

  it('names a port in use, a wrong key, a wrong cluster file, an unknown field', async () => {
    const blocker = net.createServer();
    await new Promise<void>((done) => blocker.listen(0, '127.0.0.1', () => done()));
    const { port } = blocker.address() as net.AddressInfo;
    await assert.rejects(
      replicaOf(2, { listen: `127.0.0.1:${port}` }).start(),
      /is in use by another program/,
    );
    await new Promise((done) => blocker.close(done));
    const otherKey = path.join(cluster.folders[0]!, 'keys', 'host.pem');
    await assert.rejects(
      replicaOf(2, { hostKey: otherKey }).start(),
      /not the one that cluster\.json registers/,
    );
    await assert.rejects(replicaOf(2, { linkKey: 'nowhere.pem' }).start(), /nowhere\.pem cannot be read/);
    await assert.rejects(replicaOf(2, { replica: 9 }).start(), /has no replica 9/);
    assert.throws(() => replicaOf(2, { colour: 'red' }), /unknown field "colour"/);
    assert.throws(() => replicaOf(2, { durability: 'maybe' }), /fsync, os or memory/);
    const text = fs.readFileSync(path.join(folder, 'cluster.json'), 'utf8');
    const changed = path.join(folder, 'changed.json');
    fs.writeFileSync(changed, text.replace('replica-0', 'replica-x'));
    assert.throws(() => readClusterFile(changed), /changed after it was made/);
    fs.writeFileSync(changed, text.slice(0, 100));
    assert.throws(() => readClusterFile(changed), /is not JSON/);
    fs.chmodSync(otherKey, 0o644);
    assert.throws(() => readKeyFile(otherKey), /can be read by others.*chmod 600/);
    fs.chmodSync(otherKey, 0o600);
  });

  it('refuses a damaged journal with the way back, and leaves a note', async () => {
    const replica = replicaOf(2);
    await replica.start();
    await replica.stop();
    const journal = path.join(cluster.folders[2]!, 'store', 'journal', 'journal-0000000001.log');
    fs.writeFileSync(journal, 'garbage');
    const child = spawnSync(
      process.execPath,
      [path.join(import.meta.dirname, 'main-replica.ts'), '--config', cluster.configs[2]!],
      { encoding: 'utf8', timeout: 20_000 },
    );
    assert.equal(child.status, 3);
    assert.match(child.stderr, /journal-0000000001\.log is damaged at offset 0.*moiety fault wipe/);
    assert.match(readStopNote(cluster.folders[2]!)!.reason, /is damaged/);
    fs.rmSync(path.join(cluster.folders[2]!, 'store'), { recursive: true });
    const again = replicaOf(2);
    await again.start();
    assert.equal(readStopNote(cluster.folders[2]!), undefined);
    await again.stop();
  });
});

describe('trusted folders of two replicas', () => {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-swap-'));
  let files: ClusterFiles;
  const trustedOf = (id: number): string => path.join(files.folders[id]!, 'trusted');

  /** Starts a replica until it has judged its component, then ends both. Why it refused, or how it goes on. */
  async function startAndStop(id: number): Promise<{ refused?: string; role?: unknown; tcEpoch?: unknown }> {
    let ended = false;
    const options = { onStopped: () => void (ended = true) };
    const replica = new ReplicaProcess(readNodeConfig(files.configs[id]!), options);
    await replica.start();
    let role: unknown = 'starting';
    let tcEpoch: unknown;
    while (!ended && role === 'starting') {
      const answer = await ask(replica.port, 'status', '', files).catch(() => undefined);
      if (answer === undefined) continue;
      const status = JSON.parse(new TextDecoder().decode(answer.bytes)) as HostStatus;
      ({ role } = status);
      ({ tcEpoch } = status.tc);
    }
    await replica.stop();
    await stopTrustedProcess(trustedOf(id));
    const refused = readStopNote(files.folders[id]!)?.reason;
    return refused === undefined ? { role, tcEpoch } : { refused };
  }

  function swap(): void {
    const aside = path.join(place, 'aside');
    fs.renameSync(trustedOf(0), aside);
    fs.renameSync(trustedOf(1), trustedOf(0));
    fs.renameSync(aside, trustedOf(1));
  }

  before(async () => {
    files = await makeClusterFiles(place, { trusted: true });
  });
  after(async () => {
    for (const id of [0, 1, 2]) await stopTrustedProcess(trustedOf(id));
    fs.rmSync(place, { recursive: true });
  });

  it(
    'that were swapped are refused and unchanged: put back, both replicas go on',
    { timeout: 60_000 },
    async () => {
      swap();
      for (const [id, other] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const { refused } = await startAndStop(id);
        assert.match(
          String(refused),
          new RegExp(`component of replica ${other}: .*were mixed up.*nothing was changed`),
        );
      }
      swap();
      for (const id of [0, 1]) {
        const { tcEpoch } = files.settings.members[id]!.trusted;
        assert.deepEqual(await startAndStop(id), { role: id === 0 ? 'primary' : 'backup', tcEpoch });
      }
    },
  );
});

describe('evidence store', () => {
  it('keeps a few proofs a rule, over restarts, and gives nothing else', () => {
    const evidence = path.join(folder, 'evidence');
    const { clusterId } = cluster.settings;
    const store = new EvidenceStore(evidence, clusterId, 0);
    for (let index = 0; index < 10; index += 1)
      store.add(1, 'SOME.RULE/equivocation', Uint8Array.of(index), 5);
    assert.equal(store.add(1, 'SOME.RULE/equivocation', Uint8Array.of(0), 5), false);
    assert.equal(store.list().length, 4);
    fs.writeFileSync(path.join(evidence, 'other.json'), '{}');
    const again = new EvidenceStore(evidence, clusterId, 0);
    assert.deepEqual(again.list().length, 4);
    const file = JSON.parse(again.read(again.list()[0]!.name)!) as { rule: string; foundBy: number };
    assert.equal(file.rule, 'SOME.RULE_equivocation');
    assert.equal(again.read('other.json'), undefined);
    assert.equal(again.read('../cluster.json'), undefined);
  });
});
