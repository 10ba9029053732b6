/** A small ledger for tests: settings of three members, clients with made-up keys, batches out of operations. */
import { hash as nodeHash } from 'node:crypto';
import { createKvApplication } from '../../src/apps/kv/application.ts';
import { encodeKvOperation } from '../../src/apps/kv/operations.ts';
import type { ClientSettings, ClusterLimits, ClusterSettings } from '../../src/core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../../src/core/config.ts';
import { bytesToDigest, bytesToHex } from '../../src/core/bytes.ts';
import type { Batch, Bundle } from '../../src/core/request.ts';
import { clientIdOf, decodeBatch, decodeBundle, encodeBatch, encodeBundle } from '../../src/core/request.ts';
import type { Digest, Hash, TcEpoch } from '../../src/core/types.ts';
import { ZERO_DIGEST } from '../../src/core/types.ts';
import type { ExecuteOptions, ExecutionOutcome, LedgerExecutor } from '../../src/ledger/contract.ts';
import { createLedgerExecutor } from '../../src/ledger/executor.ts';
import { clusterIdOf } from '../../src/ledger/genesis.ts';
import type { Operation } from '../../src/ledger/operation.ts';
import { decodeOpened, decodeResult, encodeOperation } from '../../src/ledger/operation.ts';

export const sha256: Hash = (bytes) => new Uint8Array(nodeHash('sha256', bytes, 'buffer'));

const text = new TextEncoder();

/** Bytes of a text. */
export function utf8(value: string): Uint8Array {
  return text.encode(value);
}

/** Digest of a text: any digest that a test needs. */
export function digestOf(value: string): Digest {
  return bytesToDigest(sha256(utf8(value)));
}

/** A client key that is as good as any: seals are not looked at here. */
export function clientKey(index: number): Uint8Array {
  return new Uint8Array(32).fill(index);
}

export function clientId(index: number): Digest {
  return clientIdOf(sha256, clientKey(index));
}

/** Settings of three members. Clients 1 (admin) and 2 of "alpha", 3 of "beta". */
export function testSettings(
  limits: Partial<ClusterLimits> = {},
  other: Partial<ClusterSettings> = {},
): ClusterSettings {
  const clients: ClientSettings[] = [
    { key: bytesToHex(clientKey(1)), organisation: 'alpha', role: 'admin' },
    { key: bytesToHex(clientKey(2)), organisation: 'alpha', role: 'client' },
    { key: bytesToHex(clientKey(3)), organisation: 'beta', role: 'client' },
  ];
  const settings: ClusterSettings = {
    clusterId: ZERO_DIGEST,
    configurationVersion: 1,
    protocol: 'minbft',
    f: 1,
    suite: 'ed25519',
    members: [0, 1, 2].map((id) => ({
      id,
      name: `replica-${id}`,
      organisation: 'alpha',
      hostKey: digestOf(`host ${id}`),
      linkKey: digestOf(`link ${id}`),
      address: `127.0.0.1:${4610 + id}`,
      trusted: {
        program: 'usig',
        footprint: 'process',
        measurement: digestOf('usig'),
        suite: 'ed25519',
        tcId: digestOf(`tc ${id}`).slice(0, 32),
        tcEpoch: digestOf(`epoch ${id}`).slice(0, 16) as TcEpoch,
        publicKey: digestOf(`tc key ${id}`),
      },
    })),
    clients,
    policy: [],
    limits: { ...DEFAULT_LIMITS, checkpointInterval: 4, logEntriesMax: 64 * 8, ...limits },
    timers: DEFAULT_TIMERS,
    ...other,
  };
  return { ...settings, clusterId: clusterIdOf(sha256, settings) };
}

/** Operation of the key-value store that puts a text under a text. */
export function put(key: string, value: string, idempotencyKey?: string): Operation {
  return {
    kind: 'app',
    idempotencyKey: idempotencyKey === undefined ? undefined : utf8(idempotencyKey),
    operation: encodeKvOperation({ kind: 'put', key: utf8(key), value: utf8(value) }),
  };
}

export function read(key: string): Operation {
  return { kind: 'read', operation: encodeKvOperation({ kind: 'get', key: utf8(key) }) };
}

export function open(nonce: number, validUntil: number, window = 0): Operation {
  return { kind: 'open', nonce: new Uint8Array(16).fill(nonce), validUntil, window };
}

/** One executor with its history, and short words to drive it. */
export class TestLedger {
  readonly settings: ClusterSettings;
  readonly executor: LedgerExecutor;
  /** Everything that was executed, for feeding another executor. */
  readonly history: { readonly batch: Batch; readonly protocolState: Uint8Array }[] = [];

  constructor(settings = testSettings()) {
    this.settings = settings;
    const application = createKvApplication({ buckets: 8 });
    this.executor = createLedgerExecutor({ settings, hash: sha256, application });
  }

  /** A bundle of a client; operations may be raw bytes. */
  bundle(client: number, session: number, requests: [number, Operation | Uint8Array][]): Bundle {
    const content = {
      clientKey: clientKey(client),
      session,
      requests: requests.map(([number, operation]) => ({
        number,
        operation: operation instanceof Uint8Array ? operation : encodeOperation(operation),
      })),
    };
    return decodeBundle(sha256, this.settings, encodeBundle(content, new Uint8Array(64)))!;
  }

  batch(bundles: readonly Bundle[], time = 1000, authentic?: readonly boolean[]): Batch {
    const bytes = encodeBatch({
      proposedInView: 0,
      time,
      recovers: [],
      bundles: bundles.map((b) => b.bytes),
    });
    const batch = decodeBatch(sha256, this.settings, bytes, 1024)!;
    return { ...batch, bundleAuthentic: authentic ?? bundles.map(() => true), recoverAuthentic: [] };
  }

  /** Executes bundles as the next batch. */
  run(bundles: readonly Bundle[], time = 1000, authentic?: readonly boolean[]): ExecutionOutcome {
    return this.feed(this.batch(bundles, time, authentic), utf8('registry'));
  }

  feed(batch: Batch, protocolState: Uint8Array, options: ExecuteOptions = {}): ExecutionOutcome {
    this.history.push({ batch, protocolState });
    return this.executor.execute(this.executor.executed + 1, batch, protocolState, options);
  }

  /** Undoes what was executed above `to`, and forgets that it ever was. */
  rollback(to: number): void {
    this.executor.rollback(to);
    this.history.length = to;
  }

  /** Opens a session for a client and gives its id. */
  openSession(client: number, window = 0, nonce = 1): number {
    const outcome = this.run([this.bundle(client, 0, [[1, open(nonce, 60_000, window)]])]);
    const result = decodeResult(outcome.replies[0]!.results[0]!.result);
    if (result?.ok !== true) throw new Error(`OPEN failed: ${JSON.stringify(result)}`);
    return decodeOpened(result.payload)!.session;
  }

  /** Executes empty batches up to and including the next checkpoint boundary. */
  toBoundary(time = 1000): ExecutionOutcome {
    for (;;) {
      const outcome = this.run([], time);
      if (outcome.checkpoint !== undefined) return outcome;
    }
  }
}
