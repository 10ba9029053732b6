/** Delta debugging: which items of a list are needed for something to be observed. */

/**
 * A list from which no single item, and no run of items of the sizes tried, can be left out. `observed` is asked about
 * candidate lists, order kept; it must be true for `items` itself and is false once a budget is used up.
 */
export function minimize<T>(items: readonly T[], observed: (kept: readonly T[]) => boolean): readonly T[] {
  let kept = items;
  if (kept.length > 0 && observed([])) return [];
  let size = Math.ceil(kept.length / 2);
  while (size >= 1 && kept.length > 0) {
    let removed = false;
    for (let from = 0; from < kept.length;) {
      const candidate = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (candidate.length < kept.length && observed(candidate)) {
        kept = candidate;
        removed = true;
      } else from += size;
    }
    if (!removed && size === 1) break;
    size = removed ? Math.min(size, Math.ceil(kept.length / 2)) : Math.floor(size / 2);
  }
  return kept;
}

/** The least number from `low` to `high` for which something is observed, taking it that more never hurts. */
export function least(low: number, high: number, observed: (value: number) => boolean): number {
  let bottom = low;
  let top = high;
  while (bottom < top) {
    const middle = Math.floor((bottom + top) / 2);
    if (observed(middle)) top = middle;
    else bottom = middle + 1;
  }
  return top;
}
