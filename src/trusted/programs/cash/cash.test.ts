/** CASH: labels that step by one, and how old protocol instances end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META_OBJECT_ID } from '../../conformance/counter-model.ts';
import { counterId } from '../../conformance/counters.ts';
import { digestOf, TestComponent } from '../../conformance/environment.testing.ts';
import { CounterStream, moveOf } from '../counters/claims.ts';
import { advance, certificate, certificates, checkerOf, create, identityOf, nameOf, pinOf, SUITES } from '../counters/counters.testing.ts';

for (const suite of SUITES) {
  test(`each label counts from 1 on by itself, and its stream has no gaps: ${suite}`, () => {
    const component = new TestComponent({ program: 'cash', suite });
    const check = checkerOf(component);
    for (let label = 1; label <= 3; label += 1) component.ask(create(counterId(label)));
    for (let label = 1; label <= 3; label += 1) {
      const read = new CounterStream('gapFree');
      for (let value = 1; value <= 5; value += 1) {
        const digest = digestOf(label, value);
        const made = certificate(component, advance(counterId(label), digest));
        const claim = moveOf(pinOf(component, counterId(label)), made, digest, check);
        assert.ok(claim.ok && claim.claim.value === value);
        assert.equal(read.arrive(claim.claim).op, 'accepted');
      }
    }
  });
}

test('a label only steps: jumps, independent certificates and jumping labels are refused', () => {
  const component = new TestComponent({ program: 'cash' });
  assert.equal(nameOf(component.ask(create(counterId(1), 'jump'))), 'MODE');
  component.ask(create(counterId(1)));
  assert.equal(nameOf(component.ask(advance(counterId(1), digestOf('a'), 2))), 'NOT_MONOTONIC');
  assert.equal(nameOf(component.ask(advance(counterId(1), digestOf('a'), 1, true))), 'MODE');
  assert.equal(nameOf(component.ask({ op: 'plain', digest: digestOf('a') })), 'BAD_REQUEST');
});

test('a label of an old protocol instance comes back: refused for ever, also after restarts and images', () => {
  const component = new TestComponent({ program: 'cash' });
  const labels = (instance: number): string[] => [1, 2, 3].map((role) => counterId(role, instance));
  for (let instance = 0; instance < 200; instance += 1) {
    for (const id of labels(instance)) assert.equal(nameOf(component.ask(create(id))), 'done');
    certificate(component, advance(labels(instance)[0]!, digestOf(instance)));
    if (instance % 50 === 20) component.restart();
    if (instance % 50 === 40) assert.ok(component.compact());
    // The instance before is still in use while the new one begins.
    if (instance > 0) certificate(component, advance(labels(instance - 1)[1]!, digestOf(instance, 'late')));
    if (instance < 2) continue;
    for (const id of labels(instance - 2)) {
      assert.equal(nameOf(component.ask(advance(id, digestOf('again')))), 'NO_OBJECT');
      assert.equal(nameOf(component.ask(create(id))), 'CLOSED');
      assert.equal(nameOf(component.ask({ op: 'replay', objectId: id, count: 1 })), 'NO_OBJECT');
    }
  }
  assert.equal(identityOf(component).counter, 600);
  assert.equal(certificates(component, { op: 'replay', objectId: META_OBJECT_ID, count: 64 }).length, 64);
});
