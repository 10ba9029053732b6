/** Two statements for one place: batches for one sequence number, and checkpoints of another state. */
import type { Batch } from '../../core/request.ts';
import { batchDigest, encodeBatch } from '../../core/request.ts';
import type { CounterValue, Digest, ReplicaId } from '../../core/types.ts';
import type { CheckpointContent, Draft, PrepareContent } from '../../smr/usig-stream/messages.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** A checkpoint that says something that the state does not. */
function wrongCheckpoint(draft: CheckpointContent): CheckpointContent {
  const first = draft.stateDigest.startsWith('0') ? '1' : '0';
  return { ...draft, stateDigest: (first + draft.stateDigest.slice(1)) as Digest };
}

/** Seals wrong checkpoints. */
export function lieCheckpoint(desk: LiarDesk): Strategy {
  return {
    seals: (draft) => {
      if (draft.kind !== 'CHECKPOINT') return draft;
      desk.lied('wrong state');
      return wrongCheckpoint(draft);
    },
  };
}

/** Another batch for the same place: the same bundles in another order or none, under another time. */
export function twinOf(desk: LiarDesk, draft: PrepareContent): { body: Batch; twin: PrepareContent } {
  const { hash, domain, random } = desk;
  const original = desk.heard.batches.get(draft.batchDigest);
  const keeps = original !== undefined && random.chance(0.5);
  const bundles = keeps ? [...original.bundles].reverse() : [];
  const recovers = keeps ? original.recovers : [];
  const proposedInView = draft.view;
  const time = (original?.time ?? 0) + 1;
  const bytes = encodeBatch({
    proposedInView,
    time,
    recovers,
    bundles: bundles.map((bundle) => bundle.bytes),
  });
  const digest = batchDigest(hash, domain, bytes);
  const bundleAuthentic = bundles.map(() => true);
  const recoverAuthentic = recovers.map(() => true);
  const body: Batch = {
    digest,
    bytes,
    proposedInView,
    time,
    recovers,
    bundles,
    bundleAuthentic,
    recoverAuthentic,
  };
  return { body, twin: { ...draft, batchDigest: digest, recovers } };
}

/** Which of two statements a half is shown. */
export interface Fork {
  readonly honest: CounterValue;
  readonly twin: CounterValue;
}

/** Lets one PREPARE pass and seals a second one for the same order with the value that comes next. */
export function equivocate(desk: LiarDesk): Strategy {
  const { random, self, settings } = desk;
  const half = new Set<ReplicaId>(
    settings.members.map((member) => member.id).filter(() => random.chance(0.5)),
  );
  const hides = random.chance(0.5) && !desk.eager;
  const drawn = random.pick([0, 0, 2, 6]);
  let patience = desk.eager ? 0 : drawn;
  let fork: Fork | undefined;
  let candidate: { readonly counter: CounterValue; readonly draft: PrepareContent } | undefined;

  const seals = (draft: Draft, counter: CounterValue): Draft => {
    if (fork !== undefined || draft.kind === 'VIEW-CHANGE') return draft;
    if (candidate !== undefined && counter === candidate.counter + 1) {
      fork = { honest: candidate.counter, twin: counter };
      const { body, twin } = twinOf(desk, candidate.draft);
      candidate = undefined;
      desk.share(body);
      desk.lied('second proposal');
      return twin;
    }
    if (draft.kind === 'CHECKPOINT' && patience <= 0 && random.chance(0.3)) {
      // A backup has no twin to offer but of its checkpoints: this one says something that its state does not.
      desk.lied('wrong state');
      return wrongCheckpoint(draft);
    }
    if (draft.kind === 'PREPARE') {
      patience -= 1;
      if (patience < 0) candidate = { counter, draft };
    }
    return draft;
  };
  /** At first each half is shown its own; what is fetched later shows both, unless it hides them for good. */
  const told = new Set<string>();
  return {
    seals,
    tells: (message, to) => {
      const counter = 'ui' in message && message.ui.replica === self ? message.ui.counter : undefined;
      if (fork === undefined || (counter !== fork.honest && counter !== fork.twin)) return [message];
      const isOther = half.has(to) !== (counter === fork.honest);
      const key = `${counter}>${to}`;
      if (!isOther || (!hides && told.has(key))) return [message];
      told.add(key);
      return [];
    },
  };
}
