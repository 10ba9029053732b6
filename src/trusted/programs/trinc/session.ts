/**
 * Session keys of TrInc (docs/trusted/trinc.md): how the administrator of a session gives a key to a component, and the
 * requests about it. Whoever has the key can forge for everybody in the session, so it goes nowhere but into envelopes.
 */
import { asciiBytes, bytesToDigest, concatBytes, equalBytes, hexToBytes } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { Hash } from '../../../core/types.ts';
import { STATEMENT_BYTES, STATEMENT_KIND } from '../../contract.ts';
import type { TrustedCertificate, TrustedIdentity } from '../../contract.ts';
import type { Hmac } from '../../statement.ts';
import { decodeStatement } from '../../statement.ts';
import type { CheckSeal } from '../counters/claims.ts';

/** Codes of TrInc's `extension`. */
export const TRINC_EXTENSION = { importSession: 1, checkSession: 2, envelopeKey: 3 } as const;

/** Bytes of an X25519 key, a session key and a MAC. */
const KEY_BYTES = 32;

/**
 * The key to which envelopes for a component are made, from the answer to `extension` envelopeKey; undefined unless the
 * component itself says that it is its own under this tcEpoch.
 */
export function envelopeKeyOf(
  hash: Hash,
  identity: TrustedIdentity,
  body: Uint8Array,
  checkSeal: CheckSeal,
): Uint8Array | undefined {
  const key = body.slice(0, KEY_BYTES);
  const bytes = body.slice(KEY_BYTES, KEY_BYTES + STATEMENT_BYTES);
  const statement = decodeStatement(bytes);
  if (statement?.kind !== STATEMENT_KIND.plain || statement.suite !== identity.suite) return undefined;
  if (statement.tcId !== identity.tcId || statement.tcEpoch !== identity.tcEpoch) return undefined;
  const digest = bytesToDigest(hash(concatBytes(asciiBytes('tc-envelope-key-v1'), key)));
  if (statement.digest !== digest) return undefined;
  return checkSeal(bytes, body.slice(KEY_BYTES + STATEMENT_BYTES)) ? key : undefined;
}

/** What an envelope is made of. */
export interface EnvelopeParts {
  /** Key of the component (`envelopeKeyOf`). */
  readonly envelopeKey: Uint8Array;
  /** X25519 key pair drawn for this envelope: the public half, and what it and `envelopeKey` share. */
  readonly publicKey: Uint8Array;
  readonly shared: Uint8Array;
  /** The counter that is to use the session key, and the key (32 bytes). */
  readonly objectId: string;
  readonly sessionKey: Uint8Array;
}

/** The envelope; nobody but the component can open it, and it opens it for that counter alone. */
export function sealSessionKey(hmac: Hmac, parts: EnvelopeParts): Uint8Array {
  const { publicKey, envelopeKey, shared } = parts;
  const key = hmac(shared, concatBytes(asciiBytes('tc-envelope-v1'), publicKey, envelopeKey));
  const stream = concatBytes(hmac(key, Uint8Array.of(1)), hmac(key, Uint8Array.of(2)));
  const content = new Writer(64).hex(parts.objectId).raw(parts.sessionKey).finish();
  const sealed = concatBytes(publicKey, content.map((byte, index) => byte ^ stream[index]!));
  return concatBytes(sealed, hmac(key, concatBytes(Uint8Array.of(3), sealed)));
}

/** Body of `extension` that gives a counter the key in an envelope. */
export function importSessionBody(objectId: string, envelope: Uint8Array): Uint8Array {
  return concatBytes(hexToBytes(objectId)!, envelope);
}

/** Body of `extension` that asks whether a certificate was made under the session key of an own counter. */
export function checkSessionBody(objectId: string, certificate: TrustedCertificate): Uint8Array {
  return concatBytes(hexToBytes(objectId)!, certificate.statement, certificate.authenticator);
}

/** Whether the answer to `extension` checkSession is a yes. */
export function isYes(body: Uint8Array): boolean {
  return equalBytes(body, Uint8Array.of(1));
}
