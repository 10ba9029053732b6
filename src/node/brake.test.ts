import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Brake } from './brake.ts';

describe('brake', () => {
  it('stops reading while too much waits to be written, and goes on when half of it is', async () => {
    let waiting = 90;
    const said: boolean[] = [];
    let wake = (): void => undefined;
    const brake = new Brake({
      waitingBytes: () => waiting,
      setPaused: (isPaused) => {
        said.push(isPaused);
        wake();
      },
      bytesMax: 100,
    });
    brake.look();
    assert.deepEqual(said, []);
    waiting = 101;
    brake.look();
    brake.look();
    assert.deepEqual(said, [true], 'once');
    waiting = 51;
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(said, [true]);
    waiting = 50;
    await new Promise<void>((resolve) => (wake = resolve));
    assert.deepEqual(said, [true, false]);
    waiting = 101;
    brake.look();
    brake.stop();
    assert.deepEqual(said, [true, false, true]);
  });
});
