/** Real components in real processes: what is accepted, and what one changed byte of program or carrier does to it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  createTrustedFolder,
  openTrustedProcess,
  stopTrustedProcess,
} from '../../footprints/process/launcher.ts';
import { encodeBundleOfEvidence } from '../../trusted/attestation/bundle.ts';
import type { Verdict } from '../../trusted/attestation/verdict.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Digest } from '../../core/types.ts';
import { bytesToHex } from '../../core/bytes.ts';
import { nodeAttestationCrypto } from '../../node/crypto.ts';
import { createKeyFile } from '../../node/keys.ts';
import { measureFile } from '../../footprints/process/program-file.ts';
import { judgeEvidence } from '../../trusted/attestation/judge.ts';
import { readEvidenceFile, readPolicyFile, writeEvidenceFile } from '../trusted/evidence-files.ts';
import { rawPublicKeyOf } from '../../platform/ed25519.ts';

const LAUNCHER = fileURLToPath(new URL('../../../bin/moiety.mjs', import.meta.url));
const BUILT = new URL('../../../trusted/', import.meta.url);
const NONCE = '5a'.repeat(32) as Digest;
const folder = mkdtempSync(join(tmpdir(), 'moiety-attest-'));
const started: string[] = [];
after(async () => {
  for (const one of started) await stopTrustedProcess(one);
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command line; its exit code and what it printed. */
async function moiety(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [LAUNCHER, 'trusted', ...argv]);
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, out: stdout };
  }
}

/** An installation of carrier and program in a folder of its own, where a byte may be changed. */
function installation(name: string, changed?: 'program' | 'carrier'): string {
  const place = mkdtempSync(join(folder, `${name}-`));
  for (const file of ['trusted-process.mjs', 'usig.wasm'])
    copyFileSync(new URL(file, BUILT), join(place, file));
  if (changed === 'program') changeOneByte(join(place, 'usig.wasm'), Buffer.from('canonical', 'utf16le'));
  if (changed === 'carrier') changeOneByte(join(place, 'trusted-process.mjs'), Buffer.from('trusted '));
  return join(place, 'trusted-process.mjs');
}

/** Changes the last byte of the first place that holds `what`: a text, so that everything still runs. */
function changeOneByte(path: string, what: Buffer): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(what);
  assert.ok(at >= 0, `${path} holds the text that is changed`);
  bytes[at + 2]! ^= 1;
  writeFileSync(path, bytes);
}

/** Evidence of a new component of that installation, over the nonce, as a file. */
async function evidenceOf(name: string, carrierPath: string): Promise<string> {
  const own = join(folder, name);
  started.push(own);
  await createTrustedFolder(own, { program: 'usig', carrierPath, hardening: 'off' });
  const connection = await openTrustedProcess({
    folder: own,
    carrierPath,
    durability: 'os',
    hardening: 'off',
  });
  const bytes = await new Promise<Uint8Array | undefined>((fulfil) => {
    connection.send(encodeTrustedRequest({ op: 'attest', challenge: NONCE }), fulfil);
  });
  connection.close();
  const response = decodeTrustedResponse(bytes!);
  assert.ok(response?.op === 'attest');
  const file = join(folder, `${name}.json`);
  const bundle = encodeBundleOfEvidence({ possession: response.evidence, endorsements: [] });
  writeEvidenceFile(file, { footprint: 'process', challenge: NONCE, bundle });
  return file;
}

interface PolicyChoice {
  readonly root?: string;
  readonly carrier?: string;
}

function policyFile(name: string, { root, carrier }: PolicyChoice = {}): string {
  const built = JSON.parse(readFileSync(new URL('measurements.json', BUILT), 'utf8')) as Record<
    string,
    { sha256: Digest }
  >;
  const measurement = (built['usig'] ?? built['usig.wasm'])!.sha256;
  const path = join(folder, name);
  writeFileSync(
    path,
    JSON.stringify({
      format: 'moiety-attestation-policy/1',
      programs: [{ name: 'usig', measurements: [measurement] }],
      footprints: [
        {
          name: 'process',
          endorsedBy: root === undefined ? [] : ['operator'],
          carriers: carrier === undefined ? [] : [carrier],
        },
      ],
      roots: root === undefined ? [] : [{ format: 'operator', name: 'acme', key: root, minimumVersion: 1 }],
    }),
  );
  return path;
}

function verdictOn(file: string, policy: string): Verdict {
  const { bundle, footprint } = readEvidenceFile(file);
  return judgeEvidence(bundle, {
    crypto: nodeAttestationCrypto(),
    challenge: NONCE,
    footprint,
    policy: readPolicyFile(policy),
    timeMs: Date.now(),
  });
}

function failed({ checks }: Verdict): readonly string[] {
  return checks.filter(({ passed }) => !passed).map(({ check }) => check);
}

it('a component whose program was changed by one byte is refused, and the verdict says so and what to do', async () => {
  const policy = policyFile('possession.json');
  const genuine = verdictOn(await evidenceOf('genuine', installation('genuine-files')), policy);
  assert.deepEqual([genuine.accepted, failed(genuine)], [true, []]);
  const changed = await evidenceOf('changed', installation('changed-files', 'program'));
  const verdict = verdictOn(changed, policy);
  assert.deepEqual([verdict.accepted, failed(verdict)], [false, ['program']]);
  const { advice, found, expected } = verdict.checks.find(({ passed }) => !passed)!;
  assert.notEqual(found, expected);
  assert.match(advice, /its file was changed.*Put the released file back/);
  const { code, out } = await moiety('verify-evidence', changed, '--policy', policy);
  assert.equal(code, 1);
  assert.match(out, /FAILED {2}program: found [0-9a-f]{64}, expected [0-9a-f]{64} \(usig\)\n.*REFUSED/s);
});

it('so is one whose carrier was changed by one byte, where an operator vouches for the carrier', async () => {
  const key = join(folder, 'operator.pem');
  const root = bytesToHex(rawPublicKeyOf(createKeyFile(key))!);
  const genuine = installation('carrier-files');
  const policy = policyFile('endorsed.json', { root, carrier: measureFile(genuine) });
  const endorsed = async (name: string, carrier: string): Promise<Verdict> => {
    const evidence = await evidenceOf(name, carrier);
    assert.deepEqual(failed(verdictOn(evidence, policy)), ['endorsement'], 'its own word is not enough');
    const [word, out] = [join(folder, `${name}-word.json`), join(folder, `${name}-endorsed.json`)];
    const options = ['--key', key, '--carrier', carrier, '--release', '1', '--out', word];
    assert.equal((await moiety('endorse', evidence, ...options)).code, 0);
    assert.equal((await moiety('attach', evidence, '--endorsement', word, '--out', out)).code, 0);
    return verdictOn(out, policy);
  };
  assert.deepEqual(failed(await endorsed('carried', genuine)), []);
  assert.deepEqual(failed(await endorsed('moved', installation('moved-files', 'carrier'))), ['carrier']);
});

it('files that are something else are no verdict: exit code 2', async () => {
  const policy = policyFile('other.json');
  assert.equal((await moiety('verify-evidence', policy, '--policy', policy)).code, 2);
});
