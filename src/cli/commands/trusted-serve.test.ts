import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serviceFootprint } from '../../footprints/service/footprint.ts';
import type { TrustedConnection } from '../../footprints/contract.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Digest } from '../../core/types.ts';
import { eventually, moiety, processesOf, startMoiety } from '../../../test/support/local-cluster.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-serve-'));
after(async () => {
  for (const pid of processesOf(root)) process.kill(pid, 'SIGKILL');
  await eventually('all gone', 10_000, () => (processesOf(root).length === 0 ? true : undefined));
  rmSync(root, { recursive: true, force: true });
});

interface Serving {
  readonly child: ChildProcess;
  readonly port: string;
  readonly key: string;
  readonly token: string;
}

async function serve(listen: string, ...more: readonly string[]): Promise<Serving> {
  const child = startMoiety(
    'trusted',
    'serve',
    '--listen',
    listen,
    '--folder',
    join(root, 'service'),
    ...more,
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const port = await eventually('listening', 30_000, () => {
    if (child.exitCode !== null) throw new Error(`serve has ended: ${output}`);
    return /^listening 127\.0\.0\.1:(\d+)$/m.exec(output)?.[1];
  });
  const key = /^service key ([0-9a-f]{64})$/m.exec(output)![1]!;
  return { child, port, key, token: /^token ([0-9a-f]{48})$/m.exec(output)?.[1] ?? '' };
}

function certify(connection: TrustedConnection): Promise<number | undefined> {
  const digest = 'cd'.repeat(32) as Digest;
  const request = encodeTrustedRequest({
    op: 'certify',
    objectId: USIG_OBJECT_ID,
    digest,
    core: new Uint8Array(8),
  });
  return new Promise((done) => {
    connection.send(request, (bytes) => {
      const answer = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
      done(answer?.op === 'certify' ? answer.value : undefined);
    });
  });
}

test('trusted serve: a replica enrols with a printed token; kill -9 of the service loses nothing', async () => {
  const first = await serve('127.0.0.1:0', '--tokens', '1');
  const folder = join(root, 'replica');
  const argument = `127.0.0.1:${first.port}#${first.key}/${first.token}`;
  await serviceFootprint.create({ folder, program: 'usig', argument });
  const options = { folder, program: 'usig', argument: '' };
  const connection = await serviceFootprint.open(options);
  assert.deepEqual([await certify(connection), await certify(connection)], [1, 2]);
  const lost = new Promise((done) => connection.onClose(done));
  first.child.kill('SIGKILL');
  await lost;
  const second = await serve(`127.0.0.1:${first.port}`);
  assert.equal(second.key, first.key);
  const again = await serviceFootprint.open(options);
  assert.equal(await certify(again), 3);
  again.close();
  second.child.kill('SIGTERM');
  await eventually('end in order', 20_000, () => (second.child.exitCode === 0 ? true : undefined));
  assert.deepEqual(processesOf(join(root, 'service')), [], 'components end with their service');
});

test('trusted serve: mistakes of the operator', () => {
  const folder = join(root, 'other');
  const wrong = moiety('trusted', 'serve', '--listen', 'nowhere', '--folder', folder);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /must be host:port/);
  const key = moiety('trusted', 'serve', '--listen', '127.0.0.1:0', '--folder', folder, '--admit', 'abc');
  assert.match(key.err, /64 hexadecimal digits/);
});
