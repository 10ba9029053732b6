/** Which RECOVERs take effect: what of a component nobody may use twice, and whose it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecoverRequest } from '../core/request.ts';
import type { ReplicaId, TcEpoch } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { applyRecover, isEffectiveRecover } from './registry.ts';
import type { Registry } from './registry.ts';

const CP = 8;
const hexOf = (mark: string, bytes: number): string => mark.repeat(bytes);
const common = { measurement: ZERO_DIGEST, footprint: 'process' };

const registry: Registry = {
  members: ['a0', 'a1', 'a2'].map((mark) => [
    {
      incarnation: 0,
      tcEpoch: hexOf(mark, 8) as TcEpoch,
      tcId: hexOf(mark, 16),
      publicKey: hexOf(mark, 32),
      ...common,
      since: 0,
      fromView: 0,
    },
  ]),
};

/** A RECOVER for the component whose tcEpoch and key are made of these marks. */
function recover(replica: ReplicaId, epoch: string, key: string, expectedIncarnation = 0): RecoverRequest {
  return {
    replica,
    expectedIncarnation,
    tcEpoch: hexOf(epoch, 8) as TcEpoch,
    tcId: hexOf(key, 16),
    tcPublicKey: hexOf(key, 32),
    ...common,
    evidence: new Uint8Array(0),
    signature: new Uint8Array(64),
  };
}

test('a tcEpoch that another replica claims for a key of its own locks nobody out (weakness U1)', () => {
  const owner = recover(0, 'ee', 'b0');
  const thief = recover(1, 'ee', 'b1');
  assert.ok(isEffectiveRecover(registry, thief, true, 5, CP));
  const after = applyRecover(registry, thief, 5, 0);
  assert.ok(isEffectiveRecover(after, owner, true, 6, CP));
});

test('a key that any replica ever had is refused, and a tcEpoch that the same one ever had', () => {
  assert.ok(isEffectiveRecover(registry, recover(0, 'ee', 'b0'), true, 5, CP));
  assert.ok(!isEffectiveRecover(registry, recover(0, 'ee', 'b0'), false, 5, CP));
  assert.ok(!isEffectiveRecover(registry, recover(0, 'ee', 'a1'), true, 5, CP));
  assert.ok(!isEffectiveRecover(registry, recover(0, 'a0', 'b0'), true, 5, CP));
  const after = applyRecover(registry, recover(0, 'ee', 'b0'), 5, 0);
  const later = 5 + 2 * CP + 1;
  assert.ok(isEffectiveRecover(after, recover(0, 'ef', 'b2', 1), true, later, CP));
  assert.ok(!isEffectiveRecover(after, recover(0, 'ee', 'b2', 1), true, later, CP));
  assert.ok(!isEffectiveRecover(after, recover(0, 'a0', 'b2', 1), true, later, CP));
  assert.ok(!isEffectiveRecover(after, recover(1, 'ef', 'b0'), true, later, CP));
});
