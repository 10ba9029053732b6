/**
 * Evidence against replicas, one JSON file each, beside the store (a wipe does not remove it). Bounded: a liar may be
 * caught a thousand times, a few proofs a rule are enough.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { bytesToHex } from '../core/bytes.ts';
import type { Digest, Milliseconds, ReplicaId } from '../core/types.ts';
import { writeFileAtomically } from './disk.ts';

/** Format of an evidence file. */
export const EVIDENCE_FORMAT = 'moiety-evidence/1';
const PER_RULE_MAX = 4;
const FILES_MAX = 256;
const BYTES_MAX = 1024 * 1024;
const FILE_NAME = /^[A-Za-z0-9._-]{1,120}\.json$/;

/** What an evidence file says. `bytes` verify offline; the rest tells where to look. */
export interface EvidenceFile {
  readonly format: typeof EVIDENCE_FORMAT;
  readonly clusterId: Digest;
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly foundBy: ReplicaId;
  readonly atMs: Milliseconds;
  /** Hexadecimal. */
  readonly bytes: string;
}

/** A line of the list of evidence. */
export interface EvidenceEntry {
  readonly name: string;
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly atMs: Milliseconds;
}

/** See the top of this file. */
export class EvidenceStore {
  readonly #folder: string;
  readonly #clusterId: Digest;
  readonly #self: ReplicaId;
  readonly #entries: EvidenceEntry[] = [];

  /** Opens (or makes) the folder; files that are not evidence of this cluster are passed over. */
  constructor(folder: string, clusterId: Digest, self: ReplicaId) {
    this.#folder = folder;
    this.#clusterId = clusterId;
    this.#self = self;
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of fs.readdirSync(folder).sort()) {
      const file = FILE_NAME.test(name) ? this.#parse(name) : undefined;
      if (file === undefined || this.#entries.length >= FILES_MAX) continue;
      this.#entries.push({ name, replica: file.replica, rule: file.rule, atMs: file.atMs });
    }
  }

  #parse(name: string): EvidenceFile | undefined {
    try {
      const file = JSON.parse(fs.readFileSync(path.join(this.#folder, name), 'utf8')) as EvidenceFile | null;
      const fits =
        file?.format === EVIDENCE_FORMAT &&
        file.clusterId === this.#clusterId &&
        Number.isInteger(file.replica) &&
        typeof file.rule === 'string';
      return fits ? file : undefined;
    } catch {
      return undefined;
    }
  }

  /** What is kept. */
  list(): readonly EvidenceEntry[] {
    return this.#entries;
  }

  /** The JSON text of one entry; undefined if there is no such entry. */
  read(name: string): string | undefined {
    if (!this.#entries.some((entry) => entry.name === name)) return undefined;
    try {
      return fs.readFileSync(path.join(this.#folder, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Keeps evidence; false if there is enough of this kind, if it is known or too large. Throws the system's error. */
  add(replica: ReplicaId, rule: string, bytes: Uint8Array, atMs: Milliseconds): boolean {
    const alike = this.#entries.filter((entry) => entry.replica === replica && entry.rule === rule);
    if (alike.length >= PER_RULE_MAX || this.#entries.length >= FILES_MAX || bytes.length > BYTES_MAX)
      return false;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const name = `replica-${replica}-${rule.replace(/[^A-Za-z0-9.-]/g, '_').slice(0, 60)}-${digest.slice(0, 16)}.json`;
    if (this.#entries.some((entry) => entry.name === name)) return false;
    const file: EvidenceFile = {
      format: EVIDENCE_FORMAT,
      clusterId: this.#clusterId,
      replica,
      rule,
      foundBy: this.#self,
      atMs,
      bytes: bytesToHex(bytes),
    };
    writeFileAtomically(path.join(this.#folder, name), `${JSON.stringify(file)}\n`);
    this.#entries.push({ name, replica, rule, atMs });
    return true;
  }
}
