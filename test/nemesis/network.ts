/**
 * Networks of a site. With the right to (root, iproute2) each replica lives in a network namespace with an address of
 * its own on a bridge of the test's own; then links are cut by routes that swallow packets, in one direction or both,
 * and delayed and made lossy by `tc netem` where the kernel has it. Otherwise all share the loopback and no link is cut.
 */
import { spawnSync } from 'node:child_process';

function run(...args: readonly string[]): boolean {
  return spawnSync(args[0]!, args.slice(1), { stdio: 'ignore', timeout: 20_000 }).status === 0;
}

/** Where replicas listen without namespaces. */
const LOOPBACK_PORT = 23_700;
const PORT = 4_601;

/** See the top of this file. */
export class Network {
  readonly #n: number;
  /** Names of this run; undefined without namespaces. */
  readonly #tag: string | undefined;
  readonly #subnet: number;
  /** Whether delay and loss can be set. */
  readonly hasNetem: boolean;

  private constructor(n: number, tag: string | undefined, subnet: number, hasNetem: boolean) {
    this.#n = n;
    this.#tag = tag;
    this.#subnet = subnet;
    this.hasNetem = hasNetem;
  }

  /** Makes what the machine allows. */
  static open(n: number): Network {
    const subnet = process.pid % 250;
    const tag = `mo${process.pid % 100_000}`;
    const bridge = `${tag}b`;
    const made =
      run('ip', 'link', 'add', bridge, 'type', 'bridge') &&
      run('ip', 'addr', 'add', `10.77.${subnet}.1/24`, 'dev', bridge) &&
      run('ip', 'link', 'set', bridge, 'up');
    const network = new Network(n, tag, subnet, false);
    if (!made || !network.#addNamespaces()) {
      network.close();
      return new Network(n, undefined, 0, false);
    }
    const hasNetem = network.#shape(0, ['delay', '1ms']);
    if (hasNetem) network.#unshape(0);
    return new Network(n, tag, subnet, hasNetem);
  }

  #addNamespaces(): boolean {
    const tag = this.#tag!;
    for (let id = 0; id < this.#n; id += 1) {
      const name = `${tag}n${id}`;
      const [outer, inner] = [`${tag}v${id}`, `${tag}w${id}`];
      const ok =
        run('ip', 'netns', 'add', name) &&
        run('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner) &&
        run('ip', 'link', 'set', inner, 'netns', name) &&
        run('ip', 'link', 'set', outer, 'master', `${tag}b`) &&
        run('ip', 'link', 'set', outer, 'up') &&
        run('ip', '-n', name, 'addr', 'add', `${this.#host(id)}/24`, 'dev', inner) &&
        run('ip', '-n', name, 'link', 'set', inner, 'up') &&
        run('ip', '-n', name, 'link', 'set', 'lo', 'up');
      if (!ok) return false;
    }
    return true;
  }

  #host(id: number): string {
    return `10.77.${this.#subnet}.${10 + id}`;
  }

  /** Whether links can be cut. */
  get canCut(): boolean {
    return this.#tag !== undefined;
  }

  /** Address of a replica, host and port. */
  address(id: number): string {
    return this.#tag === undefined ? `127.0.0.1:${LOOPBACK_PORT + id}` : `${this.#host(id)}:${PORT}`;
  }

  /** The command line that runs a command in the network of a replica. */
  command(id: number, command: readonly string[]): readonly string[] {
    return this.#tag === undefined ? command : ['ip', 'netns', 'exec', `${this.#tag}n${id}`, ...command];
  }

  /** Swallows (or lets through again) what `from` sends to `to`. */
  cut(from: number, to: number, on: boolean): void {
    if (this.#tag === undefined) return;
    const verb = on ? 'add' : 'del';
    run('ip', '-n', `${this.#tag}n${from}`, 'route', verb, 'blackhole', `${this.#host(to)}/32`);
  }

  /** Every link as it was made. */
  heal(): void {
    for (let from = 0; from < this.#n; from += 1) {
      for (let to = 0; to < this.#n; to += 1) if (from !== to) this.cut(from, to, false);
      this.#unshape(from);
    }
  }

  /** Delay and loss on everything that a replica sends; false if the kernel cannot. */
  roughen(id: number, delayMs: number, lossPercent: number): boolean {
    if (!this.hasNetem) return false;
    this.#unshape(id);
    return this.#shape(id, ['delay', `${delayMs}ms`, `${delayMs / 2}ms`, 'loss', `${lossPercent}%`]);
  }

  #shape(id: number, how: readonly string[]): boolean {
    const { name, device } = this.#inside(id);
    return run('ip', 'netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'netem', ...how);
  }

  #unshape(id: number): void {
    if (this.#tag === undefined) return;
    const { name, device } = this.#inside(id);
    run('ip', 'netns', 'exec', name, 'tc', 'qdisc', 'del', 'dev', device, 'root');
  }

  #inside(id: number): { readonly name: string; readonly device: string } {
    return { name: `${this.#tag}n${id}`, device: `${this.#tag}w${id}` };
  }

  /** Removes what was made. */
  close(): void {
    if (this.#tag === undefined) return;
    for (let id = 0; id < this.#n; id += 1) {
      run('ip', 'link', 'del', `${this.#tag}v${id}`);
      run('ip', 'netns', 'del', `${this.#tag}n${id}`);
    }
    run('ip', 'link', 'del', `${this.#tag}b`);
  }
}
