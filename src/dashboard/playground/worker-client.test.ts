/** The line between the page of the playground and its worker. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { eventLogDigest } from '../../sim/playback/digest.ts';
import { drawnScript } from '../../sim/playback/draw.ts';
import { play } from '../../sim/playback/play.ts';
import type { Choices } from '../../sim/playback/contract.ts';
import { answerTo } from './worker-answers.ts';
import { WorkerClient } from './worker-client.ts';
import type { WorkerLike } from './worker-client.ts';
import type { PlaySource } from './worker-contract.ts';

const usig = new Uint8Array(readFileSync(new URL('../../../trusted/usig.wasm', import.meta.url)));
const SCRIPT = 'scenario calm\nreplicas 3\nexpect clean\ncalm after 60\nclients 1 bundles 2\n';

/** A worker without a thread; `deaf` ones never answer. */
class HereWorker implements WorkerLike {
  onmessage: WorkerLike['onmessage'] = null;
  onerror: WorkerLike['onerror'] = null;
  isEnded = false;
  readonly #isDeaf: boolean;

  constructor(isDeaf: boolean) {
    this.#isDeaf = isDeaf;
  }

  postMessage(question: Parameters<WorkerLike['postMessage']>[0]): void {
    if (this.#isDeaf) return;
    const data = structuredClone(answerTo(structuredClone(question), { usig }));
    setImmediate(() => {
      if (!this.isEnded) this.onmessage?.({ data });
    });
  }

  terminate(): void {
    this.isEnded = true;
  }
}

describe('the worker of the playground', () => {
  const client = new WorkerClient(() => new HereWorker(false));

  it('plays scripts, choices and drawn schedules; whole replicas with the deployed bytes', async () => {
    const modelled = play(SCRIPT);
    const deployed = await client.play({ kind: 'script', text: SCRIPT });
    assert.equal(eventLogDigest(deployed.trace), eventLogDigest(modelled.trace));
    assert.equal(modelled.moduleCalls, 0);
    assert.ok(deployed.moduleCalls > 0);
    const schedule = { protocol: 'pbft', seed: 4 };
    const drawn = await client.play({ kind: 'draw', schedule });
    const digest = eventLogDigest(play(drawnScript(schedule)).trace);
    assert.equal(eventLogDigest(drawn.trace), digest);
    assert.deepEqual(await client.digests([schedule]), [digest]);
    const choices: Choices = {
      protocol: 'zyzzyva',
      f: 1,
      seed: 1,
      network: 'calm',
      faults: [],
      adversary: { kind: 'none' },
      clients: 1,
      requests: 1,
      fidelity: 'core',
    };
    assert.equal((await client.play({ kind: 'choices', choices })).trace.protocol, 'zyzzyva');
  });

  it('says in a sentence what is wrong', async () => {
    const wrong: readonly [PlaySource, RegExp][] = [
      [{ kind: 'script', text: 'scenario x\nfly' }, /line 2: "fly" is not a verb/],
      [{ kind: 'draw', schedule: { protocol: 'raft', seed: 1 } }, /no protocol "raft"/],
      [{ kind: 'choices', choices: { protocol: 'raft' } as Choices }, /no protocol "raft"/],
    ];
    for (const [source, words] of wrong) await assert.rejects(client.play(source), words);
    await assert.rejects(client.digests([{ protocol: 'raft', seed: 1 }]), /no protocol/);
  });

  it('is ended when it takes too long, or another question comes, and started anew', async () => {
    const workers: HereWorker[] = [];
    const slow = new WorkerClient(() => {
      const worker = new HereWorker(workers.length === 0);
      workers.push(worker);
      return worker;
    }, 50);
    await assert.rejects(slow.play({ kind: 'script', text: SCRIPT }), /took longer than 0.05 s/);
    assert.equal(workers[0]!.isEnded, true);
    const first = slow.play({ kind: 'script', text: SCRIPT });
    const second = slow.play({ kind: 'script', text: SCRIPT });
    await assert.rejects(first, /another scenario/);
    assert.equal((await second).isCut, false);
    const third = slow.play({ kind: 'script', text: SCRIPT });
    workers.at(-1)!.onerror?.({ message: 'out of memory' });
    await assert.rejects(third, /out of memory/);
  });
});
