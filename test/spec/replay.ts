/**
 * Replays traces of `spec/minbft.qnt` against real MinBFT replicas, action by action, and compares after each one what
 * the specification says of the replica that moved with what the replica says of itself. What is compared and what is
 * not: `spec/README.md`.
 */
import assert from 'node:assert/strict';
import { decodeBatch } from '../../src/core/request.ts';
import type { Batch } from '../../src/core/request.ts';
import type { Digest } from '../../src/core/types.ts';
import { markVerified, ZERO_DIGEST } from '../../src/core/types.ts';
import { statusOf } from '../../src/smr/usig-replica/gossip.ts';
import type { UsigReplica } from '../../src/smr/usig-replica/replica.ts';
import { minbft } from '../../src/protocols/minbft/definition.ts';
import { Cluster, sha256 } from '../../src/protocols/minbft/fixture.test.ts';
import type { MinbftMessage } from '../../src/smr/usig-stream/messages.ts';
import { streamUi } from '../../src/smr/usig-stream/stream.ts';
import type { ItfState, ItfValue } from './itf.ts';

/** What is compared, of one replica. */
export interface Abstraction {
  readonly mode: string;
  readonly view: number;
  readonly newView: { readonly view: number; readonly counter: number; readonly end: number };
  readonly lastSequence: number;
  readonly lastPrimaryCounter: number;
  readonly checkpointSequence: number;
  /** Counter up to which each stream is processed; the own one included. */
  readonly counters: readonly number[];
  /** Executed: view of the proposal and bundle, in order. */
  readonly executed: readonly string[];
  /** Statement that the trusted component was asked for. */
  readonly sealing: string;
  readonly target: number;
  /** Highest view asked for by each replica, as far as heard. */
  readonly heard: readonly number[];
  /** Bundles that wait. */
  readonly pending: number;
}

type Fields = { readonly [field: string]: ItfValue };

const REPLICAS = [0, 1, 2];
/** More than any delay of the harness, and far below the 5 s that a batch may be ahead of a clock. */
const PATIENCE_MS = 60;

/** Replicas without a network, a clock or a component of their own: the trace decides on all of it. */
export class Replay {
  readonly #cluster: Cluster;
  readonly #clocks = REPLICAS.map(() => 1_000);
  /** Everything sealed and every wish signed, by name. */
  readonly #mail = new Map<string, MinbftMessage>();
  readonly #bodies = new Map<Digest, Batch>();

  constructor(limits: { readonly checkpointInterval: number; readonly pipelineFactor: number }) {
    this.#cluster = new Cluster({
      limits: { ...limits, batchRequestsMax: 1, logEntriesMax: 64 * 64 },
      timers: { batchDelayMs: 0, requestMs: 10, newViewMs: 10, backoffCapMs: 20 },
    });
    // Nothing travels by itself: what leaves a replica is kept until the trace delivers it.
    this.#cluster.hook = (_from, _to, message) => {
      this.#keep(message);
      return [];
    };
    for (const id of REPLICAS) this.#at(id, () => this.#cluster.start(id));
  }

  #at(id: number, run: () => void): void {
    this.#cluster.now = this.#clocks[id]!;
    run();
  }

  #keep(message: MinbftMessage): void {
    switch (message.kind) {
      case 'PREPARE':
      case 'COMMIT':
      case 'CHECKPOINT':
      case 'VIEW-CHANGE':
      case 'NEW-VIEW':
      case 'COMMIT-NEW-VIEW': {
        const { replica, counter } = streamUi(message);
        const name = `${replica}/${counter}`;
        if (!this.#mail.has(name)) this.#mail.set(name, message);
        break;
      }
      case 'REQUEST-VIEW-CHANGE':
        this.#mail.set(`wish/${message.replica}/${message.target}`, message);
        break;
      default:
        break;
    }
  }

  /** Bodies are at hand everywhere at once: they are not part of the model. */
  #spreadBodies(from: number): void {
    for (const [key, bytes] of this.#cluster.members[from]!.stored) {
      const digest = key.startsWith('body/') ? (key.slice('body/'.length) as Digest) : undefined;
      if (digest === undefined || this.#bodies.has(digest)) continue;
      const decoded = decodeBatch(sha256, this.#cluster.domain, bytes, 8);
      assert.ok(decoded !== undefined);
      const batch = { ...decoded, bundleAuthentic: [true], recoverAuthentic: [] };
      this.#bodies.set(digest, batch);
      for (const id of REPLICAS) if (id !== from) this.#giveBody(id, batch);
    }
  }

  #giveBody(id: number, batch: Batch): void {
    this.#at(id, () => this.#cluster.input(id, { kind: 'body', batch }));
  }

  #deliver(to: number, name: string): void {
    const message = this.#mail.get(name);
    assert.ok(message !== undefined, `${name} was sent`);
    const from = Number(name.replace('wish/', '').split('/')[0]);
    const bytes = minbft.encode(message);
    this.#at(to, () => this.#cluster.deliver(from, to, bytes, message.kind));
  }

  #seal(id: number): void {
    const member = this.#cluster.members[id]!;
    const seal = member.pendingSeal;
    assert.ok(seal !== undefined, `replica ${id} has asked for a seal`);
    member.pendingSeal = undefined;
    const ui = this.#cluster.certify(member, seal.digest);
    member.ownLog.push({ draft: seal.draft, ui });
    this.#at(id, () => this.#cluster.input(id, { kind: 'sealed', ui }));
  }

  #expire(id: number): void {
    this.#clocks[id]! += PATIENCE_MS;
    const { mode } = this.#replica(id).state.own.state;
    const timer = mode === 'active' ? 'request' : 'newView';
    this.#at(id, () => this.#cluster.input(id, { kind: 'timeout', timer }));
    // A request that is overdue is noticed last; what follows from the wish is concluded at the next input.
    this.#at(id, () => this.#cluster.input(id, { kind: 'timeout', timer: 'batch' }));
  }

  /** Power goes and comes back; everything durable is there, and nothing was outstanding. */
  #restart(id: number): void {
    const member = this.#cluster.members[id]!;
    assert.equal(member.pendingSeal, undefined);
    member.generation += 1;
    member.replica = undefined;
    // No power cut is over in no time: a bundle that is proposed again makes another batch.
    this.#clocks[id]! += 1;
    this.#at(id, () => this.#cluster.start(id));
    // The specification restarts with what was durable, so peers have nothing to add (RECOVER.4): they say so at once.
    const message = markVerified(statusOf(this.#replica(id).state));
    for (const from of REPLICAS)
      if (from !== id) this.#at(id, () => this.#cluster.input(id, { kind: 'message', from, message }));
    for (const batch of this.#bodies.values()) this.#giveBody(id, batch);
  }

  /** Performs what the specification did. */
  perform(last: Fields): void {
    const [i, j, counter] = [Number(last['i']), Number(last['j']), Number(last['ctr'])];
    switch (last['act']) {
      case 'request':
        this.#at(i, () =>
          this.#cluster.input(i, { kind: 'bundle', bundle: markVerified(this.#cluster.bundle(j)) }),
        );
        break;
      case 'seal':
        this.#seal(i);
        break;
      case 'deliver':
        this.#deliver(i, `${j}/${counter}`);
        break;
      case 'expire':
        this.#expire(i);
        break;
      case 'hearRequest':
        this.#deliver(i, `wish/${j}/${counter}`);
        break;
      case 'restart':
        this.#restart(i);
        break;
      default:
        assert.fail(`no replica does ${String(last['act'])}`);
    }
    for (const id of REPLICAS) this.#spreadBodies(id);
  }

  #replica(id: number): UsigReplica {
    return this.#cluster.members[id]!.replica as UsigReplica;
  }

  /** What a replica says of itself. */
  observe(id: number): Abstraction {
    const { state: s } = this.#replica(id);
    const { mode, view, newView, lastSequence, lastPrimaryCounter, checkpointSequence } = s.own.state;
    return {
      mode,
      view,
      newView: { view: newView.view, counter: newView.counter, end: newView.end },
      lastSequence,
      lastPrimaryCounter,
      checkpointSequence,
      counters: s.slots.map(({ state }) => state.counter),
      executed: this.#cluster.members[id]!.history.map((digest) => this.#nameOf(digest)),
      sealing: s.sealing === undefined ? 'nothing' : describeDraft(s.sealing.draft),
      target: s.target,
      heard: s.peers.map(({ request }, replica) =>
        Math.max(request?.target ?? 0, replica === id ? s.requested : 0),
      ),
      pending: s.pending.size,
    };
  }

  #nameOf(digest: Digest): string {
    const batch = this.#bodies.get(digest);
    assert.ok(batch !== undefined && digest !== ZERO_DIGEST);
    const number = batch.bundles[0]?.requests[0]?.number ?? 0;
    return `view ${batch.proposedInView}: ${number}`;
  }
}

function describeDraft(draft: NonNullable<UsigReplica['state']['sealing']>['draft']): string {
  switch (draft.kind) {
    case 'PREPARE':
      return `PREPARE ${draft.view}/${draft.sequence}`;
    case 'COMMIT':
    case 'SPEC':
      return `${draft.kind} ${draft.prepare.view}/${draft.prepare.sequence} @${draft.prepare.ui.counter}`;
    case 'COMMIT-VECTOR':
      return draft.kind;
    case 'CHECKPOINT':
      return `CHECKPOINT ${draft.sequence}`;
    case 'VIEW-CHANGE':
      return `VIEW-CHANGE ${draft.view}`;
    case 'NEW-VIEW-HEADER':
      return `NEW-VIEW ${draft.view} from ${draft.references.map(({ replica, ui }) => `${replica}/${ui.counter}`).join(' ')} to ${draft.end}`;
    case 'COMMIT-NEW-VIEW':
      return `COMMIT-NV ${draft.header?.view ?? 0} @${draft.header?.ui.counter ?? 0}`;
  }
}

/** What the specification says of a replica. */
export function expected(state: ItfState, id: number): Abstraction {
  const node = (state['nodes'] as Map<string, Fields>).get(String(id))!;
  const stream = (state['streams'] as Map<string, Fields>).get(JSON.stringify([id, 0]))!;
  const said = stream['said'] as Fields[];
  const now = said.at(-1)?.['after'] as Fields | undefined;
  const nv = now?.['nv'] as Fields | undefined;
  const at = node['at'] as Map<string, number>;
  const heard = node['heard'] as Map<string, number>;
  return {
    mode: String(now?.['mode'] ?? 'active'),
    view: Number(now?.['view'] ?? 0),
    newView: {
      view: Number(nv?.['view'] ?? 0),
      counter: Number(nv?.['ctr'] ?? 0),
      end: Number(nv?.['end'] ?? 0),
    },
    lastSequence: Number(now?.['lastN'] ?? 0),
    lastPrimaryCounter: Number(now?.['lastCtr'] ?? 0),
    checkpointSequence: Number(now?.['ckptN'] ?? 0),
    counters: REPLICAS.map((j) => at.get(String(j))!),
    executed: (node['exec'] as Fields[]).map(
      (entry) => `view ${String(entry['view'])}: ${String(entry['batch'])}`,
    ),
    sealing: describeWish((node['sealing'] as Fields[])[0]),
    target: Number(node['target']),
    heard: REPLICAS.map((j) => Math.max(heard.get(String(j))!, j === id ? Number(node['requested']) : 0)),
    pending: (node['pending'] as ItfValue[]).length,
  };
}

function describeWish(wish: Fields | undefined): string {
  if (wish === undefined) return 'nothing';
  const value = wish['value'] as Fields;
  switch (wish['tag']) {
    case 'Prepare':
      return `PREPARE ${String(value['view'])}/${String(value['n'])}`;
    case 'Commit':
      return `COMMIT ${String(value['view'])}/${String(value['n'])} @${String(value['ctr'])}`;
    case 'Checkpoint':
      return `CHECKPOINT ${String(value['n'])}`;
    case 'ViewChange':
      return `VIEW-CHANGE ${String(value['view'])}`;
    case 'NewView': {
      const named = (value['vvc'] as Fields[]).map(
        (ref) => `${String(ref['replica'])}/${String(ref['ctr'])}`,
      );
      const body = value['body'] as Fields;
      return `NEW-VIEW ${String(value['view'])} from ${named.sort().join(' ')} to ${String(body['end'])}`;
    }
    case 'CommitNewView':
      return `COMMIT-NV ${String(value['view'])} @${String(value['ctr'])}`;
    default:
      return assert.fail(`no statement is a ${String(wish['tag'])}`);
  }
}

/** What a replay met, for the test to count. */
export interface ReplaySummary {
  readonly steps: number;
  readonly executed: number;
  readonly views: number;
  /** Whether a replica executed an entry of an older view than the one it is in. */
  readonly baseExecuted: boolean;
  readonly restarts: number;
}

/** Replays a trace. Throws at the first difference, with the step and the action. */
export function replay(
  states: readonly ItfState[],
  limits: { readonly checkpointInterval: number; readonly pipelineFactor: number },
): ReplaySummary {
  const run = new Replay(limits);
  let baseExecuted = false;
  let restarts = 0;
  for (const [index, state] of states.entries()) {
    if (index === 0) continue;
    const last = state['last'] as Fields;
    const title = `step ${index}: ${String(last['act'])} ${String(last['i'])} ${String(last['j'])} ${String(last['ctr'])}`;
    try {
      run.perform(last);
    } catch (error) {
      throw new Error(title, { cause: error });
    }
    if (last['act'] === 'restart') restarts += 1;
    for (const id of REPLICAS)
      assert.deepEqual(run.observe(id), expected(state, id), `${title}, replica ${id}`);
    const mover = run.observe(Number(last['i']));
    if (mover.newView.end > 0 && mover.executed.length >= mover.newView.end) baseExecuted = true;
  }
  const all = REPLICAS.map((id) => run.observe(id));
  return {
    steps: states.length - 1,
    executed: Math.max(...all.map(({ executed }) => executed.length)),
    views: Math.max(...all.map(({ newView }) => newView.view)),
    baseExecuted,
    restarts,
  };
}
