/**
 * The file in which evidence travels: canonical bytes of a record, and beside them what they are said to prove. Only the
 * bytes count; `client/evidence.ts` judges them.
 */
import { bytesToHex } from '../core/bytes.ts';
import type { Digest, Milliseconds, ReplicaId } from '../core/types.ts';
import { DocumentFields } from './document-fields.ts';

/** Value of the field `format`. */
export const EVIDENCE_FORMAT = 'moiety-evidence/1';
/** Characters of a file, at most. */
export const EVIDENCE_LENGTH_MAX = 9 * 1024 * 1024;
const BYTES_MAX = 4 * 1024 * 1024;
const RULE_LENGTH_MAX = 64;

/** What an evidence file says. */
export interface EvidenceDocument {
  readonly clusterId: Digest;
  /** Who is accused. */
  readonly replica: ReplicaId;
  /** Name of the rule that was broken. */
  readonly rule: string;
  /** Who found it: a replica, or a client (the gateway is one). */
  readonly foundBy: ReplicaId | 'client';
  /** Clock of the finder, Unix time. */
  readonly atMs: Milliseconds;
  /** Canonical bytes of the record. */
  readonly bytes: Uint8Array;
}

/** Text of an evidence file: one line of JSON. */
export function encodeEvidenceDocument(document: EvidenceDocument): string {
  const { clusterId, replica, rule, foundBy, atMs, bytes } = document;
  const fields = {
    format: EVIDENCE_FORMAT,
    clusterId,
    replica,
    rule,
    foundBy,
    atMs,
    bytes: bytesToHex(bytes),
  };
  return `${JSON.stringify(fields)}\n`;
}

/** Reads an evidence file; undefined unless it has exactly the known fields within their bounds. */
export function parseEvidenceDocument(text: string): EvidenceDocument | undefined {
  const fields = DocumentFields.parse(text, EVIDENCE_LENGTH_MAX);
  fields.only('format', 'clusterId', 'replica', 'rule', 'foundBy', 'atMs', 'bytes');
  if (fields.text('format') !== EVIDENCE_FORMAT) fields.fail();
  const document: EvidenceDocument = {
    clusterId: fields.digest('clusterId'),
    replica: fields.integer('replica'),
    rule: fields.text('rule'),
    foundBy: fields.integerOr('foundBy', 'client'),
    atMs: fields.integer('atMs'),
    bytes: fields.bytes('bytes', BYTES_MAX),
  };
  if (!/^[A-Za-z0-9._-]+$/.test(document.rule) || document.rule.length > RULE_LENGTH_MAX) fields.fail();
  return fields.failed ? undefined : document;
}
