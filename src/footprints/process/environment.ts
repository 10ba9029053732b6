/** What a program in a trusted process lives on: an Ed25519 key of OpenSSL and the state log of its folder. */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import type { Digest, Hash } from '../../core/types.ts';
import type { ProgramEnvironment, ProgramKey } from '../../trusted/contract.ts';
import { tcIdOf } from '../../trusted/statement.ts';
import type { Durability, StateKey, StateLog } from './state-log.ts';

/** PKCS #8 of an Ed25519 private key, up to its seed. */
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

const sha256: Hash = (bytes) => createHash('sha256').update(bytes).digest();

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

/** Environment over an open state log. Answers must not leave before `log.flush()` returned. */
export function createEnvironment(
  log: StateLog,
  durability: Durability,
  measurement: Digest,
): ProgramEnvironment {
  return {
    measurement,
    persistent: durability !== 'memory',
    hash: sha256,
    key: programKeyOf(log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => programKeyOf(log.renew()),
  };
}
