/**
 * The envelope in which a trusted component gives a client its key for MACs of requests (decision C3,
 * docs/decisions/0021): to a one-time X25519 key that the client signed (`keyQueryDigest`). Components seal in their own
 * module; this is the same for the client and for the model of the program.
 */
import { asciiBytes, equalBytes } from '../core/bytes.ts';
import { Writer } from '../core/codec.ts';
import type { Digest } from '../core/types.ts';
import { portableX25519, portableX25519PublicKey } from './portable.ts';
import { clientMacKeyOf, KEY_ENVELOPE_BYTES } from './request-mac.ts';
import type { Hmac, KeyQuery } from './request-mac.ts';

const KEY_BYTES = 32;
const ENVELOPE_NAME = 'moiety-client-envelope-v1';

function contextOf(parts: readonly Uint8Array[], clientId: Digest, version: number): Uint8Array {
  const writer = new Writer(256).raw(asciiBytes(ENVELOPE_NAME));
  for (const part of parts) writer.raw(part);
  return writer.digest(clientId).u32(version).finish();
}

function envelopeMac(hmac: Hmac, key: Uint8Array, sealed: Uint8Array): Uint8Array {
  return hmac(key, new Writer(96).u8(2).raw(sealed).finish());
}

function enciphered(hmac: Hmac, key: Uint8Array, content: Uint8Array): Uint8Array {
  const stream = hmac(key, Uint8Array.of(1));
  return content.map((byte, index) => byte ^ stream[index]!);
}

/**
 * What a component answers to an authentic query: the client's key to the agreement key. The same bytes at every
 * component of the group, since its one-time key follows from root and query. Undefined for a key of small order.
 */
export function sealClientKey(
  hmac: Hmac,
  root: Uint8Array,
  clientId: Digest,
  { version, agreementKey }: KeyQuery,
): Uint8Array | undefined {
  const secret = hmac(root, contextOf([agreementKey], clientId, version));
  const shared = portableX25519(secret, agreementKey);
  if (shared === undefined) return undefined;
  const oneTimeKey = portableX25519PublicKey(secret);
  const key = hmac(shared, contextOf([oneTimeKey, agreementKey], clientId, version));
  const content = enciphered(hmac, key, clientMacKeyOf(hmac, root, clientId, version));
  const sealed = new Writer(64).raw(oneTimeKey).raw(content).finish();
  return new Writer(KEY_ENVELOPE_BYTES)
    .raw(sealed)
    .raw(envelopeMac(hmac, key, sealed))
    .finish();
}

/** Opens an envelope with the secret of the agreement key; undefined if it is not one for this client and version. */
export function openClientKey(
  hmac: Hmac,
  secret: Uint8Array,
  clientId: Digest,
  version: number,
  envelope: Uint8Array,
): Uint8Array | undefined {
  if (envelope.length !== KEY_ENVELOPE_BYTES) return undefined;
  const oneTimeKey = envelope.slice(0, KEY_BYTES);
  const shared = portableX25519(secret, oneTimeKey);
  if (shared === undefined) return undefined;
  const agreementKey = portableX25519PublicKey(secret);
  const key = hmac(shared, contextOf([oneTimeKey, agreementKey], clientId, version));
  const expected = envelopeMac(hmac, key, envelope.slice(0, 2 * KEY_BYTES));
  if (!equalBytes(expected, envelope.subarray(2 * KEY_BYTES))) return undefined;
  return enciphered(hmac, key, envelope.slice(KEY_BYTES, 2 * KEY_BYTES));
}
