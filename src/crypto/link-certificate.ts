/**
 * Self-signed X.509 certificates around one Ed25519 key (RFC 5280, RFC 8410): the envelope in which TLS carries a
 * link key (decision D7). Nobody judges the envelope: peers compare the key inside with the registered one, and the
 * handshake proves its possession. So there is no authority and no expiry.
 */
import { asciiBytes, concatBytes } from '../core/bytes.ts';

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  objectId: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
};
/** 1.3.101.112: Ed25519. */
const ED25519_ID = Uint8Array.of(0x2b, 0x65, 0x70);
/** 2.5.4.3: common name. */
const COMMON_NAME_ID = Uint8Array.of(0x55, 0x04, 0x03);
/** "No well-defined expiration" of RFC 5280. */
const NO_EXPIRY = '99991231235959Z';

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts);
  const length = content.length;
  if (length < 128) return concatBytes(Uint8Array.of(tag, length), content);
  if (length < 256) return concatBytes(Uint8Array.of(tag, 0x81, length), content);
  return concatBytes(Uint8Array.of(tag, 0x82, length >> 8, length & 255), content);
}

function nameOf(commonName: string): Uint8Array {
  const attribute = der(
    TAG.sequence,
    der(TAG.objectId, COMMON_NAME_ID),
    der(TAG.utf8String, asciiBytes(commonName)),
  );
  return der(TAG.sequence, der(TAG.set, attribute));
}

function bitString(bytes: Uint8Array): Uint8Array {
  return der(TAG.bitString, Uint8Array.of(0), bytes);
}

/** SubjectPublicKeyInfo (DER) of a raw Ed25519 public key of 32 bytes. */
function ed25519PublicKeyInfo(publicKey: Uint8Array): Uint8Array {
  return der(TAG.sequence, der(TAG.sequence, der(TAG.objectId, ED25519_ID)), bitString(publicKey));
}

/**
 * DER of a certificate for a raw Ed25519 public key (32 bytes). `sign` gives the raw signature (64 bytes) of the
 * private key over the bytes that it is given. `commonName` is ASCII of at most 64 characters and only informative.
 */
export function createLinkCertificate(
  publicKey: Uint8Array,
  commonName: string,
  sign: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const algorithm = der(TAG.sequence, der(TAG.objectId, ED25519_ID));
  // A serial number is positive: the leading byte keeps the sign bit clear and the first octet nonzero.
  const serial = der(TAG.integer, Uint8Array.of(1), publicKey.subarray(0, 15));
  const name = nameOf(commonName);
  const validity = der(
    TAG.sequence,
    der(TAG.utcTime, asciiBytes('700101000000Z')),
    der(TAG.generalizedTime, asciiBytes(NO_EXPIRY)),
  );
  const content = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Uint8Array.of(2))),
    serial,
    algorithm,
    name,
    validity,
    name,
    ed25519PublicKeyInfo(publicKey),
  );
  return der(TAG.sequence, content, algorithm, bitString(sign(content)));
}
