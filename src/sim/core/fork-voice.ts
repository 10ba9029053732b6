/** The second voice of a forker in the core fidelity; what each way means stands in `sim/trusted-faults.ts`. */
import type { SecondVoice } from '../../adversary/forker.ts';
import type { CounterValue, Digest, ReplicaId } from '../../core/types.ts';
import type { ForkPlan } from '../trusted-faults.ts';
import { SEAL_BYTES } from './seal-book.ts';
import type { CoreTrusted } from './trusted.ts';

/** What the way to a second voice needs of the world. */
export interface CoreVoiceStage {
  readonly trusted: CoreTrusted;
  readonly after: (delayMs: number, action: () => void) => void;
  /** Restarts the forker's machine: its component is another one now. */
  readonly reboot: () => void;
}

/** The second voice of a forker. */
export function secondVoice(plan: ForkPlan, stage: CoreVoiceStage): SecondVoice {
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

/** Whoever has the key makes a component of its own that stands wherever it likes. */
function leakedVoice(plan: ForkPlan, stage: CoreVoiceStage): SecondVoice {
  let open = false;
  stage.after(plan.atMs, () => (open = true));
  return {
    certify: (counter, digest) => {
      if (!open) return undefined;
      const second = stage.trusted.clone(false);
      const behind = Math.max(0, second.counter - (counter - 1));
      second.putBack(second.momentBefore(behind), false);
      return certifyAt(plan.replica, second, counter, digest);
    },
  };
}

function rolledBackVoice(plan: ForkPlan, stage: CoreVoiceStage): SecondVoice {
  let open = false;
  stage.after(plan.atMs, () => (open = true));
  return {
    certify: (_counter, digest) => {
      if (!open) return undefined;
      const { trusted } = stage;
      trusted.putBack(trusted.momentBefore(1), plan.fence);
      if (plan.fence) {
        // The counter is gone: the host starts again and asks to be re-admitted.
        open = false;
        stage.reboot();
        return undefined;
      }
      return certifyAt(plan.replica, trusted, trusted.counter + 1, digest);
    },
  };
}

function clonedVoice(plan: ForkPlan, stage: CoreVoiceStage, fenced: boolean): SecondVoice {
  let second: CoreTrusted | undefined;
  stage.after(plan.atMs, () => (second = stage.trusted.clone(fenced)));
  return {
    certify: (counter, digest) =>
      second === undefined || second.counter >= counter
        ? undefined
        : certifyAt(plan.replica, second, counter, digest),
  };
}

/** Values up to `counter` are spent on nothing: the first component used them for what everybody saw. */
function certifyAt(
  replica: ReplicaId,
  trusted: CoreTrusted,
  counter: CounterValue,
  digest: Digest,
): ReturnType<SecondVoice['certify']> {
  while (trusted.counter < counter - 1) trusted.certify(digest);
  const value = trusted.certify(digest);
  return { replica, tcEpoch: trusted.key.tcEpoch, counter: value, authenticator: SEAL_BYTES };
}
