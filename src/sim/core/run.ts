/** Runs one scenario with MinBFT in the core fidelity. */
import { Forker } from '../../adversary/forker.ts';
import type { LieListener } from '../../adversary/conspiracy.ts';
import { wrapReplica } from '../../adversary/stream-liar.ts';
import type { RuleTrace } from '../../core/protocol.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { Fired } from '../chance.ts';
import { conspiracyFor } from '../conspiracies.ts';
import type { Scenario } from '../scenario.ts';
import { secondVoice } from './fork-voice.ts';
import { wrapLinks } from './link-lies.ts';
import { CoreWorld } from './world.ts';
import type { CoreCorruption, CoreCorruptionContext } from './world.ts';

/** Listeners of a run; it is the same with and without them. */
export interface CoreRunListeners {
  readonly narrate?: (atMs: number, text: string) => void;
  readonly watch?: (atMs: number, text: string) => void;
  readonly trace?: (event: RuleTrace) => void;
  readonly onFired?: (fired: Fired) => void;
  /** Told every lie in a stream, as `behaviour/kind`. */
  readonly onLie?: LieListener;
  /** Whether the insides of correct replicas are judged, too; by default they are not. */
  readonly judging?: { readonly inside: boolean };
}

/** Makes the world of a scenario and runs it to its end. */
export function runCoreWorld(scenario: Scenario, listeners: CoreRunListeners = {}): CoreWorld<MinbftMessage> {
  const { narrate, watch, trace, onFired, onLie, judging } = listeners;
  const conspiracy = scenario.byzantine.length === 0 ? undefined : conspiracyFor(scenario, onLie);
  const world = new CoreWorld<MinbftMessage>({
    scenario,
    definition: minbft,
    corrupt: (context) => corruptCore(context, conspiracy),
    ...(narrate === undefined ? {} : { narrate }),
    ...(watch === undefined ? {} : { watch }),
    ...(trace === undefined ? {} : { trace }),
    ...(onFired === undefined ? {} : { onFired }),
    ...(judging === undefined ? {} : { judging }),
  });
  world.run();
  return world;
}

/** The lie of a Byzantine machine, as its behaviour names it. */
export function corruptCore(
  context: CoreCorruptionContext,
  conspiracy = conspiracyFor(context.scenario),
): CoreCorruption<MinbftMessage> {
  const { replica: self, behaviour, genesis, random, after, scenario, trusted, reboot } = context;
  const { settings, domain, hash } = genesis;
  if (behaviour === undefined) {
    const plan = scenario.forker!;
    if (plan.strategy === 'double') return { wrapReplica: (replica) => replica, wrapLinks: (links) => links };
    const voice = secondVoice(plan, { trusted, after, reboot });
    const { others, patience } = plan;
    const options = { self, settings, domain, hash, random, voice, others, patience };
    return { wrapReplica: (replica) => new Forker(options, replica), wrapLinks: (links) => links };
  }
  const links = { self, n: scenario.n, random: random.fork(), after, patienceMs: settings.timers.requestMs };
  const { signAsHost: sign, spare } = context;
  const stream = { self, settings, domain, hash, random: random.fork(), sign, spare, conspiracy };
  return {
    wrapReplica: (replica) => wrapReplica(behaviour, stream, replica),
    wrapLinks: (inner) => wrapLinks(behaviour, links, inner),
  };
}
