/** One line of a script, read word by word; every complaint names the line and what was expected there. */
import type { ReplicaId } from '../../core/types.ts';
import { ScriptError } from './script.ts';
import type { Json } from './settings.ts';

/** Largest number in a script: years of milliseconds. */
const NUMBER_MAX = 1e12;

/** See the top of this file. */
export class Words {
  readonly line: number;
  /** The whole line. */
  readonly text: string;
  readonly #words: readonly string[];
  #next = 0;
  /** How the verb is used; part of every complaint. */
  usage = '';

  constructor(line: number, text: string) {
    this.line = line;
    this.text = text;
    this.#words = text.split(/\s+/).filter((word) => word !== '');
  }

  /** Whether nothing is left. */
  get atEnd(): boolean {
    return this.#next >= this.#words.length;
  }

  /** The next word, left where it is; empty at the end. */
  get peek(): string {
    return this.#words[this.#next] ?? '';
  }

  /** How often a word is still to come. */
  left(word: string): number {
    return this.#words.slice(this.#next).filter((one) => one === word).length;
  }

  fail(expected: string): never {
    const found = this.atEnd ? 'the end of the line' : `"${this.peek}"`;
    const usage = this.usage === '' ? '' : `; use: ${this.usage}`;
    throw new ScriptError(this.line, `expected ${expected}, found ${found}${usage}`);
  }

  /** Takes any word. */
  take(expected: string): string {
    if (this.atEnd) this.fail(expected);
    this.#next += 1;
    return this.#words[this.#next - 1]!;
  }

  /** Takes the word if it is the next one. */
  skip(word: string): boolean {
    if (this.peek !== word || this.atEnd) return false;
    this.#next += 1;
    return true;
  }

  must(...words: readonly string[]): void {
    for (const word of words) if (!this.skip(word)) this.fail(`"${word}"`);
  }

  one<W extends string>(words: readonly W[]): W {
    const word = words.find((candidate) => this.skip(candidate));
    return word ?? this.fail(`one of ${words.join(', ')}`);
  }

  /** A number, fractions allowed. */
  number(expected: string): number {
    if (!/^-?\d+(\.\d+)?(e-?\d+)?$/.test(this.peek)) this.fail(expected);
    if (Math.abs(Number(this.peek)) > NUMBER_MAX) this.fail(`${expected}, at most ${NUMBER_MAX}`);
    return Number(this.take(expected));
  }

  whole(expected: string): number {
    if (!/^\d{1,15}$/.test(this.peek)) this.fail(expected);
    return Number(this.take(expected));
  }

  /** `0.9..1`, or one number for both ends. */
  range(expected: string): [number, number] {
    const number = String.raw`(-?\d+(?:\.\d+)?(?:e-?\d+)?)`;
    const match = new RegExp(`^${number}(?:\\.\\.${number})?$`).exec(this.peek);
    if (match === null) this.fail(expected);
    this.#next += 1;
    return [Number(match[1]), Number(match[2] ?? match[1])];
  }

  /** `n5`: a sequence number. */
  get isSequence(): boolean {
    return /^n\d{1,15}\+?$/.test(this.peek);
  }

  sequence(): number {
    if (!/^n\d{1,15}$/.test(this.peek)) this.fail('a sequence number like n5');
    return Number(this.take('').slice(1));
  }

  replica(): ReplicaId {
    if (!/^\d{1,2}$/.test(this.peek)) this.fail('the number of a replica');
    return Number(this.take(''));
  }

  /** `0,2`: one or more replicas. */
  replicas(): ReplicaId[] {
    if (!/^\d{1,2}(,\d{1,2})*$/.test(this.peek)) this.fail('replicas with commas between them, like 0,2');
    return this.take('').split(',').map(Number);
  }

  /** Lower-case letters, digits, hyphens. */
  name(expected: string): string {
    if (!/^[a-z][a-z0-9-]*$/.test(this.peek)) this.fail(expected);
    return this.take(expected);
  }

  /** Everything that is left, as JSON. */
  json(): Json {
    const value = this.jsonOf(this.#words.slice(this.#next).join(' '));
    this.#next = this.#words.length;
    return value;
  }

  /** A text of this line as JSON. */
  jsonOf(text: string): Json {
    try {
      return JSON.parse(text) as Json;
    } catch {
      return this.fail(`a JSON value instead of ${text}`);
    }
  }

  end(): void {
    if (!this.atEnd) this.fail('the end of the line');
  }
}
