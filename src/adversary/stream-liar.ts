/**
 * Lies between the logic and the trusted component, for protocols on USIG streams. The logic is a correct replica that
 * does not know what is sealed in its name: the liar puts another statement into a seal that the logic asked for, or
 * asks for one itself. Every seal is a real one. Lying after the seal would find nothing: the counter gap masks it.
 */
import type { Replica } from '../core/protocol.ts';
import type { Prng } from '../core/prng.ts';
import type { MinbftMessage } from '../smr/usig-stream/messages.ts';
import type { Behaviour, Lie } from './behaviours.ts';
import { partsOf } from './behaviours.ts';
import { Conspiracy } from './conspiracy.ts';
import { StreamLiar } from './liar.ts';
import type { StreamLiarOptions } from './options.ts';
import { inflate, lieTransfer, spamViews } from './strategies/claims.ts';
import { adaptive, coalition, shun } from './strategies/company.ts';
import { equivocate, lieCheckpoint } from './strategies/equivocation.ts';
import { mutate, relabel } from './strategies/mutation.ts';
import { doubleNewView, wrongBase } from './strategies/new-views.ts';
import { burn, runAhead, skipCommit, staleView, usurp } from './strategies/order.ts';
import { censor, fabricateRequest, misdate } from './strategies/proposals.ts';
import { provoking } from './strategies/provoke.ts';
import type { LiarDesk, Strategy, StrategyFactory } from './strategies/strategy.ts';
import { withTwin } from './strategies/twins.ts';
import { forgedLog, hiddenViewChange, truncatedLog } from './strategies/view-changes.ts';

export type { StreamLiarOptions } from './options.ts';

/** Behaviours that lie in the stream; the others lie on the wire alone. */
const FACTORIES: Readonly<Partial<Record<Behaviour, StrategyFactory>>> = {
  equivocate,
  'lie-checkpoint': lieCheckpoint,
  'stale-view': (desk) => provoking(desk, staleView(desk)),
  'double-new-view': (desk) => provoking(desk, doubleNewView(desk)),
  'hidden-view-change': (desk) => provoking(desk, hiddenViewChange(desk)),
  'truncated-log': (desk) => provoking(desk, truncatedLog(desk)),
  'forged-log': (desk) => provoking(desk, forgedLog(desk)),
  'wrong-base': (desk) => provoking(desk, wrongBase(desk)),
  'skip-commit': skipCommit,
  usurp,
  burn,
  'run-ahead': runAhead,
  'fabricate-request': fabricateRequest,
  misdate,
  'lie-transfer': lieTransfer,
  inflate,
  mutate,
  relabel,
  shun,
  censor,
  'spam-views': spamViews,
  coalition,
  twins: () => ({}),
  adaptive,
};

/** Whether a behaviour lies in the stream. */
export function liesInStream(behaviour: Behaviour): boolean {
  return FACTORIES[behaviour] !== undefined;
}

/** The replica with a liar before its trusted component; behaviours of the wire leave it as it is. */
export function wrapReplica(
  lie: Lie,
  options: StreamLiarOptions,
  replica: Replica<MinbftMessage>,
): Replica<MinbftMessage> {
  const parts = partsOf(lie).filter((part) => FACTORIES[part] !== undefined);
  if (parts.length === 0) return replica;
  const conspiracy = options.conspiracy ?? new Conspiracy(1, options.settings.members.length, [options.self]);
  const twins = parts.includes('twins')
    ? withTwin(options, replica, (kind) => conspiracy.lied(options.self, 'twins', kind))
    : undefined;
  const liar = new StreamLiar(options, conspiracy.memoryOf(options.self), twins ?? replica);
  // One behaviour draws from the liar's own generator; of several each has one of its own.
  const strategies = parts.map((part): Strategy => {
    const random = parts.length === 1 ? options.random : options.random.fork();
    return FACTORIES[part]!(deskAt(liar, part, options, conspiracy, random));
  });
  liar.follow(strategies);
  return liar;
}

/** The replica with one given strategy before its trusted component; its lies are counted under `name`. */
export function wrapWith(
  factory: StrategyFactory,
  name: Behaviour,
  options: StreamLiarOptions,
  replica: Replica<MinbftMessage>,
): Replica<MinbftMessage> {
  const conspiracy = options.conspiracy ?? new Conspiracy(1, options.settings.members.length, [options.self]);
  const liar = new StreamLiar(options, conspiracy.memoryOf(options.self), replica);
  liar.follow([factory(deskAt(liar, name, options, conspiracy, options.random))]);
  return liar;
}

function deskAt(
  liar: StreamLiar,
  behaviour: Behaviour,
  options: StreamLiarOptions,
  conspiracy: Conspiracy,
  random: Prng,
): LiarDesk {
  const { self, settings, domain, hash, eager = false, sign, spare } = options;
  return {
    self,
    n: settings.members.length,
    settings,
    domain,
    hash,
    context: liar.context,
    random,
    eager,
    conspiracy,
    heard: liar.heard,
    sign,
    spare,
    inspect: () => liar.inspect(liar.now),
    lied: (kind) => conspiracy.lied(self, behaviour, kind),
    insert: (draft, extras = {}, then) => liar.insert(draft, extras, then),
    say: (message, to) => liar.say(message, to),
    send: (to, message) => liar.send(to, message),
    share: (batch) => liar.share(batch),
    later: (delayMs, action) => liar.later(delayMs, action),
  };
}
