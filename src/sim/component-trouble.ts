/**
 * What goes wrong with the trusted component of a host that is honest: it gets slow, stops answering, answers with
 * garbage, loses its counter, or is put back to an older state. The host must stop or fall silent (decision A6), start
 * again on what is left (decision A3), and never say two things.
 */
import { Prng } from '../core/prng.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { Machine } from './machine.ts';
import type { PlannedFault, Scenario } from './scenario.ts';
import { GARBAGE } from './trusted.ts';
import type { Garbage, TrustedMood } from './trusted.ts';

/** See the top of this file. */
export type TrustedTrouble =
  /** Every answer takes `factor` times as long. */
  | { readonly kind: 'slow'; readonly factor: number }
  /** No answer; `works`: it does what it was asked all the same. When it is over, the host asks again. */
  | { readonly kind: 'stuck'; readonly works: boolean }
  /** Of its answers `share` are of no use; when it is over, the host is started again. */
  | { readonly kind: 'garbage'; readonly what: Garbage; readonly share: number }
  /** Power fails, and counter and key are gone. */
  | { readonly kind: 'lost' }
  /** Power fails, and its folder comes back without the last `records` records, which its footprint notices. */
  | { readonly kind: 'rollback'; readonly records: number };

/** A planned trouble. */
export type ComponentFault = PlannedFault & { readonly kind: 'component' };

/** A component as troubles see it; what it does not know of is left out. */
export interface TroubledComponent {
  lose(): void;
  /** Power fails with that of its host: what it goes on from is what it had recorded. */
  restart?(): void;
  mood?: TrustedMood;
  isSuspect?: boolean;
  /** Puts back its folder without the last records; it notices. */
  putBackBefore?(records: number): void;
}

/** What a trouble acts on. */
export interface TroubleStage {
  readonly machine: Machine<never>;
  readonly component: TroubledComponent;
  /** How long the host waits before it takes the component for lost, milliseconds. */
  readonly patienceMs: Milliseconds;
  readonly after: (delayMs: Milliseconds, action: () => void) => void;
  readonly crash: () => void;
  readonly restart: () => void;
  /** Charges the replica to the fault budget; false if it must not forget. */
  readonly mayForget: () => boolean;
}

/** Makes a trouble happen, and ends it after its time. False if it is left out. */
export function beginTrouble(trouble: TrustedTrouble, forMs: Milliseconds, stage: TroubleStage): boolean {
  const { component } = stage;
  switch (trouble.kind) {
    case 'lost':
    case 'rollback':
      return forget(trouble, forMs, stage);
    case 'stuck':
    case 'slow':
    case 'garbage':
      if (component.mood?.kind !== 'fine') return false;
      component.mood = trouble;
      if (trouble.kind === 'stuck') loseContact(forMs, stage);
      stage.after(forMs, () => putRight(trouble, stage));
      return true;
  }
}

function forget(
  trouble: TrustedTrouble & { readonly kind: 'lost' | 'rollback' },
  forMs: Milliseconds,
  stage: TroubleStage,
): boolean {
  const { component, machine, crash, restart, after, mayForget } = stage;
  if (trouble.kind === 'rollback' && component.putBackBefore === undefined) return false;
  if (!mayForget()) return false;
  crash();
  machine.amnesic = true;
  if (trouble.kind === 'lost') component.lose();
  else component.putBackBefore!(trouble.records);
  after(forMs, restart);
  return true;
}

/** The host notices after a while that nobody answers. */
function loseContact(forMs: Milliseconds, { after, patienceMs, machine, component }: TroubleStage): void {
  if (patienceMs >= forMs) return;
  after(patienceMs, () => {
    if (component.mood?.kind === 'stuck') machine.onTrustedLost?.();
  });
}

function putRight(trouble: TrustedTrouble, { component, machine, crash, restart }: TroubleStage): void {
  component.mood = { kind: 'fine' };
  if (trouble.kind === 'stuck') machine.onTrustedBack?.();
  if (trouble.kind !== 'garbage' || component.isSuspect !== true) return;
  // Its operator has repaired the component and starts the replica again.
  component.isSuspect = false;
  crash();
  restart();
}

/** What a seed is mixed with for this draw, so that it shifts no other. */
const DRAW = 0x7c0de;

/** The troubles that the swarm gives a seed; whoever forgets is charged when it happens. */
export function drawTroubles(scenario: Scenario, isWanted: boolean | undefined): ComponentFault[] {
  const random = new Prng(scenario.seed + DRAW);
  const drawn = random.chance(0.2);
  if (!(isWanted ?? drawn)) return [];
  return Array.from({ length: random.between(1, 3) }, (): ComponentFault => {
    const id: ReplicaId = random.between(0, scenario.n - 1);
    const target = random.chance(0.5) ? ({ kind: 'primary' } as const) : ({ kind: 'replica', id } as const);
    const atMs = scenario.calmMs * 0.8 * random.unit();
    const forMs = scenario.calmMs * random.pick([0.05, 0.1, 0.3]);
    return { kind: 'component', atMs, forMs, target, trouble: drawTrouble(random) };
  });
}

function drawTrouble(random: Prng): TrustedTrouble {
  return random.pick([
    (): TrustedTrouble => ({ kind: 'slow', factor: random.pick([5, 50, 500]) }),
    (): TrustedTrouble => ({ kind: 'stuck', works: random.chance(0.5) }),
    (): TrustedTrouble => ({ kind: 'stuck', works: random.chance(0.5) }),
    (): TrustedTrouble => ({
      kind: 'garbage',
      what: random.pick(GARBAGE),
      share: random.pick([0.1, 0.5, 1]),
    }),
    (): TrustedTrouble => ({ kind: 'lost' }),
    (): TrustedTrouble => ({ kind: 'rollback', records: random.pick([1, 1, 2, 5, 1000]) }),
  ] as const)();
}
