/** Ed25519 by the platform, for tests that check what components sign. */
import { createPublicKey, verify } from 'node:crypto';
import type { CheckSignature } from '../../src/trusted/client.ts';

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** A checker that keeps the keys that it has seen. */
export function createPortableCheck(): CheckSignature {
  const keys = new Map<string, ReturnType<typeof createPublicKey>>();
  return (publicKey, bytes, authenticator) => {
    let key = keys.get(publicKey);
    if (key === undefined) {
      const der = Buffer.concat([SPKI_PREFIX, Buffer.from(publicKey, 'hex')]);
      key = createPublicKey({ key: der, format: 'der', type: 'spki' });
      keys.set(publicKey, key);
    }
    return verify(null, bytes, key, authenticator);
  };
}
