/** The seam to the fallback: what it says is bound to its instance and role, and what it wants is done under its numbers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CheckpointState, Effect, Input, Replica, Seal } from '../../core/protocol.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { Desk } from '../../smr/attested/desk.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { cheapbftOver } from './definition.ts';
import { Fallback, NO_CHECKPOINT } from './fallback.ts';
import type { FallbackDefinition } from './inner.ts';
import { boundDigest, carriedBy, contextFor, readInner, wrapInner } from './inner.ts';
import { labelOf } from './instances.ts';
import type { CheapContent, Inner } from './messages.ts';
import { cheapbft, Scene } from './scenes.testing.ts';

const DIGEST = 'd'.repeat(64) as Digest;
const UI = { replica: 1, tcEpoch: '0'.repeat(16) as never, counter: 5, authenticator: new Uint8Array(64) };

/** A protocol that does what a test tells it, and whose messages hold what a test put into them. */
function puppet(
  options: { seals?: readonly Seal[]; steps?: (input: Input<object>) => Effect<object>[] } = {},
) {
  const inputs: Input<object>[] = [];
  const replica: Replica<object> = {
    step: (input) => {
      inputs.push(input);
      return options.steps?.(input) ?? [];
    },
    inspect: () => assert.fail('nobody looks'),
  };
  const definition: FallbackDefinition = {
    ...(cheapbft as unknown as FallbackDefinition),
    createReplica: () => replica,
    encode: () => new Uint8Array([7]),
    decode: (bytes) => (bytes[0] === 7 ? { kind: 'HELLO' } : undefined),
    seals: () => options.seals ?? [],
  };
  return { definition, inputs };
}

const context = new Scene().contexts[0]!;

describe('messages of the fallback', () => {
  it('count in their instance and role only', () => {
    const host: Seal = { kind: 'host', replica: 1, digest: DIGEST, signature: new Uint8Array(64) };
    const { definition } = puppet({ seals: [{ kind: 'counter', ui: UI, digest: DIGEST }, host] });
    const sealsIn = (role: Inner['role'], instance: number): readonly Seal[] =>
      carriedBy(wrapInner(definition, context, { role, instance }, { kind: 'HELLO' }))!.seals;
    const [word, signature] = sealsIn('order', 3);
    assert.ok(word?.kind === 'object');
    assert.equal(word.attestation.object, labelOf('order', 3));
    assert.deepEqual([word.attestation.previous, word.attestation.value, word.digest], [4, 5, DIGEST]);
    assert.ok(signature?.kind === 'host');
    const bound = (role: Inner['role'], instance: number): Digest =>
      boundDigest(context.hash, context.domain, { role, instance }, DIGEST);
    assert.equal(signature.digest, bound('order', 3));
    assert.equal(new Set([bound('order', 3), bound('order', 5), bound('switch', 3), DIGEST]).size, 4);
    assert.notDeepEqual(sealsIn('switch', 3), sealsIn('order', 3));
  });

  it('re-admit no component (CheapBFT.F2), and have to be readable', () => {
    const content: Inner = { kind: 'FALLBACK', instance: 1, role: 'order', bytes: new Uint8Array([7]) };
    const evidence: Seal = { kind: 'evidence', request: {} as RecoverRequest };
    assert.equal(readInner(puppet().definition, context, content), true);
    assert.equal(readInner(puppet({ seals: [evidence] }).definition, context, content), false);
    assert.equal(readInner(puppet().definition, context, { ...content, bytes: new Uint8Array([8]) }), false);
    const outer = cheapbftOver(puppet({ seals: [evidence] }).definition);
    const message = new Scene().told(1, content);
    const bytes = outer.encode(message);
    assert.equal(outer.decode(bytes, context), undefined);
    assert.notEqual(cheapbftOver(puppet().definition).decode(bytes, context), undefined);
  });

  it('come from a cluster with a long interval where a history is agreed on, and with its own where it orders', () => {
    assert.equal(contextFor('order', context), context);
    const { settings } = contextFor('switch', context);
    assert.ok(settings.limits.checkpointInterval > context.settings.limits.checkpointInterval);
    assert.equal(contextFor('switch', context), contextFor('switch', context));
  });
});

describe('a run of the fallback', () => {
  /** A run with everything that it asks for. */
  function runOf(steps: (input: Input<object>) => Effect<object>[]) {
    const { definition, inputs } = puppet({ steps });
    const asked: string[] = [];
    const desk = new Desk<AttestedMessage<CheapContent>>(context);
    const port = {
      desk,
      say: (content: Inner, to: number | undefined) => asked.push(`say ${content.role} to ${to ?? 'all'}`),
      seal: ({ counter, sealed, role }: { counter: number; sealed: Digest; role: string }) =>
        asked.push(`seal ${role} ${counter} ${sealed.slice(0, 1)}`),
      execute: (sequence: number) => asked.push(`execute ${sequence}`),
      transfer: ({ sequence }: CheckpointState) => asked.push(`transfer ${sequence}`),
      onTrimmed: () => asked.push('trimmed'),
      onListening: () => asked.push('listening'),
      isHeld: (key: string) => key === 'body/held',
    };
    const run = new Fallback(definition, context, { role: 'order', instance: 3 }, port);
    const recovery = { stored: new Map(), drafts: [], executed: 0, checkpoint: NO_CHECKPOINT };
    return { run, desk, asked, inputs, start: () => run.start(recovery) };
  }

  it('has its effects done as those of CheapBFT', () => {
    const { run, desk, asked, start } = runOf((input) => {
      if (input.kind !== 'linkUp') return [];
      const value = new Uint8Array(1);
      return [
        { kind: 'broadcast', message: {} },
        { kind: 'send', to: 2, message: {} },
        { kind: 'seal', tcEpoch: UI.tcEpoch, counter: 1, digest: DIGEST, draft: value },
        {
          kind: 'store',
          entries: [
            { key: 'why', value },
            { key: 'body/x', value },
            { key: 'body/held', value },
          ],
        },
        { kind: 'setTimer', timer: 'gap', delayMs: 5 },
        { kind: 'transfer', checkpoint: { sequence: 4, stateDigest: ZERO_DIGEST }, sources: [] },
        { kind: 'trimLog', below: 9 },
        { kind: 'stable', checkpoint: { sequence: 4, stateDigest: ZERO_DIGEST } },
        { kind: 'accuse', replica: 2, rule: 'r', evidence: value },
      ];
    });
    start();
    run.take({ kind: 'linkUp', peer: 1 });
    assert.deepEqual(asked, [
      'say order to all',
      'say order to 2',
      'seal order 1 d',
      'transfer 4',
      'trimmed',
    ]);
    assert.equal(run.trimmedBelow, 9);
    const effects = desk.take();
    const keys = effects.flatMap((one) => (one.kind === 'store' ? one.entries.map(({ key }) => key) : []));
    assert.deepEqual(keys, ['order3/why', 'body/x', 'body/held']);
    const timer = effects.find((one) => one.kind === 'setTimer');
    assert.equal(timer?.kind === 'setTimer' && run.timerOf(timer.timer), 'gap');
    assert.equal(run.timerOf('switch3:gap'), undefined);
    assert.equal(
      effects.some(({ kind }) => kind === 'stable' || kind === 'accuse'),
      false,
    );
    // What it leaves behind goes, but for what others hold on to.
    run.end();
    const gone = desk.take().flatMap((one) => (one.kind === 'store' ? one.entries : []));
    assert.deepEqual(
      gone.map(({ key, value }) => [key, value]),
      [
        ['order3/why', undefined],
        ['body/x', undefined],
      ],
    );
  });

  it('answers an execution before anything else, also one that was done before', () => {
    const { run, inputs, start } = runOf((input) => {
      if (input.kind === 'linkUp') run.take({ kind: 'timeout', timer: 'late' });
      if (input.kind === 'linkUp') run.take({ kind: 'executed', sequence: 1 });
      return [];
    });
    start();
    run.take({ kind: 'linkUp', peer: 1 });
    assert.deepEqual(
      inputs.map(({ kind }) => kind),
      ['start', 'linkUp', 'executed', 'timeout'],
    );
  });

  it('only listens once peers hold more of its words than it remembers', () => {
    const { run, asked, inputs, start } = runOf((input) =>
      input.kind === 'linkUp' ? [{ kind: 'halt', reason: 'an old copy' }] : [],
    );
    start();
    run.take({ kind: 'linkUp', peer: 1 });
    assert.ok(run.listens);
    assert.deepEqual(asked, ['listening']);
    const starts = inputs.flatMap((input) => (input.kind === 'start' ? [input.recovery.standing] : []));
    assert.deepEqual(starts, ['keeper', 'recovering']);
    run.onWord({
      kind: 'object',
      ...UI,
      object: labelOf('order', 3),
      form: 'counter',
      previous: 4,
      value: 5,
    });
    assert.equal(
      inputs.some(({ kind }) => kind === 'sealed'),
      false,
    );
  });

  it('only listens once its component refuses a value', () => {
    const { run, asked, inputs, start } = runOf(() => []);
    start();
    run.onUnsaid();
    assert.ok(run.listens);
    assert.deepEqual(asked, ['listening']);
    assert.deepEqual(
      inputs.flatMap((input) => (input.kind === 'start' ? [input.recovery.standing] : [])),
      ['keeper', 'recovering'],
    );
  });

  it('is told of no batch with RECOVERs as authentic', () => {
    const scene = new Scene();
    scene.deliver(2, 0, scene.by(2, { kind: 'PANIC', instance: 0 }));
    scene.settle(1_500);
    assert.equal(scene.at(0).instance.number, 1);
    scene.submit('ordinary');
    scene.settle(50);
    assert.ok(scene.outcomes('CheapBFT.F2', true) > 0);
    const batch = { ...[...scene.machines[0]!.bodies.values()].at(-1)!, recovers: [{} as RecoverRequest] };
    scene.input(1, { kind: 'body', batch: { ...batch, digest: DIGEST, recoverAuthentic: [true] } });
    assert.ok(scene.outcomes('CheapBFT.F2', false) > 0);
  });
});
