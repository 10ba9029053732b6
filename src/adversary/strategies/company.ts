/** Whom a liar speaks to: nobody of some, friends only, or whoever it harms most. */
import type { CounterValue, ReplicaId, View } from '../../core/types.ts';
import type { Draft, MinbftMessage, Prepare, PrepareContent } from '../../smr/usig-stream/messages.ts';
import { twinOf } from './equivocation.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** Keeps everything from some, for good. */
export function shun(desk: LiarDesk): Strategy {
  const { random, n, self } = desk;
  const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== self);
  const drawn = others.filter(() => random.chance(0.5));
  const shunned = new Set(drawn.length === 0 || desk.eager ? [random.pick(others)] : drawn);
  const from = random.pick([0, 0, 20, 100]);
  let count = 0;
  return {
    tells: (message, to) => {
      count += 1;
      if (count <= from || !shunned.has(to)) return [message];
      desk.lied('kept from some');
      return [];
    },
    gives: (_, to) => count <= from || !shunned.has(to),
  };
}

/** Works on the plan of its coalition. */
export function coalition(desk: LiarDesk): Strategy {
  const { self, n, conspiracy, context, heard, random } = desk;
  const { half, members } = conspiracy;
  const isFriend = (id: ReplicaId): boolean => id === self || members.has(id);
  const twins = new Map<View, { readonly honest: CounterValue; readonly twin: CounterValue }>();
  const voted = new Set<string>();
  let candidate: { readonly counter: CounterValue; readonly draft: PrepareContent } | undefined;

  const isMute = (message: MinbftMessage): boolean => {
    const view =
      message.kind === 'PREPARE' ? message.view : message.kind === 'NEW-VIEW' ? message.header.view : -1;
    const author = message.kind === 'PREPARE' ? message.ui.replica : self;
    return (
      view >= 0 &&
      author === self &&
      context.primaryOf(view) === self &&
      conspiracy.conductIn(view) === 'mute'
    );
  };
  /** The second of two proposals for one order by a friend. */
  const twinBy = (prepare: Prepare): boolean =>
    prepare.ui.replica !== self &&
    members.has(prepare.ui.replica) &&
    heard.prepares.some(
      (one) =>
        one.view === prepare.view &&
        one.sequence === prepare.sequence &&
        one.ui.replica === prepare.ui.replica &&
        one.ui.counter < prepare.ui.counter,
    );
  const voteFor = (prepare: Prepare): void => {
    const key = `${prepare.view}/${prepare.sequence}`;
    if (voted.has(key)) return;
    voted.add(key);
    desk.lied("vote for a friend's twin");
    desk.insert({ kind: 'COMMIT', prepare }, {}, (message) => {
      for (let to = 0; to < n; to += 1) if (isFriend(to) || !half.has(to)) desk.send(to, message);
    });
  };
  const seals = (draft: Draft, counter: CounterValue): Draft => {
    if (draft.kind !== 'PREPARE') return draft;
    if (conspiracy.conductIn(draft.view) !== 'fork' || twins.has(draft.view)) return draft;
    if (candidate === undefined || counter !== candidate.counter + 1) {
      if (random.chance(0.4)) candidate = { counter, draft };
      return draft;
    }
    const { body, twin } = twinOf(desk, candidate.draft);
    twins.set(draft.view, { honest: candidate.counter, twin: counter });
    candidate = undefined;
    desk.share(body);
    desk.lied('fork on the plan');
    return twin;
  };
  return {
    seals,
    hears: (input) => {
      if (input.kind === 'message' && input.message.kind === 'PREPARE' && twinBy(input.message))
        voteFor(input.message);
      return true;
    },
    tells: (message, to) => {
      if (isFriend(to)) return [message];
      if (isMute(message)) {
        desk.lied('mute on the plan');
        return [];
      }
      if (message.kind !== 'PREPARE' || message.ui.replica !== self) return [message];
      const fork = twins.get(message.view);
      const { counter } = message.ui;
      if (fork === undefined || (counter !== fork.honest && counter !== fork.twin)) return [message];
      return half.has(to) === (counter === fork.honest) ? [message] : [];
    },
  };
}

/** Works against whoever is going to lead, and keeps the vote that a quorum lacks. */
export function adaptive(desk: LiarDesk): Strategy {
  const { self, n, context, random, settings } = desk;
  const { requestMs } = settings.timers;
  const slow = random.chance(0.5);
  const votes = new Map<string, Set<ReplicaId>>();
  let asked: View = 0;

  const note = (message: MinbftMessage): void => {
    if (message.kind === 'REQUEST-VIEW-CHANGE' && message.replica !== self && message.target < 1_000)
      asked = Math.max(asked, message.target);
    if (message.kind === 'VIEW-CHANGE' && message.view < 1_000) asked = Math.max(asked, message.view);
    if (message.kind !== 'COMMIT') return;
    const key = `${message.prepare.view}/${message.prepare.sequence}`;
    const voters = votes.get(key) ?? new Set<ReplicaId>();
    voters.add(message.ui.replica);
    votes.set(key, voters);
    if (votes.size > 64) for (const oldest of votes.keys()) if (votes.size > 64) votes.delete(oldest);
  };
  /** The replica that will lead if views change: the one that was asked for, or the one after this primary. */
  const victim = (): ReplicaId => context.primaryOf(Math.max(asked, desk.inspect().view + 1));
  const keep = (message: MinbftMessage, to: ReplicaId, kind: string): readonly MinbftMessage[] => {
    desk.lied(kind);
    if (slow) desk.later(requestMs * (0.4 + random.unit() * 0.55), () => desk.send(to, message));
    return [];
  };
  return {
    hears: (input) => {
      if (input.kind === 'message') note(input.message);
      return true;
    },
    tells: (message, to) => {
      const next = victim();
      switch (message.kind) {
        case 'PREPARE':
          // As primary: just in time for all but the one that would replace it.
          return to === next && message.ui.replica === self ? keep(message, to, 'proposal kept') : [message];
        case 'COMMIT': {
          const { prepare } = message;
          const others = votes.get(`${prepare.view}/${prepare.sequence}`)?.size ?? 0;
          // With the proposal and the votes that it knows of, its own would make the quorum.
          const decides = message.ui.replica === self && others + 1 === context.f;
          return decides || to === next ? keep(message, to, 'vote kept') : [message];
        }
        case 'VIEW-CHANGE':
          return to === next ? keep(message, to, 'VIEW-CHANGE kept') : [message];
        case 'NEW-VIEW':
          return to === (self + 1) % n ? keep(message, to, 'NEW-VIEW kept') : [message];
        default:
          return [message];
      }
    },
    gives: (effect, to) => effect.kind !== 'shareBody' || to !== victim() || random.chance(0.3),
  };
}
