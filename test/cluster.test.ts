/** The product from outside: real processes, real sockets, real disks; the acceptance list of the first version. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, LocalCluster, moiety, processesOf, startMoiety } from './support/local-cluster.ts';

const ROWS = 3_000;

function writeTable(path: string): void {
  const lines = ['code,name,country'];
  for (let row = 0; row < ROWS; row += 1) {
    if (row === 1_000) lines.push('only,two');
    lines.push(`A${row},"Name, of ${row}",C${row % 50}`);
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
}

describe('a local cluster', { timeout: 240_000 }, () => {
  const cluster = new LocalCluster(21_600);
  before(() => cluster.start());
  after(() => cluster.dispose());

  it('serves HTTP and shows equal replicas', async () => {
    const put = await fetch(`${cluster.url}/v1/kv/hello`, { method: 'PUT', body: 'world' });
    const written = (await put.json()) as { txId: string; height: number; sequence: number };
    assert.equal(put.status, 200);
    assert.match(written.txId, /^[0-9a-f]{64}$/);
    assert.ok(written.height >= 1 && written.sequence >= 1);
    assert.equal(await (await fetch(`${cluster.url}/v1/kv/hello`)).text(), 'world');
    const replicas = await cluster.converged();
    assert.deepEqual(
      replicas.map(({ id }) => id),
      [0, 1, 2],
    );
    assert.equal(new Set(replicas.map(({ stateDigest }) => stateDigest)).size, 1);
    assert.deepEqual(
      replicas.map(({ tc }) => `${tc.program}@${tc.footprint}`),
      Array(3).fill('usig@process'),
    );
  });

  it('answers the key-value commands with documented exit codes', () => {
    assert.equal(cluster.run('put', 'a/1', 'one').code, 0);
    assert.equal(cluster.run('get', 'a/1').out, 'one');
    assert.equal(cluster.run('cas', 'a/1', 'one', 'two').code, 0);
    assert.equal(cluster.run('cas', 'a/1', 'one', 'three').code, 1);
    assert.equal(cluster.run('list', 'a/').out, 'a/1\ttwo\n');
    assert.equal(cluster.run('del', 'a/1').code, 0);
    assert.equal(cluster.run('get', 'a/1').code, 1);
  });

  it('gives receipts that verify offline, and not with one byte changed or for another cluster', () => {
    const { txId } = JSON.parse(cluster.run('put', 'r', '1', '--json').out) as { txId: string };
    const path = join(cluster.root, 'receipt.json');
    assert.equal(cluster.run('receipt', txId, '-o', path).code, 0);
    const trust = join(cluster.data, 'trust.json');
    const good = moiety('verify', path, '--trust', trust);
    assert.equal(good.code, 0, good.out);
    assert.equal(good.out.trim().split('\n').length, 5);
    const bytes = readFileSync(path);
    for (const at of [0, 40, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      const changedPath = join(cluster.root, 'changed.json');
      writeFileSync(changedPath, changed);
      assert.equal(moiety('verify', changedPath, '--trust', trust).code, 1, `byte ${at}`);
    }
    const other = JSON.parse(readFileSync(trust, 'utf8')) as { clusterId: string };
    other.clusterId = 'ab'.repeat(32);
    const otherPath = join(cluster.root, 'other-trust.json');
    writeFileSync(otherPath, JSON.stringify(other));
    assert.equal(moiety('verify', path, '--trust', otherPath).code, 1);
  });

  it('refuses a second supervisor, another number of replicas and a port in use', async () => {
    const second = moiety('up', '--data', cluster.data);
    assert.equal(second.code, 1);
    assert.match(second.err, /Another "moiety up" uses/);
    const server = createServer().listen(21_650, '127.0.0.1');
    await new Promise((done) => server.once('listening', done));
    const taken = moiety('up', '--data', join(cluster.root, 'x'), '--port', '21650');
    server.close();
    assert.equal(taken.code, 1);
    assert.match(taken.err, /Port in use: 21650 \(gateway\).*--port/);
  });

  it('loads a table while the primary is killed: every row once, malformed ones told', async () => {
    const table = join(cluster.root, 'table.csv');
    writeTable(table);
    const load = startMoiety(
      'load',
      table,
      '--key',
      'code',
      '--prefix',
      't/',
      '--data',
      cluster.data,
      '--json',
      '--inflight',
      '256',
    );
    let out = '';
    let err = '';
    load.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text));
    load.stderr!.setEncoding('utf8').on('data', (text: string) => (err += text));
    const primary = cluster.replicas().find(({ role }) => role === 'primary')!.id;
    assert.equal(cluster.run('fault', 'kill', String(primary)).code, 0);
    await eventually('the load ends', 60_000, () => (load.exitCode === null ? undefined : true));
    assert.equal(load.exitCode, 0, err);
    const { written, malformed } = JSON.parse(out) as { written: number; malformed: number };
    assert.deepEqual({ written, malformed }, { written: ROWS, malformed: 1 });
    assert.match(err, /line 1002 is malformed/);
    assert.equal(cluster.run('fault', 'restart', String(primary)).code, 0);
    await cluster.converged();
    const keys = cluster.run('list', 't/', '--keys').out.trim().split('\n');
    assert.equal(new Set(keys).size, ROWS);
    const events = cluster
      .run('tail', '--from', '1', '--json', '--count', String(ROWS))
      .out.trim()
      .split('\n');
    const loaded = events.map((line) => (JSON.parse(line) as { operation: { key: string } }).operation.key);
    const ofTable = loaded.filter((key) => key.startsWith('t%2F'));
    assert.equal(new Set(ofTable).size, ofTable.length, 'a row is in the ledger twice');
  });

  it('is re-admitted after the loss of a store', async () => {
    const epoch = cluster.replicas()[2]!.tc.tcEpoch;
    assert.equal(cluster.run('fault', 'wipe', '2').code, 0);
    assert.equal(cluster.run('put', 'while-2-is-empty', 'x').code, 0);
    assert.equal(cluster.run('fault', 'restart', '2').code, 0);
    const replicas = await cluster.converged(60_000);
    assert.notEqual(replicas[2]!.tc.tcEpoch, epoch, 'the trusted component was renewed');
  });

  it('resumes after everything was killed at once, and leaves no process after SIGTERM', async () => {
    await cluster.killEverything();
    assert.equal(cluster.run('status').code, 3);
    await cluster.start();
    assert.equal(cluster.run('get', 'hello').out, 'world');
    await cluster.converged(60_000);
    assert.equal(await cluster.signal('SIGTERM'), 0);
    assert.deepEqual(processesOf(cluster.data), []);
    const other = cluster.run('up', '--replicas', '5');
    assert.equal(other.code, 1);
    assert.match(other.err, /holds a cluster of 3 replicas, not 5/);
  });

  it('names an equivocating replica as proven', async () => {
    cluster.run('down');
    await cluster.start('--fresh', '--byzantine', '0=equivocate');
    let count = 0;
    // It lies by chance, so it is given occasions until it is caught.
    const replicas = await eventually('replica 0 is proven', 60_000, () => {
      for (let more = 0; more < 5; more += 1)
        assert.equal(cluster.run('put', `k${(count += 1)}`, 'v').code, 0);
      const seen = cluster.replicas();
      return seen[0]!.proven.length > 0 ? seen : undefined;
    });
    assert.deepEqual(
      replicas.slice(1).flatMap(({ proven }) => proven),
      [],
      'a correct replica is accused',
    );
    assert.match(cluster.run('status').out, /Replica 0 is proven faulty/);
    assert.equal(cluster.run('down', '--wipe').code, 0);
  });
});

describe('wrong usage', () => {
  it('is told with exit code 2', () => {
    assert.equal(moiety('frobnicate').code, 2);
    assert.equal(moiety('status', '--frobnicate').code, 2);
    // A folder that is not there: what lies in the working folder must not matter.
    const nowhere = join(tmpdir(), 'mo-nowhere');
    assert.equal(moiety('up', '--data', nowhere, '--replicas', '4').code, 2);
    assert.equal(moiety('up', '--data', nowhere, '--byzantine', '0=sing').code, 2);
    assert.ok(!existsSync(nowhere));
    assert.equal(moiety('put', 'only-a-key').code, 2);
  });

  it('is told with exit code 3 where no cluster answers', () => {
    const { code, err } = moiety('get', 'a', '--port', '21699');
    assert.equal(code, 3);
    assert.match(err, /No gateway answers/);
  });

  it('is told for a folder of something else or of a newer version', () => {
    const cluster = new LocalCluster(21_700);
    writeFileSync(join(cluster.root, 'notes.txt'), 'mine');
    const foreign = moiety('up', '--data', cluster.root, '--port', '21700');
    assert.equal(foreign.code, 1);
    assert.match(foreign.err, /is not empty and holds no Moiety cluster/);
    writeFileSync(join(cluster.root, 'moiety.json'), JSON.stringify({ format: 'moiety-data', version: 99 }));
    const newer = moiety('up', '--data', cluster.root);
    assert.equal(newer.code, 1);
    assert.match(newer.err, /newer Moiety/);
    return cluster.dispose();
  });
});
