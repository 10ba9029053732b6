/** A replica whose store is lost and whose trusted component goes on: what was said before is refused, and nobody is stuck. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProtocolDefinition } from '../core/protocol.ts';
import { TestCluster } from '../smr/attested/cluster.testing.ts';
import { AttestedReplica } from '../smr/attested/replica.ts';
import type { AttestedMessage, Content } from '../smr/attested/sealed.ts';
import { protocolNamed } from './catalogue.ts';

describe('values that the component has given before', () => {
  for (const name of ['cheapbft', 'reminbft', 'flexi-bft', 'a2m-pbft-ea'])
    it(`${name}: are refused, forgotten, and the cluster goes on`, () => {
      const definition = protocolNamed(name) as ProtocolDefinition<unknown>;
      const cluster = new TestCluster(definition as ProtocolDefinition<AttestedMessage<Content>>);
      const ask = (count: number, what: string): void => {
        for (let index = 0; index < count; index += 1) {
          cluster.submit(`${what}${index}`);
          cluster.run(20);
        }
      };
      ask(3, 'before');
      const passes = cluster.passes;
      cluster.passes = () => false;
      const before = cluster.machines[0]!.objects.size;
      assert.ok(before > 0);
      // It leads, and orders again from the beginning.
      cluster.restart(0, true);
      cluster.submit('alone', [0]);
      cluster.run(100);
      const { replica, through, drafts } = cluster.machines[0]!;
      assert.ok(replica instanceof AttestedReplica);
      assert.ok(drafts.length < through, 'something was refused');
      assert.equal(replica.own.last, through, 'nothing waits for its word');
      assert.equal(replica.own.size, drafts.length);
      cluster.passes = passes;
      ask(6, 'after');
      cluster.run(10_000);
      const lengths = cluster.histories().map(({ length }) => length);
      assert.ok(
        lengths.slice(1).every((length) => length >= 9),
        lengths.join(),
      );
    });
});
