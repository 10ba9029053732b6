/**
 * Where rows go. Over the client library a session makes every row exactly-once however often its bundle is repeated
 * (decision C4); over HTTP an idempotency key does (decision C5).
 */
import type { MoietyClient } from '../../client/contract.ts';
import { ClientError } from '../../client/errors.ts';
import type { Digest } from '../../core/types.ts';
import { CommandFailure } from '../failure.ts';
import { callGateway } from '../gateway-client.ts';
import type { ClusterOptions } from '../options.ts';

/** A row as it is written. */
export interface WritableRow {
  readonly number: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Writes rows. */
export interface RowSink {
  /** Resolves when the row is executed. Rejects if it cannot be written at all. */
  write(row: WritableRow): Promise<void>;
  /** The present value of a key; undefined if there is none. */
  read(key: Uint8Array): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

/** A view change or an outage of the cluster ends before this, or the load does. */
const PATIENCE_MS = 10 * 60_000;
const PAUSE_MS = 500;

function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs));
}

/** Over the client library. `onRetry` is told each time that something has to be tried again. */
export function clientSink(client: MoietyClient, onRetry: () => void): RowSink {
  /** Whether a transaction was executed, once that is certain. */
  const settled = async (txId: Digest): Promise<boolean> => {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { state } = await client.transaction(txId).catch(() => ({ state: 'pending' as const }));
      if (state === 'committed') return true;
      // Followed no more and unknown to f+1 replicas: its session is gone, it can never be executed.
      if (state === 'rejected') return false;
      if (performance.now() > deadline)
        throw new CommandFailure(`The outcome of transaction ${txId} cannot be learnt.`);
      await pause(PAUSE_MS);
    }
  };
  const attempt = async ({ key, value }: WritableRow): Promise<boolean> => {
    try {
      await client.put(key, value, { timeoutMs: PATIENCE_MS });
      return true;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const { code, txId, reason, retryAfterMs } = error;
      if (code === 'resultForgotten') return true;
      if (code === 'closed' || code === 'invalid') throw error;
      if (code === 'refused' && reason !== 'unknownSession') throw error;
      onRetry();
      if (txId !== undefined) return settled(txId);
      await pause(retryAfterMs ?? PAUSE_MS);
      return false;
    }
  };
  return {
    write: async (row) => {
      const deadline = performance.now() + PATIENCE_MS;
      while (!(await attempt(row)))
        if (performance.now() > deadline)
          throw new CommandFailure('The cluster has not answered for ten minutes.');
    },
    read: async (key) => (await client.get(key, { timeoutMs: 60_000 })).value,
    close: () => client.close(),
  };
}

function encodedKey(key: Uint8Array): string {
  return `/v1/kv/${Array.from(key, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`;
}

/** Over a gateway. `identity` makes the idempotency keys of this file different from those of others. */
export function gatewaySink(options: ClusterOptions, identity: string, onRetry: () => void): RowSink {
  const write = async ({ number, key, value }: WritableRow): Promise<void> => {
    const deadline = performance.now() + PATIENCE_MS;
    const headers = { 'idempotency-key': `${identity.slice(0, 32)}-${number}` };
    for (;;) {
      try {
        const accept = [429, 503, 504];
        const response = await callGateway(options, {
          method: 'PUT',
          path: encodedKey(key),
          body: value,
          headers,
          accept,
        });
        await response.arrayBuffer();
        if (response.ok) return;
        await pause(1000 * Number(response.headers.get('retry-after') ?? 1));
      } catch (error) {
        // Exit code 3: the gateway itself is away.
        if (!(error instanceof CommandFailure) || error.exitCode !== 3) throw error;
        await pause(PAUSE_MS);
      }
      onRetry();
      if (performance.now() > deadline)
        throw new CommandFailure('The gateway has not answered well for ten minutes.');
    }
  };
  return {
    write,
    read: async (key) => {
      const response = await callGateway(options, { path: encodedKey(key), accept: [404] });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return response.ok ? bytes : undefined;
    },
    close: () => Promise.resolve(),
  };
}
