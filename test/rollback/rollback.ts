/**
 * An old copy put back, again and again, under load (what it is done when, point 3): of a random replica the store and
 * the folder of its trusted component are copied at one moment, as an image of its disk would hold them; a while later
 * the replica is killed with its component, both folders are replaced by the copies, and it is started. It must be
 * refused: it halts with a sentence, or its peers hold evidence against it. Then its operator does what the sentence
 * says, and it must come back with another incarnation of its component.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { processFootprint } from '../../src/footprints/process/footprint.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../src/trusted/frames.ts';
import type { Prng } from '../../src/core/prng.ts';
import type { Workload } from '../nemesis/workload.ts';
import type { Site } from '../nemesis/site.ts';
import { eventually } from '../support/local-cluster.ts';

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** The two folders that are copied and put back; keys and configuration are not touched. */
const FOLDERS = ['store', 'trusted'] as const;
/** Writes that must be acknowledged between copy and restore, so that the copy is old. */
const WRITES_BETWEEN = 3;
const REFUSED_MS = 30_000;
const REJOINED_MS = 90_000;
/** Sentences of a refusal. */
const REFUSAL = /old copy|put back|rolled back|retired/;

/** What became of one moment. */
export interface Outcome {
  readonly replica: number;
  readonly wasPrimary: boolean;
  /** `halted`: it stopped with a sentence. `accused`: its peers hold evidence or have ended its stream. */
  readonly refused: 'halted' | 'accused';
  /** In which words. */
  readonly words: string;
  readonly refusedMs: number;
  readonly rejoinedMs: number;
  /** Counter values that it used again before it was refused, as far as its sentence tells. */
  readonly sealedAgain: number;
}

type Seen = Awaited<ReturnType<Workload['client']['status']>>[number];

/** See the top of this file. */
export class Rollback {
  readonly #site: Site;
  readonly #workload: Workload;
  readonly #random: Prng;
  /** What should not be, in words. */
  readonly offences: string[] = [];
  /** Header of each height that any replica has shown. */
  readonly #headers = new Map<number, string>();

  constructor(site: Site, workload: Workload, random: Prng) {
    this.#site = site;
    this.#workload = workload;
    this.#random = random;
  }

  /** One moment; every replica is whole before and after it. */
  async moment(): Promise<Outcome> {
    const site = this.#site;
    const random = this.#random;
    const id = random.between(0, site.n - 1);
    await sleep(random.between(0, 400));
    const copy = this.#takeCopy(id);
    await this.#progress(random.between(100, 1_500));
    const before = await this.#seen(id);
    const epoch = before?.reachable === true ? before.tc.tcEpoch : '';
    const wasPrimary = before?.reachable === true && before.role === 'primary';
    site.excuse(id);
    await site.kill(id, 'both');
    await this.#trustedGone(id);
    if (this.#random.chance(0.5)) await sleep(random.between(0, 300));
    const copiedAt = await this.#counterOf(copy);
    this.#putBack(id, copy);
    const begun = performance.now();
    site.start(id);
    site.excuse(id);
    const { refused, words } = await this.#refusal(id, epoch);
    const refusedMs = performance.now() - begun;
    await this.#remedy(id);
    const again = performance.now();
    await this.#rejoined(id, epoch);
    const rejoinedMs = performance.now() - again;
    // The sentence says where its own log ended when it learned: what lies between was sealed a second time.
    const endedAt = Number(/its own log ends at (\d+)/.exec(words)?.[1] ?? copiedAt);
    const sealedAgain = Math.max(0, endedAt - copiedAt);
    return { replica: id, wasPrimary, refused, words, refusedMs, rejoinedMs, sealedAgain };
  }

  /** Counter of a copied component; it is asked in yet another copy, so that the first stays as it was taken. */
  async #counterOf(copy: string): Promise<number> {
    const folder = join(this.#site.root, 'asked');
    mkdirSync(folder, { mode: 0o700 });
    cpSync(join(copy, 'trusted'), folder, { recursive: true, preserveTimestamps: true });
    const options = { folder, program: 'usig', argument: '' };
    const connection = await processFootprint.open(options);
    const bytes = await new Promise<Uint8Array | undefined>((done) =>
      connection.send(encodeTrustedRequest({ op: 'identify' }), done),
    );
    connection.close();
    await processFootprint.stop(folder);
    rmSync(folder, { recursive: true, force: true });
    const answer = bytes === undefined ? undefined : decodeTrustedResponse(bytes);
    if (answer?.op !== 'identify') throw new Error('the copied component does not say where it stands');
    return answer.identity.counter;
  }

  /** Replica and component stand still while the copy is taken: what a snapshot of the disk would hold. */
  #takeCopy(id: number): string {
    const { root } = this.#site;
    const copy = join(root, `copy-${id}`);
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { mode: 0o700 });
    const trusted = this.#site.trustedProcesses(id);
    this.#site.pause(id, true);
    for (const pid of trusted) process.kill(pid, 'SIGSTOP');
    try {
      for (const folder of FOLDERS)
        cpSync(join(this.#site.folder(id), folder), join(copy, folder), {
          recursive: true,
          preserveTimestamps: true,
          filter: (path) => !/\/trusted\/(socket|pid)$/.test(path),
        });
    } finally {
      for (const pid of trusted) process.kill(pid, 'SIGCONT');
      this.#site.pause(id, false);
    }
    return copy;
  }

  #putBack(id: number, copy: string): void {
    for (const folder of FOLDERS) {
      const place = join(this.#site.folder(id), folder);
      emptyFolder(place);
      cpSync(join(copy, folder), place, { recursive: true, preserveTimestamps: true });
    }
    rmSync(copy, { recursive: true, force: true });
  }

  async #progress(leastMs: number): Promise<void> {
    const target = this.#workload.acknowledged.length + WRITES_BETWEEN;
    await sleep(leastMs);
    await eventually('writes between copy and restore', 60_000, () =>
      this.#workload.acknowledged.length >= target ? true : undefined,
    );
  }

  async #trustedGone(id: number): Promise<void> {
    await eventually('the trusted process is gone', 10_000, () =>
      this.#site.trustedProcesses(id).length === 0 ? true : undefined,
    );
  }

  /** Status of all, judged on the way: one height has one header. */
  async #all(): Promise<readonly Seen[]> {
    const seen = await this.#workload.client.status();
    for (const one of seen) {
      if (!one.reachable) continue;
      const known = this.#headers.get(one.height);
      if (known !== undefined && known !== one.headerHash)
        this.offences.push(`FORK: replica ${one.id} shows another header at height ${one.height}`);
      this.#headers.set(one.height, one.headerHash);
    }
    return seen;
  }

  async #seen(id: number): Promise<Seen | undefined> {
    return (await this.#all())[id];
  }

  #stopNote(id: number): string | undefined {
    const note = join(this.#site.folder(id), 'stopped.json');
    return existsSync(note) ? readFileSync(note, 'utf8') : undefined;
  }

  async #refusal(id: number, epoch: string): Promise<Pick<Outcome, 'refused' | 'words'>> {
    const folder = this.#site.folder(id);
    const start = performance.now();
    return eventually(`replica ${id} is refused`, REFUSED_MS, async () => {
      const note = this.#stopNote(id);
      if (note !== undefined && REFUSAL.test(note)) return { refused: 'halted' as const, words: note.trim() };
      if (note !== undefined && !this.#site.isUp(id))
        throw new Error(`replica ${id} stopped for another reason: ${note}`);
      for (const one of await this.#all()) {
        if (!one.reachable) continue;
        if (one.id === id) continue;
        const proven = one.proven.find(({ replica }) => replica === id);
        if (proven !== undefined) return { refused: 'accused' as const, words: `proven: ${proven.rule}` };
        const stopped = one.suspected.find(
          ({ replica, why }) => replica === id && why.startsWith('stream stopped'),
        );
        if (stopped !== undefined) return { refused: 'accused' as const, words: stopped.why };
      }
      return undefined;
    }).catch((error: unknown) => {
      const log = join(folder, 'replica.log');
      const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-2_000) : '';
      throw new Error(
        `${(error as Error).message} (tcEpoch ${epoch}, ${Math.round(performance.now() - start)} ms): ${tail}`,
      );
    });
  }

  /** What the sentence says: wipe the store; the component renews itself, as its log is gone. */
  async #remedy(id: number): Promise<void> {
    this.#site.excuse(id);
    await this.#site.kill(id, 'both');
    await this.#trustedGone(id);
    emptyFolder(join(this.#site.folder(id), 'store'));
    rmSync(join(this.#site.folder(id), 'stopped.json'), { force: true });
    this.#site.demand(id);
  }

  async #rejoined(id: number, epoch: string): Promise<void> {
    await eventually(`replica ${id} is re-admitted`, REJOINED_MS, async () => {
      const seen = await this.#all();
      const one = seen[id];
      if (one?.reachable !== true || (one.role !== 'primary' && one.role !== 'backup')) return undefined;
      if (one.tc.tcEpoch === epoch || one.waitsFor !== null) return undefined;
      const others = seen.filter((other) => other.reachable && other.id !== id);
      const least = Math.min(...others.map((other) => (other.reachable ? other.sequence : 0)));
      // It takes part again: it follows the others closely.
      return one.sequence + 200 >= least ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}: ${this.#stopNote(id) ?? ''}`);
    });
  }
}

/** Removes what is in a folder, not the folder: it may be the root of a file system of its own. */
function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}
