import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Digest } from '../../core/types.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import {
  createWasmComponents,
  isGenesisEpochSpent,
  isWasmComponent,
  openWasmComponent,
  readStatementKey,
} from './component-folder.ts';
import type { WasmConnection } from './component-folder.ts';

const CERTIFY: TrustedRequest = {
  op: 'certify',
  objectId: USIG_OBJECT_ID,
  digest: '0a'.repeat(32) as Digest,
  core: new Uint8Array(0),
};

function ask(connection: WasmConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return new Promise((done) => {
    let isInside = true;
    connection.send(encodeTrustedRequest(request), (bytes) => {
      assert.equal(isInside, false, 'the answer came from inside send');
      done(decodeTrustedResponse(bytes!)!);
    });
    isInside = false;
  });
}

async function epochOf(connection: WasmConnection): Promise<string> {
  const answer = await ask(connection, { op: 'identify' });
  assert.ok(answer.op === 'identify' && !answer.identity.persistent && answer.identity.counter === 0);
  return answer.identity.tcEpoch;
}

describe('components of a development cluster (decisions A1 to A3)', () => {
  const root = mkdtempSync(join(tmpdir(), 'moiety-component-'));
  const folders = [0, 1, 2].map((id) => join(root, `tc-${id}`));
  const registrations = createWasmComponents(folders);
  after(() => rmSync(root, { recursive: true, force: true }));

  it('are different components with one key that others cannot read', () => {
    assert.equal(new Set(registrations.map(({ tcId }) => tcId)).size, 3);
    assert.equal(new Set(registrations.map(({ tcEpoch }) => tcEpoch)).size, 3);
    for (const { footprint, suite, publicKey } of registrations)
      assert.deepEqual(
        { footprint, suite, publicKey },
        { footprint: 'wasm', suite: 'hmac-sha256', publicKey: '' },
      );
    const keys = folders.map((folder) => Buffer.from(readStatementKey(folder)).toString('hex'));
    assert.equal(new Set(keys).size, 1);
    for (const folder of folders) assert.equal(statSync(join(folder, 'component.json')).mode & 0o777, 0o600);
    assert.deepEqual([isWasmComponent(folders[0]!), isWasmComponent(root)], [true, false]);
  });

  it('speak under the tcEpoch of genesis until the first certificate, never again after it', async () => {
    const { tcEpoch } = registrations[0]!;
    assert.equal(await epochOf(openWasmComponent(folders[0]!)), tcEpoch);
    const first = openWasmComponent(folders[0]!);
    assert.equal(await epochOf(first), tcEpoch, 'a start that sealed nothing may be repeated');
    assert.equal(isGenesisEpochSpent(folders[0]!), false);
    const sealed = await ask(first, CERTIFY);
    assert.ok(sealed.op === 'certify' && sealed.value === 1 && sealed.tcEpoch === tcEpoch);
    assert.equal(isGenesisEpochSpent(folders[0]!), true);
    const later = [
      await epochOf(openWasmComponent(folders[0]!)),
      await epochOf(openWasmComponent(folders[0]!)),
    ];
    assert.equal(new Set([tcEpoch, ...later]).size, 3);
  });

  it('never begin one tcEpoch twice, also when two processes use a folder', async () => {
    const [one, two] = [openWasmComponent(folders[1]!), openWasmComponent(folders[1]!)];
    assert.equal((await ask(one, CERTIFY)).op, 'certify');
    const refused = await ask(two, CERTIFY);
    assert.equal(refused.op === 'error' && refused.code, 'STORAGE');
  });

  it('say what is wrong with their file', () => {
    writeFileSync(join(folders[2]!, 'component.json'), '{"groupKey":"00"}');
    assert.throws(() => openWasmComponent(folders[2]!), /damaged: begin anew/);
    writeFileSync(join(folders[2]!, 'component.json'), 'nonsense');
    assert.throws(() => readStatementKey(folders[2]!), /cannot be read/);
  });
});
