/** The judges that look inside: each is shown a replica that was tampered with, and must object. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ProtocolDefinition, ReplicaContext } from '../../core/protocol.ts';
import type { Digest } from '../../core/types.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import { createMinbftReplica } from '../../protocols/minbft/replica.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { StreamLog } from '../../smr/usig-replica/stream-log.ts';
import type { Commit, MinbftMessage } from '../../smr/usig-stream/messages.ts';
import { genesisStream } from '../../smr/usig-stream/stream.ts';
import { drawScenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';
import { World } from '../world.ts';

/** Three replicas without faults that execute a few batches; `interval` far away means that nothing becomes stable. */
function calmScenario(interval: number): Scenario {
  const drawn = drawScenario(11, { replicas: 3, faults: [], byzantine: [], durationMs: 300 });
  const limits = { ...drawn.limits, checkpointInterval: interval, logEntriesMax: 64 * 256 };
  return { ...drawn, limits };
}

/** A world that ran to its end, with the states of its replicas in hand. */
function finishedWorld(
  interval = 64,
  inside = true,
): { world: World<MinbftMessage>; states: ReplicaState[] } {
  const states: ReplicaState[] = [];
  const definition: ProtocolDefinition<MinbftMessage> = {
    ...minbft,
    createReplica: (context: ReplicaContext) => {
      const replica = createMinbftReplica(context);
      states[context.self] = replica.state;
      return replica;
    },
  };
  const world = new World<MinbftMessage>({
    scenario: calmScenario(interval),
    definition,
    judging: { inside },
    corrupt: () => {
      throw new Error('nobody lies here');
    },
  });
  world.run();
  return { world, states };
}

/** Lets the judges look at a replica as after a step that did nothing. */
function step(world: World<MinbftMessage>, state: ReplicaState): void {
  const idle = { state, step: () => [], inspect: () => assert.fail('nobody asks') };
  world.judge.watch(state.self, idle).step({ kind: 'timeout', timer: 'none' }, 0);
}

/** What the judges say after the replicas were tampered with. */
function verdicts(
  tamper: (states: readonly ReplicaState[], world: World<MinbftMessage>) => void,
  interval = 64,
): string[] {
  const { world, states } = finishedWorld(interval);
  assert.deepEqual(world.judge.violations, []);
  assert(states[0]!.executed > 3, 'something was executed');
  tamper(states, world);
  for (const state of states) step(world, state);
  return world.judge.violations.map(({ judge }) => judge);
}

describe('judges inside of replicas', () => {
  test('say nothing about a calm run, judge everything that is sealed, and do not change the run', () => {
    const { world } = finishedWorld();
    const { sealed, undecided, moments, bases, receipts } = world.judge.effort;
    assert(sealed! > 10 && undecided === 0, 'every sealed message was judged');
    assert(moments! > 0 && bases! >= 3 * moments!, 'each moment judges every choice of two of three');
    assert(receipts! > 0);
    assert.equal(finishedWorld(64, false).world.traceHash, world.traceHash);
  });

  test('stream: two replicas have different states at one counter', () => {
    const said = verdicts(([, second]) => {
      const slot = second!.slots[0]!;
      slot.state = { ...slot.state, lastPrimaryCounter: slot.state.lastPrimaryCounter - 1 };
    });
    assert(said.includes('stream'));
  });

  test('stream: two replicas took different messages under one counter', () => {
    const said = verdicts((states, world) => {
      const { log } = states[1]!.slots[0]!;
      const { item } = log.get(2)!;
      log.replace(2, { ...item, digest: 'f'.repeat(64) as Digest } as Commit);
      world.judge.onStarting(1);
    });
    assert(said.includes('stream'));
  });

  test('stream: a stream is dead for one and alive for another', () => {
    const said = verdicts(([, second]) => {
      const slot = second!.slots[0]!;
      slot.state = { ...slot.state, counter: slot.state.counter - 1, dead: true };
    });
    assert(said.includes('stream'));
  });

  test('self-acceptance: a replica seals what skips an order', () => {
    const said = verdicts(([, second]) => {
      const { own } = second!;
      const { counter } = own.state;
      const last = own.log.get(counter)!.item as Commit;
      assert.equal(last.kind, 'COMMIT');
      const prepare = { ...last.prepare, sequence: last.prepare.sequence + 2 };
      own.log.push({ ...last, prepare, ui: { ...last.ui, counter: counter + 1 } }, 0);
      own.state = { ...own.state, counter: counter + 1 };
    });
    assert(said.includes('self-acceptance'));
  });

  test('self-acceptance: a replica believes another state of its own stream than its messages give', () => {
    const said = verdicts(([, second], world) => {
      const { own } = second!;
      const { counter } = own.state;
      const last = own.log.get(counter)!.item as Commit;
      const ui = { ...last.prepare.ui, counter: last.prepare.ui.counter + 1 };
      const prepare = { ...last.prepare, sequence: last.prepare.sequence + 1, ui };
      own.log.push({ ...last, prepare, ui: { ...last.ui, counter: counter + 1 } }, 0);
      own.state = { ...own.state, counter: counter + 1 };
      assert.deepEqual(world.judge.violations, []);
    });
    assert(said.includes('self-acceptance'));
  });

  const backwards: Record<string, (s: ReplicaState) => void> = {
    executed: (s) => {
      s.executed -= 1;
    },
    'own counter': (s) => {
      s.own.state = { ...s.own.state, counter: s.own.state.counter - 1 };
    },
    view: (s) => {
      s.own.state = { ...s.own.state, view: -1 };
    },
    'stable checkpoint': (s) => {
      s.stable = undefined;
    },
  };
  for (const [name, tamper] of Object.entries(backwards))
    test(`progress: ${name} goes back`, () => {
      const said = verdicts(([first]) => tamper(first!), 2);
      assert(said.includes('progress'), said.join(' '));
    });

  test('durability: a replica starts with less than it had sent', () => {
    const said = verdicts(([, second], world) => {
      world.judge.onStarting(1);
      second!.own.state = { ...second!.own.state, counter: second!.own.state.counter - 1 };
    });
    assert(said.includes('durability'));
  });

  test('view: one view is executed under two NEW-VIEWs', () => {
    const said = verdicts((states) => {
      for (const s of states.slice(0, 2)) {
        const { reference } = s.groups.executing;
        s.groups.executing = s.groups.of({ ...reference, view: 1, counter: 7 + s.self });
      }
    });
    assert(said.includes('view'));
  });

  test('view: a replica leaves for a view that nobody correct asked for', () => {
    const said = verdicts(([first]) => {
      first!.own.state = { ...first!.own.state, view: 1, mode: 'changing' };
    });
    assert(said.includes('view'));
  });

  test('view and agreement: entries of an earlier view, and two PREPAREs for one order', () => {
    const entryFor = (s: ReplicaState, offset: number): Commit['prepare'] => {
      const last = states0(s);
      return { ...last, view: last.view + offset, sequence: s.executed + 1 };
    };
    const states0 = (s: ReplicaState): Commit['prepare'] =>
      (s.slots[1]!.log.get(s.slots[1]!.state.counter)!.item as Commit).prepare;
    const executing = (s: ReplicaState, entry: Commit['prepare']): ReplicaState['executing'] => ({
      sequence: entry.sequence,
      entry,
      batch: undefined as never,
      registry: s.registry,
    });
    const said = verdicts((states) => {
      states[0]!.executing = executing(states[0]!, entryFor(states[0]!, -1));
      const other = { ...entryFor(states[1]!, 0), digest: 'e'.repeat(64) as Digest };
      states[1]!.executing = executing(states[1]!, other);
    });
    assert(said.includes('view') && said.includes('agreement'), said.join(' '));
  });

  test('stability: a checkpoint is stable that is no state of a correct replica', () => {
    const said = verdicts(([first]) => {
      const checkpoints = first!.stable!.checkpoints.map((one) => ({
        ...one,
        stateDigest: 'd'.repeat(64) as Digest,
      }));
      first!.stable = { checkpoints };
    }, 2);
    assert(said.includes('stability'));
  });

  test('stability: too few signers, and a signer that said something else', () => {
    const said = verdicts(([first]) => {
      const [one] = first!.stable!.checkpoints;
      first!.stable = { checkpoints: [{ ...one!, digest: 'c'.repeat(64) as Digest }] };
    }, 2);
    assert.deepEqual(said, ['stability', 'stability']);
  });

  test('view-change: f+1 replicas whose logs do not show what was executed', () => {
    const said = verdicts(([, second, third], world) => {
      for (const s of [second!, third!]) {
        s.own.log = new StreamLog(0);
        s.own.state = genesisStream(s.streamContext);
      }
      world.judge.finish();
    });
    assert(said.includes('view-change'));
  });

  test('view-change: a log with a hole', () => {
    const said = verdicts(([, second], world) => {
      const { own } = second!;
      const log = new StreamLog(0);
      for (const { item, at } of own.log.from(2)) log.push(item, at);
      own.log = log;
      world.judge.finish();
    });
    assert(said.includes('view-change'));
  });

  test('bounds: a log that nobody cuts', () => {
    const said = verdicts(([first], world) => {
      const { log } = first!.slots[1]!;
      const { item } = log.get(1)!;
      for (let count = 0; count < 20_000; count += 1) log.push(item, 0);
      for (let looks = 0; looks < 4; looks += 1) world.judge.onLook();
    });
    assert(said.includes('bounds'));
  });
});
