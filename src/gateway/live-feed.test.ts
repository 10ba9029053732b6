import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LiveAnswer, LiveMoment } from '../core/live.ts';
import { LiveFeed } from './live-feed.ts';
import type { StatusDocument } from './live-feed.ts';

interface Seen {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of one write. */
function read(text: string): Seen[] {
  const blocks = text.split('\n\n');
  assert.equal(blocks.pop(), '');
  return blocks.map((block) => {
    const match = /^id: (\S+)\nevent: (\w+)\ndata: (.*)$/.exec(block);
    assert.ok(match, block);
    return { id: match[1]!, event: match[2]!, data: JSON.parse(match[3]!) as Seen['data'] };
  });
}

/** A feed over replicas that say what the test wants, asked as fast as they answer. */
class Stage {
  status: () => StatusDocument | undefined = () => ({ replicas: [], height: 1 });
  /** By replica: what it says, one after another. As with a real one, a question with an old cursor is answered again. */
  readonly answers: LiveAnswer[][] = [[], [], []];
  readonly asked: string[] = [];
  questions = 0;
  nowMs = 1_000_000;
  readonly feed: LiveFeed;

  #open = 0;
  mostAtOnce = 0;

  constructor(quietMs = 1e9) {
    this.feed = new LiveFeed({
      source: {
        replicas: 3,
        f: 1,
        status: () => {
          this.questions += 1;
          return this.#answer(() => {
            const status = this.status();
            if (status === undefined) throw new Error('closed');
            return status;
          });
        },
        live: (replica, cursor) => {
          this.asked.push(`${replica}:${cursor}`);
          return this.#answer(() => {
            const answers = this.answers[replica]!;
            return answers[answers.findIndex((answer) => answer.cursor === cursor) + 1];
          });
        },
      },
      run: 'run',
      now: () => this.nowMs,
      statusMs: 1,
      momentsMs: 1,
      quietMs,
    });
  }

  async #answer<T>(make: () => T): Promise<T> {
    this.#open += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#open);
    await turn();
    this.#open -= 1;
    return make();
  }

  /** Replica 0 says that it entered these views; one answer. */
  tell(...views: number[]): void {
    const moments = views.map((view): LiveMoment => ({ at: 'view', ms: 1, view }));
    this.answers[0]!.push({ cursor: `c-${views.at(-1)}`, moments, missed: 0 });
  }

  /** A viewer that takes what there is. */
  watch(last?: string): Viewer {
    return new Viewer(this.feed, last);
  }
}

class Viewer {
  readonly seen: Seen[] = [];
  readonly #leave = new AbortController();
  readonly #walk: Promise<void>;
  #failed: unknown;

  constructor(feed: LiveFeed, last: string | undefined) {
    this.#walk = this.#run(feed, last).catch((error: unknown) => {
      this.#failed = error;
    });
  }

  async #run(feed: LiveFeed, last: string | undefined): Promise<void> {
    for await (const text of feed.follow(last, this.#leave.signal)) this.seen.push(...read(text));
  }

  get views(): unknown[] {
    return this.seen
      .filter(({ event }) => event === 'moments')
      .flatMap(({ data }) => (data['moments'] as { view: number }[]).map(({ view }) => view));
  }

  /** Waits until so many events, or what is asked for, was seen. */
  async until(wanted: number | (() => boolean)): Promise<this> {
    const isThere = typeof wanted === 'number' ? () => this.seen.length >= wanted : wanted;
    for (let turns = 0; !isThere(); turns += 1) {
      if (this.#failed !== undefined) throw this.#failed;
      assert.ok(turns < TURNS_MAX, `not seen; only ${JSON.stringify(this.seen).slice(-2_000)}`);
      await turn();
    }
    return this;
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    await this.#walk;
    if (this.#failed !== undefined) throw this.#failed;
  }
}

/** A loop without an end would outlive its test and keep the whole run open. */
const TURNS_MAX = 20_000;
const turn = (): Promise<void> => new Promise((wake) => setTimeout(wake, 1));
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('the live feed', { timeout: 60_000 }, () => {
  it('begins with a status, then tells moments under dense numbers', async () => {
    const stage = new Stage();
    const viewer = await stage.watch().until(1);
    stage.tell(1, 2);
    stage.tell(3);
    await viewer.until(3);
    const [status, ...moments] = viewer.seen;
    assert.equal(status?.event, 'status');
    assert.deepEqual(status.data, { replicas: [], height: 1, now: 1_000_000, rates: [] });
    const first = Number(status.id.slice('run-'.length));
    const ids = moments.map(({ id }) => id);
    assert.deepEqual(ids, [`run-${first + 1}`, `run-${first + 2}`]);
    assert.deepEqual(viewer.views, [1, 2, 3]);
    assert.deepEqual(moments[0]?.data['replica'], 0);
    await viewer.until(() => stage.asked.includes('0:c-3'));
    assert.ok(stage.asked.includes('0:c-2'), 'it goes on behind what it knows');
    await viewer.leave();
  });

  it('goes on behind the last event that a viewer saw, without a status and without loss', async () => {
    const stage = new Stage();
    const keeper = await stage.watch().until(1);
    for (const view of numbers(1, 20)) stage.tell(view);
    await keeper.until(21);
    for (const at of [0, 7, 20]) {
      const again = stage.watch(keeper.seen[at]!.id);
      await again.until(20 - at);
      assert.deepEqual(again.views, numbers(at + 1, 20));
      await again.leave();
    }
    // Nobody watches for a moment: a page that is loaded anew.
    await keeper.leave();
    stage.tell(21);
    const back = stage.watch(keeper.seen.at(-1)!.id);
    await back.until(() => back.views.length > 0);
    assert.deepEqual(back.views, [21]);
    await back.leave();
  });

  it('begins anew for an id of another life, of the future, or that is none', async () => {
    const stage = new Stage();
    for (const last of ['', 'other-1', 'run-', 'run-99999', 'run-1x', 'run--1', '7', '\u0000', 'run-1e3']) {
      const viewer = await stage.watch(last).until(1);
      assert.equal(viewer.seen[0]?.event, 'status', last);
      await viewer.leave();
    }
  });

  it('begins anew for a viewer that is further behind than it remembers', async () => {
    const stage = new Stage();
    const keeper = await stage.watch().until(1);
    const [begin] = keeper.seen;
    stage.tell(1);
    await keeper.until(2);
    // This one takes one event and then nothing for long.
    const leave = new AbortController();
    const slow = stage.feed.follow(begin!.id, leave.signal);
    assert.deepEqual(read((await slow.next()).value!), keeper.seen.slice(1, 2));
    for (const view of numbers(2, 600)) stage.tell(view);
    await keeper.until(601);
    const [late] = read((await slow.next()).value!);
    assert.deepEqual([late?.event, late?.id], ['status', keeper.seen.at(-1)!.id]);
    stage.tell(601);
    assert.deepEqual(read((await slow.next()).value!), (await keeper.until(602)).seen.slice(-1));
    leave.abort();
    await slow.return();
    const again = await stage.watch(begin!.id).until(1);
    assert.equal(again.seen[0]?.event, 'status');
    await Promise.all([again.leave(), keeper.leave()]);
  });

  it('asks nobody while nobody watches, and one question serves all viewers', async () => {
    const stage = new Stage();
    for (let step = 0; step < 5; step += 1) await turn();
    assert.equal(stage.questions + stage.asked.length, 0);
    const viewers = numbers(1, 10).map(() => stage.watch());
    await Promise.all(viewers.map((viewer) => viewer.until(1)));
    assert.equal(stage.feed.viewers, 10);
    assert.equal(stage.mostAtOnce, 4, 'one for the status, one for each replica');
    await Promise.all(viewers.map((viewer) => viewer.leave()));
    assert.equal(stage.feed.viewers, 0);
    const before = stage.questions + stage.asked.length;
    for (let step = 0; step < 10; step += 1) await turn();
    assert.equal(stage.questions + stage.asked.length, before);
  });

  it('tells the status again only when something happened, or after a while', async () => {
    const stage = new Stage(5_000);
    let [height, silentMs] = [1, 1];
    stage.status = () => {
      silentMs += 1_000;
      const suspected = [{ replica: 1, lastHeardMs: silentMs, why: `silent for ${silentMs} s` }];
      const explanation = [`nothing commits for ${silentMs} s`];
      return { replicas: [{ id: 0, upMs: silentMs, waitsFor: null, suspected }], height, explanation };
    };
    const viewer = await stage.watch().until(1);
    const asked = stage.questions;
    await viewer.until(() => stage.questions > asked + 5);
    assert.equal(viewer.seen.length, 1, 'nothing happened');
    height = 2;
    await viewer.until(2);
    stage.nowMs += 5_000;
    await viewer.until(3);
    assert.deepEqual(
      viewer.seen.map(({ data }) => data['height']),
      [1, 2, 2],
    );
    await viewer.leave();
  });

  it('gives a newcomer the rates of before, and each later status the newest', async () => {
    const stage = new Stage(0);
    let transactions = 0;
    stage.status = () => {
      transactions += 10;
      stage.nowMs += 1_000;
      return { replicas: [1, 2, 3].map((id) => ({ id, reachable: true, transactions })) };
    };
    const ratesOf = ({ data }: Seen): unknown[] =>
      (data['rates'] as { transactionsPerSecond: number }[]).map((rate) => rate.transactionsPerSecond);
    const viewer = await stage.watch().until(8);
    const later = viewer.seen.slice(1).flatMap(ratesOf);
    assert.deepEqual(
      later,
      later.map(() => 10),
    );
    assert.equal(later.length, viewer.seen.length - 1, 'each once');
    const newcomer = await stage.watch().until(1);
    assert.ok(ratesOf(newcomer.seen[0]!).length >= later.length);
    await Promise.all([viewer.leave(), newcomer.leave()]);
  });

  it('lives on when a question fails, and tells what was missed', async () => {
    const stage = new Stage();
    const { status } = stage;
    stage.status = () => undefined;
    const viewer = stage.watch();
    const moments = numbers(1, 150).map((view): LiveMoment => ({ at: 'view', ms: 1, view }));
    await viewer.until(() => stage.questions > 2);
    stage.status = status;
    await viewer.until(1);
    stage.answers[1]!.push(
      { cursor: 'x', moments, missed: 7 },
      { cursor: 'y', moments: [], missed: 3 },
      { cursor: 'z', moments: [], missed: 0 },
    );
    await viewer.until(() => stage.asked.includes('1:z'));
    await viewer.until(3);
    assert.deepEqual(viewer.views, numbers(1, 150));
    assert.deepEqual(
      viewer.seen
        .slice(1)
        .map(({ data }) => [data['replica'], data['missed'], (data['moments'] as []).length]),
      [
        [1, 7, 150],
        [1, 3, 0],
      ],
    );
    await viewer.leave();
  });
});
