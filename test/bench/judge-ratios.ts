/** Whether measured ratios have lost too much against those that are kept. */

/** Median ratios to the floor, by name of the point. */
export type Ratios = Readonly<Record<string, number>>;

/** The file of kept ratios. */
export interface KeptRatios {
  /** Ratios of a machine with another number of cores say little. */
  readonly cores: number;
  readonly ratios: Ratios;
}

/** Share of a ratio that may be lost. */
export const LOSS_MAX = 0.3;

/** Sentences about points that are worse than allowed, and about those that one side lacks. */
export function lossesOf(kept: Ratios, measured: Ratios): readonly string[] {
  const problems: string[] = [];
  for (const [name, before] of Object.entries(kept)) {
    const now = measured[name];
    if (now === undefined) problems.push(`${name} is kept, but was not measured`);
    else if (!(now >= before * (1 - LOSS_MAX)))
      problems.push(
        `${name}: ${(now * 100).toFixed(2)} % of the floor, before ${(before * 100).toFixed(2)} %: ` +
          `${Math.round((1 - now / before) * 100)} % lost`,
      );
  }
  for (const name of Object.keys(measured))
    if (!(name in kept)) problems.push(`${name} was measured, but is not kept (--write)`);
  return problems;
}

/** The better of each of several attempts: noise only takes away. */
export function bestOf(attempts: readonly Ratios[]): Ratios {
  const best: Record<string, number> = {};
  for (const attempt of attempts)
    for (const [name, ratio] of Object.entries(attempt)) best[name] = Math.max(best[name] ?? 0, ratio);
  return best;
}
