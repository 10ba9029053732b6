/** A process that can be stopped and continued (SIGSTOP, SIGCONT): what happens meanwhile waits, unless the power fails. */
export class Gate {
  #isClosed = false;
  #waiting: (() => void)[] = [];

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Does something now, or when the process is continued. */
  enter(action: () => void): void {
    if (this.#isClosed) this.#waiting.push(action);
    else action();
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Continues: what waited is done, in order. */
  open(): void {
    this.#isClosed = false;
    for (const action of this.#waiting.splice(0)) action();
  }

  /** The process is gone, and with it what waited. */
  reset(): void {
    this.#isClosed = false;
    this.#waiting = [];
  }
}
