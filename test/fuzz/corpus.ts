/**
 * Real bytes to start from: what a few simulated clusters (view changes, a wiped replica, state transfer, a liar) put on
 * links, into journals, blocks and trusted components.
 */
import { decodeRecord, recordOf } from '../../src/host/records.ts';
import { decodeLinkFrame } from '../../src/host/link-frames.ts';
import type { HostPorts } from '../../src/host/ports.ts';
import { minbft } from '../../src/protocols/minbft/definition.ts';
import { createSimGenesis } from '../../src/sim/cluster-settings.ts';
import { drawScenario } from '../../src/sim/scenario.ts';
import type { Scenario } from '../../src/sim/scenario.ts';
import { World } from '../../src/sim/world.ts';
import type { ClusterSettings } from '../../src/core/config.ts';
import type { Block } from '../../src/ledger/contract.ts';
import type { MinbftMessage } from '../../src/smr/usig-stream/messages.ts';

/** Names of the sorts of bytes. */
export type Sort =
  | 'frame'
  | 'message'
  | 'body'
  | 'bundle'
  | 'clientFrame'
  | 'replicaFrame'
  | 'record'
  | 'draft'
  | 'block'
  | 'snapshotMeta'
  | 'chunk'
  | 'trustedRequest'
  | 'protocolState';

/** Samples kept of one sort and of one length class, so that frequent small messages do not crowd out rare ones. */
const PER_CLASS = 12;

/** Bytes by sort, and the settings that they belong to. */
export interface Corpus {
  readonly settings: ClusterSettings;
  readonly samples: ReadonlyMap<Sort, readonly Uint8Array[]>;
  readonly blocks: readonly Block[];
}

class Collector {
  readonly #byClass = new Map<string, Uint8Array[]>();
  readonly blocks: Block[] = [];

  add(sort: Sort, bytes: Uint8Array): void {
    const name = `${sort}/${bytes[0] ?? 0}/${Math.floor(Math.log2(bytes.length + 1))}`;
    const kept = this.#byClass.get(name) ?? [];
    if (kept.length < PER_CLASS) kept.push(bytes.slice());
    this.#byClass.set(name, kept);
  }

  addFrame(bytes: Uint8Array): void {
    this.add('frame', bytes);
    const frame = decodeLinkFrame(bytes);
    if (frame?.kind === 'protocol') this.add('message', frame.bytes);
    else if (frame?.kind === 'body') this.add('body', frame.bytes);
    else if (frame?.kind === 'bundle') this.add('bundle', frame.bytes);
    else if (frame?.kind === 'chunks') for (const { bytes: chunk } of frame.chunks) this.add('chunk', chunk);
  }

  addRecord(bytes: Uint8Array): void {
    this.add('record', bytes);
    const record = decodeRecord(bytes);
    if (record?.kind === 'intent') this.add('draft', record.draft);
    if (record?.kind === 'executed' && record.protocolState !== undefined)
      this.add('protocolState', record.protocolState);
  }

  samples(): Map<Sort, readonly Uint8Array[]> {
    const all = new Map<Sort, Uint8Array[]>();
    for (const [name, kept] of this.#byClass) {
      const sort = name.slice(0, name.indexOf('/')) as Sort;
      all.set(sort, [...(all.get(sort) ?? []), ...kept]);
    }
    return all;
  }
}

/** The ports of a machine, with everything that passes them collected. */
function overheard(ports: HostPorts, collector: Collector): HostPorts {
  return {
    ...ports,
    network: {
      toPeer: (to, frame) => {
        collector.addFrame(frame);
        ports.network.toPeer(to, frame);
      },
      toClient: (link, frame) => {
        collector.add('replicaFrame', frame);
        ports.network.toClient(link, frame);
      },
    },
    journal: {
      append: (record) => {
        collector.addRecord(record);
        ports.journal.append(record);
      },
      sync: (token) => ports.journal.sync(token),
      rewrite: (records, token) => {
        for (const source of records) collector.addRecord(recordOf(source));
        ports.journal.rewrite(records, token);
      },
    },
    snapshots: {
      get stateBytes() {
        return ports.snapshots.stateBytes;
      },
      store: (frozen, meta) => {
        collector.add('snapshotMeta', meta);
        for (let index = 0; index < 6; index += 1) collector.add('chunk', frozen.chunk(index));
        ports.snapshots.store(frozen, meta);
      },
    },
    blocks: {
      ...ports.blocks,
      append: (block) => {
        collector.add('block', block.bytes);
        if (collector.blocks.length < 8) collector.blocks.push(block);
        ports.blocks.append(block);
      },
    },
    trusted: {
      call: (call, request) => {
        collector.add('trustedRequest', request);
        ports.trusted.call(call, request);
      },
    },
  };
}

/** A cluster of three whose every replica is overheard (and for that counts as not correct: nobody judges it here). */
function scenarioOf(seed: number): Scenario {
  const drawn = drawScenario(seed, { replicas: 3, faults: [], durationMs: 600 });
  return {
    ...drawn,
    byzantine: [0, 1].map((replica) => ({ replica, behaviour: 'silent' as const })),
    faults: [
      { kind: 'crash', atMs: 60, forMs: 40, target: { kind: 'primary' } },
      { kind: 'wipe', atMs: 250, forMs: 60, target: { kind: 'replica', id: 1 } },
      { kind: 'isolate', atMs: 400, forMs: 120, target: { kind: 'primary' } },
    ],
    settleMs: 4_000,
  };
}

/** Collects the corpus. The same every time. */
export function collectCorpus(): Corpus {
  const collector = new Collector();
  let settings: ClusterSettings | undefined;
  for (const seed of [11, 12, 13]) {
    const scenario = scenarioOf(seed);
    const world = new World<MinbftMessage>({
      scenario,
      definition: minbft,
      corrupt: () => ({
        wrapReplica: (replica) => replica,
        wrapPorts: (ports) => overheard(ports, collector),
      }),
      listener: {
        onClientFrame: (_client, _to, frame) => {
          collector.add('clientFrame', frame);
          return true;
        },
        onArrival: (_from, _to, frame) => {
          collector.addFrame(frame);
          return true;
        },
      },
    });
    world.run();
    settings ??= createSimGenesis(scenario, minbft.name).settings;
  }
  return { settings: settings!, samples: collector.samples(), blocks: collector.blocks };
}
