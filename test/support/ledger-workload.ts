/** A made-up workload for ledgers: everything that may come in a batch, from one generator. */
import { encodeKvOperation } from '../../src/apps/kv/operations.ts';
import type { Prng } from '../../src/core/prng.ts';
import type { Batch, Bundle } from '../../src/core/request.ts';
import type { FrozenCheckpoint } from '../../src/ledger/contract.ts';
import type { Operation } from '../../src/ledger/operation.ts';
import { clientId, clientKey, open, put, read, utf8 } from './ledger-fixture.ts';
import type { TestLedger } from './ledger-fixture.ts';

/** The client that comes and goes: genesis does not know it. */
const GUEST = 4;

/**
 * Bundles of the next batch: sessions that are used by their clients (mostly) and by others, duplicates, gaps, reads,
 * idempotency keys, administration and nonsense. The first batch opens session c for client c.
 */
export function someBundles(ledger: TestLedger, prng: Prng): Bundle[] {
  const round = ledger.executor.executed;
  if (round === 0) return [1, 2, 3].map((client) => ledger.bundle(client, 0, [[1, open(client, 60_000, 8)]]));
  const bundles: Bundle[] = [];
  for (let count = prng.between(1, 3); count > 0; count -= 1) {
    const client = prng.chance(0.1) ? GUEST : prng.between(1, 3);
    if (prng.chance(0.15)) {
      const validUntil = prng.chance(0.5) ? ledger.executor.time + 40 : 60_000;
      bundles.push(ledger.bundle(client, 0, [[1, open(prng.between(0, 9), validUntil, prng.between(0, 9))]]));
      continue;
    }
    const session = prng.chance(0.8) ? client : prng.between(1, 6);
    const first = Math.max(1, 2 * round + prng.between(-6, 3));
    const requests = [first, first + 1].map((number): [number, Operation | Uint8Array] => [
      number,
      someOperation(prng),
    ]);
    bundles.push(ledger.bundle(client, session, requests));
    if (prng.chance(0.1)) bundles.push(bundles[0]!);
  }
  return bundles;
}

function someOperation(prng: Prng): Operation | Uint8Array {
  const key = `key ${prng.between(0, 9)}`;
  switch (prng.between(0, 9)) {
    case 0:
      return { kind: 'noop' };
    case 1:
      return read(key);
    case 2:
      return put(key, 'x'.repeat(prng.between(0, 50)), `idempotent ${prng.between(0, 9)}`);
    case 3:
      return { kind: 'register', clientKey: clientKey(GUEST), organisation: 'delta', role: 'client' };
    case 4:
      return prng.chance(0.1) ? utf8('nonsense') : read(key);
    case 5:
      return prng.chance(0.2) ? { kind: 'revoke', clientId: clientId(GUEST) } : read(key);
    case 6: {
      const operation = encodeKvOperation({ kind: 'delete', key: utf8(key) });
      return { kind: 'app', idempotencyKey: undefined, operation };
    }
    default:
      return put(key, `${prng.between(0, 9)}`);
  }
}

/** The next batch, and the protocol state after it. */
export function someBatch(ledger: TestLedger, prng: Prng): { batch: Batch; protocolState: Uint8Array } {
  const { executed } = ledger.executor;
  const bundles = someBundles(ledger, prng);
  const authentic = bundles.map(() => !prng.chance(0.1));
  const batch = ledger.batch(bundles, 1000 + prng.between(0, 50 * executed), authentic);
  return { batch, protocolState: utf8(`registry ${Math.floor(executed / 7)}`) };
}

/** Executes so many batches. */
export function runRandomly(ledger: TestLedger, prng: Prng, rounds: number): void {
  for (let round = 0; round < rounds; round += 1) {
    const { batch, protocolState } = someBatch(ledger, prng);
    ledger.feed(batch, protocolState);
  }
}

/** All chunks of a frozen checkpoint. */
export function bytesOf(frozen: FrozenCheckpoint): Uint8Array[] {
  return Array.from({ length: frozen.chunkCount }, (_, index) => frozen.chunk(index));
}

/** Where a ledger stands. */
export function standing(ledger: TestLedger) {
  const { executed, height, headerHash, time, checkpoint } = ledger.executor;
  return { executed, height, headerHash, time, checkpoint };
}
