/**
 * Reads documents (receipts, trust files) out of parsed JSON without ever throwing. Like `core/codec.ts`: the first
 * violation makes the reader *fail*, after which every read gives a harmless value; the caller asks once, at its end.
 */
import { hexToBytes } from '../core/bytes.ts';
import type { Digest } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';

const EMPTY = new Uint8Array(0);

/** Failure state that the readers of one document share. */
interface Standing {
  failed: boolean;
}

/** Fields of one JSON object. */
export class DocumentFields {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #standing: Standing;

  private constructor(value: unknown, standing: Standing) {
    this.#standing = standing;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isObject) standing.failed = true;
    this.#fields = new Map(isObject ? Object.entries(value) : []);
  }

  /** The object that a text holds. Fails on anything else, and on a text longer than `lengthMax` characters. */
  static parse(text: string, lengthMax: number): DocumentFields {
    const standing = { failed: false };
    try {
      if (text.length <= lengthMax) return new DocumentFields(JSON.parse(text), standing);
    } catch {
      // Not JSON: fails below.
    }
    return new DocumentFields(undefined, standing);
  }

  /** True once anything in the document was wrong. */
  get failed(): boolean {
    return this.#standing.failed;
  }

  /** Makes the document fail. */
  fail(): void {
    this.#standing.failed = true;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** Fails unless the object has exactly these fields. */
  only(...names: readonly string[]): this {
    if (this.#fields.size !== names.length || names.some((name) => !this.#fields.has(name))) this.fail();
    return this;
  }

  /** A string. */
  text(name: string): string {
    const value = this.#fields.get(name);
    if (typeof value === 'string') return value;
    this.fail();
    return '';
  }

  /** A safe integer >= 0. */
  integer(name: string): number {
    const value = this.#fields.get(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.fail();
    return 0;
  }

  /** A safe integer >= 0, or the one word. */
  integerOr<W extends string>(name: string, word: W): number | W {
    return this.#fields.get(name) === word ? word : this.integer(name);
  }

  /** At most `max` bytes in lower-case hexadecimal. */
  bytes(name: string, max: number): Uint8Array {
    return this.#hex(this.text(name), max);
  }

  /** 64 hexadecimal digits. */
  digest(name: string): Digest {
    return this.#digest(this.text(name));
  }

  /** A list of at most `max` digests. */
  digests(name: string, max: number): Digest[] {
    return this.#list(name, max).map((item) => this.#digest(item));
  }

  /** A list of at most `max` byte strings of `length` bytes each. */
  byteStrings(name: string, max: number, length: number): Uint8Array[] {
    return this.#list(name, max).map((item) => {
      const bytes = this.#hex(item, length);
      if (bytes.length !== length) this.fail();
      return bytes;
    });
  }

  /** An object. */
  object(name: string): DocumentFields {
    return new DocumentFields(this.#fields.get(name), this.#standing);
  }

  /** A list of at most `max` objects. */
  objects(name: string, max: number): DocumentFields[] {
    return this.#list(name, max).map((item) => new DocumentFields(item, this.#standing));
  }

  #list(name: string, max: number): readonly unknown[] {
    const value = this.#fields.get(name);
    if (Array.isArray(value) && value.length <= max) return value;
    this.fail();
    return [];
  }

  #hex(value: unknown, max: number): Uint8Array {
    const bytes = typeof value === 'string' && value.length <= 2 * max ? hexToBytes(value) : undefined;
    if (bytes === undefined) this.fail();
    return bytes ?? EMPTY;
  }

  #digest(value: unknown): Digest {
    if (this.#hex(value, 32).length === 32) return value as Digest;
    this.fail();
    return ZERO_DIGEST;
  }
}
