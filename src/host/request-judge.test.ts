/** The judge of requests: one verdict for the same bytes everywhere, and what wrong tags cost whom. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeBundle, macBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { Digest, Milliseconds } from '../core/types.ts';
import { clientMacKeyOf, hmacOver, macClientId, requestTag } from '../crypto/request-mac.ts';
import { sha256, TestComponent } from '../trusted/conformance/environment.testing.ts';
import { TAG_CLAIMS_MAX } from '../trusted/contract.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../trusted/frames.ts';
import { JUDGE_CALLS_FROM, RequestJudge } from './request-judge.ts';
import type { Judgement, Source } from './request-judge.ts';

const clientRoot = new Uint8Array(32).fill(0x61);
const domain = { clusterId: 'c1'.repeat(32) as Digest, configurationVersion: 0 };
const hmac = hmacOver(sha256);
const keyOf = (id: number): Uint8Array => new Uint8Array(32).fill(id);

function bundleOf(client: number, first: number, count = 1, version = 1): Bundle {
  const clientKey = keyOf(client);
  const key = clientMacKeyOf(hmac, clientRoot, macClientId(sha256, clientKey), version);
  const requests = Array.from({ length: count }, (_, index) => ({
    number: first + index,
    operation: Uint8Array.of(3, index & 255),
  }));
  const content = { clientKey, session: 1, requests };
  return macBundle(sha256, domain, content, version, (digest) => requestTag(hmac, key, digest));
}

/** As it would arrive, with the byte at `at` changed: from the end, where the tags are. */
function changed(bundle: Bundle, at: number): Bundle | undefined {
  const bytes = bundle.bytes.slice();
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return decodeBundle(sha256, domain, bytes);
}

/** A judge whose component answers when it is told to. */
class Bench {
  readonly judge: RequestJudge;
  readonly component: TestComponent;
  readonly calls: { readonly id: number; readonly request: Uint8Array }[] = [];
  readonly halts: string[] = [];
  now: Milliseconds = 1_000;

  constructor(component = new TestComponent({ program: 'usig', clientRoot })) {
    this.component = component;
    this.judge = new RequestJudge({
      settings: { authenticator: 'mac' },
      domain,
      hash: sha256,
      verifier: { verifyMany: () => assert.fail('no signature is checked') },
      trusted: { call: (id, request) => this.calls.push({ id, request }) },
      halt: (reason) => this.halts.push(reason),
    });
    this.judge.begin([], this.now, () => undefined);
  }

  /** The component answers everything. */
  answer(): number {
    let answered = 0;
    for (let call = this.calls.shift(); call !== undefined; call = this.calls.shift()) {
      this.judge.onResponse(call.id, this.component.handle(call.request), this.now);
      answered += 1;
    }
    return answered;
  }

  ask(bundle: Bundle, source: Source = 'client/a'): Judgement {
    const first = this.judge.judge(bundle, source, this.now, () => undefined);
    if (first !== 'pending') return first;
    this.answer();
    return this.judge.judge(bundle, source, this.now, () => assert.fail('it is known'));
  }
}

describe('a verdict', () => {
  it('is that of the bytes: each bit of what the tags cover, and of the tags', () => {
    const good = bundleOf(7, 1, 3);
    assert.equal(new Bench().ask(good), 'valid');
    let wrong = 0;
    for (let at = 1; at < good.bytes.length; at += 1) {
      const other = changed(good, at);
      if (other === undefined) continue;
      assert.equal(new Bench().ask(other), 'invalid', `byte ${at}`);
      wrong += 1;
    }
    assert.ok(wrong > 100);
  });

  it('tags of one request, session, bundle, client or version stand for no other', () => {
    const [one, two] = [bundleOf(7, 1, 2), bundleOf(7, 3, 2)];
    const size = one.bytes.length;
    const swapped = one.bytes.slice();
    swapped.set(two.macs!.tags, size - 64);
    assert.equal(new Bench().ask(decodeBundle(sha256, domain, swapped)!), 'invalid');
    // The first request alone, cut out of its bundle with its own tag.
    const [request] = one.requests;
    const content = { clientKey: one.clientKey, session: 1, requests: [request!] };
    const cut = macBundle(sha256, domain, content, 1, () => one.macs!.tags.slice(0, 32));
    assert.equal(new Bench().ask(cut), 'invalid');
    for (const other of [
      { ...content, session: 2 },
      { ...content, clientKey: keyOf(8) },
    ])
      assert.equal(
        new Bench().ask(macBundle(sha256, domain, other, 1, () => bundleOf(7, 1).macs!.tags)),
        'invalid',
      );
    const newer = macBundle(sha256, domain, content, 2, () => bundleOf(7, 1).macs!.tags);
    assert.equal(new Bench().ask(newer), 'invalid');
    const elsewhere = { ...domain, configurationVersion: 1 };
    const foreign = decodeBundle(sha256, elsewhere, bundleOf(7, 1).bytes)!;
    assert.equal(foreign.digest === bundleOf(7, 1).digest, false);
  });

  it('a signed bundle is none here, and one with tags none where requests are signed', () => {
    const bundle = bundleOf(7, 1);
    const { macs, ...rest } = bundle;
    assert.ok(macs !== undefined);
    assert.equal(new Bench().ask({ ...rest, signature: new Uint8Array(64) }), 'invalid');
    for (const authenticator of [undefined, 'request'] as const) {
      const judge = new RequestJudge({
        settings: authenticator === undefined ? {} : { authenticator },
        domain,
        hash: sha256,
        verifier: {
          verifyMany: ([seal]) =>
            seal?.kind === 'client' && seal.signature.length === 64 ? 'valid' : 'invalid',
        },
        trusted: { call: () => assert.fail('signatures need no component') },
        halt: (reason) => assert.fail(reason),
      });
      const verdict = (one: Bundle): Judgement => judge.judge(one, 'client/a', 0, () => undefined);
      assert.equal(verdict(bundle), 'invalid');
      assert.equal(verdict({ ...rest, signature: new Uint8Array(64) }), 'valid');
      const two = { ...rest, signature: new Uint8Array(64), requestCount: 2 };
      assert.equal(verdict(two), authenticator === 'request' ? 'invalid' : 'valid');
    }
  });

  it('of a body is one for each bundle, in their order; what is known is not asked again', () => {
    const bench = new Bench();
    const bundles = [bundleOf(1, 1), changed(bundleOf(2, 1), -1)!, bundleOf(3, 1, 300), bundleOf(1, 9)];
    const seen: (readonly boolean[])[] = [];
    assert.ok(bench.judge.judgeAll(bundles, 'replica/1', 0, (verdicts) => seen.push(verdicts)));
    assert.equal(seen.length, 0);
    assert.equal(bench.answer(), 2);
    assert.ok(bench.judge.judgeAll(bundles, 'replica/2', 0, (verdicts) => seen.push(verdicts)));
    assert.deepEqual(seen, [
      [true, false, true, true],
      [true, false, true, true],
    ]);
    assert.equal(bench.calls.length, 0);
  });
});

describe('the component', () => {
  it('has one request of the judge at a time, of a bounded size: a seal never waits for more', () => {
    const bench = new Bench();
    for (let client = 1; client <= 20; client += 1)
      bench.judge.judge(bundleOf(client, 1, 100), `client/${client}`, 0, () => undefined);
    assert.equal(bench.calls.length, 1);
    let claims = 0;
    for (let rounds = 0; bench.calls.length > 0; rounds += 1) {
      const [call] = bench.calls.splice(0);
      assert.ok(call!.id > JUDGE_CALLS_FROM);
      const request = decodeTrustedRequest(call!.request);
      assert.ok(request?.op === 'verifyTags' && request.claims.length <= TAG_CLAIMS_MAX);
      claims += request.claims.length;
      bench.judge.onResponse(call!.id, bench.component.handle(call!.request), 0);
      assert.ok(bench.calls.length <= 1 && rounds < 100);
    }
    assert.equal(claims, 2_000);
  });

  it('is asked again what it was asked before it was lost; an answer to the first call is ignored', () => {
    const bench = new Bench();
    let told = 0;
    bench.judge.judge(bundleOf(7, 1), 'client/a', 0, () => (told += 1));
    const [first] = bench.calls.splice(0);
    bench.judge.onBack();
    bench.judge.onResponse(first!.id, encodeTrustedResponse({ op: 'verifyTags', valid: [true] }), 0);
    assert.equal(told, 0);
    bench.answer();
    assert.equal(told, 1);
  });

  it('that belongs to no group stops its replica with a sentence that says what to do', () => {
    const bench = new Bench(new TestComponent({ program: 'usig' }));
    bench.judge.judge(bundleOf(7, 1), 'client/a', 0, () => undefined);
    bench.answer();
    assert.match(bench.halts.join(), /MODE .* components of one group/);
  });

  it('judges what a store holds before anything else, however much that is', () => {
    const bench = new Bench();
    const stored = Array.from({ length: 300 }, (_, index) => bundleOf(7, index + 1));
    let isDone = false;
    bench.judge.begin(stored, 0, () => {
      isDone = true;
      for (const bundle of stored)
        assert.equal(
          bench.judge.judge(bundle, 'store', 0, () => undefined),
          'valid',
        );
    });
    assert.equal(isDone, false);
    bench.answer();
    assert.ok(isDone);
  });
});

describe('a source of wrong tags', () => {
  let number = 10_000;

  /** What it takes until nothing of that source is judged any more: wrong bundles that nobody has seen before. */
  function exhaust(bench: Bench, source: Source): number {
    for (let sent = 1; sent < 1_000; sent += 1) {
      const verdict = bench.ask(changed(bundleOf(7, (number += 1)), -1)!, source);
      if (verdict === 'refused') return sent - 1;
      assert.equal(verdict, 'invalid');
    }
    return assert.fail('there is no end to it');
  }

  it('is left alone after a few, longer each time, and the others are not', () => {
    const bench = new Bench();
    assert.equal(exhaust(bench, 'client/liar'), 16);
    assert.equal(bench.ask(bundleOf(7, 2_000), 'client/liar'), 'refused');
    assert.equal(bench.ask(bundleOf(7, 2_001), 'client/honest'), 'valid');
    // The name that the bundle bears is not to blame: anybody can write it there.
    bench.now += 1_001;
    assert.equal(bench.ask(bundleOf(7, 2_002), 'client/liar'), 'valid');
    assert.ok(exhaust(bench, 'client/liar') <= 16);
    bench.now += 1_001;
    assert.equal(bench.ask(bundleOf(7, 2_003), 'client/liar'), 'refused');
    bench.now += 1_001;
    assert.equal(bench.ask(bundleOf(7, 2_004), 'client/liar'), 'valid');
  });

  it('a peer is left alone for no longer than a second: it may have passed on what others made', () => {
    const bench = new Bench();
    for (let round = 0; round < 4; round += 1) {
      assert.equal(exhaust(bench, 'replica/2'), 16);
      bench.now += 1_001;
      assert.equal(bench.ask(bundleOf(9, 3_000 + round), 'replica/2'), 'valid');
      bench.now += 10_000;
    }
  });

  it('takes turns with everybody else while it waits, and may have only so much waiting', () => {
    const bench = new Bench();
    let refused = 0;
    for (let sent = 1; sent <= 400; sent += 1) {
      const wrong = changed(bundleOf(7, sent, 1), -1)!;
      if (bench.judge.judge(wrong, 'client/liar', 0, () => undefined) === 'refused') refused += 1;
    }
    // One is with the component.
    assert.equal(refused, 400 - 256 - 1);
    const order: string[] = [];
    bench.judge.judge(bundleOf(8, 1, 200), 'client/honest', 0, () => order.push('honest'));
    bench.judge.judgeAll([bundleOf(9, 1)], 'replica/1', 0, () => order.push('body'));
    // What was with the component already, and two more requests: each class begins one of them.
    for (let round = 0; round < 3; round += 1) {
      const [call] = bench.calls.splice(0);
      bench.judge.onResponse(call!.id, bench.component.handle(call!.request), 0);
    }
    assert.deepEqual(new Set(order), new Set(['body', 'honest']));
  });
});
