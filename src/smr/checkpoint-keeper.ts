/**
 * CHECKPOINTs as they arrive, in any order: when f+1 agree they make a certificate, and f of them may vouch for the
 * start of somebody's log (MinBFT "Checkpoint and garbage collection"). A certificate does not depend on the order in
 * which streams were processed.
 */
import type { Incarnation, ReplicaId, SequenceNumber } from '../core/types.ts';
import type { Checkpoint, CheckpointCertificate } from './usig-stream/messages.ts';

/** CHECKPOINTs kept for one replica; more only displace its own older ones. */
const CHECKPOINTS_PER_REPLICA_MAX = 16;

/** Whether two CHECKPOINTs say the same about the state, so that they count together. */
export function agreeOnState(a: Checkpoint, b: Checkpoint): boolean {
  return (
    a.sequence === b.sequence &&
    a.stateDigest === b.stateDigest &&
    a.last.view === b.last.view &&
    a.last.primaryCounter === b.last.primaryCounter &&
    a.configurationVersion === b.configurationVersion &&
    a.registryDigest === b.registryDigest
  );
}

/** The sequence number that a certificate makes stable; 0 for genesis. */
export function stableSequence(certificate: CheckpointCertificate | undefined): SequenceNumber {
  return certificate?.checkpoints[0]?.sequence ?? 0;
}

/** The latest CHECKPOINTs of all replicas. */
export class CheckpointKeeper {
  readonly #held: Checkpoint[][];
  readonly #quorum: number;

  /** `quorum`: f+1. */
  constructor(replicas: number, quorum: number) {
    this.#held = Array.from({ length: replicas }, () => []);
    this.#quorum = quorum;
  }

  /** Keeps a CHECKPOINT whose seal holds. False if it is known already. */
  offer(checkpoint: Checkpoint): boolean {
    const held = this.#held[checkpoint.ui.replica];
    if (held === undefined) return false;
    const known = held.some(
      (other) => other.ui.tcEpoch === checkpoint.ui.tcEpoch && other.ui.counter === checkpoint.ui.counter,
    );
    if (known) return false;
    held.push(checkpoint);
    held.sort((a, b) => b.sequence - a.sequence || b.ui.counter - a.ui.counter);
    held.length = Math.min(held.length, CHECKPOINTS_PER_REPLICA_MAX);
    return true;
  }

  /** CHECKPOINTs held of one replica, highest first. */
  of(replica: ReplicaId): readonly Checkpoint[] {
    return this.#held[replica] ?? [];
  }

  /**
   * The highest certificate above `above` that can be made of what is held, members ascending by replica.
   * `mayCertify`: whether a CHECKPOINT's key was known before this certificate.
   */
  certificateAbove(
    above: SequenceNumber,
    mayCertify: (checkpoint: Checkpoint) => boolean,
  ): CheckpointCertificate | undefined {
    let best: readonly Checkpoint[] | undefined;
    for (const group of this.#agreeing((one) => one.sequence > above && mayCertify(one))) {
      if (group.length < this.#quorum) continue;
      if (best === undefined || group[0]!.sequence > best[0]!.sequence) best = group.slice(0, this.#quorum);
    }
    return best === undefined ? undefined : { checkpoints: best };
  }

  /** Those that count and agree with each other, members ascending by replica. */
  #agreeing(counts: (checkpoint: Checkpoint) => boolean): readonly Checkpoint[][] {
    const groups: Checkpoint[][] = [];
    for (const held of this.#held) {
      for (const checkpoint of held) {
        if (!counts(checkpoint)) continue;
        const group = groups.find(([first]) => agreeOnState(first!, checkpoint));
        if (group === undefined) groups.push([checkpoint]);
        // One voice for each replica, however often it says the same.
        else if (group.at(-1)!.ui.replica !== checkpoint.ui.replica) group.push(checkpoint);
      }
    }
    return groups;
  }

  /**
   * Of the CHECKPOINTs for this sequence number or a higher one those that agree count together: who agrees with `self`, or,
   * where that has said nothing yet, with the most.
   */
  votersFrom(sequence: SequenceNumber, self: ReplicaId): ReplicaId[] {
    const all = this.#agreeing((one) => one.sequence >= sequence);
    const own = all.filter((group) => group.some(({ ui }) => ui.replica === self));
    const groups = own.length > 0 ? own : all;
    const most = groups.reduce((best, group) => (group.length > best.length ? group : best), []);
    return most.map(({ ui }) => ui.replica);
  }

  /**
   * `count` CHECKPOINTs of distinct other replicas that vouch for `author`'s stream up to `anchor` (R2); undefined if
   * there are not so many. `incarnation`: of the anchor's author.
   */
  vouchersFor(anchor: Checkpoint, incarnation: Incarnation, count: number): Checkpoint[] | undefined {
    const author = anchor.ui.replica;
    const vouchers: Checkpoint[] = [];
    for (const [replica, held] of this.#held.entries()) {
      if (replica === author || vouchers.length === count) continue;
      const voucher = held.find((checkpoint) => {
        const seen = checkpoint.seen[author];
        return seen?.incarnation === incarnation && seen.counter >= anchor.ui.counter;
      });
      if (voucher !== undefined) vouchers.push(voucher);
    }
    return vouchers.length === count ? vouchers : undefined;
  }
}
