/** What a program in a trusted process lives on: an Ed25519 key of OpenSSL and the state log of its folder. */
import { createPrivateKey, createPublicKey, hash, randomBytes, sign, verify } from 'node:crypto';
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import type { Digest, Hash } from '../../core/types.ts';
import type { ProgramEnvironment, ProgramKey } from '../../trusted/contract.ts';
import { tcIdOf } from '../../trusted/statement.ts';
import { groupClientRoot, groupProgramKey, readGroupFile } from '../group/group-key.ts';
import type { Durability, StateKey, StateLog } from './state-log.ts';

/** PKCS #8 of an Ed25519 private key, up to its seed. */
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Ed25519 public key in SPKI, up to its 32 bytes. */
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const sha256: Hash = (bytes) => hash('sha256', bytes, 'buffer');

/** Whether `authenticator` is the Ed25519 signature of a raw public key over the bytes; false for anything else. */
export function checkSignature(publicKey: Uint8Array, bytes: Uint8Array, authenticator: Uint8Array): boolean {
  try {
    const der = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
    return verify(null, bytes, createPublicKey({ key: der, format: 'der', type: 'spki' }), authenticator);
  } catch {
    return false;
  }
}

/** The program's view of a stored key. */
export function programKeyOf(stored: StateKey): ProgramKey {
  const der = Buffer.concat([PRIVATE_KEY_PREFIX, stored.seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = spki.subarray(-32);
  return {
    suite: 'ed25519',
    tcId: tcIdOf(sha256, { suite: 'ed25519', publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => sign(null, bytes, privateKey),
  };
}

/** What every program on this machine is given, besides key and records. */
export const programServices = {
  hash: sha256,
  random: (length: number): Uint8Array => randomBytes(length),
  // Since the machine was started: nobody but root can turn it.
  now: (): number => Number(process.hrtime.bigint() / 1_000_000n),
  check: checkSignature,
} satisfies Partial<ProgramEnvironment>;

/**
 * Environment over an open state log, whose folder is the current one. Answers must not leave before `log.flush()`
 * returned. A component of a group for statements uses the group's key, under tcEpochs of its own.
 */
export function createEnvironment(
  log: StateLog,
  durability: Durability,
  measurement: Digest,
): ProgramEnvironment {
  const group = readGroupFile();
  const keyOf = (stored: StateKey): ProgramKey =>
    group?.use !== 'statements'
      ? programKeyOf(stored)
      : groupProgramKey(group, bytesToTcEpoch(stored.tcEpoch));
  return {
    ...programServices,
    measurement,
    ...(group === undefined ? {} : { clientRoot: groupClientRoot(group) }),
    persistent: durability !== 'memory',
    key: keyOf(log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => keyOf(log.renew()),
  };
}
