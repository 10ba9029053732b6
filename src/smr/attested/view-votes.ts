/** Who asks for which view: the highest wish of each replica, and what follows from the wishes of several. */
import type { ReplicaId, View } from '../../core/types.ts';

/** See the top of this file. */
export class ViewVotes {
  readonly #highest: View[];
  /** The highest of all. */
  #last: View = 0;

  constructor(replicas: number) {
    this.#highest = new Array<View>(replicas).fill(0);
  }

  /** A replica asks for a view. */
  note(replica: ReplicaId, view: View): void {
    if (replica >= this.#highest.length) return;
    this.#highest[replica] = Math.max(view, this.#highest[replica]!);
    this.#last = Math.max(view, this.#last);
  }

  /** Who asks for `view` or a higher one. */
  from(view: View): ReplicaId[] {
    return [...this.#highest.keys()].filter((replica) => this.#highest[replica]! >= view);
  }

  /** How many replicas ask for `view` or a higher one. */
  countFrom(view: View): number {
    return this.#highest.filter((highest) => highest >= view).length;
  }

  /**
   * The smallest view among the wishes above `view`, if `enough` replicas have such a wish: to join them without waiting
   * for the own timer (Castro and Liskov, TOCS 2002, 4.5.2).
   */
  joinAbove(view: View, enough: number): View | undefined {
    // Asked for at every step: while nobody wishes for more there is nothing to count.
    if (this.#last <= view) return undefined;
    const above = this.#highest.filter((highest) => highest > view);
    return above.length >= enough ? Math.min(...above) : undefined;
  }

  /** The highest view that `enough` replicas ask for, each for it or for a higher one; 0 if there is none. */
  highestBy(enough: number): View {
    return [...this.#highest].sort((a, b) => b - a)[enough - 1] ?? 0;
  }
}
