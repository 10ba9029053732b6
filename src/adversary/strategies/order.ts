/** Lies about the order: going on in a left view, skipping, proposing out of turn, using up counter values. */
import type { CounterValue, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type {
  CheckpointContent,
  Draft,
  MinbftMessage,
  Prepare,
  StreamMessage,
} from '../../smr/usig-stream/messages.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** What a liar last committed to and checkpointed, as it was sealed. */
class OwnStand {
  view = 0;
  newViewCounter: CounterValue = 0;
  sequence: SequenceNumber = 0;
  checkpoint: CheckpointContent | undefined;

  note(message: StreamMessage): void {
    if (message.kind === 'CHECKPOINT') this.checkpoint = message;
    const prepare =
      message.kind === 'PREPARE' ? message : message.kind === 'COMMIT' ? message.prepare : undefined;
    if (prepare === undefined) return;
    this.view = prepare.view;
    this.newViewCounter = prepare.newViewCounter;
    this.sequence = prepare.sequence;
  }
}

/** Some of the others: a random part, one of them, or all. */
export function someOf(desk: LiarDesk): ReadonlySet<ReplicaId> {
  const { random, n, self } = desk;
  const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== self);
  const way = random.between(0, 2);
  if (way === 0) return new Set(others);
  if (way === 1) return new Set([random.pick(others)]);
  return new Set(others.filter(() => random.chance(0.5)));
}

/** Tells a message to some only. */
export function tellSome(desk: LiarDesk, message: MinbftMessage, some = someOf(desk)): void {
  for (const to of some) desk.send(to, message);
}

function proposalLike(prepare: Prepare, changes: Partial<Prepare>): Draft {
  const { view, configurationVersion, newViewCounter, sequence, batchDigest } = { ...prepare, ...changes };
  return { kind: 'PREPARE', view, configurationVersion, newViewCounter, sequence, batchDigest, recovers: [] };
}

/** Goes on in a view that it has left. */
export function staleView(desk: LiarDesk): Strategy {
  const { random, self, context, heard } = desk;
  const stand = new OwnStand();
  const often = desk.eager ? 1 : random.pick([0.3, 0.7, 1]);
  const aims = someOf(desk);
  let left: { readonly view: number; readonly sequence: number } | undefined;

  const act = (): void => {
    if (left === undefined || !random.chance(often)) return;
    const draft = oldStatement(left);
    if (draft === undefined) return;
    desk.insert(draft, {}, (message) => tellSome(desk, message, aims));
    desk.lied(`old ${draft.kind}`);
  };
  const oldStatement = (old: { readonly view: number; readonly sequence: number }): Draft | undefined => {
    const last = heard.preparesOf(old.view).at(-1);
    if (context.primaryOf(old.view) === self && last !== undefined)
      return proposalLike(last, { sequence: Math.max(last.sequence, old.sequence) + 1 });
    const next = heard.prepareFor(old.view, old.sequence + 1) ?? last;
    if (next !== undefined && next.ui.replica !== self && !random.chance(0.2))
      return { kind: 'COMMIT', prepare: next };
    const { checkpoint } = stand;
    if (checkpoint === undefined) return undefined;
    return { ...checkpoint, sequence: checkpoint.sequence + context.checkpointInterval };
  };
  return {
    hears: (input) => {
      // A proposal of the view that was left: the commit that its primary still lacks.
      if (input.kind === 'message' && input.message.kind === 'PREPARE' && input.message.view === left?.view)
        act();
      return true;
    },
    sealed: (message) => {
      if (message.kind === 'VIEW-CHANGE') {
        left = { view: stand.view, sequence: stand.sequence };
        act();
      } else {
        stand.note(message);
        if (message.kind === 'COMMIT-NEW-VIEW' || message.kind === 'NEW-VIEW') act();
      }
    },
  };
}

/** Commits out of order. */
export function skipCommit(desk: LiarDesk): Strategy {
  const { random, heard, self, context } = desk;
  const often = desk.eager ? 1 : random.pick([0.05, 0.2, 0.6]);
  const trusting = random.chance(0.5);
  let previous: Prepare | undefined;
  let skipped: Prepare | undefined;

  const other = (prepare: Prepare): { readonly kind: string; readonly prepare: Prepare } | undefined => {
    const later = heard.preparesOf(prepare.view).find((one) => one.sequence > prepare.sequence);
    const foreign = heard.prepares.find((one) => one.view !== prepare.view && one.ui.replica !== self);
    const usurped = heard.prepares.find((one) => one.ui.replica !== context.primaryOf(one.view));
    const choices = [
      usurped && { kind: 'proposal of a usurper', prepare: usurped },
      later && { kind: 'skips', prepare: later },
      previous && { kind: 'repeats', prepare: previous },
      foreign && { kind: 'other view', prepare: foreign },
    ].filter((choice) => choice !== undefined);
    return choices.length === 0 ? undefined : random.pick(choices);
  };
  return {
    hears: (input) => {
      // Commits to whatever NEW-VIEW there is, valid or not, due or not.
      if (input.kind !== 'message' || input.message.kind !== 'NEW-VIEW' || !trusting) return true;
      desk.insert({ kind: 'COMMIT-NEW-VIEW', header: input.message.header });
      desk.lied('any NEW-VIEW');
      return true;
    },
    seals: (draft) => {
      if (draft.kind !== 'COMMIT') return draft;
      const { prepare } = draft;
      if (skipped !== undefined) {
        // Two in the wrong order: the one that was left out comes after its successor.
        const late = skipped;
        skipped = undefined;
        desk.lied('late');
        return { kind: 'COMMIT', prepare: late };
      }
      const chosen = random.chance(often) ? other(prepare) : undefined;
      previous = prepare;
      if (chosen === undefined) return draft;
      if (chosen.kind === 'skips' && random.chance(0.5)) skipped = prepare;
      desk.lied(chosen.kind);
      return { kind: 'COMMIT', prepare: chosen.prepare };
    },
  };
}

/** Proposes as a backup, and commits as a primary. */
export function usurp(desk: LiarDesk): Strategy {
  const { random, heard, self, context } = desk;
  let patience = desk.eager ? 0 : random.pick([0, 1, 4, 12]);
  const again = random.pick([1, 4, 20]);

  const act = (): void => {
    const last = heard.prepares.at(-1);
    if (last === undefined) return;
    const isPrimary = context.primaryOf(last.view) === self;
    const ahead = (self - context.primaryOf(last.view) + context.n) % context.n;
    const view = isPrimary || random.chance(0.5) ? last.view : last.view + ahead;
    const draft: Draft =
      isPrimary && random.chance(0.7)
        ? { kind: 'COMMIT', prepare: random.pick(heard.prepares) }
        : proposalLike(last, {
            view,
            sequence: last.sequence + random.pick([0, 1, 1, 1]),
            batchDigest: random.pick(heard.prepares).batchDigest,
          });
    const aims = someOf(desk);
    desk.insert(draft, {}, (message) => tellSome(desk, message, aims));
    desk.lied(isPrimary ? `primary's ${draft.kind}` : 'backup proposes');
  };
  return {
    sealed: (message) => {
      if (message.kind !== 'PREPARE' && message.kind !== 'COMMIT') return;
      patience -= 1;
      if (patience >= 0) return;
      patience = again;
      act();
    },
  };
}

/** Uses up counter values and hides what they seal. */
export function burn(desk: LiarDesk): Strategy {
  const { random, self } = desk;
  let patience = desk.eager ? 2 : random.pick([0, 2, 8, 20]);
  const again = random.pick([4, 15, 1000]);
  const releases = !desk.eager && random.chance(0.4);
  const waitMs = desk.settings.timers.requestMs * random.pick([0.3, 1, 3]);
  const hidden = new Set<CounterValue>();
  const some = random.chance(0.5) ? new Set<ReplicaId>() : someOf(desk);

  const hide = (message: StreamMessage): void => {
    const { counter } = message.kind === 'NEW-VIEW' ? message.header.ui : message.ui;
    hidden.add(counter);
    tellSome(desk, message, some);
    if (!releases) return;
    desk.later(waitMs, () => {
      hidden.delete(counter);
      desk.say(message);
    });
  };
  return {
    sealed: (message) => {
      if (message.kind !== 'PREPARE' && message.kind !== 'COMMIT' && message.kind !== 'CHECKPOINT') return;
      patience -= 1;
      if (patience >= 0) return;
      patience = again;
      const count = random.between(1, 3);
      for (let index = 0; index < count; index += 1) {
        desk.insert(message, {}, hide);
        desk.lied('hidden value');
      }
    },
    tells: (message, to) => {
      const ui = message.kind === 'NEW-VIEW' ? message.header.ui : 'ui' in message ? message.ui : undefined;
      const isHidden = ui?.replica === self && hidden.has(ui.counter) && !some.has(to);
      return isHidden ? [] : [message];
    },
  };
}

/** Statements that one who runs ahead seals behind the hidden one. */
const AHEAD = 400;

/** Hides one statement and seals as many behind it as its trusted component gives in the time. */
export function runAhead(desk: LiarDesk): Strategy {
  const { random, self } = desk;
  let patience = desk.eager ? 0 : random.pick([0, 2, 8]);
  let left = AHEAD;
  let hidden: CounterValue | undefined;

  const goOn = (message: StreamMessage): void => {
    for (let to = 0; to < desk.n; to += 1) if (to !== self) desk.send(to, message);
    left -= 1;
    if (left > 0 && message.kind !== 'NEW-VIEW') desk.insert(message, {}, goOn);
  };
  return {
    sealed: (message) => {
      if (message.kind !== 'PREPARE' && message.kind !== 'COMMIT' && message.kind !== 'CHECKPOINT') return;
      patience -= 1;
      if (patience >= 0 || hidden !== undefined) return;
      desk.lied('hundreds behind a hidden one');
      desk.insert(message, {}, (first) => {
        hidden = first.kind === 'NEW-VIEW' ? undefined : first.ui.counter;
        desk.insert(message, {}, goOn);
      });
    },
    tells: (message) =>
      'ui' in message && message.ui.replica === self && message.ui.counter === hidden ? [] : [message],
  };
}
