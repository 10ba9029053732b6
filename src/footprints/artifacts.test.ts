import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface Build {
  buildTrusted(): Promise<Record<string, Uint8Array>>;
}

test('the trusted programs are built again byte for byte', async () => {
  // A script of the build, not a module of the house: loaded by its place.
  const script = new URL('../../scripts/build-trusted.mjs', import.meta.url).href;
  const { buildTrusted } = (await import(script)) as Build;
  for (const [name, bytes] of Object.entries(await buildTrusted())) {
    const committed = readFileSync(new URL(`../../trusted/${name}`, import.meta.url));
    const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
    assert.equal(digest(bytes), digest(committed), `trusted/${name}: run node scripts/build-trusted.mjs`);
  }
});
