import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StateDamage, StateLog } from './state-log.ts';
import type { Durability } from './state-log.ts';

const KEEP = 8;
const HEADER_BYTES = 128;
/** Bytes on disk of a record with the payloads used here. */
const RECORD_BYTES = 64;

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-state-'));
  try {
    StateLog.create(folder);
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function payload(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255, 1, 2);
}

function values(log: StateLog): number[] {
  return log.records.map((record) => record[0]! * 256 + record[1]!);
}

function open(folder: string, durability: Durability = 'fsync'): StateLog {
  const log = StateLog.open(folder, durability, KEEP);
  log.begin();
  return log;
}

/** Appends values in groups, each made durable on its own; leaves the file as a crash would. */
function write(
  folder: string,
  groups: readonly (readonly number[])[],
  durability: Durability = 'fsync',
): StateLog {
  const log = open(folder, durability);
  for (const group of groups) {
    for (const value of group) log.append(payload(value));
    log.flush();
  }
  return log;
}

function change(folder: string, edit: (file: Buffer) => void): void {
  const path = join(folder, 'state');
  const file = readFileSync(path);
  edit(file);
  writeFileSync(path, file);
}

test('what was flushed is there after a crash, with the key', () => {
  inFolder((folder) => {
    const { key } = write(folder, [[1], [2, 3], [4]]);
    const again = open(folder);
    assert.deepEqual(values(again), [1, 2, 3, 4]);
    assert.deepEqual([...again.key.tcEpoch], [...key.tcEpoch]);
    assert.deepEqual([...again.key.seed], [...key.seed]);
  });
});

test('the file stays bounded: a full one is replaced by the last records', () => {
  inFolder((folder) => {
    const log = open(folder);
    const big = new Uint8Array(4096);
    for (let value = 1; value <= 2500; value += 1) {
      log.append(value % 50 === 0 ? payload(value) : big);
      if (value % 50 === 0) log.flush();
    }
    assert.equal(readFileSync(join(folder, 'state')).length, 4 * 1024 * 1024);
    const again = open(folder);
    assert.equal(again.records.length, KEEP);
    assert.equal(values(again).at(-1), 2500);
  });
});

test('a torn end is dropped, wherever it is torn', () => {
  for (let cut = 1; cut < RECORD_BYTES; cut += 7) {
    inFolder((folder) => {
      write(folder, [[1], [2]]);
      change(folder, (file) =>
        file.fill(0, HEADER_BYTES + RECORD_BYTES + cut, HEADER_BYTES + 2 * RECORD_BYTES),
      );
      // The record ends some bytes before the next one begins; from there on nothing is torn.
      assert.deepEqual(values(open(folder)), cut < 60 ? [1] : [1, 2]);
    });
  }
});

test('a group whose sectors arrived out of order is dropped whole, from its first hole on', () => {
  inFolder((folder) => {
    write(folder, [[1], [2, 3, 4]]);
    change(folder, (file) => file.fill(0, HEADER_BYTES + RECORD_BYTES, HEADER_BYTES + 2 * RECORD_BYTES));
    assert.deepEqual(values(open(folder)), [1]);
  });
});

test('a damaged record below the end is refused and says what to do', () => {
  for (const at of [0, 10, 30, 41, 50]) {
    inFolder((folder) => {
      write(folder, [[1], [2], [3]]);
      change(folder, (file) => (file[HEADER_BYTES + RECORD_BYTES + at]! ^= 4));
      assert.throws(
        () => open(folder),
        (error) => error instanceof StateDamage && /RECOVER/.test(error.message),
      );
    });
  }
});

test('a damaged header is refused', () => {
  for (const at of [0, 9, 20, 48, 127]) {
    inFolder((folder) => {
      write(folder, [[1]]);
      change(folder, (file) => (file[at]! ^= 1));
      assert.throws(() => open(folder), StateDamage);
    });
  }
});

test('records of another state are not taken over', () => {
  inFolder((folder) => {
    write(folder, [[1], [2]]);
    inFolder((other) => {
      write(other, [[7], [8]]);
      const foreign = readFileSync(join(other, 'state')).subarray(HEADER_BYTES);
      change(folder, (file) => foreign.copy(file, HEADER_BYTES));
      assert.throws(() => open(folder), StateDamage);
    });
  });
});

test('renew: another key, no records, and nothing of the old seed in the file', () => {
  inFolder((folder) => {
    const log = write(folder, [[1], [2]]);
    const old = { seed: Buffer.from(log.key.seed), tcEpoch: Buffer.from(log.key.tcEpoch) };
    const renewed = log.renew();
    assert.notDeepEqual([...renewed.seed], [...old.seed]);
    assert.notDeepEqual([...renewed.tcEpoch], [...old.tcEpoch]);
    log.append(payload(1));
    log.flush();
    assert.equal(readFileSync(join(folder, 'state')).indexOf(old.seed), -1);
    const again = open(folder);
    assert.deepEqual(values(again), [1]);
    assert.deepEqual([...again.key.seed], [...renewed.seed]);
  });
});

test('memory: a crash renews the key, a stop in order keeps everything', () => {
  inFolder((folder) => {
    const first = write(folder, [[1], [2]], 'memory');
    const second = open(folder, 'memory');
    assert.notDeepEqual([...second.key.tcEpoch], [...first.key.tcEpoch]);
    assert.deepEqual(values(second), []);
    second.append(payload(5));
    second.close();
    const third = open(folder, 'fsync');
    assert.deepEqual([...third.key.tcEpoch], [...second.key.tcEpoch]);
    assert.deepEqual(values(third), [5]);
  });
});

test(
  'os: survives the process, but not another start of the operating system',
  { skip: process.platform !== 'linux' },
  () => {
    inFolder((folder) => {
      const first = write(folder, [[1], [2]], 'os');
      const again = open(folder, 'os');
      assert.deepEqual(values(again), [1, 2]);
      assert.deepEqual([...again.key.tcEpoch], [...first.key.tcEpoch]);
    });
  },
);

test('a program with an image: a new file begins with it, and what came later follows', () => {
  inFolder((folder) => {
    // A program whose state is the sum of all records; its image is told by its first byte.
    const imageOf = (sum: number): Uint8Array => Uint8Array.of(0xff, 0xff, sum >> 8, sum & 255);
    const sumOf = (records: readonly Uint8Array[]): number =>
      records.reduce((sum, bytes) => (bytes[0] === 0xff ? bytes[2]! * 256 + bytes[3]! : sum + 1), 0);
    let sum = 0;
    for (let round = 0; round < 3; round += 1) {
      const log = StateLog.open(folder, 'fsync', KEEP);
      assert.equal(sumOf(log.records), sum, 'all records of the file are shown, not only the last');
      if (round > 1) assert.equal(log.records[0]![0], 0xff);
      log.begin(() => imageOf(sum));
      // More than are kept, and in the last round more than a file holds.
      const size = round < 2 ? 4 : 64 * 1024;
      for (let value = 0; value < 80; value += 1) {
        log.append(new Uint8Array(size));
        sum += 1;
        log.flush();
      }
    }
    const last = StateLog.open(folder, 'fsync', KEEP);
    assert.equal(sumOf(last.records), sum);
    assert.ok(last.records.length < 80);
    last.begin(() => imageOf(sum));
    last.renew();
    assert.deepEqual(
      StateLog.open(folder, 'fsync', KEEP).records,
      [],
      'no image of a state that was renewed',
    );
  });
});

test('of two processes on one folder, the lock having been removed, the older one releases nothing more', () => {
  inFolder((folder) => {
    const older = write(folder, [[1], [2]]);
    const newer = open(folder);
    assert.deepEqual(values(newer), [1, 2]);
    older.append(payload(3));
    assert.throws(() => older.flush(), /another process has taken this trusted component's folder over/);
    newer.append(payload(3));
    newer.flush();
    assert.throws(() => older.renew(), StateDamage);
    assert.deepEqual(values(open(folder)), [1, 2, 3]);
  });
});

test('whatever one process released, the one that takes its folder over has read', () => {
  inFolder((folder) => {
    const released: number[] = [];
    let older = open(folder);
    for (let value = 1; value <= 20; value += 1) {
      const newer = StateLog.open(folder, 'fsync', KEEP);
      assert.deepEqual(values(newer).slice(-KEEP), released.slice(-KEEP));
      // Between reading and its own file: whoever writes now is too late.
      older.append(payload(1000 + value));
      assert.throws(() => older.flush(), StateDamage);
      newer.begin();
      newer.append(payload(value));
      newer.flush();
      released.push(value);
      older = newer;
    }
  });
});
