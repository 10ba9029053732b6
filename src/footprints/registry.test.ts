import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOOTPRINTS } from './catalogue.ts';
import { readComponentFolder, writeComponentNote } from './component-note.ts';
import { allFootprints, footprintNamed, footprintNames, openComponent } from './registry.ts';
import { weakestFootprint } from './strength.ts';

test('registry, catalogue and order of strength name the same footprints', async () => {
  const catalogued = FOOTPRINTS.map(({ name }) => name).sort();
  assert.deepEqual([...footprintNames()].sort(), catalogued);
  for (const footprint of await allFootprints()) {
    const entry = FOOTPRINTS.find(({ name }) => name === footprint.name);
    assert.equal(entry?.scenario, footprint.scenario, footprint.name);
    assert.equal(entry?.afterRestart === 'continues', footprint.persistent, footprint.name);
    assert.equal(weakestFootprint([footprint.name, 'unheard-of']), 'unheard-of');
  }
  assert.equal(weakestFootprint(['vm', 'process', 'wasm', 'tpm']), 'wasm');
  assert.equal(weakestFootprint([]), undefined);
  await assert.rejects(footprintNamed('abacus'), /no footprint "abacus" \(there are service, /);
});

test('a folder says what it is of; one without a note is of the time before there was a choice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-note-'));
  try {
    assert.deepEqual(readComponentFolder(folder), { program: 'usig', footprint: 'process', argument: '' });
    const spec = { program: 'trinc', footprint: 'service', argument: 'host:4711' };
    writeComponentNote(folder, spec);
    assert.deepEqual(readComponentFolder(folder), spec);
    for (const damaged of ['', '{}', 'null', '{"footprint":"../vm","program":"usig","argument":""}']) {
      writeFileSync(join(folder, 'footprint.json'), damaged);
      assert.throws(() => readComponentFolder(folder), /footprint\.json is damaged/, damaged);
    }
    writeComponentNote(folder, { ...spec, footprint: 'abacus' });
    await assert.rejects(openComponent(folder, 'fsync'), /no footprint "abacus"/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
