/** Scenes for ReMinBFT. */
import assert from 'node:assert/strict';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { ChainStage } from '../../smr/slot-chain/stage.testing.ts';
import { reminbft } from './definition.ts';
import { checkReminbft } from './invariants.ts';
import type { Prepare, ReOrder } from './messages.ts';
import { attestorOf, RE_MESSAGES } from './messages.ts';
import { ReMinbftReplica } from './replica.ts';

/** See the top of this file. */
export class ReStage extends ChainStage<ReOrder> {
  constructor(f = 1) {
    super({ definition: reminbft, messages: RE_MESSAGES, attestorOf, check: checkReminbft }, { f });
  }

  override at(id: ReplicaId): ReMinbftReplica {
    const replica: unknown = super.at(id);
    assert.ok(replica instanceof ReMinbftReplica);
    return replica;
  }

  /** Lets clients ask for so many batches, one after the other. */
  ask(batches: number, name: string): void {
    for (let count = 0; count < batches; count += 1) {
      this.submit(`${name}${count}`);
      this.run(20);
    }
  }

  /** A wish for a view of each of these, to everybody. */
  wish(view: View, ...ids: readonly ReplicaId[]): void {
    for (const id of ids) this.toAll(this.by(id, { kind: 'REQ-VIEW-CHANGE', view }));
  }

  /** Sequence numbers that a replica applied instead of executing. */
  applied(id: ReplicaId): readonly SequenceNumber[] {
    return this.machines[id]!.applied;
  }

  /** Since when each replica takes its view to be in normal-case mode. */
  get since(): readonly (SequenceNumber | undefined)[] {
    return this.machines.map((_, id) => this.at(id).since);
  }
}

/** A proposal. */
export function prepare(
  view: View,
  sequence: SequenceNumber,
  digest: Digest,
  since: SequenceNumber | undefined,
): Prepare {
  return { kind: 'PREPARE', view, sequence, digest, since };
}

/** Digests that stand for batches which nobody has. */
export const NOWHERE = ['a', 'b', 'c'].map((digit) => digit.repeat(64) as Digest);
