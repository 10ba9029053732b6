/** For tests: a software TPM of their own, and things asked of a component. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
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
import { nodeAttestationCrypto } from '../../node/crypto.ts';
import type { TrustedConnection } from '../contract.ts';
import { isSwtpmInstalled, startSwtpm, stopSwtpm } from './swtpm.ts';

/** Why tests on a TPM are skipped here; false if they are not. */
export const noSwtpm: string | false = isSwtpmInstalled()
  ? false
  : 'swtpm is not installed (Debian package swtpm)';

export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());

const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Has something done after the tests of a file: the last thing that was asked for first. */
export function afterwards(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** A folder that is gone after the tests of a file. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-hw-'));
  afterwards(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The place of a software TPM that ends with the tests of a file. */
export async function testTpm(folder: string): Promise<string> {
  afterwards(() => stopSwtpm(folder));
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

/** Checks of signatures as replicas make them. */
export const testCrypto: AttestationCrypto = nodeAttestationCrypto();
