/**
 * The hypothetical view change (`view-change`, invariants 5 and 10): whatever f+1 correct replicas would now say in a
 * VIEW-CHANGE must be valid, and the base computed from it must hold every batch that a correct replica executed, or
 * start above it. What is decided and not in every such base can be lost; this judge does not wait until it is.
 */
import type { ReplicaId } from '../../core/types.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { attachedNewViews } from '../../smr/usig-replica/view-change.ts';
import { currentEntry } from '../../smr/registry.ts';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import { completeDraft } from '../../smr/usig-stream/codec.ts';
import type { ViewChange } from '../../smr/usig-stream/messages.ts';
import type { ComputedBase } from '../../smr/usig-stream/validation.ts';
import { ValidationCache } from '../../smr/usig-stream/validation.ts';
import { computeBase, validViewChange } from '../../smr/usig-stream/view-change.ts';
import type { Bench } from './bench.ts';
import type { OrderJudge } from './order.ts';
import type { Running } from './streams.ts';
import { sharedKnowledge } from './streams.ts';

/** Choices of f+1 replicas that are tried at one moment, at most. */
const CHOICES_MAX = 10;
/** Moments of one run, at most: they are the most expensive thing that judges do. */
const MOMENTS_MAX = 24;

/** See the top of this file. */
export class ViewChangeJudge {
  readonly #bench: Bench;
  readonly #order: OrderJudge;
  readonly #running: Running;
  #looks = 0;
  #checkedAt = -1;
  /** Moments that were judged, and bases. */
  moments = 0;
  bases = 0;

  constructor(bench: Bench, order: OrderJudge, running: Running) {
    this.#bench = bench;
    this.#order = order;
    this.#running = running;
  }

  /** A moment at which to look, if something was executed since the last one. Early ones count, late ones thin out. */
  sample(): void {
    this.#looks += 1;
    if (this.moments >= MOMENTS_MAX || this.#order.highest === this.#checkedAt) return;
    if (this.#looks > 8 && this.#looks % 4 !== 0) return;
    this.check();
  }

  /** Judges this moment. */
  check(): void {
    const states = this.#running();
    const newest = newestRegistry(states);
    if (newest === undefined) return;
    const able = states.filter((s) => s.maySeal && currentEntry(newest, s.self).tcEpoch === s.tcEpoch);
    const { f } = able[0] ?? { f: 0 };
    if (able.length <= f) return;
    this.#checkedAt = this.#order.highest;
    this.moments += 1;
    const view = 1 + Math.max(...able.map((s) => Math.max(s.view, s.target)));
    const known = sharedKnowledge(states, new ValidationCache());
    const messages: { readonly replica: ReplicaId; readonly message: ViewChange }[] = [];
    for (const s of able) {
      const message = viewChangeOf(s, view);
      const verdict = validViewChange(s.streamContext, message, known);
      if (verdict.kind === 'invalid')
        this.#bench.report(
          'view-change',
          `the VIEW-CHANGE that replica ${s.self} would send now is invalid: ${verdict.rule}: ${verdict.reason}`,
        );
      if (verdict.kind === 'valid') messages.push({ replica: s.self, message });
    }
    const context = able[0]!.streamContext;
    let choices = 0;
    for (const chosen of choose(messages, f + 1)) {
      choices += 1;
      if (choices > CHOICES_MAX) break;
      const viewChanges = chosen.map(({ message }) => message);
      const computed = computeBase(context, viewChanges, known);
      if (computed.kind !== 'valid') continue;
      // Rule N4: a primary may not make a NEW-VIEW of these.
      const senders = chosen.map(({ replica }) => replica);
      const shutsOut = computed.value.base.some(({ recovers }) =>
        recovers.some((request) => senders.includes(request.replica)),
      );
      if (shutsOut) continue;
      this.bases += 1;
      this.#judge(senders, computed.value);
    }
  }

  #judge(senders: readonly ReplicaId[], { low, base }: ComputedBase): void {
    for (let n = low + 1; n <= this.#order.highest; n += 1) {
      const entry = base[n - low - 1];
      const executed = this.#order.batchAt(n);
      if (executed === undefined || entry?.batchDigest === executed) continue;
      this.#bench.report(
        'view-change',
        `a view change by ${senders.join(', ')} would ${entry === undefined ? 'lose' : 'replace'} ${n}, which was executed; the base is ${low + 1}..${low + base.length}`,
      );
      return;
    }
  }
}

/** The VIEW-CHANGE that a replica would send now; its seal is not judged and stays empty. */
function viewChangeOf(s: ReplicaState, view: number): ViewChange {
  const { log, vouchers, state } = s.own;
  const content = viewChangeContent(s.streamContext, {
    view,
    stable: s.stable,
    anchor: log.anchor,
    vouchers: log.anchor === undefined ? [] : vouchers,
    log: log.entries(),
  });
  const ui = {
    replica: s.self,
    tcEpoch: s.tcEpoch,
    counter: state.counter + 1,
    authenticator: new Uint8Array(s.streamContext.authenticatorBytes),
  };
  const attachments = { newViews: attachedNewViews(s, content.log), justification: [] };
  return completeDraft(s.streamContext, content, ui, attachments);
}

function newestRegistry(states: readonly ReplicaState[]): ReplicaState['registry'] | undefined {
  let newest: ReplicaState | undefined;
  for (const s of states) if (newest === undefined || s.executed > newest.executed) newest = s;
  return newest?.registry;
}

/** All choices of `count` items, in order. */
function* choose<T>(items: readonly T[], count: number): Generator<readonly T[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let index = 0; index <= items.length - count; index += 1)
    for (const rest of choose(items.slice(index + 1), count - 1)) yield [items[index]!, ...rest];
}
