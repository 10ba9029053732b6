/** A real cluster of any protocol, and what every protocol must stand: kills, writes that go on, receipts. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, LocalCluster, moiety } from '../support/local-cluster.ts';
import type { SeenReplica } from '../support/local-cluster.ts';

/** How long the gateway is waited for; it gives up before. */
const PUT_MS = 30_000;
/** How long a write may take while a primary is being replaced. */
const WRITE_MS = 60_000;
/** How long replicas may take to become equal, and blocks to become final. */
const SETTLE_MS = 90_000;

/** What a write answers. */
export interface Written {
  readonly key: string;
  readonly value: string;
  readonly txId: string;
}

/** See the top of this file. */
export class ProtocolCluster {
  readonly #cluster: LocalCluster;
  readonly #protocol: string;
  /** Everything that was acknowledged, by key. */
  readonly acknowledged = new Map<string, string>();

  constructor(protocol: string, port: number) {
    this.#protocol = protocol;
    this.#cluster = new LocalCluster(port);
  }

  /** `up --protocol`, until it says `ready`. */
  start(): Promise<void> {
    return this.#cluster.start('--protocol', this.#protocol);
  }

  /** Kills every process at once and starts the cluster again. */
  async killAndStart(): Promise<void> {
    await this.#cluster.killEverything();
    await this.#cluster.start();
  }

  dispose(): Promise<void> {
    return this.#cluster.dispose();
  }

  /** What `status --json` says. */
  status(): { readonly protocol: string; readonly f: number; readonly replicas: readonly SeenReplica[] } {
    return JSON.parse(this.#cluster.run('status', '--json').out) as ReturnType<ProtocolCluster['status']>;
  }

  /** One replica's row of the status. */
  replica(id: number): SeenReplica & { readonly confirmed: number; readonly rolledBack: number } {
    return this.status().replicas[id] as ReturnType<ProtocolCluster['replica']>;
  }

  /** Who says that it leads, of those that answer. */
  primary(): Promise<SeenReplica> {
    return eventually('a primary', SETTLE_MS, () =>
      this.status()
        .replicas.filter(({ role }) => role === 'primary')
        .toSorted((a, b) => b.view - a.view)
        .at(0),
    );
  }

  /** `moiety fault`, which must succeed. */
  fault(action: string, replica: number): void {
    const { code, err } = this.#cluster.run('fault', action, String(replica));
    assert.equal(code, 0, err);
  }

  /** What is done while a replica has this fault; it is mended whatever comes of it. */
  async during<T>(fault: string, replica: number, mend: string, work: () => Promise<T>): Promise<T> {
    this.fault(fault, replica);
    try {
      return await work();
    } finally {
      this.fault(mend, replica);
    }
  }

  /** Loads a table of so many rows. */
  load(rows: number): void {
    const path = join(this.#cluster.root, 'rows.csv');
    const lines = ['code,name'];
    for (let row = 0; row < rows; row += 1) {
      lines.push(`L${row},"Name, of ${row}"`);
    }
    writeFileSync(path, `${lines.join('\n')}\n`);
    const { code, out, err } = this.#cluster.run('load', path, '--key', 'code');
    assert.equal(code, 0, `${out}${err}`);
    for (let row = 0; row < rows; row += 1)
      this.acknowledged.set(`L${row}`, JSON.stringify({ code: `L${row}`, name: `Name, of ${row}` }));
  }

  /** Writes one after the other; each is repeated until it is acknowledged, under one idempotency key. */
  async write(prefix: string, count: number, patienceMs = WRITE_MS): Promise<Written[]> {
    const written: Written[] = [];
    for (let index = 0; index < count; index += 1) {
      const key = `${prefix}-${index}`;
      const value = `value of ${key}`;
      const txId = await eventually(`write ${key}`, patienceMs, () => this.#put(key, value));
      this.acknowledged.set(key, value);
      written.push({ key, value, txId });
    }
    return written;
  }

  async #put(key: string, value: string): Promise<string | undefined> {
    const response = await fetch(`${this.#cluster.url}/v1/kv/${key}`, {
      method: 'PUT',
      body: value,
      headers: { 'idempotency-key': key },
      signal: AbortSignal.timeout(PUT_MS),
    }).catch(() => undefined);
    if (response === undefined) return undefined;
    const answer = (await response.json()) as { txId?: string };
    return response.status === 200 ? answer.txId : undefined;
  }

  /** Every acknowledged value is there, and nothing else. */
  async checkValues(): Promise<void> {
    const found = new Map<string, string>();
    for (let after = ''; ;) {
      const response = await fetch(`${this.#cluster.url}/v1/kv?limit=1000${after}`);
      assert.equal(response.status, 200);
      type Page = { entries: { key: string; value: { text: string } }[]; next: string | null };
      const { entries, next } = (await response.json()) as Page;
      for (const { key, value } of entries) found.set(decodeURIComponent(key), value.text);
      if (next === null) break;
      after = `&after=${next}`;
    }
    assert.deepEqual(found, new Map([...this.acknowledged].toSorted(([a], [b]) => (a < b ? -1 : 1))));
  }

  /**
   * The receipt of a write verifies offline. Where the protocol speculates it comes with the next stable checkpoint, so
   * there are more writes until it is there.
   */
  async checkReceipt({ txId }: Written): Promise<void> {
    const path = join(this.#cluster.root, 'receipt.json');
    await eventually(`receipt of ${txId}`, SETTLE_MS, async () => {
      if (this.#cluster.run('receipt', txId, '-o', path).code === 0) return true;
      await this.write(`more-${this.acknowledged.size}`, 16);
      return undefined;
    });
    const trust = join(this.#cluster.data, 'trust.json');
    const verified = moiety('verify', path, '--trust', trust);
    assert.equal(verified.code, 0, verified.out);
  }

  /** Waits until all replicas answer and are at one place. */
  async settled(): Promise<void> {
    let last: readonly SeenReplica[] = [];
    await eventually('replicas are equal', SETTLE_MS, () => {
      last = this.status().replicas;
      const places = last.map(({ sequence, height, headerHash }) => `${sequence}/${height}/${headerHash}`);
      return last.every(({ reachable }) => reachable !== false) && new Set(places).size === 1
        ? true
        : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}: ${JSON.stringify(last).slice(0, 3_000)}`);
    });
  }
}
