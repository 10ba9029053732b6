/** The form that writes and reads, and requests to the gateway in general. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayClient } from './gateway-client.ts';
import { askKey, askOf, carryOut, outcomeOf } from './operations.ts';
import type { OperationForm } from './operations.ts';

const FORM: OperationForm = { operation: 'put', key: 'a/ü', value: '1', expected: '0', onlyIfAbsent: false };

function clientOf(reply: () => Response, access?: string): { client: GatewayClient; sent: string[] } {
  const sent: string[] = [];
  const send: typeof fetch = (input, init) => {
    const authorization = new Headers(init?.headers).get('authorization') ?? '';
    sent.push(
      `${init?.method} ${String(input)} ${authorization} ${String(init?.body ?? '')}`
        .replace(/ +/g, ' ')
        .trim(),
    );
    return Promise.resolve(reply());
  };
  return { client: new GatewayClient(send, () => access), sent };
}

describe('the form', () => {
  it('becomes a request', () => {
    const path = '/v1/kv/a%2F%C3%BC';
    assert.deepEqual(askOf(FORM), {
      method: 'PUT',
      path,
      body: '1',
      headers: { 'content-type': 'text/plain' },
    });
    assert.deepEqual(askOf({ ...FORM, operation: 'get' }), { path });
    assert.deepEqual(askOf({ ...FORM, operation: 'delete' }), { method: 'DELETE', path });
    const swap = askOf({ ...FORM, operation: 'cas' });
    assert.ok(typeof swap !== 'string');
    assert.deepEqual([swap.path, swap.body], [`${path}?op=cas`, '{"expected":"0","value":"1"}']);
    const first = askOf({ ...FORM, operation: 'cas', onlyIfAbsent: true });
    assert.ok(typeof first !== 'string' && first.body === '{"value":"1"}');
    assert.deepEqual(askOf({ ...FORM, operation: 'list', key: 'a' }, 'a%2F1'), {
      path: '/v1/kv?prefix=a&after=a%2F1&limit=50',
    });
  });

  it('says why nothing can be sent', () => {
    assert.equal(askOf({ ...FORM, key: '' }), 'Say which key.');
    for (const key of ['.', '..']) assert.match(String(askOf({ ...FORM, key })), /command line/);
    assert.notEqual(typeof askOf({ ...FORM, operation: 'list', key: '' }), 'string');
  });

  it('shows the answer with its transaction and the time that it took', async () => {
    const { client, sent } = clientOf(
      () => new Response('{"txId":"ab","height":7,"sequence":9,"ok":true,"existed":false}'),
      'T',
    );
    let clock = 0;
    const outcome = await carryOut(client, FORM, () => (clock += 5));
    assert.deepEqual(outcome, {
      isGood: true,
      sentence: 'Written; the key is new.',
      tookMs: 5,
      txId: 'ab',
      height: 7,
    });
    assert.deepEqual(sent, ['PUT /v1/kv/a%2F%C3%BC Bearer T 1']);
  });

  it('tells reads, lists, deletions and swaps in words', () => {
    const say = (form: Partial<OperationForm>, text: string, headers = new Headers()): string => {
      const outcome = outcomeOf({ ...FORM, ...form }, { ok: true, status: 200, text, headers }, 1);
      return `${outcome.isGood} ${outcome.sentence} ${outcome.value ?? ''}`.trim();
    };
    const read = new Headers({ 'moiety-sequence': '9', 'moiety-read': 'fast' });
    assert.equal(
      say({ operation: 'get' }, 'world', read),
      'true The value as of sequence number 9: all replicas gave the same answer. world',
    );
    const place = '"txId":"ab","height":7';
    assert.equal(say({ operation: 'delete' }, `{${place},"existed":true}`), 'true Deleted.');
    assert.equal(say({ operation: 'cas' }, `{${place},"swapped":true}`), 'true Swapped.');
    assert.equal(
      say({ operation: 'cas' }, `{${place},"swapped":false,"current":{"text":"5","base64":"NQ=="}}`),
      'false Not swapped: the value is another one. 5',
    );
    assert.equal(
      say({ operation: 'cas' }, `{${place},"swapped":false,"current":null}`),
      'false Not swapped: there is no value.',
    );
    const list = '{"entries":[{"key":"a","value":{"base64":"/w=="}}],"next":"a"}';
    assert.equal(say({ operation: 'list' }, list), 'true 1 entry; there are more.');
    assert.equal(say({}, '{}'), 'false The gateway answered something that this page cannot read.');
  });

  it('never throws: problems, broken connections and endless answers become sentences', async () => {
    const problem = '{"detail":"no quorum answered in time","txId":"cd"}';
    const late = clientOf(() => new Response(problem, { status: 504 }));
    const outcome = await carryOut(late.client, FORM, () => 0);
    assert.deepEqual(outcome, {
      isGood: false,
      sentence: 'No quorum answered in time.',
      tookMs: 0,
      txId: 'cd',
    });
    const odd = await clientOf(() => new Response('<html>', { status: 502 })).client.ask({ path: '/' });
    assert.ok(!odd.ok && odd.sentence === 'The gateway answered with status 502.');
    const refuse: typeof fetch = () => Promise.reject(new TypeError('refused'));
    const gone = await new GatewayClient(refuse, () => undefined).ask({ path: '/' });
    assert.ok(!gone.ok && gone.sentence === 'The gateway cannot be reached.');
    const slow: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
      });
    const timed = await new GatewayClient(slow, () => undefined).ask({ path: '/', timeoutMs: 5 });
    assert.ok(!timed.ok && timed.sentence === 'The gateway did not answer within 0.005 seconds.');
    const endless = clientOf(
      () =>
        new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(4e6)) })),
    );
    const long = await endless.client.ask({ path: '/' });
    assert.ok(!long.ok && long.sentence === 'The answer is too long for this page.');
  });

  it('reads a key, and says that there is none', async () => {
    const there = await askKey(clientOf(() => new Response('world')).client, 'hello');
    assert.ok('found' in there && there.found.value === 'world');
    const none = await askKey(
      clientOf(() => new Response('{"detail":"no value"}', { status: 404 })).client,
      'x',
    );
    assert.deepEqual('sentence' in none && none.sentence, 'No value.');
    assert.ok('sentence' in (await askKey(clientOf(() => new Response('')).client, '..')));
  });
});
