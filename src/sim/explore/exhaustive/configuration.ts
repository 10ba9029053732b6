/** What an exhaustive search goes through: a small cluster, its requests, its liar, its bounds. */
import { wrapWith } from '../../../adversary/stream-liar.ts';
import { twinOf } from '../../../adversary/strategies/equivocation.ts';
import type { LiarDesk, Strategy } from '../../../adversary/strategies/strategy.ts';
import { Prng } from '../../../core/prng.ts';
import type { ReplicaId } from '../../../core/types.ts';
import { makeBundle } from '../../core/client.ts';
import { createCoreGenesis } from '../../core/genesis.ts';
import { SEAL_BYTES } from '../../core/seal-book.ts';
import { smallScenario } from '../small-scenario.ts';
import type { Surroundings } from './bare-machine.ts';

/** See the top of this file. */
export interface ExhaustiveOptions {
  /** Requests that every replica has from the beginning: 1 or 2. */
  readonly requests: number;
  /** The first primary is Byzantine and seals two proposals for the first sequence number. */
  readonly equivocates: boolean;
  /** Time-outs of each replica, at most. */
  readonly timeouts: number;
  /** `any`: messages arrive in any order. `link`: each link keeps the order of sending, as TCP does. */
  readonly order: 'any' | 'link';
  /** Events of a path, at most. */
  readonly depth: number;
  /** STATUS and questions travel too. If not, all of them are lost, which is a part of the same space. */
  readonly hints: boolean;
  /** Sleep sets. */
  readonly reduce: boolean;
  /** Local histories that differ in nothing that can be seen are one state (`local-states.ts`). */
  readonly merge: boolean;
}

/** A cluster to be searched. */
export interface Configuration {
  readonly n: number;
  readonly liar: ReplicaId | undefined;
  readonly surroundings: Surroundings;
}

/** Two proposals of the first primary for one place, both told to everybody: which ones arrive is the search's choice. */
function twoProposals(desk: LiarDesk): Strategy {
  let told = false;
  return {
    seals: (draft) => {
      if (draft.kind !== 'PREPARE' || told) return draft;
      told = true;
      const { body, twin } = twinOf(desk, draft);
      desk.share(body);
      desk.lied('two proposals');
      desk.insert(twin);
      return draft;
    },
  };
}

/** The cluster of the options. */
export function createConfiguration({ requests, equivocates, hints }: ExhaustiveOptions): Configuration {
  const scenario = smallScenario({ seed: 1, f: 1, requests, byzantine: [], faultsMs: 1 });
  const genesis = createCoreGenesis(scenario, 'minbft');
  const liar = equivocates ? 0 : undefined;
  const random = new Prng(1);
  const bundles = Array.from({ length: requests }, (_, index) => makeBundle(0, index + 1, 1, random));
  const { settings, domain, hash } = genesis;
  return {
    n: scenario.n,
    liar,
    surroundings: {
      genesis,
      bundles,
      hints,
      bodies: new Map(),
      wrap: (self, replica) =>
        self === liar
          ? wrapWith(
              twoProposals,
              'equivocate',
              { self, settings, domain, hash, random: new Prng(1), sign: () => SEAL_BYTES },
              replica,
            )
          : replica,
    },
  };
}

/** The options as the command line takes them. */
export function optionsText(options: ExhaustiveOptions): string {
  const { requests, equivocates, timeouts, order, depth, hints, reduce, merge } = options;
  const parts = [`--requests ${requests} --timeouts ${timeouts} --order ${order} --depth ${depth}`];
  if (equivocates) parts.push('--equivocate');
  if (hints) parts.push('--hints');
  if (reduce) parts.push('--sleep-sets');
  if (!merge) parts.push('--exact');
  return parts.join(' ');
}
