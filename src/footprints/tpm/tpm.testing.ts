/** For tests: a software TPM of their own, and things asked of a component. */
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { digestToBytes } from '../../core/bytes.ts';
import type { Digest, Hash } from '../../core/types.ts';
import type { AttestationCrypto } from '../../trusted/attestation/format.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import type { TrustedIdentity, TrustedRequest, TrustedResponse } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { CertifyResponse } from '../../trusted/client.ts';
import type { TrustedConnection } from '../contract.ts';
import { isSwtpmInstalled, startSwtpm, stopSwtpm } from './swtpm.ts';

/** Why tests on a TPM are skipped here; false if they are not. */
export const noSwtpm: string | false = isSwtpmInstalled()
  ? false
  : 'swtpm is not installed (Debian package swtpm)';

export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());

/** A folder that is gone after the tests of a file. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-hw-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The place of a software TPM that ends with the tests of a file. */
export async function testTpm(folder: string): Promise<string> {
  after(() => stopSwtpm(folder));
  return startSwtpm(folder);
}

/** The digest of a number, as a message. */
export function digestOf(number: number): Digest {
  return createHash('sha256').update(String(number)).digest('hex') as Digest;
}

/** Asks a component; fails the test if it is lost. */
export function ask(connection: TrustedConnection, request: TrustedRequest): Promise<TrustedResponse> {
  return new Promise((done, fail) => {
    connection.send(encodeTrustedRequest(request), (bytes) => {
      const response = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
      if (response === undefined) fail(new Error('no answer'));
      else done(response);
    });
  });
}

export async function identify(connection: TrustedConnection): Promise<TrustedIdentity> {
  const response = await ask(connection, { op: 'identify' });
  assert.ok(response.op === 'identify');
  return response.identity;
}

export async function certify(connection: TrustedConnection, number: number): Promise<CertifyResponse> {
  const digest = digestOf(number);
  const core = digestToBytes(digest);
  const response = await ask(connection, { op: 'certify', objectId: USIG_OBJECT_ID, digest, core });
  assert.ok(response.op === 'certify');
  return response;
}

function jwkCheck(
  jwk: Record<string, string>,
  algorithm: string | null,
): (message: Uint8Array, signature: Uint8Array) => boolean {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return (message, signature) => verify(algorithm, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Checks of signatures by OpenSSL. */
export const testCrypto: AttestationCrypto = {
  hash: sha256,
  verifyEd25519: (publicKey, message, signature) =>
    jwkCheck({ kty: 'OKP', crv: 'Ed25519', x: base64url(publicKey) }, null)(message, signature),
  verifyP256: (publicKey, message, signature) => {
    const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map(base64url) as [string, string];
    return jwkCheck({ kty: 'EC', crv: 'P-256', x, y }, 'sha256')(message, signature);
  },
};
