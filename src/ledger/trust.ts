/**
 * The trust file (decision D5): the little that one must know of a cluster, from a source that one trusts, to verify
 * its receipts and ledger copies.
 */
import { bytesToHex, hexToBytes } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { ConfigurationVersion, Digest } from '../core/types.ts';
import { isPrimeOrderKey } from '../crypto/ed25519-rule.ts';
import { DocumentFields } from './document-fields.ts';

/** Value of the field `format`. */
const TRUST_FORMAT = 'moiety-trust/1';
/** Replicas of one cluster, at most, as far as verifiers go. */
const HOST_KEYS_MAX = 256;
const TRUST_LENGTH_MAX = 64 * 1024;

/** What a verifier trusts. */
export interface Trust {
  readonly clusterId: Digest;
  /** How many replicas may be faulty; f+1 signatures prove. */
  readonly f: number;
  readonly configurationVersion: ConfigurationVersion;
  /** Raw Ed25519 host key (32 bytes) of each replica, in the order of the replica numbers. */
  readonly hostKeys: readonly Uint8Array[];
}

/** What a verifier needs to know of a cluster. */
export function trustOf(settings: ClusterSettings): Trust {
  const { clusterId, f, configurationVersion, members } = settings;
  return { clusterId, f, configurationVersion, hostKeys: members.map(({ hostKey }) => hexToBytes(hostKey)!) };
}

/** Text of a trust file, for people too: indented, with a final line feed. */
export function encodeTrust(trust: Trust): string {
  const { clusterId, f, configurationVersion } = trust;
  const hostKeys = trust.hostKeys.map(bytesToHex);
  return `${JSON.stringify({ format: TRUST_FORMAT, clusterId, f, configurationVersion, hostKeys }, undefined, 2)}\n`;
}

/**
 * Reads a trust file; undefined unless it has exactly the known fields, at least 2f+1 host keys, no key twice (f+1
 * signatures must come from f+1 replicas) and no key that may not be registered (rule K1). White space and order are free: it is trusted as it is.
 */
export function parseTrust(text: string): Trust | undefined {
  const fields = DocumentFields.parse(text, TRUST_LENGTH_MAX);
  fields.only('format', 'clusterId', 'f', 'configurationVersion', 'hostKeys');
  if (fields.text('format') !== TRUST_FORMAT) fields.fail();
  const trust: Trust = {
    clusterId: fields.digest('clusterId'),
    f: fields.integer('f'),
    configurationVersion: fields.integer('configurationVersion'),
    hostKeys: fields.byteStrings('hostKeys', HOST_KEYS_MAX, 32),
  };
  const distinct = new Set(trust.hostKeys.map(bytesToHex)).size === trust.hostKeys.length;
  const enough = trust.hostKeys.length >= 2 * trust.f + 1;
  if (fields.failed || !distinct || !enough) return undefined;
  return trust.hostKeys.every(isPrimeOrderKey) ? trust : undefined;
}
