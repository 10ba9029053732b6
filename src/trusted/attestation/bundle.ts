/**
 * Evidence as it travels (docs/attestation.md): what the trusted program itself says (`trusted/evidence.ts`, its proof of
 * possession of its key), and endorsements by others who know something about its code. Canonical bytes.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import { EVIDENCE_BYTES_MAX } from '../../core/request.ts';

/** Endorsements of one bundle, at most. */
export const ENDORSEMENTS_MAX = 8;
const FORMAT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const FORMAT_NAME_MAX = 32;

/** Somebody's word about a component. What the body means, its format says. */
export interface Endorsement {
  readonly format: string;
  readonly body: Uint8Array;
}

/** See the top of this file. */
export interface EvidenceBundle {
  /** Answer of the component to `attest`, as it came. */
  readonly possession: Uint8Array;
  readonly endorsements: readonly Endorsement[];
}

/** Bytes of a bundle. One of more than `EVIDENCE_BYTES_MAX` is refused by every reader. */
export function encodeBundleOfEvidence(bundle: EvidenceBundle): Uint8Array {
  return new Writer(512)
    .u8(1)
    .bytes(bundle.possession)
    .list(bundle.endorsements, (writer, { format, body }) => writer.ascii(format).bytes(body))
    .finish();
}

/** Reads a bundle; undefined unless canonical and within bounds. */
export function decodeBundleOfEvidence(bytes: Uint8Array): EvidenceBundle | undefined {
  if (bytes.length > EVIDENCE_BYTES_MAX) return undefined;
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 1) reader.fail();
    const possession = new Uint8Array(reader.bytes(EVIDENCE_BYTES_MAX));
    const endorsements = reader.list(ENDORSEMENTS_MAX, (r): Endorsement => {
      const format = r.ascii(FORMAT_NAME_MAX);
      if (!FORMAT_NAME.test(format)) r.fail();
      return { format, body: new Uint8Array(r.bytes(EVIDENCE_BYTES_MAX)) };
    });
    return { possession, endorsements };
  });
}
