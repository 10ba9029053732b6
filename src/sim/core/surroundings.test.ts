/** The modelled surroundings do what the contract asks: objects, own messages over crashes, undoing, updates, ballots. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObjectAttestation } from '../../core/attestation.ts';
import type { WireResult } from '../../core/client-wire.ts';
import { Prng } from '../../core/prng.ts';
import type { ClientRules, ProtocolDefinition, Seal } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { baseScenario } from '../base-scenario.ts';
import { Chance } from '../chance.ts';
import { EventQueue } from '../event-queue.ts';
import { CoreAttestDesk } from './attest-desk.ts';
import type { AttestAnswer } from './attest-desk.ts';
import { Ballot } from './ballot.ts';
import { makeBundle } from './client.ts';
import { CoreDisk } from './disk.ts';
import { CORE_DOMAIN, createCoreGenesis } from './genesis.ts';
import { KeyRing, SealBook } from './seal-book.ts';
import { CoreService } from './service.ts';
import { CoreTrusted } from './trusted.ts';

const D1 = '1'.repeat(64) as Digest;
const D2 = '2'.repeat(64) as Digest;
const NOTHING = new Uint8Array(0);

function makeBook(): SealBook<object> {
  const { settings, trusted } = createCoreGenesis(baseScenario(1), 'toy');
  const definition: Pick<ProtocolDefinition<object>, 'seals'> = { seals: () => [] };
  return new SealBook<object>({
    definition,
    hash: modelHash,
    domain: CORE_DOMAIN,
    settings,
    genesis: trusted,
  });
}

const wish = (value: number, mode: 'step' | 'jump' | 'strict' = 'step', object = '01') =>
  ({ kind: 'object', object, form: mode === 'strict' ? 'log' : 'counter', mode, value }) as const;

describe('objects of a component', () => {
  it('rise by their mode, give each value to one digest, and repeat a word that was given', () => {
    const trusted = new CoreTrusted(0, makeBook());
    assert.equal(trusted.assign(wish(2), D1), undefined, 'a step is not two steps');
    const first = trusted.assign(wish(1), D1);
    assert.equal(first?.previous, 0);
    assert.equal(trusted.assign(wish(1), D2), undefined, 'the value is spent');
    assert.deepEqual(trusted.assign(wish(1), D1), first);
    assert.equal(trusted.assign(wish(7, 'jump', '02'), D1)?.value, 7);
    assert.equal(trusted.assign(wish(9, 'jump', '02'), D1)?.previous, 7);
    assert.equal(trusted.assign(wish(3, 'jump', '01'), D1), undefined, 'the mode of an object stays');
    assert.notEqual(trusted.assign(wish(1, 'strict', '03'), D1)?.history, undefined);
    assert.equal(trusted.calls, 4);
  });

  it('are believed for exactly what they said, and by no other name', () => {
    const book = makeBook();
    const said = new CoreTrusted(0, book).assign(wish(1), D1)!;
    const judge = (attestation: ObjectAttestation, digest: Digest): string => {
      const seal: Seal = { kind: 'object', attestation, digest };
      return book.judgeAll([seal], new KeyRing());
    };
    assert.equal(judge(said, D1), 'valid');
    assert.equal(judge(said, D2), 'invalid');
    for (const change of [
      { value: 2 },
      { previous: 1 },
      { object: '02' },
      { replica: 1 },
      { form: 'log' },
    ] as const)
      assert.equal(judge({ ...said, ...change }, D1), 'invalid', JSON.stringify(change));
  });

  it('say two things only if the component was cloned', () => {
    const trusted = new CoreTrusted(0, makeBook());
    trusted.assign(wish(1), D1);
    const clone = trusted.clone(false);
    assert.equal(trusted.assign(wish(2), D1)?.value, 2);
    assert.equal(clone.assign(wish(2), D2)?.value, 2);
    assert.equal(clone.key.publicKey, trusted.key.publicKey);
  });
});

describe('own messages', () => {
  const options = { syncLowMs: 1, syncHighMs: 1 };

  function makeDesk() {
    const queue = new EventQueue();
    const chance = new Chance(1);
    const trusted = new CoreTrusted(0, makeBook());
    const disk = new CoreDisk(0, queue, chance, options, trusted.key.tcEpoch);
    const answers: AttestAnswer[] = [];
    const desk: CoreAttestDesk = new CoreAttestDesk({
      self: 0,
      trusted,
      latency: { lowMs: 1, highMs: 1 },
      disk,
      queue,
      chance,
      signAsHost: () => NOTHING,
      onAnswer: (group) => answers.push(...desk.finish(group)),
    });
    const ask = (id: number, value?: number): string | undefined => {
      const by = value === undefined ? ({ kind: 'host' } as const) : wish(value);
      return desk.ask({ kind: 'attest', id, digest: D1, draft: NOTHING, by }, disk.image().image);
    };
    return { queue, trusted, disk, desk, answers, ask };
  }

  it('are durable before anybody vouches, and answered in order', () => {
    const { queue, answers, ask } = makeDesk();
    ask(1, 1);
    ask(2);
    ask(3, 3);
    while (queue.runNext());
    assert.deepEqual(
      answers.map(({ kind, id }) => `${kind} ${id}`),
      ['attested 1', 'attested 2', 'refused 3'],
    );
    assert.match(String(ask(9)), /own message 9 was to be attested after 3/);
  });

  it('come back after a crash if they were durable, whether somebody had vouched or not', () => {
    for (const [crashAtMs, expected] of [
      [0.5, [0, 1]],
      [1.1, [1]],
      [1.9, [1]],
    ] as const) {
      const { queue, disk, desk, ask, trusted } = makeDesk();
      ask(1, 1);
      queue.after(crashAtMs, () => {
        desk.crash();
        disk.crash();
      });
      while (queue.runNext() && queue.now < crashAtMs);
      const { image } = disk.image();
      const drafts = image.attestedDrafts((by, digest) => desk.vouch(by, digest));
      assert.ok((expected as readonly number[]).includes(drafts.length), `${drafts.length} at ${crashAtMs}`);
      // What was ever said under a value is what comes back.
      assert.equal(trusted.assign(wish(1), D2) === undefined, drafts.length === 1);
    }
  });
});

function batchOf(sequence: number, client: number, random: Prng): Batch {
  const bundle = makeBundle(client, sequence, 1, random);
  return {
    digest: bundle.digest,
    bytes: NOTHING,
    proposedInView: 0,
    time: 1,
    recovers: [],
    bundles: [bundle],
    bundleAuthentic: [true],
    recoverAuthentic: [],
  };
}

describe('the modelled service', () => {
  it('is after a rollback what it was before, table included', () => {
    const random = new Prng(4);
    const batches = Array.from({ length: 6 }, (_, index) => batchOf(index + 1, index % 2, random));
    const run = (service: CoreService, from: number, to: number, undoable: boolean): void => {
      for (let sequence = from; sequence <= to; sequence += 1)
        service.execute(sequence, batches[sequence - 1]!, NOTHING, undoable);
    };
    const straight = new CoreService(2);
    run(straight, 1, 6, false);
    const service = new CoreService(2);
    run(service, 1, 2, true);
    service.confirm(2);
    run(service, 3, 5, true);
    assert.equal(service.confirmed, 2);
    service.rollback(3);
    assert.equal(service.executed, 3);
    assert.equal(service.isExecuted(batches[3]!.bundles[0]!), false);
    assert.equal(service.frozen(4), undefined, 'the state at an undone boundary is gone');
    run(service, 4, 6, true);
    assert.equal(service.history, straight.history);
    assert.deepEqual(service.checkpoint, straight.checkpoint);
  });

  it('takes the state of another by its updates, and refuses one that does not fit', () => {
    const random = new Prng(5);
    const active = new CoreService(2);
    const passive = new CoreService(2);
    const updates = [1, 2, 3, 4].map((sequence) => {
      const before = active.lanes;
      const { replies } = active.execute(sequence, batchOf(sequence, 0, random), NOTHING);
      return active.updateSince(before, replies);
    });
    assert.equal(passive.apply(2, updates[1]!, NOTHING), undefined, 'nothing is left out');
    assert.equal(passive.apply(1, updates[1]!, NOTHING), undefined);
    assert.equal(passive.apply(1, updates[0]!.slice(1), NOTHING), undefined);
    for (const [index, update] of updates.entries())
      assert.notEqual(passive.apply(index + 1, update, NOTHING), undefined);
    assert.equal(passive.history, active.history);
    assert.deepEqual(passive.checkpoint, active.checkpoint);
  });
});

describe('a ballot', () => {
  const rules: ClientRules = {
    needed: (standing, n, f) => (standing === 'speculative' ? n : f + 1),
    certificate: { needed: (n, f) => n - f, make: () => NOTHING },
  };
  const result = (value: number): WireResult => ({
    number: 1,
    txId: ZERO_DIGEST,
    sequence: 1,
    height: 1,
    result: new Uint8Array([value]),
  });

  it('counts replicas, not answers, and only what is alike in standing, proof and result', () => {
    const ballot = new Ballot(rules, 4, 1);
    const say = (
      replica: number,
      value: number,
      key = 'a',
      standing: 'speculative' | 'final' = 'speculative',
    ) => ballot.count({ replica, standing, key, proof: NOTHING, result: result(value) });
    assert.equal(say(0, 1), false);
    assert.equal(say(0, 1), false);
    assert.equal(say(1, 2), false);
    assert.equal(say(2, 1, 'b'), false);
    assert.equal(ballot.certifiable(), undefined);
    assert.equal(say(2, 1), false);
    assert.equal(say(3, 1), false, 'one of four says something else');
    assert.equal(ballot.certifiable()?.length, 3);
    assert.equal(say(1, 2, '', 'final'), false);
    assert.equal(say(0, 1, '', 'final'), false);
    assert.equal(say(3, 1, '', 'final'), true);
    assert.equal(say(1, 1), true);
  });
});
