/**
 * Evidence of `attest`: which code holds which key, bound to a challenge (decision A9). Platform
 * "none" has no root below the operator: its evidence proves possession of the key and nothing about the code.
 */
import { bytesToHex } from '../core/bytes.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { Digest } from '../core/types.ts';
import type { BindParts } from './statement.ts';
import { SUITE_BYTE, suiteOfByte } from './statement.ts';

/** What a component says about itself, sealed with its own key. */
export interface Evidence extends BindParts {
  /** Who vouches for the measurement; "none" = the operator alone. */
  readonly platform: string;
  /** SHA-256 of the program, as claimed. */
  readonly measurement: Digest;
  /** The component's own seal over the 32 bytes of `bindDigestOf`. */
  readonly authenticator: Uint8Array;
}

/** Canonical bytes of evidence. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  return new Writer(256)
    .ascii(evidence.platform)
    .digest(evidence.measurement)
    .u8(SUITE_BYTE[evidence.suite])
    .hex(evidence.tcId)
    .tcEpoch(evidence.tcEpoch)
    .ascii(evidence.publicKey)
    .digest(evidence.challenge)
    .bytes(evidence.authenticator)
    .finish();
}

/** Reads evidence; undefined unless canonical. */
export function decodeEvidence(bytes: Uint8Array): Evidence | undefined {
  return decodeWhole(bytes, (reader) => {
    const platform = reader.ascii(32);
    const measurement = reader.digest();
    const suite = suiteOfByte(reader.u8());
    if (suite === undefined) reader.fail();
    const tcId = bytesToHex(reader.raw(16));
    const tcEpoch = reader.tcEpoch();
    const publicKey = reader.ascii(130);
    if (!/^(?:[0-9a-f]{2})*$/.test(publicKey)) reader.fail();
    const challenge = reader.digest();
    const authenticator = new Uint8Array(reader.bytes(64));
    return {
      platform,
      measurement,
      suite: suite ?? 'ed25519',
      tcId,
      tcEpoch,
      publicKey,
      challenge,
      authenticator,
    };
  });
}
