/**
 * Makes contents that its author's replica would never say: from what was seen, from nothing at all, for views that it
 * would lead, with numbers, digests, lists and quoted messages of its choice. It knows no kind by name: what a field may
 * hold it learns from messages, or tries.
 */
import type { Prng } from '../../core/prng.ts';
import type { ReplicaId } from '../../core/types.ts';
import type { Content, Sealed, SealedCodec } from '../../smr/attested/sealed.ts';
import { altered, SeenNames } from './alter.ts';

/** Messages of one kind that are remembered. */
const SEEN_MAX = 48;
/** Layers of quoted messages that are looked into. */
const LAYERS_MAX = 3;
/** Zero bytes that a content of nothing needs, at most. */
const BLANK_MAX = 400;
/** How far ahead a view far ahead is. */
const FAR = [3, 50, 1_000, 2 ** 20, 2 ** 40] as const;
const VIEW_FIELDS: readonly string[] = ['view', 'label', 'instance'];
const ORDER_FIELDS: readonly string[] = ['sequence', 'offset', 'low', 'base', 'length', 'first', 'since'];

type Fields = Record<string, unknown>;

/** What an inventor is made of. */
export interface InventorOptions {
  readonly self: ReplicaId;
  readonly n: number;
  readonly codec: SealedCodec<Content>;
  readonly kinds: readonly string[];
  readonly random: Prng;
}

/** See the top of this file. */
export class Inventor {
  readonly #options: InventorOptions;
  readonly #names: SeenNames;
  readonly #seen = new Map<string, Sealed<Content>[]>();
  readonly #blank = new Map<string, Content | undefined>();
  /** By kind and field: kinds of the messages that were seen in it. */
  readonly #quoted = new Map<string, Set<string>>();
  /** By kind and field: groups of fields that were seen in lists. */
  readonly #groups = new Map<string, Fields[]>();
  #topView = 0;
  #topOrder = 0;

  constructor(options: InventorOptions) {
    this.#options = options;
    this.#names = new SeenNames(options.random);
  }

  /** Remembers a message, and those that it quotes. */
  note(message: Sealed<Content>, layer = 0): void {
    const { random } = this.#options;
    const seen = this.#seen.get(message.kind) ?? [];
    this.#seen.set(message.kind, seen);
    if (seen.some(({ digest, author }) => digest === message.digest && author === message.author)) return;
    if (seen.length < SEEN_MAX) seen.push(message);
    else seen[random.between(0, SEEN_MAX - 1)] = message;
    this.#learn(message.content as unknown as Fields, message.kind, layer);
  }

  #learn(fields: Fields, path: string, layer: number): void {
    for (const [key, value] of Object.entries(fields)) {
      if (typeof value === 'number') {
        if (VIEW_FIELDS.includes(key) && value < FAR[2]) this.#topView = Math.max(this.#topView, value);
        if (ORDER_FIELDS.includes(key) && value < FAR[3]) this.#topOrder = Math.max(this.#topOrder, value);
      } else if (typeof value === 'string') this.#names.note(value);
      else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array))
        this.#learnInside(value, `${path}.${key}`, layer);
    }
  }

  #learnInside(value: object, path: string, layer: number): void {
    for (const one of Array.isArray(value) ? value.slice(0, SEEN_MAX) : [value]) {
      if (typeof one === 'string') this.#names.note(one);
      if (typeof one !== 'object' || one === null) continue;
      if (!isMessage(one)) {
        this.#learn(one as Fields, path, layer);
        if (Array.isArray(value)) this.#keepGroup(one as Fields, path);
      } else if (layer < LAYERS_MAX) {
        const kinds = this.#quoted.get(path) ?? new Set();
        this.#quoted.set(path, kinds.add(one.kind));
        this.note(one, layer + 1);
      }
    }
  }

  #keepGroup(group: Fields, path: string): void {
    const known = this.#groups.get(path) ?? [];
    this.#groups.set(path, known);
    if (known.length < SEEN_MAX) known.push(group);
    else known[this.#options.random.between(0, SEEN_MAX - 1)] = group;
  }

  /** A content of its own; undefined if this try came to nothing. */
  compose(): Content | undefined {
    const { random, kinds } = this.#options;
    const kind = random.pick(kinds);
    const seen = this.#seen.get(kind);
    const base = seen !== undefined && random.chance(0.7) ? random.pick(seen).content : this.#blankOf(kind);
    if (base === undefined) return undefined;
    let fields = this.#refilled(base as unknown as Fields, kind, this.#someView(), 0);
    for (let count = random.pick([0, 0, 0, 1, 2]); count > 0; count -= 1)
      fields = altered(fields, random, this.#names);
    return this.#whole(fields);
  }

  /** A content with one or two changes; undefined if this try came to nothing. */
  change(content: Content): Content | undefined {
    const { random } = this.#options;
    let fields = content as unknown as Fields;
    if (random.chance(0.4)) fields = this.#refilled(fields, content.kind, undefined, 0);
    if (fields === (content as unknown) || random.chance(0.5)) fields = altered(fields, random, this.#names);
    const whole = this.#whole(fields);
    return whole?.kind === content.kind ? whole : undefined;
  }

  /** The content as others will read it; undefined if it cannot be written, or they would not read it. */
  #whole(fields: Fields): Content | undefined {
    const { codec, self } = this.#options;
    try {
      return codec.decodeContent(codec.encodeContent(self, fields as unknown as Content).bytes);
    } catch {
      // An encoder refuses what no correct replica would ever hand to it.
      return undefined;
    }
  }

  /** A content of a kind in which all is nothing: no proofs, empty lists, first view. */
  #blankOf(kind: string): Content | undefined {
    if (!this.#blank.has(kind)) this.#blank.set(kind, this.#makeBlank(kind));
    return this.#blank.get(kind);
  }

  #makeBlank(kind: string): Content | undefined {
    const { codec, kinds } = this.#options;
    for (let length = 0; length <= BLANK_MAX; length += 1) {
      const bytes = new Uint8Array(1 + length);
      bytes[0] = kinds.indexOf(kind);
      const content = codec.decodeContent(bytes);
      if (content !== undefined) return content;
    }
    return undefined;
  }

  /** A view that this replica would lead, mostly near, or one that others lead. */
  #someView(): number {
    const { random, self, n } = this.#options;
    const near = Math.max(0, this.#topView + random.pick([-1, 0, 0, 1, 1, 2]));
    if (random.chance(0.3)) return near;
    const far = random.chance(0.06) ? n * random.pick(FAR) : 0;
    const led = near + ((self - (near % n) + n) % n);
    return led + far + (random.chance(0.15) ? n : 0);
  }

  #someOrder(value: number): number {
    const { random } = this.#options;
    const top = this.#topOrder + random.pick([-2, -1, 0, 0, 1, 1, 2, 8]);
    return random.chance(0.5) ? value : Math.max(0, top);
  }

  /** Fields with another view, and some of the rest chosen anew. */
  #refilled(fields: Fields, path: string, view: number | undefined, layer: number): Fields {
    const { random } = this.#options;
    const made: Fields = {};
    for (const [key, value] of Object.entries(fields)) {
      made[key] = value;
      if (key === 'kind') continue;
      if (typeof value === 'number') {
        if (VIEW_FIELDS.includes(key) && view !== undefined && random.chance(0.8))
          made[key] = key === 'view' ? view : Math.max(0, view - random.pick([0, 1, 1, 2]));
        else if (ORDER_FIELDS.includes(key)) made[key] = this.#someOrder(value);
      } else if (typeof value === 'string') {
        if (random.chance(0.3)) made[key] = this.#names.other(value);
      } else if (Array.isArray(value)) {
        if (random.chance(0.6)) made[key] = this.#list(value, `${path}.${key}`, view);
      } else if (isMessage(value)) {
        if (random.chance(0.5)) made[key] = random.pick(this.#seen.get(value.kind) ?? [value]);
      } else if (isRecord(value) && layer < LAYERS_MAX)
        made[key] = this.#refilled(value, `${path}.${key}`, view, layer + 1);
    }
    return made;
  }

  /** Another list in the place of one: shorter, in another order, doubled, of other messages. */
  #list(list: readonly unknown[], path: string, view: number | undefined): readonly unknown[] {
    const { random, n } = this.#options;
    switch (random.between(0, 9)) {
      case 0:
        return [];
      case 1:
        return list.slice(0, random.between(0, list.length));
      case 2:
        return list.slice(random.between(0, list.length));
      case 3:
        return list.toReversed();
      case 4:
        return [...list, ...list.slice(-1)];
      case 5: {
        const count = random.between(1, n);
        return Array.from({ length: count }, () => this.#names.other('0'.repeat(64)));
      }
      default:
        return this.#groupsFor(path) ?? this.#messages(path, view) ?? list;
    }
  }

  /** Groups of fields as a list like this has had them, of one message or of several. */
  #groupsFor(path: string): readonly Fields[] | undefined {
    const { random } = this.#options;
    const known = this.#groups.get(path);
    if (known === undefined) return undefined;
    const first = random.between(0, known.length - 1);
    return known.slice(first, first + random.between(1, 4));
  }

  /** Messages of one kind, one of each author, mostly of one view. */
  #messages(path: string, view: number | undefined): readonly Sealed<Content>[] | undefined {
    const { random, n } = this.#options;
    const known = [...(this.#quoted.get(path) ?? [])];
    const kind =
      known.length > 0 && random.chance(0.9) ? random.pick(known) : random.pick([...this.#seen.keys(), '']);
    const seen = this.#seen.get(kind);
    if (seen === undefined) return undefined;
    const wanted = random.chance(0.7)
      ? (view ?? (random.pick(seen).content as { view?: number }).view)
      : undefined;
    const fitting = seen.filter(
      ({ content }) => wanted === undefined || ((content as { view?: number }).view ?? wanted) === wanted,
    );
    const byAuthor = new Map<ReplicaId, Sealed<Content>>();
    for (const message of fitting)
      if (!byAuthor.has(message.author) || random.chance(0.5)) byAuthor.set(message.author, message);
    const all = [...byAuthor.values()].sort((a, b) => a.author - b.author);
    const count = random.pick([all.length, all.length, Math.ceil((n + 1) / 2), Math.ceil((2 * n) / 3)]);
    while (all.length > count) all.splice(random.between(0, all.length - 1), 1);
    return all;
  }
}

function isRecord(value: unknown): value is Fields {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

function isMessage(value: unknown): value is Sealed<Content> {
  return isRecord(value) && 'content' in value && 'attestation' in value;
}
