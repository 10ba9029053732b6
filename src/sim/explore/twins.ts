/**
 * Enumeration after Twins: one replica runs twice, under one identity and with one shared trusted component, and every
 * round (a view, with its change and its ordering) has a partition of all copies of its own. Everything is enumerated:
 * who has the twin, and so in which round it is the primary, times the partition of each round. Messages of a view pass
 * only within a part; wishes to leave a view always pass, or nobody would ever get to the next round. After the last
 * round everybody hears everybody, and the cluster must finish.
 */
import type { ReplicaId, View } from '../../core/types.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { CoreCorruption, CoreCorruptionContext } from '../core/world.ts';
import { playWorld, worldOf } from './explorer.ts';
import type { Exploration, ExplorerWorld, Frame, IndexedExplorer } from './explorer.ts';
import { partitionsOf } from './partitions.ts';
import type { Partition } from './partitions.ts';
import { placeOf } from './rounds-of-views.ts';
import { smallScenario } from './small-scenario.ts';
import { twinsOnLinks } from './twin-links.ts';
import type { Copy } from './twin-links.ts';

const REPLICAS = 3;
/** The twin stands after the replicas. */
const PARTITIONS = partitionsOf(REPLICAS + 1);
/** Requests of the client. */
const REQUESTS = 3;
/** Milliseconds of virtual time that a round may take: suspicion, and the change of the view. */
const ROUND_MS = 80;

/** What is fixed for all schedules. */
export interface TwinsOptions {
  /** Rounds with a partition of their own: 1 to 5. */
  readonly rounds: number;
  /** Judges look inside of the replicas too. Default: true. */
  readonly inside?: boolean;
}

/** One schedule. */
export interface TwinsPlan {
  /** Who runs twice. */
  readonly twin: ReplicaId;
  /** By round: the parts, by replica; the second copy comes last. */
  readonly partitions: readonly Partition[];
}

/** How many schedules there are. */
export function twinsSize(rounds: number): number {
  return REPLICAS * PARTITIONS.length ** rounds;
}

/** The schedule of an index: who has the twin changes fastest, then the partition of the first round. */
export function twinsPlan(index: number, rounds: number): TwinsPlan {
  let rest = Math.floor(index / REPLICAS);
  const partitions = Array.from({ length: rounds }, () => {
    const partition = PARTITIONS[rest % PARTITIONS.length]!;
    rest = Math.floor(rest / PARTITIONS.length);
    return partition;
  });
  return { twin: index % REPLICAS, partitions };
}

function partText(partition: Partition, twin: ReplicaId): string {
  const names = partition.map((_, member) => (member === REPLICAS ? `${twin}'` : `${member}`));
  const parts = Array.from({ length: Math.max(...partition) + 1 }, (_, part) =>
    names.filter((_name, member) => partition[member] === part).join(' '),
  );
  return parts.join(' | ');
}

/** What a schedule does, in words. */
export function twinsText({ twin, partitions }: TwinsPlan): string {
  return `twin of ${twin}; ${partitions.map((partition, view) => `view ${view}: ${partText(partition, twin)}`).join('; ')}`;
}

/** Who hears whom in a run. */
class Parts {
  readonly #plan: TwinsPlan;
  readonly #endMs: number;
  world: ExplorerWorld | undefined;
  /** The latest view that a sealed message was about: hints belong to it. */
  #latest: View = 0;

  constructor(plan: TwinsPlan) {
    this.#plan = plan;
    this.#endMs = plan.partitions.length * ROUND_MS;
  }

  get endMs(): number {
    return this.#endMs;
  }

  note(frame: Frame): void {
    if (frame.kind !== 'protocol' || frame.message.kind === 'REQUEST-VIEW-CHANGE') return;
    this.#latest = Math.max(this.#latest, placeOf(frame.message)?.view ?? 0);
  }

  /** Members are replicas, and the second copy after them. */
  hear(a: number, b: number, message: MinbftMessage): boolean {
    if (message.kind === 'REQUEST-VIEW-CHANGE' || this.world!.queue.now >= this.#endMs) return true;
    const view = placeOf(message)?.view ?? this.#latest;
    const partition = this.#plan.partitions[view];
    return partition === undefined || partition[a] === partition[b];
  }
}

function corruptTwin(context: CoreCorruptionContext, parts: Parts): CoreCorruption<MinbftMessage> {
  const { replica: self, genesis, random, signAsHost: sign } = context;
  const { settings, domain, hash } = genesis;
  const options = { self, settings, domain, hash, random, sign };
  const reaches = (copy: Copy, other: ReplicaId, message: MinbftMessage): boolean =>
    parts.hear(copy === 0 ? self : REPLICAS, other, message);
  return {
    wrapReplica: (replica) => twinsOnLinks(options, replica, reaches),
    wrapLinks: (links) => links,
  };
}

/** Runs one schedule. */
export function playTwins(plan: TwinsPlan, reproduce: string, inside = true): Exploration['result'] {
  const parts = new Parts(plan);
  const { twin } = plan;
  const byzantine = [{ replica: twin, behaviour: 'twins' as const }];
  const scenario = smallScenario({ seed: 1, f: 1, requests: REQUESTS, byzantine, faultsMs: parts.endMs });
  const world = worldOf(scenario, {
    corrupt: (context) => corruptTwin(context, parts),
    listener: {
      onSend: (_from, _to, frame) => parts.note(frame),
      // The copies look after their own links.
      onArrival: (from, to, frame) =>
        frame.kind !== 'protocol' || from === twin || to === twin || parts.hear(from, to, frame.message),
    },
    judging: { inside },
  });
  parts.world = world;
  return playWorld(world, reproduce);
}

/** The enumeration. */
export function twinsExplorer({ rounds, inside }: TwinsOptions): IndexedExplorer {
  return {
    size: twinsSize(rounds),
    explore: (index) => {
      const plan = twinsPlan(index, rounds);
      const reproduce = `moiety sim explore --strategy twins --rounds ${rounds} --from ${index} --budget 1`;
      return { index, text: twinsText(plan), result: playTwins(plan, reproduce, inside) };
    },
  };
}
