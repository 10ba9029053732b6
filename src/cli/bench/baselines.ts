/** The floor and the raw sockets below it: a client and three servers that stay up between runs. */
import { BenchChild, programFile, runTogether } from './children.ts';
import { figuresOf } from './measured.ts';
import type { Figures, LoadSettings } from './measured.ts';

const SERVERS = 3;
const PATIENCE_MS = 20_000;

/** Something that runs beside the product in one sitting. */
export class Baseline {
  readonly #children: readonly BenchChild[];
  readonly #client: BenchChild;

  private constructor(children: readonly BenchChild[], client: BenchChild) {
    this.#children = children;
    this.#client = client;
  }

  /** Starts its processes. */
  static async start(program: 'main-floor' | 'main-raw'): Promise<Baseline> {
    const name = program === 'main-floor' ? 'floor' : 'raw sockets';
    const servers = Array.from(
      { length: SERVERS },
      (_, id) => new BenchChild(`${name}: server ${id}`, programFile(program), []),
    );
    try {
      const ports = await Promise.all(
        servers.map(async (server) => (await server.next<{ port: number }>(PATIENCE_MS)).port),
      );
      const client = new BenchChild(`${name}: client`, programFile(program), ['--ports', ports.join(',')]);
      await client.next(PATIENCE_MS);
      return new Baseline([...servers, client], client);
    } catch (error) {
      for (const server of servers) server.kill();
      throw error;
    }
  }

  /** One run. */
  async run(settings: LoadSettings): Promise<Figures> {
    return figuresOf(await runTogether([{ child: this.#client, settings }], () => undefined));
  }

  /** Ends its processes at once. */
  stop(): void {
    for (const child of this.#children) child.kill();
  }
}
