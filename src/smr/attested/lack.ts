/** What a replica whose messages are attested one by one waits for. For people; nothing is decided by it. */
import type { Lack } from '../../core/live.ts';
import type { Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { Lacking } from '../lack.ts';
import { oneLack, quorumLack, SILENT_PERIODS } from '../lack.ts';
import type { AttestedReplica } from './replica.ts';
import type { Content } from './sealed.ts';

/** A word that takes longer is overdue. */
const WORD_MS: Milliseconds = 500;

/** What nothing goes on without, if anything: the most fundamental first. `now`: as the desk's. */
export function lackOfAttested<C extends Content>(
  replica: AttestedReplica<C>,
  now: Milliseconds,
): Lack | undefined {
  return (
    fetching(replica, now) ??
    ownWord(replica, now) ??
    (replica.mode === 'changing' ? newView(replica, now) : undefined) ??
    answers(replica, now) ??
    (replica.mode === 'changing' ? undefined : order(replica, now)) ??
    silence(replica, now)
  );
}

function everybody<C extends Content>({ peers }: AttestedReplica<C>): ReplicaId[] {
  return [...peers.keys()];
}

function fetching<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const { fetching: state, self } = replica;
  if (state === undefined) return undefined;
  const others = everybody(replica).filter((id) => id !== self);
  return oneLack('state', { sequence: state.sequence }, others, now - state.since);
}

/** Own messages wait for whoever vouches for them: an object of the own component, or host key and disk. */
function ownWord<C extends Content>({ own, self }: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const { awaited } = own;
  if (awaited === undefined || now - awaited.since < WORD_MS) return undefined;
  return oneLack(awaited.by.kind === 'object' ? 'component' : 'store', {}, [self], now - awaited.since);
}

/** A body that was asked for: of its proposer first, then of everybody. */
function body<C extends Content>({ bodies }: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const wanted = bodies.oldestWanted();
  return wanted && oneLack('body', {}, wanted.sources, now - wanted.since);
}

/** As far as a protocol says: by now, since what it knows of, or since anything was executed. */
function asLack(lacking: Lacking | undefined, since: Milliseconds, now: Milliseconds): Lack | undefined {
  if (lacking === undefined) return undefined;
  const { what, view, sequence } = lacking;
  const place = {
    ...(view === undefined ? {} : { view }),
    ...(sequence === undefined ? {} : { sequence }),
  };
  const lack = quorumLack(what, place, lacking, now - since);
  return lack.has.length >= lack.needs ? undefined : lack;
}

/** Since when requests wait, however many views are tried meanwhile; if none does, since something else happened. */
function waitingSince<C extends Content>(
  { requests, executedAtMs }: AttestedReplica<C>,
  otherwise: Milliseconds,
): Milliseconds {
  const asked = requests.pending.oldestSince();
  return asked === undefined ? otherwise : Math.max(executedAtMs, asked);
}

function newView<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const lacking = replica.viewLack();
  const lack = asLack(lacking, waitingSince(replica, lacking?.since ?? replica.progressAtMs), now);
  // Who has to say the NEW-VIEW may wait for the batches in it.
  return lack === undefined || lack.needs === 1 ? (body(replica, now) ?? lack) : lack;
}

/** Comes and goes less often than what orders wait for, and does not pass with the next of them. */
function answers<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const lacking = replica.answerLack();
  return asLack(lacking, lacking?.since ?? replica.progressAtMs, now);
}

function order<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const { requests, executed, progressAtMs, self } = replica;
  if (replica.busy) return undefined;
  const n = executed + 1;
  const wanted = body(replica, now);
  if (wanted !== undefined) return wanted;
  const asked = requests.pending.oldestSince();
  if (asked !== undefined && n > replica.stableSequence + replica.window) return stability(replica, now);
  const lacking = replica.decisions.has(n) ? undefined : replica.orderLack(n, asked !== undefined);
  const since = Math.max(progressAtMs, lacking?.since ?? 0);
  const lack = asLack(lacking, waitingSince(replica, since), now);
  // Nobody waits for himself: what he has to do comes when something else does.
  return lack?.lacks.every((id) => id === self) === true ? undefined : lack;
}

/** The next stable checkpoint: without it the window stays full. */
function stability<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const { checkpoints, limits, progressAtMs, stableSequence } = replica;
  const sequence = stableSequence + limits.checkpointInterval;
  // Who has not come so far by itself lacks something else.
  if (replica.confirmed < sequence) return undefined;
  const has = checkpoints.votersFrom(sequence, replica.self);
  const quorum = { needs: checkpoints.quorum, has, among: everybody(replica) };
  return asLack({ what: 'CHECKPOINT', sequence, ...quorum }, waitingSince(replica, progressAtMs), now);
}

/** Nothing is asked for, but nothing could be ordered either: too few are heard. */
function silence<C extends Content>(replica: AttestedReplica<C>, now: Milliseconds): Lack | undefined {
  const { peers, self, timers, n, f } = replica;
  const since = now - SILENT_PERIODS * timers.statusMs;
  const heardAt = (id: ReplicaId): Milliseconds => peers[id]!.lastHeardMs ?? replica.startedAtMs;
  const among = everybody(replica);
  const has = among.filter((id) => id === self || heardAt(id) >= since);
  if (has.length >= n - f) return undefined;
  const lastHeard = Math.max(...among.filter((id) => !has.includes(id)).map(heardAt));
  return quorumLack('messages', {}, { needs: n - f, has, among }, now - lastHeard);
}

/** What a view change waits for where replicas ask for a view and its primary then starts it. */
export function changeLack<C extends Content>(
  replica: AttestedReplica<C>,
  asking: readonly ReplicaId[],
  needs: number,
): Lacking | undefined {
  const { view, primary, self } = replica;
  const among = everybody(replica);
  if (asking.length < needs) return { what: 'VIEW-CHANGE', view, needs, has: asking, among };
  return primary === self ? undefined : { what: 'NEW-VIEW', view, needs: 1, has: [], among: [primary] };
}

/** A proposal that its primary owes. */
export function proposalLack(
  what: string,
  place: { readonly sequence: SequenceNumber; readonly view: number },
  from: ReplicaId,
): Lacking {
  return { what, ...place, needs: 1, has: [], among: [from] };
}
