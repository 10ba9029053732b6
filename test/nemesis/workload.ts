/**
 * Clients that write, read, swap and delete on few keys, through the client library and real links, and write down what
 * they asked, when, and what came back: the history that the linearizability checker judges.
 */
import { connect } from '../../src/client/client.ts';
import type { Committed, MoietyClient } from '../../src/client/contract.ts';
import { ClientError } from '../../src/client/errors.ts';
import { openKeyFile } from '../../src/client/keys.ts';
import { readClusterSettings } from '../../src/client/read-cluster.ts';
import { Prng } from '../../src/core/prng.ts';
import type { HistoryOperation } from '../../src/sim/linearizability/history.ts';
import type { KeyOperation, KeyResult } from '../../src/sim/linearizability/kv-model.ts';

/** How long a client waits for an answer before it counts the call as "perhaps". */
const CALL_MS = 4_000;
/** Keys of one phase. Later phases use others, so that calls without an answer burden few keys. */
const KEYS = 5;
const PHASE_MS = 1_500;

type Entry = HistoryOperation<KeyOperation, KeyResult>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

/** A write that f+1 replicas acknowledged. */
export interface Acknowledged extends Pick<Committed, 'txId' | 'height'> {
  readonly what: string;
}

/** See the top of this file. */
export class Workload {
  readonly history: Entry[] = [];
  readonly acknowledged: Acknowledged[] = [];
  readonly keys = new Set<string>();
  readonly #clusterFile: string;
  readonly #keyFiles: readonly string[];
  readonly #random: Prng;
  readonly #clients: MoietyClient[] = [];
  #running = true;
  #process = 0;
  #serial = 0;
  readonly #done: Promise<void>[] = [];
  readonly #started = performance.now();
  /** Calls without an answer. */
  perhaps = 0;
  /** Errors that no client should see, in words. */
  readonly offences: string[] = [];

  constructor(clusterFile: string, keyFiles: readonly string[], seed: number) {
    this.#clusterFile = clusterFile;
    this.#keyFiles = keyFiles;
    this.#random = new Prng(seed);
  }

  /** Connects every client and lets them work. */
  async start(): Promise<void> {
    const cluster = readClusterSettings(this.#clusterFile);
    for (const file of this.#keyFiles)
      this.#clients.push(await connect({ cluster, key: openKeyFile(file), connectTimeoutMs: 60_000 }));
    await this.#clients[0]!.noop({ timeoutMs: 60_000 });
    // Two callers to a client: calls of one session overlap too.
    for (const client of [...this.#clients, ...this.#clients])
      this.#done.push(this.#work(client, this.#random.fork()));
  }

  /** Clients finish what they are at. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#done);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  get client(): MoietyClient {
    return this.#clients[0]!;
  }

  /** Reads every key that was ever used, as a part of the history. */
  async readAll(): Promise<void> {
    const random = new Prng(1);
    const process = (this.#process += 1);
    for (const key of this.keys) {
      const done = await this.#call(this.client, process, key, { kind: 'get' }, random);
      if (!done) this.offences.push(`the last read of ${key} had no answer`);
    }
  }

  async #work(client: MoietyClient, random: Prng): Promise<void> {
    let process = (this.#process += 1);
    let written: string | undefined;
    while (this.#running) {
      const phase = Math.floor((performance.now() - this.#started) / PHASE_MS);
      const key = `p${phase}/k${random.between(0, KEYS - 1)}`;
      this.keys.add(key);
      const operation = this.#draw(random, process, written);
      if ('value' in operation) written = operation.value;
      // A process that does not know what became of its call has ended; another one goes on.
      if (!(await this.#call(client, process, key, operation, random))) process = this.#process += 1;
      await new Promise((wake) => setTimeout(wake, random.between(0, 8)));
    }
  }

  #draw(random: Prng, process: number, written: string | undefined): KeyOperation {
    const value = `${process}.${(this.#serial += 1)}`;
    const draw = random.unit();
    if (draw < 0.45) return { kind: 'put', value };
    if (draw < 0.8) return { kind: 'get' };
    if (draw < 0.88) return { kind: 'delete' };
    return { kind: 'compareAndSwap', expected: random.chance(0.5) ? undefined : written, value };
  }

  /** Whether the outcome is known. */
  async #call(
    client: MoietyClient,
    process: number,
    key: string,
    operation: KeyOperation,
    random: Prng,
  ): Promise<boolean> {
    const invokedMs = performance.now();
    const note = (result: KeyResult | undefined): void => {
      this.history.push({
        process,
        key,
        operation,
        result,
        invokedAt: invokedMs,
        returnedAt: result === undefined ? Infinity : performance.now(),
      });
    };
    try {
      note(await this.#perform(client, bytes(key), operation));
      return true;
    } catch (error) {
      const code = error instanceof ClientError ? error.code : 'not a ClientError';
      if (code === 'timeout' || code === 'unavailable' || code === 'overloaded') {
        this.perhaps += 1;
        // A read without an answer says nothing; a write may have happened or may still happen.
        if (operation.kind !== 'get') note(undefined);
        await new Promise((wake) => setTimeout(wake, random.between(5, 100)));
        return false;
      }
      this.offences.push(`${operation.kind} of ${key}: ${code}: ${(error as Error).message}`);
      note(undefined);
      return false;
    }
  }

  async #perform(client: MoietyClient, key: Uint8Array, operation: KeyOperation): Promise<KeyResult> {
    const limit = { timeoutMs: CALL_MS };
    switch (operation.kind) {
      case 'put': {
        const put = await client.put(key, bytes(operation.value), limit);
        this.#acknowledge(put, `put ${operation.value}`);
        return { kind: 'put', existed: put.existed };
      }
      case 'delete': {
        const deleted = await client.delete(key, limit);
        this.#acknowledge(deleted, 'delete');
        return { kind: 'deleted', existed: deleted.existed };
      }
      case 'compareAndSwap': {
        const { expected, value } = operation;
        const change = {
          key,
          expected: expected === undefined ? undefined : bytes(expected),
          value: bytes(value),
        };
        const swap = await client.compareAndSwap(change, limit);
        this.#acknowledge(swap, `swap to ${value}`);
        return swap.swapped ? { kind: 'swapped' } : { kind: 'mismatch', current: textOf(swap.current) };
      }
      default: {
        const { value } = await client.get(key, limit);
        return value === undefined ? { kind: 'notFound' } : { kind: 'value', value: textOf(value)! };
      }
    }
  }

  #acknowledge({ txId, height }: Committed, what: string): void {
    this.acknowledged.push({ txId, height, what });
  }
}
