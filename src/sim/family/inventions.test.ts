/** A liar that invents says what a correct replica would take for a message of another: read, vouched for, of its kind. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tongueOf } from '../../adversary/generic/tongues.ts';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import type { AttestedMessage, Content } from '../../smr/attested/sealed.ts';
import { isSealed } from '../../smr/attested/sealed.ts';
import type { CoreFrame } from '../core/frame.ts';
import { drawFamilyScenario } from './plan.ts';
import { familyWorld } from './run.ts';

const SEEDS = 12;
const LIAR = 1;
/** Numbers of own messages of a replica never come that far. */
const INVENTED_FROM = 2 ** 30;

/** By kind: what the liar said that its replica never did; and what others refused for its seals. */
function inventions(protocol: (typeof PROTOCOLS)[number]): {
  kinds: Set<string>;
  refused: number;
  said: number;
} {
  const kinds = new Set<string>();
  let [refused, said] = [0, 0];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const liars = [{ replica: LIAR, lies: ['invent'] }] as const;
    const scenario = drawFamilyScenario(protocol, seed, {
      f: 1,
      faults: [],
      family: { liars, twins: [], clients: [] },
    });
    const world = familyWorld(protocol, scenario, {
      listener: {
        onSend: (from, _to, frame: CoreFrame<object>) => {
          if (from !== LIAR || frame.kind !== 'protocol') return;
          const message = frame.message as AttestedMessage<Content>;
          if (!isSealed(message) || message.id < INVENTED_FROM) return;
          kinds.add(message.kind);
          said += 1;
        },
        onNote: (_replica, name, detail) => {
          if (name === 'ignored' && detail['from'] === LIAR) refused += 1;
        },
      },
    });
    world.run();
    assert.deepEqual(world.judge.violations, [], `seed ${seed}`);
  }
  return { kinds, refused, said };
}

describe('a liar that invents', () => {
  for (const protocol of PROTOCOLS) {
    const tongue = tongueOf(protocol.name);
    if (tongue === undefined) continue;
    it(`says most kinds of messages of ${protocol.name}, and nearly all are vouched for`, () => {
      const { kinds, refused, said } = inventions(protocol);
      console.log(`${protocol.name}: ${said} said, ${refused} refused, ${[...kinds].join(' ')}`);
      assert.ok(kinds.size >= tongue.options.kinds.length / 2, [...kinds].join());
      assert.ok(refused < said / 2, `${refused} of ${said}`);
    });
  }

  it('has nothing to say on streams of a USIG', () => {
    for (const { name, trustedProgram } of PROTOCOLS)
      assert.equal(tongueOf(name) === undefined, trustedProgram === 'usig', name);
  });
});
