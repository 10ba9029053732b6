/** `up` on folders that it must not touch, and with options that cannot be: told before anything is made or deleted. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { moiety } from '../../../test/support/local-cluster.ts';
import { componentsFor } from '../component-choice.ts';
import { DataFolder } from '../data-folder.ts';
import { requireProtocol } from '../protocol-choice.ts';
import { createCluster } from '../supervisor/create-cluster.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-up-'));
after(() => rmSync(root, { recursive: true, force: true }));

describe('a folder of something else', () => {
  const foreign = join(root, 'foreign');
  before(() => {
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'notes.txt'), 'mine');
  });

  for (const more of [[], ['--fresh'], ['--dev'], ['--protocol', 'pbft', '--fresh']])
    it(`is left alone by up ${more.join(' ')}`, () => {
      const { code, out, err } = moiety('up', '--data', foreign, '--port', '21690', ...more);
      assert.equal(code, 1);
      assert.match(err, /^moiety: .* is not empty and holds no Moiety cluster \(there is "notes\.txt"\)/);
      assert.doesNotMatch(out + err, /Making/);
      assert.deepEqual(readdirSync(foreign), ['notes.txt']);
    });
});

describe('options that cannot be', () => {
  it('are told before a cluster is made', () => {
    const data = join(root, 'new');
    for (const [option, value, why] of [
      ['--byzantine', '0=sing', /takes one behaviour|equivocate/],
      ['--byzantine', '7=silent', /There is no replica 7/],
      ['--tc', 'a2m@vm', /minbft is built on the trusted program usig, not on a2m: write usig@vm, or /],
    ] as const) {
      const { code, err } = moiety('up', '--data', data, '--port', '21690', option, value);
      assert.equal(code, 2, err);
      assert.match(err, why);
      assert.ok(!existsSync(data));
    }
  });
});

describe('a cluster without trusted components', () => {
  const folder = new DataFolder(join(root, 'pbft'));
  before(async () => {
    const protocol = requireProtocol('pbft');
    const components = componentsFor(undefined, 4, protocol);
    await createCluster(folder, { protocol, components, port: 21690, development: false });
  });

  it('is not one that --dev can run', () => {
    const { code, err } = moiety('up', '--data', folder.path, '--dev');
    assert.equal(code, 2, err);
    assert.match(err, /^moiety: pbft is not built on trusted components, .*leave --dev out\.\n$/);
  });

  it('outlives --fresh with options that cannot be', () => {
    const settings = readFileSync(folder.cluster);
    for (const more of [
      ['--byzantine', '0=sing'],
      ['--protocol', 'pbft', '--dev'],
    ]) {
      const { code, err } = moiety('up', '--data', folder.path, '--fresh', ...more);
      assert.equal(code, 2, err);
    }
    assert.deepEqual(readFileSync(folder.cluster), settings);
  });

  it('is the one that `evidence list --data` means, wherever the option stands', () => {
    for (const words of [
      ['list', '--data', folder.path],
      ['--data', folder.path, 'list'],
    ]) {
      const { code, err } = moiety('evidence', ...words);
      assert.equal(code, 3, err);
      assert.match(err, /127\.0\.0\.1:21690/);
    }
  });
});
