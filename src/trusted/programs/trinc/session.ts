/** Session keys of TrInc: what is encrypted to a component, and the requests about them (docs/trusted/trinc.md). */
import { concatBytes, hexToBytes } from '../../../core/bytes.ts';
import { Writer } from '../../../core/codec.ts';
import type { TcEpoch } from '../../../core/types.ts';
import type { TrustedCertificate } from '../../contract.ts';

/** Codes of TrInc's `extension`. */
export const TRINC_EXTENSION = { importSession: 1, checkSession: 2 } as const;

/**
 * What the administrator of a session encrypts to a component: the key of the session for one counter of one tcEpoch.
 * Whoever has the key can forge for everybody in the session, so it goes nowhere else.
 */
export function sessionContent(tcEpoch: TcEpoch, objectId: string, key: Uint8Array): Uint8Array {
  return new Writer(64).raw(SESSION_NAME).tcEpoch(tcEpoch).hex(objectId).raw(key).finish();
}

const SESSION_NAME = Uint8Array.from('tc-session-v1', (character) => character.charCodeAt(0));

/** Body of `extension` that gives a counter the key in an envelope. */
export function importSessionBody(objectId: string, envelope: Uint8Array): Uint8Array {
  return concatBytes(hexToBytes(objectId)!, envelope);
}

/** Body of `extension` that asks whether a certificate was made under the session key of an own counter. */
export function checkSessionBody(objectId: string, certificate: TrustedCertificate): Uint8Array {
  return concatBytes(hexToBytes(objectId)!, certificate.statement, certificate.authenticator);
}
