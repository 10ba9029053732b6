/**
 * What others say about the code of a trusted component, as files: `trusted endorse` makes one, and a replica that has to
 * register a new component takes those that are about it from its folder (docs/attestation.md).
 */
import fs from 'node:fs';
import path from 'node:path';
import { hexToBytes } from '../core/bytes.ts';
import { EVIDENCE_BYTES_MAX } from '../core/request.ts';
import type { Digest } from '../core/types.ts';
import { JsonReading } from '../ledger/settings-reading.ts';
import type { Endorsement } from '../trusted/attestation/bundle.ts';
import { ENDORSEMENTS_MAX } from '../trusted/attestation/bundle.ts';

/** Value of the field `format` of an endorsement file. */
export const ENDORSEMENT_FILE_FORMAT = 'moiety-endorsement/1';
/** Folder of a replica that is looked into. */
export const ENDORSEMENTS_FOLDER = 'endorsements';
/** Such a file is small; what is larger is something else. */
const FILE_BYTES_MAX = 4 * EVIDENCE_BYTES_MAX;
const HEX = new RegExp(`^(?=.{2,${2 * EVIDENCE_BYTES_MAX}}$)([0-9a-f]{2})+$`);
const WORD = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** An endorsement and the digest over key and challenge that it is about. */
export interface FiledEndorsement {
  readonly bind: Digest;
  readonly endorsement: Endorsement;
}

/** Reads the JSON value of an endorsement file, or says what is wrong with it. */
export function parseEndorsement(json: unknown): FiledEndorsement | { readonly error: string } {
  const reading = new JsonReading();
  const root = reading.object(json, '', ['format', 'kind', 'bind', 'body']);
  root.oneOf('format', [ENDORSEMENT_FILE_FORMAT]);
  const format = root.text('kind', WORD, 'the name of an evidence format');
  const bind = root.hex('bind', 32) as Digest;
  const body = hexToBytes(root.text('body', HEX, `1 to ${EVIDENCE_BYTES_MAX} bytes in hexadecimal`));
  if (reading.error !== undefined || body === undefined) return { error: reading.error ?? 'no body' };
  return { bind, endorsement: { format, body } };
}

function readFile(file: string): unknown {
  try {
    if (fs.statSync(file).size > FILE_BYTES_MAX) return undefined;
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Endorsements in a folder that are about this digest, by name of their files; what cannot be read is left out. */
export function endorsementsIn(folder: string, bind: Digest): readonly Endorsement[] {
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names
    .sort()
    .flatMap((name) => {
      const filed = parseEndorsement(readFile(path.join(folder, name)));
      return 'endorsement' in filed && filed.bind === bind ? [filed.endorsement] : [];
    })
    .slice(0, ENDORSEMENTS_MAX - 1);
}
