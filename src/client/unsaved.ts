/**
 * Bundles on their way through the state file. Their numbers are given, so what the file cannot take (a full disk) waits in
 * order until it can; meanwhile nothing new may be asked for.
 */
import type { ClientError } from './errors.ts';
import type { PackedBundle } from './session.ts';
import type { StateFile } from './state-file.ts';
import type { Ticket } from './ticket.ts';

type Packed = PackedBundle<Ticket>;

/** See the top of this file. */
export class UnsavedBundles {
  readonly #state: Pick<StateFile, 'add'> | undefined;
  readonly #waiting: Packed[] = [];
  /** Why the file does not take what waits; undefined: nothing waits. */
  problem: ClientError | undefined;

  constructor(state: Pick<StateFile, 'add'> | undefined) {
    this.#state = state;
  }

  /** Calls of what waits. */
  get requests(): readonly Ticket[] {
    return this.#waiting.flatMap(({ requests }) => requests);
  }

  push(packed: Packed): void {
    this.#waiting.push(packed);
  }

  /** Gives what the file has taken to `send`, in order. False if something waits. */
  send(send: (packed: Packed) => void): boolean {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        this.#state?.add(next.bundle.digest, next.bundle.bytes);
      } catch (error) {
        this.problem = error as ClientError;
        return false;
      }
      this.#waiting.shift();
      send(next);
    }
    this.problem = undefined;
    return true;
  }
}
