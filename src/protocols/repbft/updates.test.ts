/** Updates of RePBFT: what passive replicas apply, what they ask for, and when they complain. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesToDigest } from '../../core/bytes.ts';
import { sha256 } from '../../smr/attested/cluster.testing.ts';
import { INTERVAL, Scene, without } from './scenes.testing.ts';

const WRONG = new TextEncoder().encode('nothing of the kind');

/** A wrong update told by replica `from` to the passive one, in the place of its own. */
function lie(scene: Scene, from: number, sequence: number): void {
  scene.filter = without('UPDATE', (_content, author) => author === from);
  const { digest } = scene.at(0).decisions.get(sequence) ?? {
    digest: scene.machines[0]!.history[sequence - 1]!,
  };
  const update = bytesToDigest(sha256(WRONG));
  scene.deliver(
    from,
    3,
    scene.by(from, { kind: 'UPDATE', sequence, digest, update, length: WRONG.length, bytes: WRONG }),
  );
}

describe('updates', () => {
  // Order 1 is told by replica 1, which sends its bytes: the liar is one that sends them, or another.
  for (const liar of [0, 1])
    test(`RePBFT.U.equal: one wrong update, of replica ${liar}, is outvoted by the other active replicas`, () => {
      const scene = new Scene();
      scene.filter = without('UPDATE');
      scene.order(1);
      assert.equal(scene.at(3).executed, 0);
      assert.ok(scene.saw('RePBFT.U.equal', false));
      lie(scene, liar, 1);
      assert.equal(scene.at(3).executed, 0);
      scene.filter = () => true;
      scene.settle(1_000);
      assert.deepEqual(scene.machines[3]!.applied, [1]);
      assert.deepEqual(scene.at(3).updates.inbox.size, { updates: 0, bytes: 0 });
      assert.deepEqual([scene.at(0).view, scene.at(3).view], [0, 0]);
    });

  test('two equal updates are one too few for f = 2', () => {
    const scene = new Scene(2);
    scene.filter = (from, to, message) => from < 2 || to < 5 || !['UPDATE', 'PROOF'].includes(message.kind);
    scene.order(1);
    scene.settle(100);
    assert.deepEqual([scene.at(5).executed, scene.at(6).executed], [0, 0]);
    scene.filter = () => true;
    scene.settle(1_000);
    assert.deepEqual(scene.machines[5]!.applied, [1]);
  });

  test('lost updates are asked for, their bytes from one of those that told them', () => {
    const scene = new Scene();
    scene.filter = without('UPDATE');
    scene.order(3);
    assert.equal(scene.at(3).executed, 0);
    scene.filter = (from, _to, message) => message.kind !== 'UPDATE-PART' || from !== 0;
    scene.settle(1_500);
    assert.deepEqual(scene.machines[3]!.applied, [1, 2, 3]);
    assert.ok(scene.sentBy(3, 'UPDATE-FETCH') >= 2);
  });

  test('bytes that are not those of the digest are asked for elsewhere', () => {
    const scene = new Scene();
    scene.filter = without('UPDATE', (_content, from) => from === 1);
    scene.order(1);
    assert.equal(scene.at(3).executed, 0);
    const told = scene.at(1).updates.store.get(1)!;
    const { digest, update, bytes } = told;
    const wrong = bytes.map((byte) => byte ^ 1);
    const message = {
      kind: 'UPDATE',
      sequence: 1,
      digest,
      update,
      length: bytes.length,
      bytes: wrong,
    } as const;
    scene.deliver(1, 3, scene.by(1, message));
    scene.settle(500);
    assert.deepEqual(scene.machines[3]!.applied, [1]);
  });

  test('what everybody has applied, or a checkpoint covers, is kept no longer', () => {
    const scene = new Scene();
    scene.order(INTERVAL - 1);
    assert.equal(scene.at(0).updates.store.size.updates, INTERVAL - 1);
    scene.settle(1_000);
    assert.equal(scene.at(0).updates.store.size.updates, 0, 'everybody has said so');
    scene.cut(3);
    scene.order(1);
    assert.equal(scene.at(0).updates.store.size.updates, 0, 'a checkpoint is stable');
    scene.order(2);
    assert.equal(scene.at(0).updates.store.size.updates, 2);
  });

  test('a passive replica that missed a stable checkpoint fetches the state and goes on with updates', () => {
    const scene = new Scene();
    scene.cut(3);
    scene.order(3 * INTERVAL + 1);
    scene.cut();
    scene.settle(2_000);
    assert.ok(scene.machines[3]!.notes.includes('transfer'));
    assert.deepEqual(scene.machines[3]!.applied, [3 * INTERVAL + 1]);
    scene.order(1);
    assert.equal(scene.at(3).executed, 3 * INTERVAL + 2);
  });

  test('nothing is applied beyond the window, whatever was told', () => {
    const scene = new Scene();
    scene.filter = (_from, to, message) => to !== 3 || !['CHECKPOINT', 'PROOF'].includes(message.kind);
    scene.order(3 * INTERVAL, [0, 1, 2]);
    assert.equal(scene.at(0).executed, 3 * INTERVAL);
    assert.equal(scene.at(3).executed, 2 * INTERVAL);
    scene.filter = () => true;
    scene.settle(1_500);
    scene.assertExecuted(3 * INTERVAL);
  });

  test('an update that does not fit is not tried again, and the batch is executed instead', () => {
    const scene = new Scene();
    scene.cut(3);
    scene.order(1);
    for (const from of [0, 1]) {
      const { digest } = scene.at(0).decisions.get(1)!;
      const update = bytesToDigest(sha256(WRONG));
      const told = {
        kind: 'UPDATE',
        sequence: 1,
        digest,
        update,
        length: WRONG.length,
        bytes: WRONG,
      } as const;
      scene.deliver(from, 3, scene.by(from, told));
    }
    assert.ok(scene.machines[3]!.notes.includes('updateRefused'));
    assert.equal(scene.at(3).executed, 0);
    scene.cut();
    scene.settle(3_000);
    assert.equal(scene.at(3).executed, 1);
    assert.deepEqual(scene.machines[3]!.applied, []);
  });

  test('RePBFT.U.silent: a passive replica complains when updates stop, and is shown decisions then', () => {
    const scene = new Scene();
    scene.filter = without('UPDATE');
    // It does not know of the requests: nothing but its own patience moves it.
    scene.order(2, [0, 1, 2]);
    scene.settle(400);
    assert.ok(!scene.saw('RePBFT.U.silent', true));
    scene.settle(800);
    assert.ok(scene.saw('RePBFT.U.silent', true));
    assert.ok(scene.machines[3]!.notes.includes('updatesStopped'));
    scene.settle(1_500);
    assert.equal(scene.at(3).executed, 2);
    assert.deepEqual(scene.machines[3]!.applied, []);
    assert.equal(scene.at(3).mode, 'changing');
    scene.assertNormal(0, [0, 1, 2], [0, 1, 2]);
  });

  test('what one replica alone claims to have executed is no reason to complain', () => {
    const scene = new Scene();
    scene.order(1);
    scene.filter = (from, to) => from !== 0 || to !== 3;
    for (let round = 0; round < 8; round += 1) {
      const received = [0, 0, 0, scene.at(3).own.last];
      const where = { life: 0, view: 0, executed: 1_000_000, stable: 0, first: 1, skipped: [], received };
      scene.deliver(0, 3, { kind: 'STATUS', changing: false, ...where });
      scene.settle(200);
    }
    assert.ok(!scene.saw('RePBFT.U.silent', true));
  });
});

describe('restarts', () => {
  test('decisions outlive a restart: what was told before is shown as it was decided', () => {
    const scene = new Scene();
    scene.cut(3);
    scene.order(2);
    for (const id of [0, 1, 2]) scene.restart(id);
    // Without its store it is no witness of what was decided.
    scene.restart(0, true);
    assert.equal(scene.at(1).updates.store.size.updates, 0);
    scene.cut();
    scene.settle(3_000);
    scene.assertExecuted(2);
  });

  test('a passive replica goes on with updates after a restart', () => {
    const scene = new Scene();
    scene.order(2);
    scene.restart(3);
    scene.order(2);
    assert.deepEqual(scene.machines[3]!.applied, [1, 2, 3, 4]);
  });

  test('what is decided is forgotten when a checkpoint covers it', () => {
    const scene = new Scene();
    scene.order(INTERVAL + 1);
    const stored = [...scene.machines[0]!.stored.keys()].filter((key) => key.startsWith('decided/'));
    assert.deepEqual(stored, [`decided/${INTERVAL + 1}`]);
  });
});
