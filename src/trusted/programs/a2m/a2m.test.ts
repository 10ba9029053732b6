/** The log module against its disk: lost, doubled and reordered records, images, power cuts at every record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToHex } from '../../../core/bytes.ts';
import { ZERO_DIGEST } from '../../../core/types.ts';
import { digestOf, PowerCut, TestComponent } from '../../conformance/environment.testing.ts';
import type { TrustedRequest } from '../../contract.ts';
import { encodeTrustedRequest } from '../../frames.ts';
import { decodeStatement, ZERO_NONCE } from '../../statement.ts';

const LOG = '0201000000000000';
const SECOND = '0202000000000000';

const create: TrustedRequest = { op: 'create', objectId: LOG, mode: 'jump' };
const append = (index: number, objectId = LOG): TrustedRequest => ({
  op: 'append',
  objectId,
  entry: digestOf('entry', index),
});
const advance = (slot: number): TrustedRequest => ({
  op: 'advanceLog',
  objectId: LOG,
  slot,
  base: digestOf('base'),
  entry: digestOf('far', slot),
});
const truncate = (slot: number): TrustedRequest => ({ op: 'truncate', objectId: LOG, slot });

/** Everything that a component can be asked without changing it. */
function facts(component: TestComponent): string {
  const questions: TrustedRequest[] = [{ op: 'identify' }];
  for (const objectId of [LOG, SECOND]) {
    questions.push({ op: 'end', objectId, nonce: ZERO_NONCE });
    for (let slot = 1; slot <= 24; slot += 1)
      questions.push({ op: 'lookup', objectId, slot, nonce: '07'.repeat(16) });
  }
  return questions.map((question) => bytesToHex(component.handle(encodeTrustedRequest(question)))).join('\n');
}

function codeOf(component: TestComponent, request: TrustedRequest): string {
  const answer = component.ask(request);
  return answer.op === 'error' ? answer.code : answer.op;
}

function grown(): TestComponent {
  const component = new TestComponent({ program: 'a2m' });
  const second: TrustedRequest = { op: 'create', objectId: SECOND, mode: 'strict' };
  for (const request of [create, append(1), append(2), advance(9), second, append(3, SECOND), truncate(2)])
    assert.notEqual(component.ask(request).op, 'error');
  return component;
}

test('attack: truncated, reordered and doubled log operations are no state to go on from', () => {
  const spoils: Readonly<Record<string, (records: Uint8Array[]) => void>> = {
    'one is missing': (records) => void records.splice(2, 1),
    'the first is missing': (records) => void records.shift(),
    'two are exchanged': (records) => void records.splice(1, 2, records[2]!, records[1]!),
    'one is doubled': (records) => void records.push(records.at(-1)!),
    'one is cut': (records) => void (records[1] = records[1]!.subarray(0, 40)),
    'one is longer': (records) => void (records[1] = Uint8Array.from([...records[1]!, 0])),
    'the last one is longer': (records) => void records.push(Uint8Array.from([...records.pop()!, 0])),
    'one is empty': (records) => void records.push(new Uint8Array(0)),
    'one is of another tcEpoch': (records) => void (records[1] = records[1]!.with(3, records[1]![3]! ^ 1)),
    'one is unknown': (records) => void (records[1] = records[1]!.with(0, 9)),
  };
  for (const [name, spoil] of Object.entries(spoils)) {
    const component = grown();
    spoil(component.records);
    component.restart();
    for (const request of [create, append(5), { op: 'end', objectId: LOG, nonce: ZERO_NONCE } as const])
      assert.equal(codeOf(component, request), 'NOT_READY', name);
    assert.equal(component.ask({ op: 'identify' }).op, 'identify', name);
    assert.equal(component.ask({ op: 'renew' }).op, 'renew', name);
    assert.equal(codeOf(component, create), 'done', name);
  }
});

test('an image stands for all records before it, at any moment', () => {
  const component = grown();
  const before = facts(component);
  assert.equal(facts(component.restart()), before, 'records');
  assert.ok(component.compact());
  assert.equal(facts(component.restart()), before, 'image');
  for (const request of [append(5), advance(20), truncate(9), append(6)]) component.ask(request);
  const later = facts(component);
  assert.equal(facts(component.restart()), later, 'an image and records');
  component.records = [component.records[0]!, ...component.records];
  assert.equal(codeOf(component.restart(), append(7)), 'NOT_READY', 'an image comes first or not at all');
});

test('a full component fits its own input again', () => {
  const component = new TestComponent({ program: 'a2m', suite: 'hmac-sha256' });
  for (let log = 0; log < 8; log += 1) {
    const objectId = `02010000000000${log.toString().padStart(2, '0')}`;
    component.ask({ op: 'create', objectId, mode: 'strict' });
    for (let slot = 0; slot < 300; slot += 1) {
      if (slot === 100) component.ask({ op: 'truncate', objectId, slot: 45 });
      component.ask(append(slot, objectId));
    }
  }
  const before = facts(component);
  assert.ok(component.compact());
  assert.ok(component.records[0]!.length > 8 * 256 * 80);
  assert.equal(facts(component.restart()), before);
  const image = component.records[0]!;
  component.records = [image.subarray(0, image.length - 1)];
  assert.equal(codeOf(component.restart(), append(1)), 'NOT_READY');
});

test('a power cut at any record: a slot whose certificate may have left is never given to another entry', () => {
  const script = [create, append(1), advance(6), append(2), truncate(3), append(3)];
  for (let record = 1; record <= script.length; record += 1) {
    for (const when of ['before', 'after'] as const) {
      const reference = new TestComponent({ program: 'a2m' });
      for (const request of script.slice(0, when === 'after' ? record : record - 1)) reference.ask(request);
      const component = new TestComponent({ program: 'a2m' });
      component.cut = { record, when };
      assert.throws(() => script.forEach((request) => component.ask(request)), PowerCut);
      assert.equal(facts(component.restart()), facts(reference), `${when} record ${record}`);
    }
  }
});

test('a nonce is in the statement whatever it is, none leaves the statement as it was', () => {
  const component = grown();
  for (const nonce of ['00'.repeat(8) + '01'.repeat(8), '01'.repeat(8) + '00'.repeat(8), `${'00'.repeat(15)}80`]) {
    const answer = component.ask({ op: 'end', objectId: LOG, nonce });
    assert.ok(answer.op === 'certificates');
    assert.equal(decodeStatement(answer.certificates[0]!.statement)!.nonce, nonce);
  }
});

test('a record that cannot be kept changes nothing', () => {
  const component = grown();
  const before = facts(component);
  component.disk = 'full';
  const third: TrustedRequest = { op: 'create', objectId: '0203000000000000', mode: 'jump' };
  for (const request of [append(9), advance(30), truncate(9), third])
    assert.equal(codeOf(component, request), 'STORAGE');
  assert.equal(codeOf(component, { op: 'renew' }), 'STORAGE');
  assert.equal(facts(component), before);
  component.disk = 'good';
  assert.equal(codeOf(component, append(9)), 'certificates');
});

test('requests of every wrong form are refused and change nothing', () => {
  const component = grown();
  const before = facts(component);
  for (const request of [append(1), advance(30), truncate(5), create]) {
    const bytes = encodeTrustedRequest(request);
    for (let length = 0; length < bytes.length; length += 1) {
      const answer = component.handle(bytes.subarray(0, length));
      assert.equal(answer[0], 255, `${request.op} of ${length} bytes`);
    }
    assert.equal(component.handle(Uint8Array.from([...bytes, 0]))[0], 255);
  }
  assert.equal(component.handle(new Uint8Array(5000))[0], 255);
  assert.equal(component.handle(new Uint8Array(1_000_000))[0], 255);
  const entry = ZERO_DIGEST;
  assert.equal(codeOf(component, { op: 'advance', objectId: LOG, value: 1, independent: false, digest: entry }), 'BAD_REQUEST');
  assert.equal(facts(component), before);
});
