/** Those who wait until there is more: all are woken together, and each by its own signal. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Resolves when there is more, or the signal is aborted. */
  more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
