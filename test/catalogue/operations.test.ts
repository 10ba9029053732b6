/** P-13, K-02, K-10, T-10, T-21 of docs/scenarios.md: logs that nobody reads, key files, counters and state files at their ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac, generateKeyPairSync, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { clientCertificate, readKeyFile as readClientKey } from '../../src/client/keys.ts';
import { bytesToTcEpoch, digestToBytes } from '../../src/core/bytes.ts';
import { createKeyFile, KeyFileError, linkIdentityOf, readKeyFile } from '../../src/node/keys.ts';
import { StateDamage, StateLog } from '../../src/footprints/process/state-log.ts';
import type { Digest } from '../../src/core/types.ts';
import { RECENT_DEPTH, USIG_OBJECT_ID } from '../../src/trusted/contract.ts';
import type {
  ProgramEnvironment,
  ProgramKey,
  TrustedRequest,
  TrustedResponse,
} from '../../src/trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../src/trusted/frames.ts';
import { createUsig, encodeUsigRecord } from '../../src/trusted/programs/usig/program.ts';
import { nodeHash } from '../../src/platform/sha256.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'moiety-operations-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));

describe('P-13: a log that nobody reads', () => {
  it('stops nothing; what was dropped is told, and the rest is whole lines', async (t) => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, 'talkative.ts')], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    child.stderr.pause();
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.resume();
    while (!/lines of this log were dropped/.test(text))
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.stdin.end();
    await new Promise((resolve) => child.once('close', resolve));
    assert.equal(child.exitCode, 0);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const numbers = lines.flatMap(({ number }) => (typeof number === 'number' ? [number] : []));
    const dropped = lines.reduce((sum, line) => sum + Number(line['dropped'] ?? 0), 0);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.ok(dropped > 0);
    assert.equal(numbers.length + dropped, 6_000);
    assert.equal(lines.at(-1)!['msg'], 'last words');
  });
});

describe('K-10: key files', () => {
  const good = path.join(root, 'good.pem');
  createKeyFile(good);
  const pem = fs.readFileSync(good, 'utf8');
  const secret = pem.split('\n')[1]!;
  const write = (name: string, content: string, mode = 0o600): string => {
    const file = path.join(root, name);
    fs.writeFileSync(file, content, { mode });
    fs.chmodSync(file, mode);
    return file;
  };
  const ed25519 = generateKeyPairSync('ed25519');
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const bad: readonly (readonly [name: string, content: string, mode?: number])[] = [
    ['empty', ''],
    ['text', 'no key at all'],
    ['cut', pem.slice(0, 60)],
    ['broken', pem.replace(secret, `${secret.slice(0, 20)}\u0000${secret.slice(21)}`)],
    ['certificate', clientCertificate(ed25519.privateKey)],
    ['public', ed25519.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['rsa', generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(pkcs8).toString()],
    ['curve', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8).toString()],
    ['locked', ed25519.privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'word' }).toString()],
    ['open', pem, 0o644],
    ['group', pem, 0o640],
  ];

  it('that are wrong in any way are refused with a sentence that holds nothing of a key', () => {
    for (const [name, content, mode] of bad) {
      const file = write(`${name}.pem`, content, mode);
      for (const read of [readKeyFile, readClientKey])
        assert.throws(
          () => read(file),
          (error: Error) => {
            assert.ok(
              error instanceof KeyFileError || error.name === 'ClientError',
              `${name}: ${error.name}`,
            );
            assert.ok(error.message.includes(file), `${name}: ${error.message}`);
            assert.ok(!error.message.includes(secret.slice(4, 20)));
            return true;
          },
          name,
        );
    }
    assert.throws(() => readKeyFile(path.join(root, 'nowhere.pem')), /cannot be read/);
    assert.throws(() => readKeyFile(root), KeyFileError);
    assert.throws(() => createKeyFile(good), /never overwritten/);
    assert.equal(fs.readFileSync(good, 'utf8'), pem);
  });
});

describe('K-02: certificates', () => {
  it('of replicas and clients do not expire, and were valid before anybody’s clock', () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    for (const text of [linkIdentityOf(key, 'replica').certificate, clientCertificate(key)]) {
      const certificate = new X509Certificate(text);
      assert.equal(new Date(certificate.validFrom).getUTCFullYear(), 1970);
      assert.equal(new Date(certificate.validTo).getUTCFullYear(), 9999);
    }
  });
});

function counterAt(last: number): (request: TrustedRequest) => TrustedResponse {
  const secret = new Uint8Array(32).fill(1);
  let generation = 1;
  const key = (): ProgramKey => ({
    suite: 'hmac-sha256',
    tcId: '11'.repeat(16),
    tcEpoch: bytesToTcEpoch(new Uint8Array(8).fill(generation)),
    publicKey: '',
    authenticate: (bytes) => createHmac('sha256', secret).update(bytes).digest(),
  });
  const digest = '22'.repeat(32) as Digest;
  const environment: ProgramEnvironment = {
    measurement: digest,
    persistent: true,
    hash: nodeHash,
    key: key(),
    records: Array.from({ length: RECENT_DEPTH }, (_, index) =>
      encodeUsigRecord({
        tcEpoch: key().tcEpoch,
        counter: last - RECENT_DEPTH + 1 + index,
        digest,
        core: digestToBytes(digest),
      }),
    ),
    persist: () => true,
    replaceKey: () => {
      generation += 1;
      return key();
    },
  };
  const program = createUsig(environment);
  return (request) => decodeTrustedResponse(program.handle(encodeTrustedRequest(request)))!;
}

describe('T-10: the last counter values', () => {
  it('are used once, then the component refuses for good, until it is renewed', () => {
    const ask = counterAt(Number.MAX_SAFE_INTEGER - 2);
    const certify = (byte: string): TrustedResponse => {
      const digest = byte.repeat(32) as Digest;
      return ask({ op: 'certify', objectId: USIG_OBJECT_ID, digest, core: digestToBytes(digest) });
    };
    for (const value of [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
      const response = certify('33');
      assert.ok(response.op === 'certify');
      assert.deepEqual([response.previous, response.value], [value - 1, value]);
    }
    for (const byte of ['33', '44']) {
      const response = certify(byte);
      assert.ok(response.op === 'error' && response.code === 'OVERFLOW');
    }
    const identity = ask({ op: 'identify' });
    assert.ok(identity.op === 'identify' && identity.identity.counter === Number.MAX_SAFE_INTEGER);
    const renewed = ask({ op: 'renew' });
    assert.ok(renewed.op === 'renew' && renewed.identity.counter === 0);
    assert.notEqual(renewed.identity.tcEpoch, identity.identity.tcEpoch);
    assert.equal(certify('44').op, 'certify');
  });
});

describe('T-21: the state file of a trusted component', () => {
  const KEEP = 8;
  const folder = path.join(root, 'trusted');
  fs.mkdirSync(folder);
  StateLog.create(folder);
  const log = StateLog.open(folder, 'fsync', KEEP);
  log.begin();
  const file = path.join(folder, 'state');
  const USED = 128 + 3 * 64;
  for (const value of [1, 2, 3]) {
    log.append(Uint8Array.of(0, value, 1, 2));
    log.flush();
  }
  const whole = fs.readFileSync(file).subarray(0, USED + 64);

  /** Counter values that a state shows, or undefined if it is refused. */
  function shown(content: Uint8Array): number[] | undefined {
    fs.writeFileSync(file, content);
    try {
      return StateLog.open(folder, 'fsync', KEEP).records.map((record) => record[1]!);
    } catch (error) {
      assert.ok(error instanceof StateDamage, String(error));
      assert.match(error.message, /damaged|cut|short|header|RECOVER/);
      return undefined;
    }
  }

  it('torn at any byte shows the values before the tear, or is refused, and shows no other', () => {
    for (let at = 0; at < USED; at += at < 128 + 2 * 64 ? 9 : 1) {
      for (const content of [
        whole.slice(0, at),
        Buffer.concat([whole.subarray(0, at), Buffer.alloc(whole.length - at)]),
      ]) {
        const values = shown(content);
        const before = Math.max(0, Math.floor((at - 128) / 64));
        if (values === undefined) continue;
        assert.deepEqual(values, [1, 2, 3].slice(0, values.length), `torn at ${at}`);
        assert.ok(values.length >= before, `torn at ${at}: ${values.join()}`);
      }
    }
    assert.deepEqual(shown(whole), [1, 2, 3]);
  });

  it('with any byte changed shows no value that was not there', () => {
    for (let at = 0; at < USED; at += at < 128 + 64 ? 5 : 1) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      const values = shown(damaged);
      if (values !== undefined) assert.deepEqual(values, [1, 2, 3].slice(0, values.length), `byte ${at}`);
      // Behind the last record nothing tells damage from a tear; before it, a good record follows.
      if (at < 128 + 2 * 64 && values !== undefined)
        assert.equal(values.length, 3, `byte ${at} is no part of a record`);
    }
  });
});
