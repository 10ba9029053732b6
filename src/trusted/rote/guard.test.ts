import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { GuardEffect } from './contract.ts';
import { Guard, STRIDE } from './guard.ts';
import { GuardNetwork, groupOf, portsOf } from './network.testing.ts';
import type { GuardClass, Weather } from './network.testing.ts';
import { ROTE_RULES } from './rules.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'moiety-rote-'));
after(() => rmSync(FOLDER, { recursive: true, force: true }));

const STORM: Weather = { loss: 0.1, copies: 0.15, restarts: 0.02, rollbacks: 0.5, u: 1 };
const SEEDS = 12;
const STEPS = 1_500;

function runSeed(seed: number, guardClass: GuardClass, n: number, weather: Weather): GuardNetwork {
  const network = new GuardNetwork(n, weather, new Prng(seed), guardClass);
  network.run(STEPS);
  return network;
}

/** The class with a patch in its text: what must be there exactly once is replaced. */
async function mutant(name: string, patches: readonly (readonly [string, string])[]): Promise<GuardClass> {
  const source = new URL('./guard.ts', import.meta.url);
  let text = readFileSync(source, 'utf8');
  for (const [from, to] of patches) {
    assert.equal(text.split(from).length, 2, `${name}: "${from}" stands once in guard.ts`);
    text = text.replace(from, to);
  }
  text = text.replace(/from '(\.[^']+)'/g, (_, path: string) => `from '${new URL(path, source).href}'`);
  const file = join(FOLDER, `${name}.ts`);
  writeFileSync(file, text);
  return ((await import(pathToFileURL(file).href)) as { Guard: GuardClass }).Guard;
}

const digest = (text: string): Digest => text.repeat(64).slice(0, 64) as Digest;

/** A quiet group: everything that is sent arrives, in order. */
class Quiet {
  readonly guards: Guard[];
  readonly ended: (GuardEffect & { readonly guard: number })[] = [];
  readonly down = new Set<number>();
  readonly n: number;
  readonly #u: number;
  readonly #random = new Prng(1);

  readonly #class: GuardClass;

  constructor(n: number, u: number, guardClass: GuardClass = Guard) {
    this.n = n;
    this.#class = guardClass;
    this.#u = u;
    this.guards = Array.from({ length: n }, (_, id) => this.#make(id, true));
    this.settle();
  }

  #make(id: number, founding: boolean): Guard {
    return new this.#class(id, groupOf(this.n, this.#u), portsOf(id, this.#random), founding);
  }

  restart(id: number): void {
    this.guards[id] = this.#make(id, false);
  }

  /** Delivers `effects` of a guard and everything that follows; `drop` may keep a message from arriving. */
  deliver(from: number, effects: readonly GuardEffect[], drop = (_from: number, _to: number): boolean => false): void {
    const queue = effects.map((effect) => ({ from, effect }));
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { from: sender, effect } = next;
      if (effect.kind !== 'send') {
        this.ended.push({ ...effect, guard: sender });
        continue;
      }
      if (this.down.has(effect.to) || this.down.has(sender) || drop(sender, effect.to)) continue;
      for (const more of this.guards[effect.to]!.receive(effect.bytes)) queue.push({ from: effect.to, effect: more });
    }
  }

  settle(): void {
    for (let round = 0; round < 6; round += 1)
      for (const id of this.guards.keys()) if (!this.down.has(id)) this.deliver(id, this.guards[id]!.tick());
  }

  last(): GuardEffect | undefined {
    return this.ended.at(-1);
  }
}

describe('a group of guards in a storm', () => {
  for (const [n, u] of [
    [3, 1],
    [5, 2],
  ] as const) {
    it(`${n} members, u=${u}: no value twice, no old state accepted, ${SEEDS} seeds`, () => {
      let outputs = 0;
      let restarts = 0;
      let refusals = 0;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const network = runSeed(seed, Guard, n, { ...STORM, u });
        assert.deepEqual(network.offences, [], `seed ${seed}`);
        // In fair weather all come back.
        for (const [id, { guard, phase }] of network.machines.entries()) {
          assert.equal(guard.phase, 'active', `seed ${seed}, guard ${id}`);
          assert.ok(phase === 'ready' || phase === 'waiting', `seed ${seed}, component ${id}: ${phase}`);
        }
        outputs += network.outputs;
        restarts += network.restarts;
        refusals += network.refusals;
      }
assert.ok(outputs > 200 && restarts > 100 && (n > 3 || refusals > 20), `${outputs} ${restarts} ${refusals}`);
    });
  }

  /** Each must be seen to break an invariant within so many seeds. */
  const MUTANT_SEEDS = 20;
  const MUTANTS: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
    [
      'ROTE.RECOVER.1 a member that was started again is counted',
      'amnesiac',
      [["this.#phase = isFounding ? 'active' : 'recovering';", "this.#phase = 'active';"]],
    ],
    [
      'ROTE.RECOVER.2 one answer is enough to be active',
      'hasty',
      [['if (recovery.answers.size < this.#quorum) return;', '']],
    ],
    [
      'ROTE.BIND.1 no stride after a start',
      'no-stride',
      [['this.#makeRow(name, application, pending.wish, value + STRIDE);', 'this.#makeRow(name, application, pending.wish, value);']],
    ],
  ];
  for (const [rule, name, patches] of MUTANTS)
    it(`without ${rule}: an invariant breaks within ${MUTANT_SEEDS} seeds`, async () => {
      const guardClass = await mutant(name, patches);
      for (let seed = 1; seed <= MUTANT_SEEDS; seed += 1)
        if (runSeed(seed, guardClass, 3, { ...STORM, restarts: 0.05 }).offences.length > 0) return;
      assert.fail('nothing was noticed');
    });
});

/**
 * The staggered attack: each member that has echoed is started again before the next one is asked, while the owner hears
 * nothing; then the owner is started again. What was returned, and what it reads afterwards.
 */
function staggeredAttack(guardClass: GuardClass): { readonly returned: number; readonly read: number } {
  const group = new Quiet(5, 2, guardClass);
  const sent = group.guards[0]!.increment(1, 'usig', digest('a'));
  for (const assistant of [1, 2]) {
    const one = sent.filter((effect) => effect.kind === 'send' && effect.to === assistant);
    group.deliver(0, one, (from, to) => from + to !== assistant);
    group.down.add(0);
    group.restart(assistant);
    group.settle();
    assert.equal(group.guards[assistant]!.phase, 'active', 'it recovers from the other three');
    group.down.delete(0);
  }
  const returned = group.ended.find((effect) => effect.kind === 'incremented');
  group.restart(0);
  group.settle();
  group.deliver(0, group.guards[0]!.read(2, 'usig'));
  const read = group.last();
  assert.ok(read?.kind === 'read');
  return { returned: returned?.kind === 'incremented' ? returned.value : 0, read: read.value };
}

describe('a group of guards, step by step', () => {
  it('ROTE.CONFIRM.1 ROTE.CONFIRM.3: nothing is returned that staggered restarts make the group forget', async () => {
    assert.deepEqual(staggeredAttack(Guard), { returned: 0, read: 0 });
    const oneRound = await mutant('one-round', [
      [
        'if (!this.#isStored(pending) || pending.acks.size < this.#quorum) return;',
        'if (!this.#isStored(pending)) return;',
      ],
    ]);
    const { returned, read } = staggeredAttack(oneRound);
    assert.ok(returned > read, `without the second round ${returned} is returned and ${read} is left`);
  });

  it('returns ascending values, told to a reader with their digest', () => {
    const group = new Quiet(3, 1);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    assert.deepEqual(group.last(), { kind: 'incremented', id: 1, application: 'usig', value: STRIDE, digest: digest('a'), guard: 0 });
    group.deliver(0, group.guards[0]!.increment(2, 'usig', digest('b'), 100));
    assert.equal((group.last() as { value: number }).value, STRIDE + 100);
    group.deliver(0, group.guards[0]!.read(3, 'usig'));
    assert.deepEqual(group.last(), { kind: 'read', id: 3, application: 'usig', value: STRIDE + 100, digests: [digest('b')], guard: 0 });
  });

  it('ROTE.CONFIRM.2 ROTE.SESSION.3: a member that echoed and was started again does not acknowledge', () => {
    const group = new Quiet(3, 1);
    group.down.add(2);
    // Everything up to the echo; then member 1 forgets.
    let messages = 0;
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')), (from, to) => from === 0 && to === 1 && (messages += 1) > 1);
    group.down.delete(2);
    group.restart(1);
    const before = group.ended.length;
    group.down.add(2);
    group.settle();
    assert.equal(group.ended.slice(before).filter(({ kind }) => kind === 'incremented').length, 0, 'it blocks');
    group.down.delete(2);
    group.settle();
    assert.ok(group.ended.some(({ kind }) => kind === 'incremented'), 'with a quorum it goes on');
  });

  it('ROTE.RECOVER.1 ROTE.RECOVER.3: after all were started again nobody becomes active, and nothing is accepted', () => {
    const group = new Quiet(3, 1);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    for (const id of [0, 1, 2]) group.restart(id);
    group.deliver(0, group.guards[0]!.read(2, 'usig'));
    group.settle();
    assert.deepEqual(group.guards.map(({ phase }) => phase), ['recovering', 'recovering', 'recovering']);
    assert.ok(!group.ended.some(({ kind }) => kind === 'read'));
  });

  it('with more than u members away calls wait, and end when one is back', () => {
    const group = new Quiet(5, 2);
    for (const id of [2, 3, 4]) group.down.add(id);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    group.settle();
    assert.equal(group.ended.length, 0);
    group.down.delete(4);
    group.settle();
    assert.equal(group.last()?.kind, 'incremented');
  });

  it('ROTE.SESSION.4 ROTE.SESSION.1: of two copies of one guard only the newer is heard', () => {
    const group = new Quiet(3, 1);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    const older = group.guards[0]!;
    group.restart(0);
    group.settle();
    assert.equal(group.guards[0]!.phase, 'active');
    const sent = older.increment(9, 'usig', digest('b')).filter((effect) => effect.kind === 'send');
    assert.ok(sent.length > 0);
    for (const effect of [...sent, ...older.tick()])
      if (effect.kind === 'send') assert.deepEqual(group.guards[effect.to]!.receive(effect.bytes), []);
    group.deliver(0, group.guards[0]!.increment(2, 'usig', digest('a')));
    assert.equal(group.last()?.kind, 'incremented');
  });

  it('ROTE.FORK.1: a row of the own key that it never made stops a guard', () => {
    const group = new Quiet(3, 1);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    const older = group.guards[0]!;
    group.restart(0);
    group.settle();
    group.deliver(0, group.guards[0]!.increment(2, 'usig', digest('a')));
    group.deliver(0, group.guards[0]!.increment(3, 'usig', digest('c')));
    // The hosts of both peers lead the older copy to members that were started again, so that it is heard once more.
    group.guards[0] = older;
    for (const id of [1, 2]) {
      group.restart(id);
      group.settle();
    }
    group.deliver(0, older.increment(4, 'usig', digest('d')));
    group.settle();
    assert.equal(older.phase, 'cut');
    assert.deepEqual(older.tick(), []);
    assert.equal(older.increment(5, 'usig', digest('e'))[0]?.kind, 'failed');
  });

  it('ROTE.READ.1: an answer to an older question is nothing', () => {
    const group = new Quiet(3, 1);
    group.deliver(0, group.guards[0]!.increment(1, 'usig', digest('a')));
    const answers: Uint8Array[] = [];
    for (const effect of group.guards[0]!.read(2, 'usig'))
      if (effect.kind === 'send')
        for (const answer of group.guards[effect.to]!.receive(effect.bytes)) if (answer.kind === 'send') answers.push(answer.bytes);
    for (const bytes of answers) group.deliver(0, group.guards[0]!.receive(bytes));
    group.deliver(0, group.guards[0]!.increment(3, 'usig', digest('b')));
    const before = group.ended.length;
    const asked = group.guards[0]!.read(4, 'usig');
    for (const bytes of answers) group.deliver(0, group.guards[0]!.receive(bytes));
    assert.equal(group.ended.length, before, 'the old answers do not end the new read');
    group.deliver(0, asked);
    assert.deepEqual((group.last() as { digests: readonly Digest[] }).digests, [digest('b')]);
  });

  it('garbage, foreign groups and changed bytes change nothing', () => {
    const group = new Quiet(3, 1);
    const random = new Prng(5);
    const sent: Uint8Array[] = [];
    for (const effect of group.guards[1]!.increment(1, 'usig', digest('a'))) if (effect.kind === 'send' && effect.to === 0) sent.push(effect.bytes);
    const stranger = new Guard(1, groupOf(3, 1, 0, 'other'), portsOf(1, random), true);
    for (const effect of stranger.tick()) if (effect.kind === 'send' && effect.to === 0) sent.push(effect.bytes);
    for (const bytes of sent)
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const changed = Uint8Array.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        assert.deepEqual(group.guards[0]!.receive(changed), []);
      }
    assert.deepEqual(group.guards[0]!.receive(sent.at(-1)!), [], 'another group');
    for (let length = 0; length < 400; length += 7)
      assert.deepEqual(group.guards[0]!.receive(Uint8Array.from({ length }, () => random.u32() & 255)), []);
  });

  it('ROTE.STORE.1 ROTE.STORE.2 ROTE.READ.2: what an interrupted increment left behind is found and passed over', () => {
    const group = new Quiet(5, 2);
    const first = group.guards[0]!.increment(1, 'usig', digest('a'));
    group.deliver(0, first.filter((effect) => effect.kind === 'send' && effect.to === 1), (from) => from === 1);
    group.down.add(1);
    group.restart(0);
    group.settle();
    group.deliver(0, group.guards[0]!.read(2, 'usig'));
    assert.deepEqual((group.last() as { digests: readonly Digest[] }).digests, [], 'nobody who answers knows of it');
    const second = group.guards[0]!.increment(3, 'usig', digest('b'));
    group.deliver(0, second.filter((effect) => effect.kind === 'send' && effect.to === 2), (from) => from === 2);
    // One value, two digests: a reader is told both, as neither was ever returned.
    group.down.delete(1);
    group.restart(0);
    group.down.add(3);
    group.settle();
    group.deliver(0, group.guards[0]!.read(4, 'usig'));
    const told = (group.last() as { digests: readonly Digest[] }).digests;
    assert.ok(told.length > 0 && told.every((one) => one === digest('a') || one === digest('b')), told.join());
    group.down.delete(3);
    group.deliver(0, group.guards[0]!.increment(5, 'usig', told[0]!));
    group.settle();
    assert.deepEqual(group.ended.at(-1), { kind: 'incremented', id: 5, application: 'usig', value: 2 * STRIDE, digest: told[0]!, guard: 0 });
  });

  it('ROTE.BIND.2: a second increment waits for the first binding', () => {
    const group = new Quiet(3, 1);
    const both = [...group.guards[0]!.increment(1, 'usig', digest('a')), ...group.guards[0]!.increment(2, 'usig', digest('b'))];
    group.deliver(0, both);
    const values = group.ended.map((effect) => (effect.kind === 'incremented' ? effect.value : 0));
    assert.deepEqual(values, [STRIDE, STRIDE + 1]);
  });

  it('ROTE.SESSION.2: a greeting of an older session that is sent again brings it not back', () => {
    const group = new Quiet(3, 1);
    group.restart(1);
    const old = group.guards[1]!.tick().filter((effect) => effect.kind === 'send' && effect.to === 0);
    group.restart(1);
    group.settle();
    for (const effect of old) if (effect.kind === 'send') group.deliver(0, group.guards[0]!.receive(effect.bytes));
    group.deliver(1, group.guards[1]!.increment(1, 'usig', digest('a')), (_, to) => to === 2);
    assert.equal(group.last()?.kind, 'incremented');
  });

  it('the quota of applications and of waiting calls is kept', () => {
    const group = new Quiet(3, 1);
    group.down.add(1).add(2);
    const failed: string[] = [];
    for (let index = 0; index < 80; index += 1)
      for (const effect of group.guards[0]!.read(index, 'usig')) if (effect.kind === 'failed') failed.push(effect.reason);
    for (let index = 0; index < 10; index += 1)
      for (const effect of group.guards[0]!.read(100 + index, `a${index}`)) if (effect.kind === 'failed') failed.push(effect.reason);
    assert.equal(failed.filter((reason) => reason === 'too many calls wait').length, 15);
    assert.equal(failed.filter((reason) => reason === 'too many applications').length, 3);
  });
});

describe('rules of the guards', () => {
  it('have one number each', () => {
    assert.equal(new Set(ROTE_RULES.map(({ id }) => id)).size, ROTE_RULES.length);
  });
});
