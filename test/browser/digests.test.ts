/**
 * The playground shows the same runs as the command line: for the first seeds of every protocol the SHA-256 of the event log
 * is the same in Node and in a worker of Chromium.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { readPage, servePage } from '../../src/cli/page-server.ts';
import type { ServedPage } from '../../src/cli/page-server.ts';
import type { WorkerAnswer, WorkerQuestion } from '../../src/dashboard/playground/worker-contract.ts';
import { PROTOCOLS } from '../../src/protocols/catalogue.ts';
import { eventLogDigest } from '../../src/sim/playback/digest.ts';
import { drawnScript } from '../../src/sim/playback/draw.ts';
import { play } from '../../src/sim/playback/play.ts';
import { buildPages, SKIP, TestBrowser } from './browser.ts';
import type { WatchedPage } from './browser.ts';

const SEEDS = 50;

/** Asks the worker of the page, as the page itself does. */
async function asks({ page }: WatchedPage, question: WorkerQuestion): Promise<WorkerAnswer> {
  return page.evaluate<WorkerAnswer>(
    `new Promise((resolve, reject) => {
      const worker = new Worker('main.js');
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }) => {
        worker.terminate();
        resolve(data);
      };
      worker.postMessage(${JSON.stringify(question)});
    })`,
  );
}

describe('Node and Chromium', { skip: SKIP }, () => {
  let browser: TestBrowser;
  let served: ServedPage;
  let watched: WatchedPage;

  before(async () => {
    buildPages();
    served = await servePage(readPage('playground'), 0);
    browser = await TestBrowser.start();
    watched = await browser.open(served.url);
  });

  after(async () => {
    await served?.close();
    await browser?.close();
  });

  for (const { name: protocol } of PROTOCOLS)
    it(`agree about ${SEEDS} schedules of ${protocol}`, async () => {
      const schedules = Array.from({ length: SEEDS }, (_, index) => ({ protocol, seed: index + 1 }));
      const asked = asks(watched, { kind: 'digests', id: 1, schedules });
      // The browser is at work meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 5));
      const digests = schedules.map((schedule) => eventLogDigest(play(drawnScript(schedule)).trace));
      assert.equal(new Set(digests).size, SEEDS);
      assert.deepEqual(await asked, { kind: 'digests', id: 1, digests });
    });

  it('agree about whole replicas of MinBFT, with the trusted program as WebAssembly in the page', async () => {
    const file = new URL('../../scenarios/wiped-replica-readmitted.txt', import.meta.url);
    const text = readFileSync(file, 'utf8');
    const source = { kind: 'script', text } as const;
    const answer = await asks(watched, { kind: 'play', id: 2, source });
    assert.ok(answer.kind === 'played', JSON.stringify(answer));
    assert.ok(answer.playback.moduleCalls > 10, 'the module was asked, not a model of it');
    assert.equal(eventLogDigest(answer.playback.trace), eventLogDigest(play(text).trace));
  });
});
