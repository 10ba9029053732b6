/** Clusters whose replicas have trusted components on different footprints, from outside. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { footprintNamed } from '../src/footprints/registry.ts';
import { componentProcesses } from '../src/cli/supervisor/component-processes.ts';
import { commandLine, processIds } from '../src/cli/supervisor/processes.ts';
import { eventually, LocalCluster, moiety, processesOf } from './support/local-cluster.ts';
import type { SeenReplica } from './support/local-cluster.ts';

/** What the test looks at beside what all tests look at. */
type Seen = Omit<SeenReplica, 'tc'> & {
  readonly tc: SeenReplica['tc'] & {
    readonly measurement: string;
    readonly counter: number;
    readonly persistent: boolean;
    readonly answers: boolean;
  };
};

/** Far more than it takes on a machine that is not busy with other things. */
const BACK_MS = 90_000;

/** A cluster with one component a replica. */
class MixedCluster extends LocalCluster {
  readonly components: readonly string[];

  constructor(port: number, components: readonly string[]) {
    super(port);
    this.components = components;
  }

  begin(): Promise<void> {
    return this.start(...this.components.flatMap((spec, id) => ['--tc', `${id}=${spec}`]));
  }

  /** Every replica's own word, without the detour over the command line. */
  async seen(): Promise<Seen[]> {
    const response = await fetch(`${this.url}/v1/status`);
    return ((await response.json()) as { replicas: Seen[] }).replicas;
  }

  /** Number of the replica with this footprint. */
  idOf(footprint: string): number {
    return this.components.findIndex((spec) => spec.split(/[@:]/)[1] === footprint);
  }

  /** Waits until all three are members and equal, and as they shall be. */
  whole(isRight: (all: readonly Seen[]) => boolean = () => true): Promise<Seen[]> {
    return eventually('all are members and equal', BACK_MS, async () => {
      const all = await this.seen();
      const places = new Set(
        all.map(({ sequence, height, headerHash }) => `${sequence}/${height}/${headerHash}`),
      );
      const areMembers = all.every(({ role }) => role === 'primary' || role === 'backup');
      return areMembers && places.size === 1 && isRight(all) ? all : undefined;
    });
  }

  async write(key: string): Promise<void> {
    const response = await fetch(`${this.url}/v1/kv/${key}`, { method: 'PUT', body: 'x' });
    assert.equal(response.status, 200, await response.text());
  }

  /** Processes of the component of a replica. */
  componentPids(id: number): readonly number[] {
    return componentProcesses(join(this.data, `tc-${id}`));
  }

  /** Nothing of the cluster runs any more. */
  isGone(): void {
    assert.deepEqual(processesOf(this.data), []);
    assert.deepEqual(componentProcesses(join(this.data, 'tc-')), []);
  }

  /** The process of a replica is killed from outside, as its supervisor sees it. */
  killReplica(id: number): void {
    const config = join(this.data, `replica-${id}`, 'node.json');
    const pids = processIds().filter((pid) => commandLine(pid)?.includes(config));
    assert.equal(pids.length, 1);
    process.kill(pids[0]!, 'SIGKILL');
  }

  /** Commits, shows its components, and is whole again after each loss. */
  async surviveLosses(replica: number, component: number): Promise<void> {
    await this.write('before');
    const first = await this.whole();
    const { 'usig.wasm': program } = JSON.parse(
      readFileSync(new URL('../trusted/measurements.json', import.meta.url), 'utf8'),
    ) as { 'usig.wasm': { sha256: string } };
    for (const { id, tc } of first) {
      assert.equal(`${tc.program}@${tc.footprint}`, this.components[id]!.split(':')[0]);
      assert.equal(tc.measurement, program.sha256);
      assert.match(tc.tcEpoch, /^[0-9a-f]{16}$/);
      assert.ok(tc.counter > 0);
    }
    this.killReplica(replica);
    await this.write('without-a-replica');
    const second = await this.backAfter(first, replica);
    assert.equal(this.run('fault', 'kill-tc', String(component)).code, 0);
    await this.write('without-a-component');
    await this.backAfter(second, component);
    await this.write('afterwards');
    await this.whole();
  }

  /** Waits until the cluster is whole, with a new tcEpoch exactly where a volatile component was lost. */
  async backAfter(before: readonly Seen[], lost: number): Promise<Seen[]> {
    const { persistent, tcEpoch } = before[lost]!.tc;
    const all = await this.whole((now) => persistent || now[lost]!.tc.tcEpoch !== tcEpoch);
    for (const { id, tc } of all)
      if (id !== lost || persistent)
        assert.equal(tc.tcEpoch, before[id]!.tc.tcEpoch, `the component of replica ${id} became another one`);
    return all;
  }
}

/** Why these footprints cannot be used here; undefined if they can. */
async function lacking(names: readonly string[]): Promise<string | undefined> {
  const missing = (
    await Promise.all(names.map(async (name) => (await footprintNamed(name)).missing()))
  ).flat();
  return missing.length === 0
    ? undefined
    : missing.map(({ what, debianPackage }) => `${what} (package ${debianPackage ?? 'none'})`).join('; ');
}

describe('process, wasm and worker in one cluster', { timeout: 300_000 }, () => {
  const cluster = new MixedCluster(8_360, ['usig@process', 'usig@wasm', 'usig@worker']);
  before(() => cluster.begin());
  after(() => cluster.dispose());

  it('warns that too many components are volatile', () => {
    assert.match(cluster.output, /WARNING.*1 \(usig@wasm\), 2 \(usig@worker\).*more than f = 1/);
  });

  it('commits, and is whole again after the loss of a replica and of a component', () =>
    cluster.surviveLosses(1, 0));

  it('shows each component in words, and the weakest', () => {
    const { out } = cluster.run('status');
    assert.match(out, /0 +usig@process +[0-9a-f]{12} +[0-9a-f]{16} +\d+ +continues/);
    assert.match(out, /1 +usig@wasm \(volatile\) .* new component/);
    assert.match(out, /Weakest footprint: wasm \(replica 1\)/);
  });

  it('says that a component hangs, goes on without it, and with it', async () => {
    const pids = cluster.componentPids(0);
    assert.ok(pids.length > 0);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      await eventually('replica 0 is mute', 20_000, async () =>
        (await cluster.seen())[0]!.tc.answers ? undefined : true,
      );
      assert.match(cluster.run('status').out, /[Rr]eplica 0 says that its trusted component does not answer/);
      await cluster.write('without-an-answer');
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await eventually('replica 0 speaks again', 20_000, async () =>
      (await cluster.seen())[0]!.tc.answers ? true : undefined,
    );
    await cluster.write('with-an-answer');
    await cluster.whole();
  });

  it('has no process to kill where the component lives inside the replica', () => {
    const { code, err } = cluster.run('fault', 'kill-tc', '1');
    assert.equal(code, 1);
    assert.match(err, /no process of its own/);
  });

  it('lets a replica have another component instead', async () => {
    const before = await cluster.whole();
    const folder = join(cluster.data, 'tc-0');
    assert.equal(cluster.run('fault', 'kill', '0').code, 0);
    assert.equal(cluster.run('fault', 'kill-tc', '0').code, 0);
    const taken = moiety('trusted', 'create', folder);
    assert.equal(taken.code, 1);
    assert.match(taken.err, /never overwritten/);
    rmSync(folder, { recursive: true });
    assert.equal(moiety('trusted', 'create', folder, '--tc', 'usig@worker').code, 0);
    assert.equal(cluster.run('fault', 'restart', '0').code, 0);
    await cluster.write('with-another-component');
    const { tc } = (await cluster.whole((all) => all[0]!.tc.tcEpoch !== before[0]!.tc.tcEpoch))[0]!;
    assert.deepEqual([tc.footprint, tc.persistent], ['worker', false]);
  });

  it('leaves no process behind, and says why it cannot go on after a full stop', async () => {
    assert.equal(cluster.run('down').code, 0);
    cluster.isGone();
    const again = cluster.run('up');
    assert.equal(again.code, 1, again.out);
    assert.match(again.err, /cannot go on.*volatile.*--fresh/s);
    cluster.isGone();
    const other = cluster.run('up', '--tc', '1=usig@process');
    assert.equal(other.code, 1);
    assert.match(other.err, /Replica 1 .* has usig@wasm, not usig@process/);
  });
});

describe('wasm, tpm and vm in one cluster', { timeout: 300_000 }, async () => {
  const lacks = await lacking(['tpm', 'vm']);
  const cluster = new MixedCluster(8_370, ['usig@wasm', 'usig@tpm:swtpm', 'usig@vm']);
  after(() => cluster.dispose());

  it('is whole again after the loss of a replica and of a component', { skip: lacks ?? false }, async () => {
    await cluster.begin();
    await cluster.surviveLosses(cluster.idOf('tpm'), cluster.idOf('vm'));
    assert.equal(cluster.run('down').code, 0);
    cluster.isGone();
  });
});

describe('rote beside others', { timeout: 300_000 }, () => {
  const cluster = new MixedCluster(8_380, ['usig@rote', 'usig@process', 'usig@process']);
  before(() => cluster.begin());
  after(() => cluster.dispose());

  it('goes on with the same component after a full stop: its guards remember', async () => {
    await cluster.write('before');
    const first = await cluster.whole();
    const { code, out } = cluster.run('down');
    assert.equal(code, 0);
    assert.match(out, /2 guards of the trusted components of replicas 0 go on/);
    assert.equal(cluster.componentPids(0).length, 2);
    await cluster.begin();
    await cluster.write('after');
    const all = await cluster.whole();
    assert.equal(all[0]!.tc.tcEpoch, first[0]!.tc.tcEpoch);
  });

  it('is given another component when the guards have ended, and is re-admitted', async () => {
    const before = await cluster.whole();
    const folder = join(cluster.data, 'tc-0');
    assert.equal(cluster.run('fault', 'kill', '0').code, 0);
    for (const pid of cluster.componentPids(0)) process.kill(pid, 'SIGKILL');
    await cluster.write('without-guards');
    rmSync(folder, { recursive: true });
    assert.equal(moiety('trusted', 'create', folder, '--tc', 'usig@rote:3').code, 0);
    assert.equal(cluster.run('fault', 'restart', '0').code, 0);
    await cluster.whole((all) => all[0]!.tc.tcEpoch !== before[0]!.tc.tcEpoch);
    assert.equal(cluster.run('down', '--wipe').code, 0);
    cluster.isGone();
  });
});

describe('what cannot be a component', () => {
  it('is told before anything is made', () => {
    const { code, err } = moiety('up', '--data', '/nowhere/at/all', '--tc', 'usig@abacus');
    assert.equal(code, 2);
    assert.match(err, /no footprint "abacus"; there are .*process/);
  });
});
