/** Speculative, held and applied executions under the host: what is stored, signed, told and done again, and when. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { open, put, utf8 } from '../../test/support/ledger-fixture.ts';
import { encodeClientFrame } from '../core/client-wire.ts';
import type { Batch, Bundle } from '../core/request.ts';
import { ToyMachine, toySettings, ToyStore } from './toy-protocol.testing.ts';
import type { ToyEffect } from './toy-protocol.testing.ts';

const settings = toySettings(undefined);
const CLIENT = 2;

function machineOn(store = new ToyStore(), makesUpdates = false): ToyMachine {
  return new ToyMachine({ settings, store, makesUpdates }).start();
}

/** The ledger of a machine as a place to make bundles; the first batch opens session 1 for client 2. */
function batchesOf(machine: ToyMachine): {
  readonly bundle: (n: number) => Bundle;
  readonly batch: (n: number) => Batch;
} {
  const { ledger } = machine;
  const bundle = (n: number): Bundle =>
    n === 1
      ? ledger.bundle(CLIENT, 0, [[1, open(1, 60_000)]])
      : ledger.bundle(CLIENT, 1, [[n - 1, put(`key ${n}`, `value ${n}`)]]);
  return { bundle, batch: (n) => ledger.batch([bundle(n)]) };
}

type Mode = 'held' | 'speculative' | undefined;

function execute(batch: Batch, sequence: number, mode?: Mode): ToyEffect[] {
  const what = { kind: 'execute', sequence, batch, protocolState: utf8(`state ${sequence}`) } as const;
  const body = { key: `body/${batch.digest}`, value: batch.bytes };
  return [{ kind: 'store', entries: [body] }, mode === undefined ? what : { ...what, mode }];
}

function answer(sequence: number, standing: 'speculative' | 'committed' | 'final'): ToyEffect {
  return { kind: 'answer', sequence, view: 3, standing, proof: utf8('because') };
}

/** Executes batches 1 to `last`: final up to `final`, then on trial. */
function executeTo(machine: ToyMachine, last: number, final: number): void {
  const { batch } = batchesOf(machine);
  for (let sequence = 1; sequence <= last; sequence += 1) {
    machine.act(...execute(batch(sequence), sequence, sequence > final ? 'speculative' : undefined));
    machine.run();
  }
}

const heights = (store: ToyStore): number[] => store.blocks.map(({ header }) => header.height);
const repliesOf = (machine: ToyMachine) =>
  machine.replies.flatMap((frame) => (frame.kind === 'reply' ? [frame] : []));

describe('speculative executions', () => {
  it('are neither stored, signed nor answered before they are confirmed', () => {
    const store = new ToyStore();
    const machine = machineOn(store);
    machine.client(encodeClientFrame({ kind: 'bundle', bytes: batchesOf(machine).bundle(1).bytes }));
    executeTo(machine, 4, 2);
    assert.deepEqual(
      machine.got('executed').map(({ sequence }) => sequence),
      [1, 2, 3, 4],
    );
    assert.equal(machine.got('executed')[3]!.checkpoint?.sequence, 4);
    assert.deepEqual([heights(store), machine.signed, machine.host.settledHeight()], [[1], [1], 1]);
    const before = repliesOf(machine).length;
    machine.act(answer(3, 'speculative'));
    const reply = repliesOf(machine).at(-1)!;
    assert.deepEqual(
      [
        repliesOf(machine).length - before,
        reply.standing,
        reply.view,
        reply.proof,
        reply.results[0]!.sequence,
      ],
      [1, 'speculative', 3, utf8('because'), 3],
    );
    machine.act({ kind: 'confirm', through: 3 });
    assert.deepEqual([heights(store), machine.signed, machine.host.settledHeight()], [[1, 2], [1, 2], 2]);
    assert.equal(repliesOf(machine).length, before + 1, 'confirming gives no answers');
    machine.act({ kind: 'confirm', through: 9 }, answer(4, 'committed'));
    assert.deepEqual(
      [heights(store), machine.signed, repliesOf(machine).at(-1)!.standing],
      [[1, 2, 3], [1, 2, 3], 'committed'],
    );
  });

  it('are undone with the answers held for them, and what was to be told of them', () => {
    const store = new ToyStore();
    const machine = machineOn(store);
    const { batch } = batchesOf(machine);
    machine.client(encodeClientFrame({ kind: 'bundle', bytes: batchesOf(machine).bundle(1).bytes }));
    executeTo(machine, 4, 1);
    const { executed } = machine.ledger.executor;
    assert.equal(executed, 4);
    machine.act(...execute(batch(5), 5, 'speculative'), { kind: 'rollback', to: 2 });
    assert.equal(machine.ledger.executor.executed, 2);
    assert.equal(machine.got('executed').length, 4, 'nobody hears of what was undone');
    const before = repliesOf(machine).length;
    machine.act(answer(4, 'speculative'), answer(3, 'speculative'));
    assert.equal(repliesOf(machine).length, before);
    machine.act(answer(2, 'speculative'));
    assert.equal(repliesOf(machine).length, before + 1);
    // Another batch takes the place.
    machine.act({ kind: 'confirm', through: 2 }, ...execute(machine.ledger.batch([]), 3));
    assert.deepEqual([machine.fatal, machine.got('executed').at(-1)!.sequence], [undefined, 3]);
    assert.deepEqual(heights(store), [1]);
  });

  it('are forgotten by a restart, which does again what was final', () => {
    for (const confirmed of [1, 2, 3, 4]) {
      const store = new ToyStore();
      const machine = machineOn(store);
      executeTo(machine, 4, 1);
      machine.act({ kind: 'confirm', through: confirmed }, { kind: 'store', entries: [] });
      machine.act({
        kind: 'attest',
        id: 1,
        digest: settings.clusterId,
        draft: utf8('x'),
        by: { kind: 'link' },
      });
      machine.run();
      store.cut();
      const again = machineOn(store);
      assert.equal(again.fatal, undefined);
      assert.equal(again.recovery!.executed, confirmed);
      assert.deepEqual(again.recovery!.protocolState, utf8(`state ${confirmed}`));
      assert.equal(heights(store).length, confirmed - 1);
      executeTo(again, 0, 0);
      again.client(encodeClientFrame({ kind: 'bundle', bytes: batchesOf(again).bundle(1).bytes }));
      assert.equal(repliesOf(again).at(-1)!.standing, 'final', 'what is final is answered by the host');
    }
  });

  it('bring a question back to the protocol as long as they are not confirmed', () => {
    const machine = machineOn();
    const { bundle } = batchesOf(machine);
    executeTo(machine, 3, 1);
    const frame = encodeClientFrame({ kind: 'bundle', bytes: bundle(3).bytes });
    machine.client(frame);
    assert.deepEqual(
      machine.got('asked').map(({ sequence }) => sequence),
      [3],
    );
    assert.equal(machine.replies.length, 0);
    machine.act(answer(3, 'speculative'));
    machine.act({ kind: 'confirm', through: 3 });
    machine.client(frame);
    assert.equal(machine.got('asked').length, 1);
    assert.deepEqual(
      repliesOf(machine).map(({ standing }) => standing),
      ['speculative', 'final'],
    );
  });

  it('are final once a checkpoint above them is stable, and their answers are dropped then', () => {
    const store = new ToyStore();
    const machine = machineOn(store);
    executeTo(machine, 5, 1);
    const { checkpoint } = machine.got('executed')[3]!;
    machine.act({ kind: 'stable', checkpoint: checkpoint! });
    machine.run();
    assert.deepEqual([heights(store), store.snapshotSequence], [[1, 2, 3], 4]);
    assert.equal(machine.ledger.executor.confirmed, 4);
    machine.client(encodeClientFrame({ kind: 'bundle', bytes: batchesOf(machine).bundle(5).bytes }));
    machine.act(answer(4, 'final'), answer(5, 'speculative'));
    assert.deepEqual(
      repliesOf(machine).map(({ results }) => results[0]!.sequence),
      [5],
    );
    store.cut();
    assert.equal(machineOn(store).recovery!.executed, 4);
  });

  it('are made a snapshot of when the journal has grown enough, and done again until then', () => {
    const store = new ToyStore();
    const machine = new ToyMachine({ settings, store, snapshotAfterBytes: 2_000 }).start();
    const { batch } = batchesOf(machine);
    const snapshots: number[] = [];
    for (let sequence = 1; sequence <= 16; sequence += 1) {
      machine.act(...execute(batch(sequence), sequence));
      machine.run();
      const { checkpoint } = machine.got('executed').at(-1)!;
      if (checkpoint !== undefined) machine.act({ kind: 'stable', checkpoint });
      machine.run();
      if (snapshots.at(-1) !== store.snapshotSequence) snapshots.push(store.snapshotSequence);
    }
    assert.ok(snapshots.length > 2 && snapshots.length < 5, `snapshots at ${snapshots.join()}`);
    store.cut();
    const again = new ToyMachine({ settings, store, snapshotAfterBytes: 2_000 }).start();
    assert.deepEqual([again.fatal, again.recovery!.executed], [undefined, 16]);
  });

  it('are made a snapshot of less often while the state is large, but not without end', () => {
    // Bytes of the journal that are worth a snapshot: a quarter of the state, but not less than 1,500 or more than 12,000.
    for (const [stateBytes, worth] of [
      [0, 1_500],
      [6_000, 1_500],
      [14_400, 3_600],
      [24_000, 6_000],
      [48_000, 12_000],
      [2_000_000, 12_000],
    ] as const) {
      const store = new ToyStore();
      const machine = new ToyMachine({ settings, store, snapshotAfterBytes: 1_500, stateBytes }).start();
      const { batch } = batchesOf(machine);
      const between: number[] = [];
      let bytesAtLast = 0;
      for (let sequence = 1; sequence <= 84; sequence += 1) {
        machine.act(...execute(batch(sequence), sequence));
        machine.run();
        const { checkpoint } = machine.got('executed').at(-1)!;
        if (checkpoint === undefined) continue;
        const bytes = store.records.reduce((sum, record) => sum + record.length, 0);
        machine.act({ kind: 'stable', checkpoint });
        machine.run();
        const isMade = store.snapshotSequence === sequence;
        const note = `${bytes - bytesAtLast} bytes of journal, a state of ${stateBytes}`;
        assert.equal(isMade, bytes - bytesAtLast >= worth, note);
        if (!isMade) continue;
        between.push(bytes - bytesAtLast);
        bytesAtLast = bytes;
      }
      assert.ok(between.length > 1, `a state of ${stateBytes}: ${between.join()}`);
    }
  });

  it('leave bodies that the protocol may have again without asking a peer', () => {
    const machine = machineOn();
    const { batch } = batchesOf(machine);
    executeTo(machine, 2, 2);
    machine.act({ kind: 'fetchBody', digest: batch(2).digest, from: 1 });
    machine.run();
    const [kept] = machine.got('body');
    assert.deepEqual(kept?.batch.digest, batch(2).digest);
    assert.deepEqual(kept?.batch.bundleAuthentic, [true]);
    assert.deepEqual(machine.fetchedFrom, []);
    machine.act({ kind: 'fetchBody', digest: batch(3).digest, from: 2 });
    machine.run();
    assert.equal(machine.got('body').length, 1);
    assert.deepEqual(machine.fetchedFrom, [2], 'what is not here is asked for');
  });

  it('let certificates of clients through to the protocol', () => {
    const machine = machineOn();
    machine.client(encodeClientFrame({ kind: 'certificate', bytes: new Uint8Array(1) }));
    machine.client(encodeClientFrame({ kind: 'certificate', bytes: new Uint8Array(2) }));
    assert.deepEqual(
      machine.got('clientMessage').map(({ message }) => message.kind),
      ['TOY'],
    );
  });
});

describe('held and applied executions', () => {
  it('are final at once, but the protocol gives the answers out', () => {
    const store = new ToyStore();
    const machine = machineOn(store);
    const { batch, bundle } = batchesOf(machine);
    machine.client(encodeClientFrame({ kind: 'bundle', bytes: bundle(1).bytes }));
    machine.act(...execute(batch(1), 1, 'held'), ...execute(batch(2), 2, 'held'));
    machine.run();
    assert.deepEqual([heights(store), machine.replies.length], [[1], 0]);
    machine.act(answer(2, 'committed'), answer(1, 'final'));
    assert.deepEqual(
      repliesOf(machine).map(({ standing }) => standing),
      ['committed', 'final'],
    );
    store.durable = store.records.length;
    assert.equal(machineOn(store).recovery!.executed, 2);
  });

  it('bring passive replicas to the same state, also after a restart; what does not fit changes nothing', () => {
    const active = machineOn(new ToyStore(), true);
    const { batch } = batchesOf(active);
    for (const sequence of [1, 2, 3, 4]) active.act(...execute(batch(sequence), sequence));
    const updates = active.got('executed').map(({ update }) => update!);
    assert.equal(updates.length, 4);
    const store = new ToyStore();
    const passive = machineOn(store, true);
    const apply = (sequence: number, update: Uint8Array): ToyEffect => {
      return { kind: 'apply', sequence, update, protocolState: utf8(`state ${sequence}`) };
    };
    passive.client(encodeClientFrame({ kind: 'bundle', bytes: batchesOf(passive).bundle(1).bytes }));
    passive.act(apply(1, updates[0]!), apply(2, updates[2]!), apply(2, updates[1]!));
    assert.deepEqual(
      passive.got('executed').map(({ sequence, refused }) => [sequence, refused]),
      [
        [1, undefined],
        [2, true],
        [2, undefined],
      ],
    );
    passive.act(apply(3, updates[2]!), ...execute(batch(4), 4), answer(2, 'final'));
    assert.deepEqual(
      repliesOf(passive).map(({ results }) => results[0]!.sequence),
      [4, 2],
    );
    for (const machine of [active, passive]) machine.run();
    const { headerHash, checkpoint } = active.ledger.executor;
    assert.deepEqual(
      [passive.ledger.executor.headerHash, passive.ledger.executor.checkpoint],
      [headerHash, checkpoint],
    );
    store.durable = store.records.length;
    const again = machineOn(store, true);
    assert.deepEqual([again.fatal, again.ledger.executor.headerHash], [undefined, headerHash]);
    assert.deepEqual(heights(store), [1, 2, 3]);
  });

  it('a journal whose update does not fit the state before it is refused', () => {
    const active = machineOn(new ToyStore(), true);
    const { batch } = batchesOf(active);
    active.act(...execute(batch(1), 1), ...execute(batch(2), 2));
    const store = new ToyStore();
    const passive = machineOn(store, true);
    const [first, second] = active.got('executed').map(({ update }) => update!);
    passive.act(
      { kind: 'apply', sequence: 1, update: first!, protocolState: utf8('a') },
      { kind: 'apply', sequence: 2, update: second!, protocolState: utf8('a') },
    );
    const last = store.records.pop()!;
    last[last.length - 12]! ^= 1;
    store.records.push(last);
    assert.match(machineOn(store, true).fatal!, /store of replica 0 is damaged/);
  });
});
