/**
 * Zyzzyva without messages: four replicas of which replica 0 is Byzantine, histories, certificates, views. A seed makes a
 * run; after each step every VIEW-CHANGE quorum that could be is tried against what clients have seen complete.
 */
import { Prng } from '../../core/prng.ts';
import type { Digest } from '../../core/types.ts';
import type { Report } from './base.ts';
import type { Link } from './history.ts';
import { GENESIS, History } from './history.ts';
import type { HistoryRule } from './view-change.ts';

const link: Link = (previous, digest) => (previous.startsWith('0') ? digest : previous + digest) as Digest;
const F = 1;
const N = 4;
const STEPS = 40;
const VIEWS_MAX = 5;
const LENGTH_MAX = 4;

interface Certificate {
  readonly view: number;
  readonly history: History;
}

interface Model {
  readonly id: number;
  label: number;
  /** View that it has asked for; not below `label`. */
  view: number;
  history: History;
  /** Highest certificate of view `label`. */
  proven: History;
}

class World {
  readonly random: Prng;
  readonly rule: HistoryRule;
  readonly correct: Model[];
  /** Commit certificates and bases that exist: the Byzantine replica may show any of them. */
  readonly certificates: Certificate[] = [];
  readonly completed: Certificate[] = [];
  readonly bases = new Map<number, History>([[0, History.after(link, GENESIS)]]);
  #batches = 0;

  constructor(seed: number, rule: HistoryRule) {
    this.random = new Prng(seed);
    this.rule = rule;
    const empty = History.after(link, GENESIS);
    this.correct = [1, 2, 3].map((id) => ({ id, label: 0, view: 0, history: empty, proven: empty }));
  }

  step(): void {
    const { random } = this;
    const what = random.unit();
    if (what < 0.4) this.order();
    else if (what < 0.7) this.certify();
    else if (what < 0.8) this.completeFast();
    else this.changeView();
  }

  /** A primary orders: a correct one the same for whoever hears it, the Byzantine one anything for anybody. */
  order(): void {
    const { random } = this;
    const view = random.pick(this.correct).label;
    const primary = this.correct.find(({ id }) => id === view % N);
    const followers = this.correct.filter(({ label, view: asked }) => label === view && asked === view);
    if (primary !== undefined && (primary.label !== view || primary.view !== view)) return;
    const batch = this.#newBatch();
    const from = (primary ?? random.pick(followers.length > 0 ? followers : this.correct)).history;
    if (from.length >= LENGTH_MAX) return;
    const next = from.with(batch, link(from.end.history, batch));
    for (const replica of followers)
      if (replica.history.end.history === from.end.history && (replica === primary || random.chance(0.7)))
        replica.history = next;
  }

  #newBatch(): Digest {
    this.#batches += 1;
    return String.fromCharCode(96 + this.#batches) as Digest;
  }

  /** A client turns 2f+1 answers, that of the Byzantine replica among them, into a certificate and shows it to some. */
  certify(): void {
    const { random } = this;
    const { label: view, history: whole } = random.pick(this.correct);
    const history = whole.upTo(random.between(0, whole.length));
    const answered = this.#answered(view, history);
    if (history.length === 0 || answered.length < 2 * F) return;
    this.certificates.push({ view, history });
    const shown = this.correct.filter(() => random.chance(0.5));
    for (const replica of shown)
      if (replica.label === view && replica.view === view && replica.history.has(history.end))
        if (history.length > replica.proven.length) replica.proven = history;
    // LC.1: what 2f+1 acknowledge, the Byzantine one among them, is complete.
    const holders = this.correct.filter(
      (one) => one.label === view && one.view === view && one.proven.has(history.end),
    );
    if (holders.length >= 2 * F) this.completed.push({ view, history });
  }

  /** Correct replicas that have answered for a history in a view. */
  #answered(view: number, history: History): Model[] {
    return this.correct.filter((one) => one.label === view && one.history.has(history.end));
  }

  completeFast(): void {
    const { label: view, history } = this.random.pick(this.correct);
    if (history.length > 0 && this.#answered(view, history).length === N - F)
      this.completed.push({ view, history });
  }

  /** Some ask for the next view; a quorum with the Byzantine replica's choice makes its base; some enter. */
  changeView(): void {
    const { random } = this;
    const view = Math.max(...this.correct.map((one) => one.view)) + (random.chance(0.7) ? 1 : 0);
    if (view === 0 || view > VIEWS_MAX || this.bases.has(view)) return;
    const asking = this.correct.filter((one) => one.label < view && random.chance(0.8));
    if (asking.length < 2) return;
    for (const one of asking) one.view = view;
    const reports = asking.slice(0, 3).map(reportOf);
    if (reports.length < 3) reports.unshift(random.pick(this.lies(view)));
    const base = this.rule(F, reports);
    if (base === undefined) return;
    this.bases.set(view, base);
    // VIEW-CONFIRMs of 2f+1, the Byzantine replica among them, exist now; who has asked for less or for this may enter.
    for (const one of this.correct)
      if (one.view <= view && random.chance(0.7)) {
        Object.assign(one, { label: view, view, history: base, proven: base });
      }
  }

  /** Every valid VIEW-CHANGE that the Byzantine replica can show: any certificate, any history on top of it. */
  lies(view: number): Report[] {
    const found: Report[] = [];
    const claim = (label: number, proven: History): void => {
      if (label >= view) return;
      for (const { history } of [...this.correct, { history: proven }]) {
        if (!history.has(proven.end)) continue;
        found.push({ author: 0, label, proven: proven.length, history });
      }
    };
    for (const [label, base] of this.bases) claim(label, base);
    for (const { view: label, history } of this.certificates) claim(label, history);
    return found;
  }

  /** What the next view could lose. */
  lost(): string | undefined {
    const next = Math.max(...this.correct.map((one) => one.view)) + 1;
    const lies = this.lies(next);
    for (const missing of [0, 1, 2, 3]) {
      const reports = this.correct.filter(({ id }) => id !== missing).map(reportOf);
      for (const lie of missing === 0 ? [undefined] : lies) {
        const base = this.rule(F, lie === undefined ? reports : [lie, ...reports]);
        const broken = this.completed.find(({ history }) => base === undefined || !base.has(history.end));
        if (broken !== undefined)
          return `${broken.history.end.history} of view ${broken.view} is not in ${base?.end.history ?? 'any base'}`;
      }
    }
    return undefined;
  }
}

function reportOf({ id, label, history, proven }: Model): Report {
  return { author: id, label, proven: proven.length, history };
}

/** Runs the model; the loss that was found, if any. */
export function runModel(seed: number, rule: HistoryRule): string | undefined {
  const world = new World(seed, rule);
  for (let step = 0; step < STEPS; step += 1) {
    world.step();
    const lost = world.lost();
    if (lost !== undefined) return lost;
  }
  return undefined;
}
