/** A cluster whose requests have MACs, from outside: made, used, killed, started again, and its receipts. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect } from '../src/client/client.ts';
import { readKeyFile } from '../src/client/keys.ts';
import { DataFolder } from '../src/cli/data-folder.ts';
import { readClusterFile } from '../src/cli/cluster-file.ts';
import { PORTABLE_VERIFIER_CRYPTO, verifyReceipt } from '../src/ledger/verify.ts';
import { parseTrust } from '../src/ledger/trust.ts';
import { LocalCluster, moiety } from './support/local-cluster.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class MacCluster extends LocalCluster {
  async put(key: string, value: string): Promise<{ readonly txId: string }> {
    const response = await fetch(`${this.url}/v1/kv/${key}`, { method: 'PUT', body: value });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as { txId: string };
  }

  async get(key: string): Promise<string> {
    return (await fetch(`${this.url}/v1/kv/${key}`)).text();
  }
}

describe('a cluster made with --auth mac', () => {
  const cluster = new MacCluster(21_850);
  before(() => cluster.start('--auth', 'mac'));
  after(async () => {
    await cluster.killEverything();
    rmSync(cluster.root, { recursive: true, force: true });
  });

  it('orders what its clients send, and receipts say how it was authenticated', async () => {
    const { txId } = await cluster.put('a', '1');
    assert.equal(await cluster.get('a'), '1');
    const text = await (await fetch(`${cluster.url}/v1/receipts/${txId}`)).text();
    const trust = parseTrust(readFileSync(join(cluster.data, 'trust.json'), 'utf8'))!;
    const verdict = verifyReceipt(text, trust, PORTABLE_VERIFIER_CRYPTO);
    assert.ok(verdict.valid, verdict.lines.join('\n'));
    assert.match(verdict.lines.join('\n'), /authenticated by MAC/);
    const field = ',"authenticatedBy":"mac"';
    assert.ok(text.includes(field));
    for (const other of [text.replace(field, ''), text.replace('"mac"', '"sig"')])
      assert.equal(verifyReceipt(other, trust, PORTABLE_VERIFIER_CRYPTO).valid, false);
  });

  it('a client of the library has its key renewed and goes on; its old key counts no more', async () => {
    const settings = readClusterFile(join(cluster.data, 'cluster.json'));
    const key = readKeyFile(new DataFolder(cluster.data).clientKey('local'));
    const client = await connect({ cluster: settings, key });
    await client.put(bytes('b'), bytes('1'));
    await client.renewKey();
    await client.put(bytes('b'), bytes('2'));
    await client.close();
    const again = await connect({ cluster: settings, key });
    assert.deepEqual((await again.get(bytes('b'))).value, bytes('2'));
    await again.put(bytes('b'), bytes('3'));
    await again.close();
  });

  it('goes on when replicas are killed and started again, and after a stop of everything', async () => {
    assert.equal(cluster.run('fault', 'kill', '1').code, 0);
    for (let index = 0; index < 20; index += 1) await cluster.put(`k${index}`, 'v');
    assert.equal(cluster.run('fault', 'restart', '1').code, 0);
    await cluster.converged();
    await cluster.killEverything();
    await cluster.start();
    assert.equal(await cluster.get('k7'), 'v');
    await cluster.put('k7', 'w');
    await cluster.converged();
  });

  it('is not one of another authenticator', () => {
    const { code, err } = moiety('up', '--data', cluster.data, '--auth', 'bundle');
    assert.notEqual(code, 0);
    assert.match(err, /Another "moiety up"|made with --auth mac, not bundle/);
  });
});

describe('--auth mac where it cannot be', () => {
  it('is refused with the reason before anything is made', () => {
    const cluster = new LocalCluster(21_870);
    const data = join(cluster.root, 'none');
    for (const [more, why] of [
      [['--protocol', 'pbft'], /needs a protocol on usig.*pbft is none/],
      [['--dev'], /could not keep the keys of clients from it/],
      [['--tc', '2=usig@wasm'], /needs usig@process at every replica, not usig@wasm/],
      [['--tc', 'usig@tpm'], /not usig@tpm/],
    ] as const) {
      const { code, err } = moiety('up', '--data', data, '--port', '21870', '--auth', 'mac', ...more);
      assert.equal(code, 2, err);
      assert.match(err, why);
      assert.ok(!existsSync(data));
    }
    assert.match(
      moiety('up', '--data', data, '--auth', 'trust').err,
      /Allowed choices are bundle, request, mac/,
    );
    rmSync(cluster.root, { recursive: true, force: true });
  });
});

describe('members on different machines', () => {
  const root = new LocalCluster(21_880).root;
  const at = (name: string): string => join(root, name);
  after(() => rmSync(root, { recursive: true, force: true }));

  const run = (...args: readonly string[]): string => {
    const { code, out, err } = moiety(...args);
    assert.equal(code, 0, err);
    return out;
  };

  it('put their components into one group by files, and compose a cluster with MACs', () => {
    mkdirSync(root, { recursive: true });
    for (const [index, name] of ['a', 'b', 'c'].entries())
      run(
        'keygen',
        '--name',
        name,
        '--organisation',
        name,
        '--address',
        `127.0.0.1:${21_881 + index}`,
        '--out',
        at(name),
      );
    run('keygen', '--client', '--name', 'shop', '--organisation', 'a', '--out', at('shop'));
    const member = (name: string): string => at(join(name, `${name}.json`));
    const { trusted } = JSON.parse(readFileSync(member('a'), 'utf8')) as {
      trusted: { measurement: string };
    };
    const policy = at('policy.json');
    writeFileSync(
      policy,
      JSON.stringify({
        format: 'moiety-attestation-policy/1',
        programs: [{ name: 'usig', measurements: [trusted.measurement] }],
        footprints: [{ name: 'process', endorsedBy: [], carriers: [] }],
        roots: [],
      }),
    );
    const members = ['a', 'b', 'c'].flatMap((name) => ['--member', member(name)]);
    const client = at(join('shop', 'shop.json'));
    const said = run('init', '--auth', 'mac', ...members, '--client', client, '--out', at('cluster.json'));
    assert.match(said, /trusted group --help/);
    assert.match(readFileSync(at('cluster.json'), 'utf8'), /"authenticator": "mac"/);

    const trustedOf = (name: string): string => at(join(name, 'trusted'));
    run(
      'trusted',
      'group',
      'new',
      trustedOf('a'),
      '--replica',
      '0',
      '--policy',
      policy,
      '--out',
      at('a.offer'),
    );
    for (const [index, name] of ['b', 'c'].entries()) {
      const ask = ['--replica', String(index + 1), '--policy', policy, '--offer', at('a.offer')];
      run('trusted', 'group', 'request', trustedOf(name), ...ask, '--out', at(`${name}.offer`));
      const grant = ['--own', at('a.offer'), '--offer', at(`${name}.offer`), '--out', at(`${name}.grant`)];
      run('trusted', 'group', 'grant', trustedOf('a'), ...grant);
      run('trusted', 'group', 'install', trustedOf(name), '--grant', at(`${name}.grant`));
    }
    const again = moiety('trusted', 'group', 'install', trustedOf('b'), '--grant', at('b.grant'));
    assert.equal(again.code, 1);
    assert.match(again.err, /Refused: this component belongs to a group already/);
    const missing = moiety(
      'trusted',
      'group',
      'grant',
      trustedOf('b'),
      '--own',
      at('none'),
      '--offer',
      at('none'),
      '--out',
      at('x'),
    );
    assert.match(missing.err, /cannot be read/);
  });
});
