/** What goes wrong, drawn from a seed: signals, links, a file system. Everything is put right again at the end. */
import type { Prng } from '../../src/core/prng.ts';
import type { Site } from './site.ts';

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Kinds of faults, with how often each is drawn. */
const FAULTS = [
  ['kill', 10],
  ['kill-trusted', 2],
  ['kill-both', 3],
  ['kill-all', 1],
  ['pause', 3],
  ['isolate', 2],
  ['one-way', 2],
  ['rough', 2],
  ['fill', 1],
  ['read-only', 1],
] as const;
export type Fault = (typeof FAULTS)[number][0];

/** See the top of this file. */
export class Nemesis {
  readonly #site: Site;
  readonly #random: Prng;
  /** SIGKILLs that hit a process. */
  kills = 0;
  /** How often each fault happened. */
  readonly counts = new Map<Fault, number>();

  constructor(site: Site, random: Prng) {
    this.#site = site;
    this.#random = random;
  }

  /** Faults that this machine allows. */
  get possible(): readonly Fault[] {
    const { network, fragile } = this.#site;
    return FAULTS.map(([fault]) => fault).filter((fault) => {
      if (fault === 'isolate' || fault === 'one-way') return network.canCut;
      if (fault === 'rough') return network.hasNetem;
      return fault === 'fill' || fault === 'read-only' ? fragile !== undefined : true;
    });
  }

  /** Goes on until so many kills were done and the time is over. */
  async run(kills: number, forMs: number): Promise<void> {
    const end = performance.now() + forMs;
    const possible = this.possible;
    const bag = FAULTS.filter(([fault]) => possible.includes(fault)).flatMap(([fault, weight]) =>
      Array.from({ length: weight }, () => fault),
    );
    while (performance.now() < end || this.kills < kills) {
      const fault = performance.now() < end ? this.#random.pick(bag) : 'kill';
      this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
      await this.#do(fault);
      // A random moment: sometimes before the last fault has healed.
      await sleep(this.#random.between(0, 900));
    }
  }

  async #do(fault: Fault): Promise<void> {
    const site = this.#site;
    const random = this.#random;
    const id = random.between(0, site.n - 1);
    switch (fault) {
      case 'kill':
        return this.#kill(id, 'replica');
      case 'kill-trusted':
        return this.#kill(id, 'trusted');
      case 'kill-both':
        return this.#kill(id, 'both');
      case 'kill-all': {
        const all = Array.from({ length: site.n }, (_, one) => one);
        for (const one of all) this.kills += site.isUp(one) ? 1 : 0;
        await Promise.all(all.map((one) => site.kill(one, 'both')));
        await sleep(random.between(0, 200));
        for (const one of all) site.start(one);
        return;
      }
      case 'pause':
        site.pause(id, true);
        await sleep(random.between(50, 2_500));
        return site.pause(id, false);
      case 'isolate':
      case 'one-way':
        return this.#cut(id, fault === 'isolate');
      case 'rough':
        site.network.roughen(id, random.between(1, 80), random.between(0, 20));
        await sleep(random.between(300, 3_000));
        return site.network.heal();
      case 'fill':
      case 'read-only':
        return this.#failDisk(fault);
    }
  }

  async #kill(id: number, what: 'replica' | 'trusted' | 'both'): Promise<void> {
    this.kills += what !== 'trusted' && this.#site.isUp(id) ? 1 : 0;
    await this.#site.kill(id, what);
    await sleep(this.#random.between(0, 600));
    this.#site.start(id);
  }

  async #cut(id: number, bothWays: boolean): Promise<void> {
    const { network, n } = this.#site;
    for (let other = 0; other < n; other += 1) {
      if (other === id) continue;
      network.cut(id, other, true);
      if (bothWays) network.cut(other, id, true);
    }
    await sleep(this.#random.between(300, 3_000));
    network.heal();
  }

  /** The disk of one replica fails; it may end by itself then, and is started again when the disk is well. */
  async #failDisk(how: 'fill' | 'read-only'): Promise<void> {
    const site = this.#site;
    const id = site.fragile!;
    site.excuse(id);
    const failing = how === 'fill' ? (site.fill(true), true) : site.readOnly(true);
    await sleep(this.#random.between(300, 2_000));
    if (how === 'fill') site.fill(false);
    else if (failing && !site.readOnly(false)) throw new Error('the file system stays read-only');
    // What it could not write it does not know: it begins again from its disk.
    await site.kill(id, 'replica');
    site.demand(id);
  }

  /** Everything runs and is connected. */
  heal(): void {
    this.#site.network.heal();
    for (let id = 0; id < this.#site.n; id += 1) {
      this.#site.pause(id, false);
      this.#site.demand(id);
    }
  }
}
