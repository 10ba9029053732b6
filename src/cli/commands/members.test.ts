/** `init`: public files that do not make a cluster are told by the name of the member. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { moiety } from '../../../test/support/local-cluster.ts';

const root = mkdtempSync(join(tmpdir(), 'moiety-members-'));
after(() => rmSync(root, { recursive: true, force: true }));

/** Makes the keys of a member; gives its public file. */
function member(name: string, protocol: string): string {
  const made = moiety(
    'keygen',
    ...['--name', name, '--organisation', 'bank', '--address', '127.0.0.1:4601'],
    ...['--protocol', protocol, '--out', join(root, name)],
  );
  assert.equal(made.code, 0, made.err);
  return join(root, name, `${name}.json`);
}

test('members of another trusted program are named, with what to do', () => {
  const bare = ['alpha', 'beta', 'gamma'].map((name) => member(name, 'pbft'));
  const out = join(root, 'cluster.json');
  const init = (protocol: string, files: readonly string[], ...more: readonly string[]) =>
    moiety(
      'init',
      '--protocol',
      protocol,
      ...files.flatMap((file) => ['--member', file]),
      '--out',
      out,
      ...more,
    );
  const minbft = init('minbft', bare);
  assert.equal(minbft.code, 2);
  assert.match(
    minbft.err,
    /minbft is built on the trusted program usig, but the member alpha \(.*alpha\.json\) has no trusted component: /,
  );
  assert.match(
    minbft.err,
    /pbft or pbft-mac .*with --protocol, or let alpha .*"moiety keygen --protocol minbft …"/,
  );
  const counting = member('delta', 'reminbft');
  const pbft = init('pbft', [...bare, counting]);
  assert.equal(pbft.code, 2);
  assert.match(
    pbft.err,
    /pbft is not built on trusted components, but the member delta .* has one of trinc: /,
  );
  assert.match(pbft.err, /reminbft or flexi-bft with --protocol/);
  const lonely = init('pbft', [...bare, member('epsilon', 'pbft')]);
  assert.equal(lonely.code, 2);
  assert.match(lonely.err, /needs a client: .*--client/);
  assert.ok(!existsSync(out));
});
