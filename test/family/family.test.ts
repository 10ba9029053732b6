/**
 * Every protocol from outside: real processes, the primary killed, a broken fast path. By default two of them, one that
 * speculates and one that does not; MOIETY_FAMILY=all runs all, MOIETY_FAMILY=pbft,ebawa these, and more is done to them.
 * MOIETY_FAMILY_ROWS: size of the table.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PROTOCOLS } from '../../src/protocols/catalogue.ts';
import type { AnyProtocol } from '../../src/protocols/catalogue.ts';
import { eventually } from '../support/local-cluster.ts';
import { ProtocolCluster } from './protocol-cluster.ts';

const ROWS = Number(process.env['MOIETY_FAMILY_ROWS'] ?? 300);
const isThorough = process.env['MOIETY_FAMILY'] !== undefined;
const FIRST_PORT = 22_400;
const PORTS_EACH = 40;

const speculates = ({ client }: AnyProtocol): boolean => client?.needed('speculative', 4, 1) !== undefined;

/** MinBFT has `test/cluster.test.ts`: the default is the newest pair of the others. */
function chosen(): readonly AnyProtocol[] {
  const wanted = process.env['MOIETY_FAMILY'];
  if (wanted === 'all') return PROTOCOLS;
  if (wanted !== undefined) return PROTOCOLS.filter(({ name }) => wanted.split(',').includes(name));
  const others = PROTOCOLS.filter(({ name }) => name !== 'minbft');
  const [plain, bold] = [others.find((one) => !speculates(one)), others.find(speculates)];
  return [plain, bold].filter((one) => one !== undefined);
}

for (const protocol of chosen())
  describe(`a local cluster of ${protocol.name}`, { timeout: 1_200_000 }, () => {
    const port = FIRST_PORT + PORTS_EACH * PROTOCOLS.indexOf(protocol);
    const cluster = new ProtocolCluster(protocol.name, port);
    before(() => cluster.start());
    after(() => cluster.dispose());

    it('has the replicas that f = 1 needs, and takes a table', async () => {
      const { protocol: name, f, replicas } = cluster.status();
      assert.deepEqual([name, f, replicas.length], [protocol.name, 1, protocol.replicasFor(1)]);
      cluster.load(ROWS);
      await cluster.checkValues();
    });

    it('goes on when the primary is killed; receipts of before and after verify', async () => {
      const [early] = await cluster.write('early', 1);
      const { id } = await cluster.primary();
      const later = await cluster.during('kill', id, 'restart', async () => {
        const written = await cluster.write('later', 20);
        await cluster.checkValues();
        return written;
      });
      await cluster.checkReceipt(early!);
      await cluster.checkReceipt(later.at(-1)!);
      await cluster.write('back', 5);
      await cluster.settled();
    });

    it('goes on while one backup is frozen, and takes it in again', async () => {
      const { id: primary } = await cluster.primary();
      const frozen = (primary + 1) % protocol.replicasFor(1);
      const written = await cluster.during('pause', frozen, 'resume', async () => {
        const all = await cluster.write('frozen', 30);
        await cluster.checkValues();
        return all;
      });
      await cluster.checkReceipt(written.at(-1)!);
      await cluster.write('thawed', 5);
      await cluster.settled();
      await cluster.checkValues();
    });

    it(
      'rolls back what a primary executed and nobody else had',
      { skip: !speculates(protocol) },
      async () => {
        const { id } = await cluster.primary();
        const others = Array.from({ length: protocol.replicasFor(1) }, (_, other) => other).filter(
          (other) => other !== id,
        );
        for (const other of others) cluster.fault('kill', other);
        const before = cluster.replica(id);
        // It is acknowledged once the others are back, which may take them a while.
        const write = cluster.write('undone', 1, 300_000);
        await eventually('the primary executes alone', 30_000, () =>
          cluster.replica(id).sequence > before.sequence ? true : undefined,
        );
        await cluster.during('pause', id, 'resume', async () => {
          for (const other of others) cluster.fault('restart', other);
          await Promise.all([write, cluster.write('instead', 5, 200_000)]);
        });
        await cluster.settled();
        const { rolledBack, confirmed, sequence } = cluster.replica(id);
        assert.ok(rolledBack > before.rolledBack, `${rolledBack} undone, ${confirmed} of ${sequence} final`);
        await cluster.checkValues();
      },
    );

    it('takes a replica in again whose store was lost', { skip: !isThorough }, async () => {
      const { id: primary } = await cluster.primary();
      const wiped = (primary + 1) % protocol.replicasFor(1);
      await cluster.during('wipe', wiped, 'restart', () => cluster.write('wiped', 10));
      await cluster.write('filled', 20);
      await cluster.settled();
      await cluster.checkValues();
    });

    it('finds everything again after all processes were killed at once', { skip: !isThorough }, async () => {
      const [written] = await cluster.write('before', 1);
      await cluster.killAndStart();
      await cluster.checkValues();
      await cluster.checkReceipt(written!);
      await cluster.write('after', 5);
      await cluster.settled();
    });
  });
