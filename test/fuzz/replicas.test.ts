/** Damaged frames of real runs against replicas of every protocol. `MOIETY_FUZZ_FRAMES=20000` shows each of them more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProtocolDefinition } from '../../src/core/protocol.ts';
import type { AnyProtocol } from '../../src/protocols/catalogue.ts';
import { protocolNamed, PROTOCOLS } from '../../src/protocols/catalogue.ts';
import { fuzzReplicas, recordRun } from './replicas.ts';

const FRAMES = Number(process.env['MOIETY_FUZZ_FRAMES'] ?? 1_500);
/** Schedules with restarts, view changes and liars of their own. */
const SEEDS = [3, 10];

describe('damaged frames', () => {
  for (const protocol of PROTOCOLS)
    it(`${protocol.name}: nothing throws, stops a replica, or fills its memory`, () => {
      for (const seed of SEEDS) {
        const { frames, taken, escapes } = fuzzReplicas(
          recordRun(protocol, seed),
          seed,
          FRAMES / SEEDS.length,
        );
        assert.deepEqual(escapes, []);
        assert.ok(taken > frames / 20, `only ${taken} of ${frames} came to the replica`);
      }
    });

  it('sees a replica that throws, stops, or spells in two ways', () => {
    const pbft = protocolNamed('pbft') as ProtocolDefinition<object>;
    const recording = recordRun(pbft as AnyProtocol, 3);
    const found = (definition: Partial<ProtocolDefinition<object>>): string =>
      fuzzReplicas({ ...recording, definition: { ...pbft, ...definition } }, 1, 1_000).escapes[0] ??
      'nothing';
    const inspect = () => assert.fail('nobody looks');
    const known = new Set<object>(recording.lives.flatMap(({ inputs }) => inputs.map(({ input }) => input)));
    assert.ok(known.size > 100);
    const onNews = (react: () => []) => () => ({
      step: (input: object) => (known.has(input) ? [] : react()),
      inspect,
    });
    const throws = onNews(() => {
      throw new Error('a case that nobody thought of');
    });
    assert.match(found({ createReplica: throws }), /nobody thought of/);
    const halts = onNews(() => [{ kind: 'halt', reason: 'enough' }] as never);
    assert.match(found({ createReplica: halts }), /was stopped: enough/);
    const twice = (message: object): Uint8Array => new Uint8Array([...pbft.encode(message), 0]);
    assert.match(found({ encode: twice }), /two spellings/);
  });
});
