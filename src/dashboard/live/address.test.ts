/** Fragments of the address. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  fragmentOf,
  keepToken,
  keptTokens,
  keyText,
  routeOf,
  searchRoute,
  tokensOf,
  typedToken,
} from './address.ts';

const ID = 'ab'.repeat(32);

describe('the address', () => {
  it('names what is shown, and back', () => {
    for (const fragment of ['#/', '#/block/7', `#/tx/${ID}`, '#/key/a%2Fb', '#/key/%FF'])
      assert.equal(fragmentOf(routeOf(fragment) as Parameters<typeof fragmentOf>[0]), fragment);
    assert.deepEqual(routeOf(''), { page: 'cluster' });
    assert.deepEqual(routeOf(`#/tx/${ID.toUpperCase()}`), { page: 'transaction', id: ID });
    const wrong = [
      '#/block/0',
      '#/block/1e3',
      '#/tx/12',
      '#/key/',
      '#/key/%F',
      '#/nothing',
      `#/key/${'a'.repeat(4_000)}`,
    ];
    for (const fragment of wrong) assert.equal(routeOf(fragment).page, 'unknown', fragment);
  });

  it('is found by height, transaction id or key', () => {
    assert.deepEqual(searchRoute(' 12 '), { page: 'block', height: 12 });
    assert.deepEqual(searchRoute(ID), { page: 'transaction', id: ID });
    assert.deepEqual(searchRoute('price/Öl'), { page: 'key', key: 'price%2F%C3%96l' });
    assert.deepEqual(searchRoute('0'), { page: 'key', key: '0' });
    assert.equal(searchRoute('  '), undefined);
    assert.equal(searchRoute('ö'.repeat(1_000))!.page, 'unknown');
    // Half of a pair is no text.
    assert.deepEqual(searchRoute('\u{d800}'), { page: 'key', key: '%EF%BF%BD' });
    assert.equal(keyText('price%2F%C3%96l'), 'price/Öl');
    assert.equal(keyText('%FF'), '%FF');
  });

  it('carries tokens, which are kept for the tab', () => {
    assert.deepEqual(tokensOf('#fault=abc&access=x%2By'), { fault: 'abc', access: 'x+y' });
    assert.deepEqual(tokensOf('#access=x y'), {});
    assert.equal(tokensOf('#/block/7'), undefined);
    const kept = new Map<string, string>();
    const storage = {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    };
    keepToken(storage, 'fault', 'abc');
    keepToken(storage, 'access', 'def');
    assert.deepEqual(keptTokens(storage), { fault: 'abc', access: 'def' });
    keepToken(storage, 'fault', undefined);
    assert.deepEqual(keptTokens(storage), { access: 'def' });
    assert.deepEqual([typedToken(' abc '), typedToken('a b'), typedToken('')], ['abc', undefined, undefined]);
  });

  it('works where a browser keeps nothing', () => {
    const refuse = (): never => {
      throw new Error('storage is blocked');
    };
    const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
    assert.deepEqual(keptTokens(storage), {});
    keepToken(storage, 'fault', 'abc');
  });
});
