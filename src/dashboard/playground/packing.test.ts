import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packScript, SCRIPT_BYTES_MAX, unpackScript } from './packing.ts';
import { DEFAULT_CHOICES } from './choice-words.ts';
import { sourceOfScript, withChoices } from './place.ts';

describe('scripts in an address', () => {
  it('come back as they were, and smaller', async () => {
    const text = 'scenario a\nexpect clean\n# größer\n'.repeat(40);
    const packed = await packScript(text);
    assert.ok(packed.length < text.length / 4);
    assert.equal(await unpackScript(packed), text);
  });

  it('that are damaged or too long are refused', async () => {
    assert.equal(await unpackScript(new Uint8Array([1, 2, 3])), undefined);
    const packed = await packScript('scenario a\nexpect clean\n');
    assert.equal(await unpackScript(packed.slice(0, -3)), undefined);
    const long = new Blob([new Uint8Array(SCRIPT_BYTES_MAX + 1)]).stream();
    const bomb = await new Response(long.pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer();
    assert.ok(bomb.byteLength < 1000);
    assert.equal(await unpackScript(new Uint8Array(bomb)), undefined);
  });

  it('bring the choices back that they were made of, unless somebody changed them', () => {
    const made = 'scenario chosen\nexpect clean';
    const text = withChoices(made, DEFAULT_CHOICES);
    const make = (): string => made;
    assert.deepEqual(sourceOfScript(text, make), { kind: 'choices', choices: DEFAULT_CHOICES });
    const changed = text.replace('clean', 'violation agreement');
    assert.deepEqual(sourceOfScript(changed, make), { kind: 'script', text: changed });
    for (const other of [made, `${made}\n# chosen {`, `${made}\n# chosen null`, `${made}\n# chosen 5\n`])
      assert.equal(sourceOfScript(other, () => undefined).kind, 'script');
    const throwing = (): string => {
      throw new Error('no choices');
    };
    assert.equal(sourceOfScript(text, throwing).kind, 'script');
  });
});
