/** A map that forgets the older half when it is full: bounded, and cheap enough for the hot path. */
export class BoundedMap<V> {
  readonly #half: number;
  #recent = new Map<string, V>();
  #older = new Map<string, V>();

  /** `max`: entries that are kept, at most. */
  constructor(max: number) {
    this.#half = max / 2;
  }

  /** The value of a name, if it is still kept. */
  get(key: string): V | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  /** Keeps a value. */
  set(key: string, value: V): void {
    if (this.#recent.size >= this.#half) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, value);
  }
}
