/**
 * Self-signed X.509 certificate for an Ed25519 key (RFC 5280, RFC 8410): the form in which TLS shows the client's key.
 * Nobody reads anything but the key, so names are constant and it never expires (decision D7).
 */
import { createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const ED25519_OID = [0x06, 0x03, 0x2b, 0x65, 0x70];

function tlv(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Uint8Array.from([tag, ...length]), body]);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The raw 32 bytes of an Ed25519 key (public part). */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url'));
}

/** PEM of the certificate. Deterministic: one key, one certificate. */
export function selfSignedCertificate(privateKey: KeyObject): string {
  const algorithm = tlv(0x30, ED25519_OID);
  const commonName = tlv(0x30, [0x06, 0x03, 0x55, 0x04, 0x03], tlv(0x0c, ascii('moiety client')));
  const name = tlv(0x30, tlv(0x31, commonName));
  const validity = tlv(0x30, tlv(0x17, ascii('200101000000Z')), tlv(0x18, ascii('99991231235959Z')));
  const publicKey = rawPublicKey(privateKey);
  const keyInfo = tlv(0x30, algorithm, tlv(0x03, [0], publicKey));
  const version = tlv(0xa0, tlv(0x02, [2]));
  const serial = tlv(0x02, [1]);
  const content = tlv(0x30, version, serial, algorithm, name, validity, name, keyInfo);
  const signature = sign(null, content, privateKey);
  const certificate = Buffer.from(tlv(0x30, content, algorithm, tlv(0x03, [0], signature)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
