/**
 * What goes wrong with trusted components, by name, as plain data that a seed draws; and the second voices that a
 * forker gets from a component that was cloned, rolled back or robbed of its key. The *fence* (decision A5) is a
 * property of the simulated footprint: with it, a component that is started from an older or a copied folder comes up
 * under a new tcEpoch and key; without it, under the old ones. A copy of its memory is beyond any fence.
 */
import type { SecondVoice } from '../adversary/forker.ts';
import { Prng } from '../core/prng.ts';
import type { CounterValue, Digest, ReplicaId } from '../core/types.ts';
import { USIG_OBJECT_ID } from '../trusted/contract.ts';
import type { TrustedRequest, TrustedResponse } from '../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../trusted/frames.ts';
import { statementForUi } from '../trusted/statement.ts';
import { budgetOf, CLOCK_TOLERANCE_MS } from './budget.ts';
import type { PlannedFault, Scenario } from './scenario.ts';
import type { SimTrusted } from './trusted.ts';

/** How a Byzantine host comes by a second voice under its identity. */
export const FORK_WAYS = ['snapshot', 'restart', 'rollback', 'leak'] as const;
export type ForkWay = (typeof FORK_WAYS)[number];

/** A Byzantine replica that says two things with two voices. */
export interface ForkPlan {
  readonly replica: ReplicaId;
  /**
   * `snapshot`: its component's memory was copied. `restart`: a second component was started from a copy of its folder.
   * `rollback`: the component itself is put back to an older folder and started again, whenever that helps. `leak`: its
   * key is known, so any statement can be made at any time.
   */
  readonly way: ForkWay;
  /**
   * `proposals`: its own logic goes on, and whenever it proposes, the second voice certifies another proposal. `double`:
   * a whole second machine runs on the second component and stands before `others` as the replica; both follow the
   * protocol to the letter.
   */
  readonly strategy: 'proposals' | 'double';
  /** Only for `double`: what the second machine's disk holds at first. */
  readonly disk: 'copied' | 'empty';
  /** Whether the footprint notices old and copied folders; means nothing for `snapshot` and `leak`. */
  readonly fence: boolean;
  /** When the copy is made or the key gets known, milliseconds. */
  readonly atMs: number;
  /** Who is shown the second version. */
  readonly others: readonly ReplicaId[];
  /** Proposals that pass untouched before the first fork. */
  readonly patience: number;
}

/** Whether nothing in the product can stop this forker: both of its voices are believed. */
export function isBeyondFence(plan: ForkPlan | undefined): boolean {
  return plan !== undefined && (plan.way === 'snapshot' || plan.way === 'leak' || !plan.fence);
}

/** What a seed is mixed with for this draw, so that it shifts no other. */
const DRAW = 0x7c5eed;

/** The way to fork that the swarm gives a seed, if any: only such that the fence stops. */
export function drawFork(seed: number, isWanted: boolean | undefined): ForkWay | undefined {
  const random = new Prng(seed + DRAW + 1);
  const drawn = random.chance(0.06);
  return (isWanted ?? drawn) ? random.pick(['restart', 'rollback'] as const) : undefined;
}

/** The scenario with a forker in it, inside the fault budget but for what it can do. */
export function withForker(scenario: Scenario, way: ForkWay, fence: boolean): Scenario {
  const random = new Prng(scenario.seed + DRAW);
  const { n, f } = scenario;
  const replica = random.chance(0.75) ? 0 : random.between(0, n - 1);
  const peers = Array.from({ length: n }, (_, id) => id).filter((id) => id !== replica);
  const count = random.chance(0.8) ? f : random.between(1, n - 2);
  const others: ReplicaId[] = [];
  while (others.length < count) others.push(...peers.splice(random.between(0, peers.length - 1), 1));
  const doubles = way === 'snapshot' || way === 'restart';
  const forker: ForkPlan = {
    replica,
    way,
    strategy: doubles && random.chance(0.5) ? 'double' : 'proposals',
    disk: random.chance(0.7) ? 'copied' : 'empty',
    fence,
    atMs: random.chance(0.5) ? 0 : random.unit() * scenario.calmMs * 0.3,
    others: others.sort((a, b) => a - b),
    patience: random.pick([0, 0, 1, 3, 8]),
  };
  const byzantine = scenario.byzantine.filter((entry) => entry.replica !== replica).slice(0, f - 1);
  // A clock that is far off would be one faulty replica more.
  const isFar = scenario.clockOffsetsMs.some((offset) => Math.abs(offset) > CLOCK_TOLERANCE_MS);
  const clockOffsetsMs = isFar ? scenario.clockOffsetsMs.map(() => 0) : scenario.clockOffsetsMs;
  return withinBudget({ ...scenario, byzantine, clockOffsetsMs, forker });
}

/** The scenario without the faults that would make one replica too many faulty. */
function withinBudget(scenario: Scenario): Scenario {
  const budget = budgetOf(scenario);
  const { volatile, ...trusted } = scenario.trusted;
  const kept = volatile?.filter((id) => budget.charge(id)) ?? [];
  const faults = scenario.faults.filter((fault) => {
    if (!isForgetful(fault)) return true;
    return 'target' in fault && fault.target.kind === 'replica' && budget.charge(fault.target.id);
  });
  return { ...scenario, trusted: kept.length === 0 ? trusted : { ...trusted, volatile: kept }, faults };
}

function isForgetful(fault: PlannedFault): boolean {
  if (fault.kind === 'clockjump') return Math.abs(fault.byMs) > CLOCK_TOLERANCE_MS;
  return fault.kind === 'wipe' || fault.kind === 'bitrot' || fault.kind === 'fsynclie';
}

/** What the way to a second voice needs of the world. */
export interface VoiceStage {
  readonly trusted: SimTrusted;
  readonly after: (delayMs: number, action: () => void) => void;
  /** Restarts the forker's machine: its component is another one now. */
  readonly reboot: () => void;
}

/** The second voice of a forker. */
export function secondVoice(plan: ForkPlan, stage: VoiceStage): SecondVoice {
  switch (plan.way) {
    case 'leak':
      return leakedVoice(plan, stage);
    case 'rollback':
      return rolledBackVoice(plan, stage);
    case 'snapshot':
      return clonedVoice(plan, stage, false);
    case 'restart':
      return clonedVoice(plan, stage, plan.fence);
  }
}

function leakedVoice(plan: ForkPlan, stage: VoiceStage): SecondVoice {
  let open = false;
  stage.after(plan.atMs, () => (open = true));
  return {
    certify: (counter, digest) => {
      if (!open) return undefined;
      const { key } = stage.trusted.moment();
      const { tcId, suite, tcEpoch } = key;
      const authenticator = key.authenticate(statementForUi({ tcId, suite, tcEpoch, counter, digest }));
      return { replica: plan.replica, tcEpoch, counter, authenticator };
    },
  };
}

function rolledBackVoice(plan: ForkPlan, stage: VoiceStage): SecondVoice {
  let open = false;
  stage.after(plan.atMs, () => (open = true));
  return {
    certify: (_counter, digest) => {
      if (!open) return undefined;
      stage.trusted.putBack(stage.trusted.momentBefore(1), plan.fence);
      if (plan.fence) {
        // The counter is gone: the host starts again and asks to be re-admitted.
        open = false;
        stage.reboot();
        return undefined;
      }
      return certifyWith(plan.replica, stage.trusted, digest);
    },
  };
}

function clonedVoice(plan: ForkPlan, stage: VoiceStage, fenced: boolean): SecondVoice {
  let second: SimTrusted | undefined;
  stage.after(plan.atMs, () => (second = stage.trusted.clone(fenced)));
  return {
    certify: (counter, digest) => {
      if (second === undefined) return undefined;
      const at = counterOf(second);
      if (at >= counter) return undefined;
      // Values between are spent on nothing: the first component used them for what everybody saw.
      for (let value = at + 1; value < counter; value += 1) certifyWith(plan.replica, second, digest);
      return certifyWith(plan.replica, second, digest);
    },
  };
}

function ask(trusted: SimTrusted, request: TrustedRequest): TrustedResponse | undefined {
  return decodeTrustedResponse(trusted.handle(encodeTrustedRequest(request)));
}

function counterOf(trusted: SimTrusted): CounterValue {
  const response = ask(trusted, { op: 'identify' });
  return response?.op === 'identify' ? response.identity.counter : Infinity;
}

function certifyWith(
  replica: ReplicaId,
  trusted: SimTrusted,
  digest: Digest,
): ReturnType<SecondVoice['certify']> {
  const core = new Uint8Array(0);
  const response = ask(trusted, { op: 'certify', objectId: USIG_OBJECT_ID, digest, core });
  if (response?.op !== 'certify') return undefined;
  const { tcEpoch, value, authenticator } = response;
  return { replica, tcEpoch, counter: value, authenticator };
}
