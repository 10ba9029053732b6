import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListPage, MoietyClient } from '../../../client/contract.ts';
import { Prng } from '../../../core/prng.ts';
import { recordChooser, scatter, Zipfian } from './generators.ts';
import { YCSB_WORKLOADS, ycsbKey, YcsbDriver, ycsbWorkload } from './workloads.ts';

test('the zipfian draw has the frequencies of its law, also after the items grew', () => {
  for (const sizes of [[1_000], [10, 500, 1_000]]) {
    const zipfian = new Zipfian(new Prng(3));
    for (const size of sizes) zipfian.next(size);
    const draws = 200_000;
    const counts = new Float64Array(1_000);
    for (let draw = 0; draw < draws; draw += 1) counts[zipfian.next(1_000)]! += 1;
    let zeta = 0;
    for (let rank = 1; rank <= 1_000; rank += 1) zeta += rank ** -0.99;
    for (const rank of [1, 2]) {
      const expected = (draws * rank ** -0.99) / zeta;
      assert.ok(Math.abs(counts[rank - 1]! - expected) < 0.05 * expected, `rank ${rank}`);
    }
    // Beyond the first two the method is an approximation; together the ranks of a decade are close.
    const share = (from: number, to: number): number =>
      counts.subarray(from, to).reduce((a, b) => a + b) / draws;
    const law = (from: number, to: number): number => {
      let sum = 0;
      for (let rank = from + 1; rank <= to; rank += 1) sum += rank ** -0.99;
      return sum / zeta;
    };
    for (const [from, to] of [
      [0, 10],
      [10, 100],
      [100, 1_000],
    ] as const)
      assert.ok(Math.abs(share(from, to) - law(from, to)) < 0.05, `${from} to ${to}`);
  }
});

test('every distribution draws what there is, also of one or two records', () => {
  for (const distribution of ['zipfian', 'latest', 'uniform'] as const) {
    const choose = recordChooser(distribution, new Prng(9));
    for (const records of [1, 2, 3, 50])
      for (let draw = 0; draw < 300; draw += 1) {
        const record = choose(records);
        assert.ok(
          Number.isInteger(record) && record >= 0 && record < records,
          `${distribution} of ${records}: ${record}`,
        );
      }
  }
  const latest = recordChooser('latest', new Prng(9));
  let newest = 0;
  for (let draw = 0; draw < 1_000; draw += 1) if (latest(1_000) >= 990) newest += 1;
  assert.ok(newest > 300, 'the newest records are the popular ones');
});

test('scattered numbers differ, and keys sort as bytes', () => {
  const keys = new Set(Array.from({ length: 50_000 }, (_, number) => ycsbKey(number)));
  assert.equal(keys.size, 50_000);
  assert.equal(scatter(0), 0);
  assert.equal(new Set([...keys].map((key) => key.length)).size, 1);
});

test('the six workloads have the shares of YCSB', () => {
  assert.equal(YCSB_WORKLOADS.map(({ name }) => name).join(''), 'ABCDEF');
  for (const { mix } of YCSB_WORKLOADS)
    assert.ok(Math.abs(Object.values(mix).reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  assert.equal(ycsbWorkload('e')?.mix.scan, 0.95);
  assert.equal(ycsbWorkload('G'), undefined);
});

/** A map that answers like the client. Pages hold `pageMax` entries at most. */
class MapClient {
  readonly map = new Map<string, Uint8Array>();
  readonly lists: string[][] = [];
  readonly #pageMax: number;

  constructor(pageMax: number) {
    this.#pageMax = pageMax;
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.map.set(Buffer.from(key).toString(), value);
    return Promise.resolve();
  }

  get(key: Uint8Array): Promise<{ value: Uint8Array | undefined }> {
    const value = this.map.get(Buffer.from(key).toString());
    assert.ok(value !== undefined, 'only records that exist are read');
    return Promise.resolve({ value });
  }

  list(query: { prefix: Uint8Array; startAfter: Uint8Array; limit: number }): Promise<ListPage> {
    const after = Buffer.from(query.startAfter).toString();
    const behind = [...this.map.keys()].sort().filter((key) => key > after);
    const page = behind.slice(0, Math.min(query.limit, this.#pageMax));
    this.lists.push(page);
    const entries = page.map((key) => ({ key: Buffer.from(key), value: this.map.get(key)! }));
    const next = behind.length > page.length ? Buffer.from(page.at(-1)!) : undefined;
    return Promise.resolve({ entries, next, sequence: 1 });
  }
}

async function drive(letter: string, pageMax = 1_000): Promise<MapClient> {
  const client = new MapClient(pageMax);
  const workload = ycsbWorkload(letter)!;
  const drivers = [0, 1].map(
    (index) =>
      new YcsbDriver({
        client: client as unknown as MoietyClient,
        workload,
        distribution: workload.distribution,
        prng: new Prng(7 + index),
        records: 300,
        index,
        processes: 2,
        value: new Uint8Array(10).fill(65),
      }),
  );
  await Promise.all(drivers.map((driver) => driver.load(8)));
  assert.equal(client.map.size, 300);
  const counts: Record<string, number> = {};
  for (let step = 0; step < 1_000; step += 1) {
    const driver = drivers[step % 2]!;
    const kind = driver.nextKind();
    counts[kind] = (counts[kind] ?? 0) + 1;
    await driver.perform(kind);
  }
  for (const [kind, share] of Object.entries(workload.mix))
    assert.ok(Math.abs((counts[kind] ?? 0) / 1_000 - share) < 0.05, `${letter}: ${kind}`);
  assert.equal(client.map.size, 300 + (counts['insert'] ?? 0), 'no insert meets another record');
  return client;
}

test('every workload does what its mix says, on records that exist', async () => {
  for (const { name } of YCSB_WORKLOADS) await drive(name);
});

test('a read-modify-write changes what it read', async () => {
  const { map } = await drive('F');
  assert.ok([...map.values()].some((value) => value[0] !== 65));
  assert.ok([...map.values()].every((value) => value.length === 10 && value[1] === 65));
});

test('a scan begins at its own record and goes on over short pages', async () => {
  const { lists } = await drive('E', 7);
  assert.ok(lists.some((page) => page.length === 7));
  assert.ok(lists.every((page) => page.length > 0));
});
