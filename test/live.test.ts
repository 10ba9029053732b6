/** What a dashboard sees of real processes: messages with their counters, faults, and the address that allows them. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LiveMoment } from '../src/core/live.ts';
import { eventually, LocalCluster } from './support/local-cluster.ts';

interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A viewer of `/v1/live`. */
class Viewer {
  readonly events: Event[] = [];
  readonly #leave = new AbortController();
  readonly #reading: Promise<void>;

  constructor(url: string, last?: string) {
    this.#reading = this.#read(url, last).catch(() => undefined);
  }

  async #read(url: string, last: string | undefined): Promise<void> {
    const headers: Record<string, string> = last === undefined ? {} : { 'last-event-id': last };
    const response = await fetch(`${url}/v1/live`, { headers, signal: this.#leave.signal });
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const match = /^id: (\S+)\nevent: (\w+)\ndata: (.*)$/.exec(block);
        if (match === null) continue;
        this.events.push({ id: match[1]!, event: match[2]!, data: JSON.parse(match[3]!) as Event['data'] });
      }
    }
  }

  momentsOf(replica: number): LiveMoment[] {
    return this.events
      .filter(({ event, data }) => event === 'moments' && data['replica'] === replica)
      .flatMap(({ data }) => data['moments'] as LiveMoment[]);
  }

  /** Latest row of a replica. */
  rowOf(replica: number): Readonly<Record<string, unknown>> | undefined {
    const status = this.events.filter(({ event }) => event === 'status').at(-1);
    return (status?.data['replicas'] as Readonly<Record<string, unknown>>[] | undefined)?.[replica];
  }

  async leave(): Promise<void> {
    this.#leave.abort();
    await this.#reading;
  }
}

describe('watching a local cluster', { timeout: 180_000 }, () => {
  const cluster = new LocalCluster(21_560);
  const ids = [0, 1, 2];
  before(() => cluster.start());
  after(() => cluster.dispose());

  it('shows each message of a write at all replicas, with certified counters', async () => {
    const viewer = new Viewer(cluster.url);
    // Replicas tell from the first question on.
    await eventually('all replicas tell', 20_000, () =>
      ids.every((id) => viewer.momentsOf(id).length > 0) ? true : undefined,
    );
    const put = await fetch(`${cluster.url}/v1/kv/watched`, { method: 'PUT', body: '1' });
    const { sequence, height } = (await put.json()) as { sequence: number; height: number };
    const about = (id: number) =>
      viewer.momentsOf(id).filter((moment) => 'sequence' in moment && moment.sequence === sequence);
    await eventually('all replicas executed it', 20_000, () =>
      ids.every((id) => about(id).some(({ at }) => at === 'executed')) ? true : undefined,
    );
    const kindsOf = (id: number, at: 'sent' | 'taken'): string[] =>
      // On a busy machine a message may be sent again.
      [...new Set(about(id).flatMap((moment) => (moment.at === at ? [moment.kind] : [])))];
    const voters = (): ReadonlySet<number> =>
      new Set(about(0).flatMap((one) => (one.at === 'taken' && one.kind === 'COMMIT' ? [one.from] : [])));
    await eventually('the primary took the votes', 20_000, () => (voters().size === 2 ? true : undefined));
    assert.deepEqual(kindsOf(0, 'sent'), ['PREPARE']);
    for (const id of [1, 2]) {
      assert.deepEqual(kindsOf(id, 'sent'), ['COMMIT']);
      assert.ok(kindsOf(id, 'taken').includes('PREPARE'));
    }
    for (const id of ids)
      for (const moment of about(id)) {
        if (moment.at === 'executed') assert.deepEqual([moment.height, moment.requests], [height, 1]);
        else if (moment.at !== 'view') {
          assert.ok((moment.counter ?? 0) > 0, 'the value that the component gave');
          assert.equal(moment.author, moment.at === 'sent' ? id : (moment as { from: number }).from);
          assert.equal((moment as { refused?: string }).refused, undefined);
        }
      }
    await eventually('the status counts it', 20_000, () =>
      ids.every((id) => viewer.rowOf(id)?.['transactions'] === 1) ? true : undefined,
    );
    await viewer.leave();
    const last = viewer.events.at(-1)!.id;
    const again = new Viewer(cluster.url, last);
    await eventually('it goes on', 20_000, () => (again.events.length > 0 ? true : undefined));
    assert.equal(Number(again.events[0]!.id.split('-')[1]), Number(last.split('-')[1]) + 1);
    await again.leave();
  });

  it('lists faults for who has the token of this start, and shows at once what they do', async () => {
    const run = JSON.parse(readFileSync(join(cluster.data, 'run.json'), 'utf8')) as { token: string };
    const headers = { 'moiety-fault-token': run.token };
    const faults = (await (await fetch(`${cluster.url}/v1/fault`, { headers })).json()) as {
      actions: string[];
      behaviours: { name: string; text: string }[];
      processes: { name: string; state: string }[];
    };
    assert.ok(faults.actions.includes('pause'));
    assert.ok(faults.behaviours.some(({ name, text }) => name === 'equivocate' && text.length > 10));
    assert.deepEqual(
      faults.processes.map(({ name, state }) => `${name}: ${state}`),
      ['replica 0: running', 'replica 1: running', 'replica 2: running', 'gateway: running'],
    );
    const viewer = new Viewer(cluster.url);
    await eventually('a status', 20_000, () => viewer.rowOf(2));
    const pause = await fetch(`${cluster.url}/v1/fault/pause/2`, { method: 'POST', headers });
    assert.equal(pause.status, 200);
    await eventually('it is seen to be gone', 20_000, () =>
      viewer.rowOf(2)?.['reachable'] === false ? true : undefined,
    );
    await fetch(`${cluster.url}/v1/fault/resume/2`, { method: 'POST', headers });
    await eventually('and to be back', 20_000, () =>
      viewer.rowOf(2)?.['reachable'] === true ? true : undefined,
    );
    await viewer.leave();
  });

  it('shows which rule refuses the statement of a liar, and the view that the others enter then', async () => {
    const viewer = new Viewer(cluster.url);
    await eventually('all replicas tell', 20_000, () =>
      ids.every((id) => viewer.momentsOf(id).length > 0) ? true : undefined,
    );
    const pidOf = (): unknown => (viewer.rowOf(0)?.['process'] as { pid: number } | undefined)?.pid;
    const { view, role } = viewer.rowOf(0) as { view: number; role: string };
    const pid = pidOf();
    assert.equal(role, 'primary');
    const { token } = JSON.parse(readFileSync(join(cluster.data, 'run.json'), 'utf8')) as { token: string };
    const order = { method: 'POST', headers: { 'moiety-fault-token': token }, body: 'equivocate' };
    assert.equal((await fetch(`${cluster.url}/v1/fault/byzantine/0`, order)).status, 200);
    // Nothing waits to be ordered meanwhile, so it is still the primary when it is back.
    await eventually('it is back', 60_000, () =>
      pidOf() !== undefined && pidOf() !== pid && viewer.rowOf(0)?.['role'] === 'primary' ? true : undefined,
    );
    const refusals = (): unknown[] =>
      [1, 2].flatMap((id) =>
        viewer
          .momentsOf(id)
          .flatMap((moment) => (moment.at === 'taken' && moment.from === 0 ? [moment.refused] : [])),
      );
    await eventually('a rule refuses', 60_000, async () => {
      await fetch(`${cluster.url}/v1/kv/lie`, { method: 'PUT', body: '1' });
      return refusals().some((rule) => /^MinBFT\.[A-Z0-9.-]+$/.test(String(rule))) ? true : undefined;
    });
    await eventually('they leave its view', 60_000, () =>
      [1, 2].every((id) => viewer.momentsOf(id).some((moment) => moment.at === 'view' && moment.view > view))
        ? true
        : undefined,
    );
    await viewer.leave();
  });

  it('prints the address that allows faults to those who ask for it, and to no file', () => {
    const run = JSON.parse(readFileSync(join(cluster.data, 'run.json'), 'utf8')) as { token: string };
    const address = `${cluster.url}/#fault=${run.token}`;
    assert.ok(cluster.output.includes(`dashboard   ${cluster.url}/ (with the token that allows faults:`));
    assert.ok(!cluster.output.includes(run.token));
    assert.equal(cluster.run('dashboard').out, `${address}\n`);
    assert.deepEqual(JSON.parse(cluster.run('dashboard', '--json').out), { url: address });
    assert.equal(cluster.run('dashboard', '--port', '1').code, 2);
  });

  it('a browser is led there by a file that only its owner can read', () => {
    // Nothing that opens anything is found: tests open no browsers.
    const path = process.env['PATH'];
    process.env['PATH'] = cluster.root;
    const { code, out, err } = cluster.run('dashboard', '--open');
    process.env['PATH'] = path;
    const file = join(cluster.data, 'dashboard.html');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(readFileSync(file, 'utf8').includes(out.trim()));
    assert.equal(code, 1);
    assert.match(err, /^moiety: No browser was opened \(.*\): open the address yourself\.$/m);
  });

  it('is told with exit code 3 when nothing runs any more', async () => {
    assert.equal(await cluster.signal('SIGTERM'), 0);
    const { code, err } = cluster.run('dashboard');
    assert.equal(code, 3);
    assert.match(err, /is not running: start it with "moiety up"/);
  });
});
