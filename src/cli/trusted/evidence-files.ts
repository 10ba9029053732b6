/** Files about trusted components that people hand round: policies, evidence, endorsements. All of them are public. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { bytesToHex, hexToBytes } from '../../core/bytes.ts';
import type { AttestationPolicy } from '../../core/config.ts';
import { EVIDENCE_BYTES_MAX } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { parseAttestationPolicy } from '../../ledger/attestation-policy.ts';
import { JsonReading } from '../../ledger/settings-reading.ts';
import { ENDORSEMENT_FILE_FORMAT, parseEndorsement } from '../../node/endorsements.ts';
import type { FiledEndorsement } from '../../node/endorsements.ts';
import type { Endorsement } from '../../trusted/attestation/bundle.ts';
import { CommandFailure, EXIT, messageOf } from '../failure.ts';
import { readJsonFile } from '../member-file.ts';

/** Value of the field `format` of an evidence file. */
const EVIDENCE_FILE_FORMAT = 'moiety-evidence/1';

/** Evidence of one component, as a file. */
export interface EvidenceFile {
  readonly footprint: string;
  /** What the component was asked to seal. */
  readonly challenge: Digest;
  /** Bytes of `encodeBundleOfEvidence`. */
  readonly bundle: Uint8Array;
}

const HEX = new RegExp(`^(?=.{2,${2 * EVIDENCE_BYTES_MAX}}$)([0-9a-f]{2})+$`);
const WORD = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** A file that cannot be read at all is as wrong as one that is something else. */
function readJson(path: string): unknown {
  try {
    return readJsonFile(path);
  } catch (error) {
    throw new CommandFailure(messageOf(error), EXIT.usage);
  }
}

/** Reads a policy file; exit code 2 with a sentence if it is none. */
export function readPolicyFile(path: string): AttestationPolicy {
  const parsed = parseAttestationPolicy(readJson(path));
  if ('policy' in parsed) return parsed.policy;
  throw new CommandFailure(`${path} is not an attestation policy: ${parsed.error}.`, EXIT.usage);
}

/** Reads an evidence file; exit code 2 with a sentence if it is none. What it proves is another question. */
export function readEvidenceFile(path: string): EvidenceFile {
  const reading = new JsonReading();
  const root = reading.object(readJson(path), '', ['format', 'footprint', 'challenge', 'bundle']);
  root.oneOf('format', [EVIDENCE_FILE_FORMAT]);
  const file = {
    footprint: root.text('footprint', WORD, 'the name of a footprint'),
    challenge: root.hex('challenge', 32) as Digest,
    bundle: hexToBytes(root.text('bundle', HEX, `1 to ${EVIDENCE_BYTES_MAX} bytes in hexadecimal`))!,
  };
  if (reading.error === undefined) return file;
  throw new CommandFailure(`${path} is not an evidence file: ${reading.error}.`, EXIT.usage);
}

/** Writes a public JSON file; nothing is overwritten. */
export function writePublic(path: string, value: unknown): void {
  if (existsSync(path)) throw new CommandFailure(`${path} exists already: nothing is overwritten.`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o644 });
}

/** Writes an evidence file; nothing is overwritten. */
export function writeEvidenceFile(path: string, { footprint, challenge, bundle }: EvidenceFile): void {
  writePublic(path, { format: EVIDENCE_FILE_FORMAT, footprint, challenge, bundle: bytesToHex(bundle) });
}

/** Writes an endorsement file; nothing is overwritten. */
export function writeEndorsementFile(path: string, bind: Digest, { format, body }: Endorsement): void {
  writePublic(path, { format: ENDORSEMENT_FILE_FORMAT, kind: format, bind, body: bytesToHex(body) });
}

/** Reads an endorsement file: what it is about, and what it says. */
export function readEndorsementFile(path: string): FiledEndorsement {
  const filed = parseEndorsement(readJson(path));
  if ('endorsement' in filed) return filed;
  throw new CommandFailure(`${path} is not an endorsement: ${filed.error}.`, EXIT.usage);
}
