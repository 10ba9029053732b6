/**
 * What this host has against others: proofs, streams that stopped for a broken rule, and what was ignored and why. A
 * stream that stopped is no proof for others (the message that broke the rule may prove nothing by itself), so `status`
 * shows it as a suspicion. Bounded.
 */
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { Accusation } from './status.ts';

const ACCUSATIONS_MAX = 256;
const RULE_LENGTH_MAX = 64;
/** Note by which a protocol says that it stopped a replica's stream: `replica`, `rule`. */
const STREAM_STOPPED = 'streamDead';

/** See the top of this file. */
export class FaultBook {
  readonly #accusations: Accusation[] = [];
  readonly #ignored = new Map<string, number>();
  readonly #stopped = new Map<ReplicaId, string>();

  /** What was proved, oldest first. */
  get accusations(): readonly Accusation[] {
    return this.#accusations;
  }

  /** How often something was ignored, by reason. */
  get ignored(): ReadonlyMap<string, number> {
    return this.#ignored;
  }

  /** Rule that stopped a replica's stream, the latest one. */
  get stopped(): ReadonlyMap<ReplicaId, string> {
    return this.#stopped;
  }

  /** Something was proved; false if that is known already or there is no room. */
  accuse(replica: ReplicaId, rule: string, atMs: Milliseconds): boolean {
    const known = this.#accusations.some((one) => one.replica === replica && one.rule === rule);
    if (known || this.#accusations.length >= ACCUSATIONS_MAX) return false;
    this.#accusations.push({ replica, rule, atMs });
    return true;
  }

  /** Something was ignored. Reasons are a closed list. */
  ignore(reason: string): void {
    this.#ignored.set(reason, (this.#ignored.get(reason) ?? 0) + 1);
  }

  /** A protocol's note. */
  note(name: string, detail: Readonly<Record<string, string | number | boolean>>): void {
    const { replica, rule } = detail;
    if (name !== STREAM_STOPPED || typeof replica !== 'number' || typeof rule !== 'string') return;
    this.#stopped.set(replica, rule.slice(0, RULE_LENGTH_MAX));
  }
}
