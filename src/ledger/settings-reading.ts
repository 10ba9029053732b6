/**
 * Strict reading of JSON that people write or pass around: unknown fields are refused, every field has a shape and a
 * bound, and the first thing that is wrong is told as a sentence with its place. Never throws.
 */

/** Collects the first complaint of one document. */
export class JsonReading {
  #error: string | undefined;

  /** What is wrong, or undefined. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Complains about a place; only the first complaint is kept. */
  complain(place: string, sentence: string): void {
    this.#error ??= `${place === '' ? 'the document' : place} ${sentence}`;
  }

  /**
   * The object at `place` with exactly these fields, and `optional` ones if it has them. An object without them after a
   * complaint.
   */
  object(
    value: unknown,
    place: string,
    fields: readonly string[],
    optional: readonly string[] = [],
  ): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.complain(place, 'must be an object');
      return new JsonObject(this, place, new Map());
    }
    const entries = new Map<string, unknown>(Object.entries(value));
    for (const name of entries.keys())
      if (!fields.includes(name) && !optional.includes(name))
        this.complain(place, `has an unknown field "${name.slice(0, 64)}"`);
    for (const name of fields) if (!entries.has(name)) this.complain(place, `lacks the field "${name}"`);
    return new JsonObject(this, place, entries);
  }
}

/** Fields of one object of a document. Readers give a harmless value after a complaint. */
export class JsonObject {
  readonly #reading: JsonReading;
  readonly #place: string;
  readonly #entries: ReadonlyMap<string, unknown>;

  constructor(reading: JsonReading, place: string, entries: ReadonlyMap<string, unknown>) {
    this.#reading = reading;
    this.#place = place;
    this.#entries = entries;
  }

  #at(name: string): string {
    return this.#place === '' ? name : `${this.#place}.${name}`;
  }

  /** Complains about one of this object's fields. */
  complain(name: string, sentence: string): void {
    this.#reading.complain(this.#at(name), sentence);
  }

  /** Whether an optional field is there. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  boolean(name: string): boolean {
    const value = this.#entries.get(name);
    if (typeof value === 'boolean') return value;
    this.complain(name, 'must be true or false');
    return false;
  }

  integer(name: string, low: number, high: number): number {
    const value = this.#entries.get(name);
    if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value;
    this.complain(name, `must be an integer from ${low} to ${high}`);
    return low;
  }

  /** Text that matches `pattern`, which must admit ASCII only; `what` completes "must be …". */
  text(name: string, pattern: RegExp, what: string): string {
    const value = this.#entries.get(name);
    if (typeof value === 'string' && pattern.test(value)) return value;
    this.complain(name, `must be ${what}`);
    return '';
  }

  /** Lower-case hexadecimal of exactly this many bytes. */
  hex(name: string, byteCount: number): string {
    const value = this.#entries.get(name);
    if (typeof value === 'string' && value.length === 2 * byteCount && /^[0-9a-f]*$/.test(value))
      return value;
    this.complain(name, `must be ${byteCount} bytes in lower-case hexadecimal`);
    return '00'.repeat(byteCount);
  }

  /** One of these texts. */
  oneOf<T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const found = choices.find((choice) => choice === this.#entries.get(name));
    if (found !== undefined) return found;
    this.complain(name, `must be one of ${choices.map((choice) => `"${choice}"`).join(', ')}`);
    return choices[0];
  }

  /** A list of `low` to `high` items, each read with its place. */
  list<T>(name: string, low: number, high: number, read: (value: unknown, place: string) => T): T[] {
    const value = this.#entries.get(name);
    if (!Array.isArray(value) || value.length < low || value.length > high) {
      this.complain(name, `must be a list of ${low} to ${high} items`);
      return [];
    }
    return value.map((item: unknown, index) => read(item, `${this.#at(name)}[${index}]`));
  }

  /** An object with exactly these fields, and `optional` ones if it has them. */
  object(name: string, fields: readonly string[], optional: readonly string[] = []): JsonObject {
    return this.#reading.object(this.#entries.get(name), this.#at(name), fields, optional);
  }
}
