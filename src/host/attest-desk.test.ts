/** Own messages attested one by one, on the real trusted programs: order, power cuts, lost stores, put-back components. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attestor } from '../core/attestation.ts';
import type { CounterValue } from '../core/types.ts';
import { digestOf, TestComponent } from '../trusted/conformance/environment.testing.ts';
import type { TrustedCertificate } from '../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedResponse } from '../trusted/frames.ts';
import { attest, ToyMachine, toySettings, ToyStore, wordsOf } from './toy-protocol.testing.ts';
import type { ToyEffect } from './toy-protocol.testing.ts';

const COUNTER = '0101000000000000';
const OTHER_COUNTER = '0102000000000000';
const LOG = '0201000000000000';
const link: Attestor = { kind: 'link' };
const host: Attestor = { kind: 'host' };

function step(value: CounterValue, object = COUNTER): Attestor {
  return { kind: 'object', object, form: 'counter', mode: 'step', value };
}

function jump(value: CounterValue, object = COUNTER): Attestor {
  return { kind: 'object', object, form: 'counter', mode: 'jump', value };
}

function entry(value: CounterValue, mode: 'jump' | 'strict' = 'jump', object = LOG): Attestor {
  return { kind: 'object', object, form: 'log', mode, value };
}

/** A cluster's member that can be started again and again. */
function member(program: string | undefined) {
  const component = program === undefined ? undefined : new TestComponent({ program });
  const settings = toySettings(component);
  const store = new ToyStore();
  const start = (over: Partial<{ store: ToyStore; component: TestComponent }> = {}): ToyMachine =>
    new ToyMachine({ settings, store, component, ...over }).start();
  return { component, settings, store, start };
}

const all = (bys: readonly Attestor[]): ToyEffect[] =>
  bys.map((by, index) => attest(index + 1, `m${index}`, by));

describe('attested messages', () => {
  it('are answered in order and not before they are durable, whoever vouches', () => {
    const { start, store } = member('trinc');
    const machine = start();
    machine.run();
    machine.act(...all([jump(5), link, host, jump(9), link]));
    assert.equal(machine.got('attested').length, 0, 'nothing is durable yet');
    machine.run();
    const words = machine.got('attested');
    assert.deepEqual(
      words.map(({ id }) => id),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(
      words.map(({ attestation }) => attestation.kind),
      ['object', 'link', 'host', 'object', 'link'],
    );
    const [first, , , fourth] = words.map(({ attestation }) => attestation);
    assert.ok(first?.kind === 'object' && fourth?.kind === 'object');
    assert.deepEqual([first.previous, first.value, fourth.previous, fourth.value], [0, 5, 5, 9]);
    const again = start({ store });
    again.run();
    assert.deepEqual(wordsOf(again.recovery!.attested!), wordsOf(words));
  });

  it('need no component where the protocol has none: it starts at once', () => {
    const { start, store } = member(undefined);
    const machine = start();
    assert.deepEqual([machine.recovery?.standing, machine.asked], ['keeper', 0]);
    machine.act(...all([link, host, host]));
    machine.run();
    assert.equal(machine.got('attested').length, 3);
    store.cut();
    const again = start();
    assert.deepEqual(wordsOf(again.recovery!.attested!), wordsOf(machine.got('attested')));
    again.act(attest(4, 'x', jump(1)));
    again.run();
    assert.match(again.fatal!, /has no trusted component/);
  });

  const scripts: readonly (readonly [string, readonly Attestor[]])[] = [
    ['trinc', [jump(3), host, jump(10), jump(4, OTHER_COUNTER), link, jump(11)]],
    ['cash', [step(1), step(2), link, step(1, OTHER_COUNTER), step(3)]],
    ['a2m', [entry(1, 'strict'), entry(2, 'strict'), host, entry(3, 'strict')]],
    ['a2m', [entry(4), link, entry(5), entry(40), entry(1, 'strict', '0202000000000000')]],
  ];
  for (const [program, bys] of scripts) {
    it(`keep their words over a power cut at every point (${program}, ${bys.length} messages)`, () => {
      for (let point = 0; ; point += 1) {
        const { start, store } = member(program);
        const first = start();
        first.run(2);
        first.act(...all(bys));
        const isWhole = first.run(point) < point;
        const known = wordsOf(first.got('attested'));
        store.cut(point % 3);
        const second = start();
        second.run();
        assert.equal(second.fatal, undefined, `cut after ${point} events`);
        const kept = second.recovery!.attested!;
        assert.deepEqual(wordsOf(kept).slice(0, known.length), known, 'what was told is still so');
        second.act(...all(bys).slice(kept.length));
        second.run();
        assert.equal(second.fatal, undefined, `went on after ${point} events`);
        const rest = wordsOf(second.got('attested'));
        assert.deepEqual(
          [...wordsOf(kept), ...rest].map((word) => (word as [number, unknown])[0]),
          bys.map((_, index) => index + 1),
        );
        if (isWhole) break;
      }
    });
  }

  it('find what was given when the component was lost and is back', () => {
    for (const by of [step(1), entry(1, 'strict')]) {
      const { start } = member(
        by === undefined ? undefined : 'object' in by && by.form === 'log' ? 'a2m' : 'cash',
      );
      const machine = start();
      machine.run();
      machine.deaf = true;
      machine.act(attest(1, 'm', by));
      machine.run();
      assert.equal(machine.got('attested').length, 0);
      machine.host.onTrustedLost(0);
      machine.deaf = false;
      machine.host.onTrustedBack(0);
      machine.run();
      assert.deepEqual([machine.got('attested').length, machine.fatal], [1, undefined]);
    }
  });

  it('go on in a log that is full: what is durable is forgotten there', () => {
    const { start, component } = member('a2m');
    const machine = start();
    machine.run();
    machine.act(...all(Array.from({ length: 600 }, (_, index) => entry(2 * index + 1))));
    machine.run();
    assert.deepEqual([machine.got('attested').length, machine.fatal], [600, undefined]);
    machine.act({ kind: 'trimAttested', below: 601 });
    machine.run();
    const again = start();
    again.run();
    assert.deepEqual(
      again.recovery!.attested!.map(({ id }) => id),
      [600],
      'the newest one stays',
    );
    again.act(attest(601, 'x', entry(1200)));
    again.run();
    assert.equal(again.got('attested').length, 1);
    const lookup = component!.ask({ op: 'lookup', objectId: LOG, slot: 3, nonce: '0'.repeat(32) });
    assert.equal(lookup.op, 'certificates');
  });
});

describe('a start with another component or another store', () => {
  const speak = (machine: ToyMachine, bys: readonly Attestor[], from = 1): void => {
    machine.run();
    machine.act(...bys.map((by, index) => attest(from + index, `m${from + index}`, by)));
    machine.run();
  };

  it('refuses a component that was put back to before the newest certificate', () => {
    for (const [program, bys] of [
      ['cash', [step(1), step(2), step(3)]],
      ['trinc', [jump(1), jump(7)]],
      ['a2m', [entry(1), entry(9)]],
    ] as const) {
      const { start, component } = member(program);
      speak(start(), bys);
      component!.records.pop();
      component!.restart();
      const again = start();
      again.run();
      assert.match(again.fatal!, /rolled back/, program);
      assert.equal(again.recovery, undefined);
    }
  });

  it('refuses a component that is not the registered one, and says which folders were mixed up', () => {
    const { start, settings } = member('trinc');
    const strange = new TestComponent({ program: 'trinc', seed: 5 });
    const other = start({ component: strange });
    other.run();
    assert.match(other.fatal!, /not the one that cluster\.json registers for replica 0.*cannot re-admit/);
    const { tcId } = toySettings(strange).members[0]!.trusted;
    const members = settings.members.map((one) =>
      one.id === 2 ? { ...one, trusted: { ...one.trusted, tcId } } : one,
    );
    const machine = new ToyMachine({
      settings: { ...settings, members },
      store: new ToyStore(),
      component: strange,
    }).start();
    machine.run();
    assert.match(machine.fatal!, /trusted component of replica 2: the folders/);
  });

  it('goes on with a lost store: what was said before is refused, what was not is said', () => {
    for (const [program, bys, next] of [
      ['trinc', [jump(3), jump(10)], jump(11)],
      ['cash', [step(1), step(2)], step(3)],
      ['a2m', [entry(3), entry(10)], entry(11)],
    ] as const) {
      const { start } = member(program);
      speak(start(), bys);
      const store = new ToyStore();
      const wiped = start({ store });
      wiped.run();
      assert.deepEqual([wiped.recovery?.attested, wiped.notes], [[], ['storeWasLost']], program);
      wiped.act(
        attest(1, 'another', bys[1]),
        attest(2, 'm2', bys[1]),
        attest(3, 'link', link),
        attest(4, 'new', next),
      );
      wiped.run();
      assert.deepEqual(
        wiped.got('refused').map(({ id }) => id),
        [1],
        program,
      );
      assert.deepEqual(
        wiped.got('attested').map(({ id }) => id),
        [2, 3, 4],
      );
      // The same words, and no question about the refused one, after the next restart.
      const again = start({ store });
      again.run();
      assert.deepEqual(wordsOf(again.recovery!.attested!), wordsOf(wiped.got('attested')));
      assert.equal(again.fatal, undefined);
    }
  });

  it('spends no value on finding out that one is spent', () => {
    for (const [program, by, next] of [
      ['trinc', jump(7), jump(8)],
      ['cash', step(1), step(2)],
    ] as const) {
      const { start, component } = member(program);
      speak(start(), [by]);
      component!.ask({ op: 'create', objectId: OTHER_COUNTER, mode: 'step' });
      for (let value = 1; value <= 70; value += 1)
        component!.ask({
          op: 'advance',
          objectId: OTHER_COUNTER,
          value,
          independent: false,
          digest: digestOf(value),
        });
      const wiped = start({ store: new ToyStore() });
      speak(wiped, [by, next]);
      assert.deepEqual([wiped.got('refused').length, wiped.got('attested').length], [1, 1], program);
    }
  });

  it('stops if a value went to something that the store should know', () => {
    const { start, component } = member('trinc');
    const machine = start();
    speak(machine, [jump(3)]);
    component!.ask({
      op: 'advance',
      objectId: COUNTER,
      value: 8,
      independent: false,
      digest: digestOf('other'),
    });
    machine.act(attest(2, 'm2', jump(8)));
    machine.run();
    assert.match(
      machine.fatal!,
      /will not give value 8.*someone else uses the component.*wipe this replica's store/,
    );
  });

  it('stops if a certificate is not for what was asked, or does not verify under the registered key', () => {
    const lies: readonly [RegExp, (certificate: TrustedCertificate) => TrustedCertificate][] = [
      [
        /does not verify \(invalid\)/,
        ({ statement, authenticator }) => ({
          statement,
          authenticator: authenticator.map((byte) => byte ^ 1),
        }),
      ],
      [/gave a value of object 0101000000000000 where 3/, (certificate) => changed(certificate, 55, 9)],
      [/gave a value of object 0102000000000000 where 3/, (certificate) => changed(certificate, 33, 2)],
      [/gave a value of object unknown where 3/, (certificate) => changed(certificate, 4, 2)],
    ];
    for (const [expected, lie] of lies) {
      const { start, component } = member('trinc');
      const honest = component!.handle.bind(component);
      component!.handle = (request) => {
        const bytes = honest(request);
        const answer = decodeTrustedResponse(bytes)!;
        if (answer.op !== 'certificates') return bytes;
        return encodeTrustedResponse({ ...answer, certificates: answer.certificates.map(lie) });
      };
      const machine = start();
      speak(machine, [jump(3)]);
      assert.match(machine.fatal ?? '', expected);
      assert.equal(machine.got('attested').length, 0);
    }
  });
});

/** The certificate with another byte in its statement. */
function changed(
  { statement, authenticator }: TrustedCertificate,
  at: number,
  value: number,
): TrustedCertificate {
  const copy = statement.slice();
  copy[at] = value;
  return { statement: copy, authenticator };
}
