/** State transfer between two ledgers over a link that loses nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { put, sha256, TestLedger, testSettings } from '../../test/support/ledger-fixture.ts';
import type { BlockPort } from './ports.ts';
import { StateTransfer } from './transfer.ts';
import type { TransferFrame } from './transfer.ts';

/** Blocks are another matter: everything is held by nobody, and the receiver claims to have what it needs. */
const noBlocks = (): BlockPort =>
  ({
    read: () => undefined,
    truncateAbove: () => undefined,
    append: () => undefined,
  }) as unknown as BlockPort;

/** A source whose checkpoints become stable while it is asked, and a receiver that starts again each time. */
class MovingTarget {
  readonly source = new TestLedger(testSettings({ pipelineFactor: 2 }));
  readonly receiver = new TestLedger(this.source.settings);
  readonly queue: (() => void)[] = [];
  attempts = 0;
  chunksSent = 0;
  installed: number | undefined;
  #stable = 0;
  #number = 1;
  #session: number;
  readonly #fetching: StateTransfer;
  readonly #serving: StateTransfer;

  constructor(requestsPerCheckpoint: number) {
    this.#session = this.source.openSession(2);
    for (let count = 0; count < 40; count += 1) this.write(20);
    let requests = 0;
    this.#serving = this.#machine(this.source, (frame) => {
      if (frame.kind === 'chunks') this.chunksSent += frame.chunks.length;
      this.queue.push(() => this.#fetching.onFrame(0, frame));
    });
    this.#fetching = this.#machine(this.receiver, (frame) => {
      if (frame.kind === 'fetchChunks' && ++requests % requestsPerCheckpoint === 0) this.nextStable();
      this.queue.push(() => this.#serving.onFrame(1, frame));
    });
    this.nextStable();
  }

  #machine(ledger: TestLedger, send: (frame: TransferFrame) => void): StateTransfer {
    const { executor, settings } = ledger;
    return new StateTransfer({
      context: { hash: sha256, domain: settings },
      executor,
      blocks: noBlocks(),
      send: (_to, frame) => send(frame),
      setTimer: () => undefined,
      cancelTimer: () => undefined,
      install: (checkpoint, chunk) => {
        this.installed = checkpoint.sequence;
        return executor.install(checkpoint, chunk);
      },
      complete: () => undefined,
      failed: () => this.begin(),
      ignored: () => undefined,
    });
  }

  /** Some writes, then a checkpoint of the source that everybody agrees on: older ones go. */
  nextStable(): void {
    do this.write(1);
    while (this.source.executor.executed % this.source.settings.limits.checkpointInterval !== 0);
    this.#stable = this.source.executor.executed;
    this.source.executor.releaseBelow(this.#stable);
  }

  write(keys: number): void {
    const requests = Array.from({ length: keys }, (): [number, ReturnType<typeof put>] => {
      this.#number += 1;
      return [this.#number, put(`key ${this.#number}`, 'x'.repeat(40))];
    });
    this.source.run([this.source.bundle(2, this.#session, requests)]);
  }

  begin(): void {
    this.attempts += 1;
    const { stateDigest } = this.source.executor.frozen(this.#stable)!.checkpoint;
    this.queue.push(() => this.#fetching.begin({ sequence: this.#stable, stateDigest }, [0]));
  }

  run(steps: number): void {
    for (let step = 0; step < steps && this.installed === undefined; step += 1) this.queue.shift()?.();
  }
}

/** Two sources that have the state; one answers each question for blocks at once, with none, the other misses the first. */
class OneHasBlocks {
  readonly #source = new TestLedger();
  readonly #receiver = new TestLedger(this.#source.settings);
  readonly #blocks: Uint8Array[] = [];
  readonly #queue: (() => void)[] = [];
  #timer = false;
  done = false;
  readonly asked: number[] = [];

  constructor(miser: number) {
    const { executor, settings } = this.#source;
    const session = this.#source.openSession(2);
    const outcome = this.#source.run([this.#source.bundle(2, session, [[1, put('key', 'value')]])]);
    this.#blocks.push(outcome.block!.bytes);
    const checkpoint = this.#source.toBoundary().checkpoint!;
    const machine = (own: TestLedger, blocks: BlockPort, send: (to: number, frame: TransferFrame) => void) =>
      new StateTransfer({
        context: { hash: sha256, domain: settings },
        executor: own.executor,
        blocks,
        send,
        setTimer: () => (this.#timer = true),
        cancelTimer: () => (this.#timer = false),
        install: (state, chunk) => own.executor.install(state, chunk),
        complete: () => (this.done = true),
        failed: () => assert.fail('the transfer failed'),
        ignored: () => undefined,
      });
    const store = { ...noBlocks(), read: (height: number) => this.#blocks[height - 1] };
    const fetching = machine(this.#receiver, noBlocks(), (to, frame) => {
      const isLost = frame.kind === 'fetchBlocks' && to !== miser && !this.asked.includes(to);
      if (frame.kind === 'fetchBlocks') this.asked.push(to);
      if (isLost) return;
      this.#queue.push(() => sources[to]!.onFrame(9, frame));
    });
    const sources = [0, 1].map((id) =>
      machine(this.#source, id === miser ? noBlocks() : store, (_to, frame) =>
        this.#queue.push(() => fetching.onFrame(id, frame)),
      ),
    );
    assert.equal(executor.executed, checkpoint.sequence);
    fetching.begin(checkpoint, [0, 1]);
    for (let round = 0; round < 8 && !this.done; round += 1) {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
      if (this.#timer) fetching.onTimer();
    }
  }
}

test('a source without blocks does not keep the other one from being asked', () => {
  for (const miser of [0, 1]) {
    const world = new OneHasBlocks(miser);
    assert.ok(world.done, `asked ${world.asked.join(' ')} for blocks`);
  }
});

test('a state that takes longer to fetch than a checkpoint lasts arrives all the same', () => {
  const world = new MovingTarget(6);
  world.begin();
  world.run(20_000);
  assert.notEqual(world.installed, undefined, `${world.attempts} attempts, ${world.chunksSent} chunks sent`);
  assert.ok(world.attempts > 1, 'the source moved on meanwhile');
});
