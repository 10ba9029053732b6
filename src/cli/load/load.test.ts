import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Load } from './load.ts';
import { Outcomes } from './resume-state.ts';
import type { LoadState } from './resume-state.ts';
import { openRows } from './rows.ts';
import type { Row, RowFormat } from './rows.ts';
import type { RowSink, WritableRow } from './sinks.ts';

const folder = mkdtempSync(join(tmpdir(), 'mo-load-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function rowsOf(text: string, format: RowFormat, key = 'id'): Promise<Row[]> {
  const file = join(folder, `table.${format}`);
  writeFileSync(file, text);
  const rows: Row[] = [];
  for await (const row of openRows({ file, format, key, prefix: 'p/' }).rows) rows.push(row);
  return rows;
}

function shown(row: Row): string {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return row.kind === 'row'
    ? `${row.number} ${text(row.key)} ${text(row.value)}`
    : `${row.number} malformed in line ${row.line}: ${row.why}`;
}

describe('rows of a table', () => {
  it('are read from CSV with quotes, line breaks in cells and a byte order mark', async () => {
    const rows = await rowsOf('\ufeffid,name\n1,"a, b"\n2,"two\nlines"\n', 'csv');
    assert.deepEqual(rows.map(shown), [
      '1 p/1 {"id":"1","name":"a, b"}',
      '2 p/2 {"id":"2","name":"two\\nlines"}',
    ]);
  });

  it('that are malformed are told in their place, with their line', async () => {
    const rows = await rowsOf('id,name\n1,a\nonly-one\n,no key\n4,d\n', 'csv');
    assert.deepEqual(rows.map(shown), [
      '1 p/1 {"id":"1","name":"a"}',
      '2 malformed in line 3: it has another number of columns than the head',
      '3 malformed in line 4: its column "id" is empty',
      '4 p/4 {"id":"4","name":"d"}',
    ]);
  });

  it('are read from TSV, where a quotation mark is a character', async () => {
    const rows = await rowsOf('id\tname\n1\t5" disk\n', 'tsv');
    assert.deepEqual(rows.map(shown), ['1 p/1 {"id":"1","name":"5\\" disk"}']);
  });

  it('are read from NDJSON; what is no object is malformed', async () => {
    const rows = await rowsOf('{"id":1,"x":[2]}\n\nnot json\n[1]\n{"x":1}', 'ndjson');
    assert.deepEqual(rows.map(shown), [
      '1 p/1 {"id":1,"x":[2]}',
      '2 malformed in line 3: it is not a JSON object',
      '3 malformed in line 4: it is not a JSON object',
      '4 malformed in line 5: it has no column "id"',
    ]);
  });

  it('with a key or value beyond the bounds of the store are malformed', async () => {
    const rows = await rowsOf(`id,name\n${'k'.repeat(2_000)},a\n2,${'v'.repeat(60_000)}\n`, 'csv');
    assert.match(shown(rows[0]!), /its key has 2002 bytes/);
    assert.match(shown(rows[1]!), /60\d+ bytes as JSON/);
  });

  it('cannot be read without the key column', async () => {
    await assert.rejects(rowsOf('a,b\n1,2\n', 'csv'), /There is no column "id"; the file has a, b/);
  });
});

/** Keeps what is written; writes wait until they are let through. */
class FakeStore implements RowSink {
  readonly values = new Map<string, string>();
  readonly log: number[] = [];
  open = 0;
  most = 0;
  failAt: number | undefined;

  async write(row: WritableRow): Promise<void> {
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    await new Promise((done) => setImmediate(done));
    this.open -= 1;
    if (row.number === this.failAt) throw new Error('refused');
    this.values.set(Buffer.from(row.key).toString(), Buffer.from(row.value).toString());
    this.log.push(row.number);
  }

  read(key: Uint8Array): Promise<Uint8Array | undefined> {
    const value = this.values.get(Buffer.from(key).toString());
    return Promise.resolve(value === undefined ? undefined : Buffer.from(value));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function* table(count: number, key: (row: number) => string = (row) => `k${row}`): AsyncGenerator<Row> {
  for (let number = 1; number <= count; number += 1)
    yield {
      kind: 'row',
      number,
      line: number,
      key: Buffer.from(key(number)),
      value: Buffer.from(`v${number}`),
    };
}

function loadOf(
  store: FakeStore,
  rows: AsyncIterable<Row>,
  more: { resumed?: LoadState; inFlight?: number } = {},
): Load & { reserved: LoadState[] } {
  const reserved: LoadState[] = [];
  const load = new Load({
    rows,
    sink: store,
    inFlight: more.inFlight ?? 8,
    identity: 'x',
    resumed: more.resumed,
    onMalformed: () => undefined,
    onReserve: (state) => reserved.push(state),
    stop: new AbortController().signal,
  });
  return Object.assign(load, { reserved });
}

describe('a load', () => {
  it('writes every row once, with at most so many on the way', async () => {
    const store = new FakeStore();
    const load = loadOf(store, table(100));
    assert.equal(await load.run(), true);
    assert.equal(load.written, 100);
    assert.equal(new Set(store.log).size, 100);
    assert.ok(store.most <= 8);
    assert.deepEqual(load.state.row, 100);
  });

  it('keeps the order of rows with the same key', async () => {
    const store = new FakeStore();
    await loadOf(
      store,
      table(20, () => 'same'),
    ).run();
    assert.equal(store.values.get('same'), 'v20');
    assert.deepEqual(
      store.log,
      [...store.log].sort((a, b) => a - b),
    );
  });

  it('never sends a row beyond what it has reserved', async () => {
    const store = new FakeStore();
    const load = loadOf(store, table(60));
    await load.run();
    assert.ok(load.reserved.length >= 3);
    assert.ok(load.reserved.at(-1)!.furthest >= 60);
  });

  it('resumes without writing again what the run before had written', async () => {
    const store = new FakeStore();
    store.failAt = 30;
    const first = loadOf(store, table(50));
    await assert.rejects(first.run(), /refused/);
    const state = first.state;
    assert.ok(state.row < 30 && state.furthest >= 30);
    store.failAt = undefined;
    const second = loadOf(store, table(50), { resumed: state });
    assert.equal(await second.run(), true);
    assert.equal(second.written, 50);
    assert.equal(store.log.length, 50, 'a row was written twice');
    assert.equal(store.values.size, 50);
  });
});

describe('outcomes', () => {
  it('count only up to the first row without one', () => {
    const outcomes = new Outcomes({ row: 0, written: 0, malformed: 0 });
    outcomes.add(2, 'written');
    outcomes.add(3, 'malformed');
    assert.deepEqual(outcomes.contiguous, { row: 0, written: 0, malformed: 0 });
    outcomes.add(1, 'written');
    assert.deepEqual(outcomes.contiguous, { row: 3, written: 2, malformed: 1 });
  });
});
