/**
 * Evidence against replicas, one JSON file each, beside the store (a wipe does not remove it). Bounded: a liar may be
 * caught a thousand times, a few proofs a rule are enough.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Digest, Milliseconds, ReplicaId } from '../core/types.ts';
import { encodeEvidenceDocument, parseEvidenceDocument } from '../ledger/evidence-document.ts';
import type { EvidenceDocument } from '../ledger/evidence-document.ts';
import { writeFileAtomically } from './disk.ts';

const PER_RULE_MAX = 4;
const FILES_MAX = 256;
const BYTES_MAX = 1024 * 1024;
const FILE_NAME = /^[A-Za-z0-9._-]{1,120}\.json$/;

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

  #parse(name: string): EvidenceDocument | undefined {
    try {
      const file = parseEvidenceDocument(fs.readFileSync(path.join(this.#folder, name), 'utf8'));
      return file?.clusterId === this.#clusterId ? file : undefined;
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
    // The rule stands in the file as in its name: printable and bounded.
    const plain = rule.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 60);
    const alike = this.#entries.filter((entry) => entry.replica === replica && entry.rule === plain);
    if (alike.length >= PER_RULE_MAX || this.#entries.length >= FILES_MAX || bytes.length > BYTES_MAX)
      return false;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const name = `replica-${replica}-${plain}-${digest.slice(0, 16)}.json`;
    if (this.#entries.some((entry) => entry.name === name)) return false;
    const [clusterId, foundBy] = [this.#clusterId, this.#self];
    const text = encodeEvidenceDocument({ clusterId, replica, rule: plain, foundBy, atMs, bytes });
    writeFileAtomically(path.join(this.#folder, name), text);
    this.#entries.push({ name, replica, rule: plain, atMs });
    return true;
  }
}
