/**
 * What is proved against replicas: records that the gateway's own client found (kept in files, over restarts), and
 * records that replicas keep, believed only after they were verified here. A replica's accusation alone accuses nobody;
 * f+1 accusers do, since one of them is correct and has verified its record with keys that only replicas know (those of
 * re-admitted trusted components).
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesToHex } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { MoietyClient, SeenStatus } from '../client/contract.ts';
import { verifyEvidence } from '../client/evidence.ts';
import { createSignatureCheck } from '../client/keys.ts';
import type { FoundEvidence } from '../client/reply-watch.ts';
import { encodeEvidenceDocument } from '../ledger/evidence-document.ts';
import { nodeHash } from '../platform/sha256.ts';

/** Records of one rule against one replica, and of all, at most. */
const PER_RULE_MAX = 4;
const RECORDS_MAX = 128;
/** Files of one replica that are fetched in one refresh, and names that proved nothing, at most. */
const FETCHED_MAX = 8;
const REFUSED_MAX = 512;
/** Replicas are asked at most so often. */
const REFRESH_MS: Milliseconds = 1_000;
/** How long an answer waits for evidence that replicas give. */
const REFRESH_WAIT_MS = 1_000;
const ID = /^[A-Za-z0-9._-]{1,120}$/;

/** A verified record. */
export interface KnownEvidence {
  /** Name, for `/v1/evidence/{id}`; equal for equal records. */
  readonly id: string;
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly foundBy: readonly (ReplicaId | 'gateway')[];
  readonly explanation: string;
}

/** A proved fault, as `status` names it. */
export interface ProvenFault {
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly foundBy: readonly (ReplicaId | 'gateway')[];
  /** Records that verify offline; empty if only f+1 replicas vouch for it. */
  readonly evidence: readonly string[];
  readonly explanation: string;
}

interface Kept {
  readonly id: string;
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly explanation: string;
  readonly text: string;
  readonly foundBy: Set<ReplicaId | 'gateway'>;
}

/** What the book is made of. */
export interface EvidenceBookOptions {
  readonly settings: ClusterSettings;
  /** Where own records are kept; undefined: in memory only. */
  readonly folder?: string | undefined;
  readonly now?: (() => Milliseconds) | undefined;
  /** Told when something goes wrong with a file. */
  readonly warn?: ((problem: string) => void) | undefined;
}

function verifySignature(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return createSignatureCheck([key])(0, message, signature);
  } catch {
    // Not a public key at all.
    return false;
  }
}

/** See the top of this file. */
export class EvidenceBook {
  readonly #options: EvidenceBookOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #refused = new Set<string>();
  readonly #now: () => Milliseconds;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  /** Reads the folder (made if it is not there); files that prove nothing are passed over. Throws the system's error. */
  constructor(options: EvidenceBookOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { folder } = options;
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder).sort()) {
      if (!name.endsWith('.json') || !ID.test(name)) continue;
      try {
        this.#take(readFileSync(join(folder, name), 'utf8'), 'gateway');
      } catch (error) {
        this.#warn(`evidence file ${name} cannot be read: ${(error as Error).message}`);
      }
    }
  }

  #warn(problem: string): void {
    this.#options.warn?.(problem);
  }

  /** Verifies a text and keeps it; undefined if it proves nothing or there is enough of its kind. */
  #take(text: string, source: ReplicaId | 'gateway'): Kept | undefined {
    const crypto = { hash: nodeHash, verifySignature };
    const verdict = verifyEvidence(text, { settings: this.#options.settings }, crypto);
    const { replica, rule, explanation } = verdict;
    if (!verdict.valid || replica === undefined || rule === undefined || explanation === undefined)
      return undefined;
    const record = (JSON.parse(text) as { bytes: string }).bytes;
    const digest = bytesToHex(nodeHash(new TextEncoder().encode(record)));
    const id = `replica-${replica}-${rule}-${digest.slice(0, 16)}`;
    const known = this.#kept.get(id);
    if (known !== undefined) {
      known.foundBy.add(source);
      return known;
    }
    const alike = [...this.#kept.values()].filter((one) => one.replica === replica && one.rule === rule);
    if (this.#kept.size >= RECORDS_MAX || alike.length >= PER_RULE_MAX) {
      for (const one of alike) one.foundBy.add(source);
      return undefined;
    }
    const kept: Kept = { id, replica, rule, explanation, text, foundBy: new Set([source]) };
    this.#kept.set(id, kept);
    return kept;
  }

  /** The gateway's own client found it. */
  add({ replica, rule, bytes }: FoundEvidence): void {
    const { settings, folder } = this.#options;
    const { clusterId } = settings;
    const atMs = Math.floor(this.#now());
    const text = encodeEvidenceDocument({ clusterId, replica, rule, foundBy: 'client', atMs, bytes });
    const kept = this.#take(text, 'gateway');
    if (kept === undefined || folder === undefined) return;
    const path = join(folder, `${kept.id}.json`);
    try {
      writeFileSync(`${path}.tmp`, text, { mode: 0o600, flush: true });
      renameSync(`${path}.tmp`, path);
    } catch (error) {
      this.#warn(`evidence cannot be stored: ${(error as Error).message}`);
    }
  }

  /** Asks those replicas that accuse somebody for their records. Never rejects. */
  async refresh(client: MoietyClient, statuses: readonly SeenStatus[]): Promise<void> {
    const now = this.#now();
    if (this.#asking === undefined && now - this.#askedMs < REFRESH_MS) return;
    this.#askedMs = now;
    const accusers = statuses.filter((status) => status.reachable && accusationsOf(status).length > 0);
    this.#asking ??= Promise.all(accusers.map(({ id }) => this.#askOne(client, id)))
      .then(
        () => undefined,
        (error: Error) => this.#warn(`replicas could not be asked for evidence: ${error.message}`),
      )
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #askOne(client: MoietyClient, source: ReplicaId): Promise<void> {
    let left = FETCHED_MAX;
    for (const { name } of await client.evidenceAt(source)) {
      const key = `${source}/${name}`;
      if (this.#refused.has(key)) continue;
      left -= 1;
      if (left < 0) return;
      const text = await client.evidenceFile(source, name);
      if (text === undefined) continue;
      this.#take(text, source);
      // Known, kept or worthless: it need not be fetched again.
      this.#refused.add(key);
      for (const oldest of this.#refused) {
        if (this.#refused.size <= REFUSED_MAX) break;
        this.#refused.delete(oldest);
      }
    }
  }

  /** All verified records. */
  list(): KnownEvidence[] {
    return [...this.#kept.values()].map(({ id, replica, rule, explanation, foundBy }) => ({
      id,
      replica,
      rule,
      foundBy: [...foundBy],
      explanation,
    }));
  }

  /** The evidence file of a record. */
  text(id: string): string | undefined {
    return this.#kept.get(id)?.text;
  }

  /** Who is proved faulty, one line a rule. `statuses`: the replicas' own words. */
  proven(statuses: readonly SeenStatus[]): ProvenFault[] {
    const faults = new Map<
      string,
      { fault: ProvenFault; by: Set<ReplicaId | 'gateway'>; evidence: string[] }
    >();
    for (const { id, replica, rule, explanation, foundBy } of this.#kept.values()) {
      const one = lineOf(faults, replica, rule, explanation);
      one.evidence.push(id);
      for (const source of foundBy) one.by.add(source);
    }
    for (const { replica, rule, by } of accusers(statuses)) {
      if (!faults.has(`${replica}/${rule}`) && by.length <= this.#options.settings.f) continue;
      const words = `Replicas ${by.join(', ')} vouch that replica ${replica} broke the rule ${rule}.`;
      const one = lineOf(faults, replica, rule, words);
      for (const source of by) one.by.add(source);
    }
    return [...faults.values()]
      .map(({ fault, by, evidence }) => ({ ...fault, foundBy: [...by].sort(byName), evidence }))
      .sort((a, b) => a.replica - b.replica || (a.rule < b.rule ? -1 : 1));
  }
}

const byName = (a: ReplicaId | 'gateway', b: ReplicaId | 'gateway'): number =>
  String(a) < String(b) ? -1 : 1;

function lineOf(
  faults: Map<string, { fault: ProvenFault; by: Set<ReplicaId | 'gateway'>; evidence: string[] }>,
  replica: ReplicaId,
  rule: string,
  explanation: string,
): { fault: ProvenFault; by: Set<ReplicaId | 'gateway'>; evidence: string[] } {
  const name = `${replica}/${rule}`;
  let line = faults.get(name);
  if (line === undefined) {
    const fault = { replica, rule, foundBy: [], evidence: [], explanation };
    faults.set(name, (line = { fault, by: new Set(), evidence: [] }));
  }
  return line;
}

/** Whom a replica accuses, as far as its status makes sense. */
export function accusationsOf(status: SeenStatus): { readonly replica: ReplicaId; readonly rule: string }[] {
  if (!status.reachable || !Array.isArray(status.proven)) return [];
  const found: { replica: ReplicaId; rule: string }[] = [];
  for (const one of status.proven.slice(0, RECORDS_MAX) as readonly Partial<ProvenFault>[]) {
    const { replica, rule } = one ?? {};
    if (!Number.isSafeInteger(replica) || typeof rule !== 'string' || !/^[\w.-]{1,64}$/.test(rule)) continue;
    found.push({ replica: replica!, rule });
  }
  return found;
}

/** Accusations with all who make them. Nobody's word about itself counts. */
function accusers(
  statuses: readonly SeenStatus[],
): { readonly replica: ReplicaId; readonly rule: string; readonly by: ReplicaId[] }[] {
  const found = new Map<string, { replica: ReplicaId; rule: string; by: ReplicaId[] }>();
  for (const status of statuses)
    for (const { replica, rule } of accusationsOf(status)) {
      if (replica >= statuses.length || replica === status.id) continue;
      const name = `${replica}/${rule}`;
      const entry = found.get(name) ?? { replica, rule, by: [] };
      if (!entry.by.includes(status.id)) entry.by.push(status.id);
      found.set(name, entry);
    }
  return [...found.values()];
}

/** Asks for new evidence; a replica that is slow to give it must not hold up who asks for the status. */
export async function refreshSoon(
  parts: { readonly client: MoietyClient; readonly evidence: EvidenceBook },
  statuses: readonly SeenStatus[],
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, REFRESH_WAIT_MS)));
  await Promise.race([parts.evidence.refresh(parts.client, statuses), late]);
  clearTimeout(timer);
}
