/**
 * The lying replica: a correct one between strategies. It keeps the books of what was really sealed, so that later logs,
 * retransmissions and VIEW-CHANGEs fit the counters of its trusted component, and a fetch is answered with the same lie.
 * Statements may also be sealed that the logic never asked for: it finds the counter value used when it asks for it.
 */
import type { CounterValue, Digest, Milliseconds, ReplicaId, TcEpoch } from '../core/types.ts';
import type { Recovery, Replica, ReplicaInspection, UniqueIdentifier } from '../core/protocol.ts';
import type { Batch } from '../core/request.ts';
import { completeDraft, decodeDraft, encodeDraft } from '../smr/usig-stream/codec.ts';
import { createStreamContext } from '../smr/usig-stream/context.ts';
import type { StreamContext } from '../smr/usig-stream/context.ts';
import { stubOf, viewChangeContent } from '../smr/usig-stream/builders.ts';
import { makeFullNewView } from '../smr/usig-stream/nested.ts';
import type {
  Draft,
  LogEntry,
  MinbftMessage,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  StreamMessage,
  ViewChange,
  ViewChangeContent,
} from '../smr/usig-stream/messages.ts';
import type { LiarMemory } from './conspiracy.ts';
import type { StreamLiarOptions } from './options.ts';
import type { Overheard } from './strategies/overheard.ts';
import type { Extras, Strategy, StreamEffect, StreamInput } from './strategies/strategy.ts';

type SealEffect = StreamEffect & { readonly kind: 'seal' };

/** What was sealed with one counter value. */
interface Place {
  readonly draft: Draft;
  readonly digest: Digest;
  readonly ui: UniqueIdentifier;
  extras: Extras;
}

/** A seal that was asked for, or shall be. */
interface Wanted {
  readonly draft: Draft;
  readonly extras: Extras;
  /** Undefined where the logic asked. */
  readonly then: ((message: StreamMessage) => void) | undefined;
}

/** Statements that wait for their seal beside those of the logic, at most. */
const INSERTS_MAX = 16;
/** Timers of a liar begin so; no protocol uses such a name. */
const TIMER = 'liar/';

/** UI of an own statement in a message; undefined for others' and for messages without one. */
function uiOf(message: MinbftMessage | LogEntry): UniqueIdentifier | undefined {
  return message.kind === 'NEW-VIEW' ? message.header.ui : 'ui' in message ? message.ui : undefined;
}

function digestOf(message: MinbftMessage | LogEntry): Digest | undefined {
  return message.kind === 'NEW-VIEW'
    ? message.header.digest
    : 'digest' in message
      ? message.digest
      : undefined;
}

/** See the top of this file. */
export class StreamLiar implements Replica<MinbftMessage> {
  readonly context: StreamContext;
  readonly heard: Overheard;
  readonly #options: StreamLiarOptions;
  readonly #inner: Replica<MinbftMessage>;
  readonly #memory: LiarMemory;
  readonly #places = new Map<CounterValue, Place>();
  readonly #actions = new Map<string, () => void>();
  readonly #queue: Wanted[] = [];
  readonly #answers: StreamInput[] = [];
  #strategies: readonly Strategy[] = [];
  #out: StreamEffect[] = [];
  #outstanding: (Wanted & { readonly counter: CounterValue; readonly mine: boolean }) | undefined;
  #waiting: SealEffect | undefined;
  #epoch: TcEpoch | undefined;
  #last: CounterValue = 0;
  #timers = 0;
  #broken = false;
  now: Milliseconds = 0;

  constructor(options: StreamLiarOptions, memory: LiarMemory, inner: Replica<MinbftMessage>) {
    const { settings, hash, domain } = options;
    this.#options = options;
    this.#memory = memory;
    this.#inner = inner;
    this.heard = memory.heard;
    this.context = createStreamContext(settings, hash, domain, settings.protocol);
  }

  /** The strategies that work here, in this order; before the first step. */
  follow(strategies: readonly Strategy[]): void {
    this.#strategies = strategies;
  }

  inspect(now: Milliseconds): ReplicaInspection {
    return this.#inner.inspect(now);
  }

  step(input: StreamInput, now: Milliseconds): readonly StreamEffect[] {
    if (this.#broken) return [];
    this.now = now;
    this.#out = [];
    this.#take(input.kind === 'start' ? { ...input, recovery: this.#restart(input.recovery) } : input);
    for (let answer = this.#answers.shift(); answer !== undefined; answer = this.#answers.shift())
      this.#feed(answer);
    this.#pump();
    return this.#out;
  }

  #take(input: StreamInput): void {
    if (input.kind === 'timeout' && input.timer.startsWith(TIMER)) {
      const action = this.#actions.get(input.timer);
      this.#actions.delete(input.timer);
      action?.();
    } else if (input.kind === 'sealed') this.#onSealed(input.ui);
    else {
      this.heard.hear(input);
      let admitted = true;
      for (const strategy of this.#strategies) if (strategy.hears?.(input) === false) admitted = false;
      if (admitted) this.#feed(input);
    }
  }

  #feed(input: StreamInput): void {
    let effects: readonly StreamEffect[];
    try {
      effects = this.#inner.step(input, this.now);
    } catch {
      // Its own lies have brought the logic where no correct one gets: from here on it is a replica that crashed.
      this.#broken = true;
      this.#out.push({ kind: 'note', name: 'liarStopped', detail: { input: input.kind } });
      return;
    }
    for (const effect of effects) this.#bend(effect);
  }

  #bend(effect: StreamEffect): void {
    switch (effect.kind) {
      case 'seal':
        this.#bendSeal(effect);
        break;
      case 'broadcast':
        this.say(effect.message);
        break;
      case 'send':
        this.say(effect.message, effect.to);
        break;
      case 'shareBody':
        this.heard.noteBatch(effect.batch);
        this.#give(effect);
        break;
      case 'forward':
        this.#give(effect);
        break;
      case 'trimLog':
        this.#forget(effect.below);
        this.#out.push(effect);
        break;
      default:
        this.#out.push(effect);
    }
  }

  // ---- restarts ---------------------------------------------------------------------------------------------------

  /** The disk holds what was sealed; the logic is given what it believes, and finds the rest used when it gets there. */
  #restart(recovery: Recovery): Recovery {
    const memory = this.#memory;
    if (memory.tcEpoch !== recovery.tcEpoch) {
      memory.believed.clear();
      memory.taken.clear();
    }
    memory.tcEpoch = recovery.tcEpoch;
    if (recovery.standing === 'keeper') this.#epoch = recovery.tcEpoch;
    const ownLog: Recovery['ownLog'][number][] = [];
    let hole = false;
    for (const { draft: bytes, ui } of recovery.ownLog) {
      const draft = decodeDraft(this.context, bytes);
      if (draft !== undefined)
        this.#places.set(ui.counter, {
          draft,
          digest: encodeDraft(this.context, draft).digest,
          ui,
          extras: {},
        });
      this.#last = ui.counter;
      if (memory.taken.has(ui.counter)) hole = true;
      if (!hole) ownLog.push({ draft: memory.believed.get(ui.counter) ?? bytes, ui });
    }
    return { ...recovery, ownLog };
  }

  #forget(below: CounterValue): void {
    for (const counter of this.#places.keys()) if (counter < below) this.#places.delete(counter);
    for (const counter of this.#memory.believed.keys())
      if (counter < below) this.#memory.believed.delete(counter);
  }

  // ---- before the seal --------------------------------------------------------------------------------------------

  /** Wishes for a statement of its own beside those of the logic. */
  insert(draft: Draft, extras: Extras, then: ((message: StreamMessage) => void) | undefined): void {
    if (this.#queue.length < INSERTS_MAX)
      this.#queue.push({ draft, extras, then: then ?? ((message) => this.say(message)) });
  }

  #pump(): void {
    if (this.#outstanding !== undefined || this.#epoch === undefined || this.#broken) return;
    const wanted = this.#queue.shift();
    if (wanted === undefined) return;
    const encoded = this.#encode(wanted.draft);
    if (encoded === undefined) return;
    const counter = this.#last + 1;
    this.#memory.taken.add(counter);
    this.#outstanding = { ...wanted, counter, mine: true };
    const { digest, bytes } = encoded;
    this.#out.push({ kind: 'seal', tcEpoch: this.#epoch, counter, digest, draft: bytes });
  }

  #encode(draft: Draft): ReturnType<typeof encodeDraft> | undefined {
    try {
      return encodeDraft(this.context, draft);
    } catch {
      return undefined;
    }
  }

  #bendSeal(effect: SealEffect): void {
    this.#epoch = effect.tcEpoch;
    if (effect.counter <= this.#last) this.#answerWith(effect);
    else if (this.#outstanding !== undefined) this.#waiting = effect;
    else this.#ask(effect);
  }

  /** The logic asks for a counter value that is used already. */
  #answerWith(effect: SealEffect): void {
    const { counter } = effect;
    const place = this.#places.get(counter);
    if (place === undefined) return;
    this.#memory.taken.delete(counter);
    this.#memory.believed.set(counter, effect.draft);
    this.#answers.push({ kind: 'sealed', ui: place.ui });
  }

  #ask(effect: SealEffect): void {
    const { counter } = effect;
    const wished = decodeDraft(this.context, effect.draft);
    if (wished === undefined) {
      this.#out.push(effect);
      return;
    }
    const truth = this.#truthful(wished);
    let draft = truth;
    for (const strategy of this.#strategies) draft = strategy.seals?.(draft, counter) ?? draft;
    let encoded = this.#encode(draft);
    if (encoded === undefined) {
      draft = truth;
      encoded = encodeDraft(this.context, draft);
    }
    let extras: Extras = {};
    for (const strategy of this.#strategies) extras = { ...extras, ...strategy.extras?.(draft) };
    if (encoded.digest !== effect.digest) this.#memory.believed.set(counter, effect.draft);
    this.#outstanding = { draft, extras, then: undefined, counter, mine: false };
    this.#out.push({ ...effect, digest: encoded.digest, draft: encoded.bytes });
  }

  /** What shows the own stream must show what was really sealed: the logic's own account would not even verify. */
  #truthful(draft: Draft): Draft {
    if (draft.kind === 'NEW-VIEW-HEADER') return this.#truthfulNewView(draft);
    return draft.kind === 'VIEW-CHANGE' ? this.#truthfulLog(draft) : draft;
  }

  #truthfulLog(draft: ViewChangeContent): ViewChangeContent {
    const anchor = draft.anchor && this.told(draft.anchor);
    const log = draft.log.map((entry) => this.#toldEntry(entry));
    if (anchor?.kind !== 'CHECKPOINT' && anchor !== undefined) return draft;
    const { view, stable, vouchers } = draft;
    return viewChangeContent(this.context, { view, stable, anchor, vouchers, log });
  }

  #truthfulNewView(draft: NewViewHeaderContent): NewViewHeaderContent {
    const references = draft.references.map((reference) => {
      const place =
        reference.replica === this.#options.self ? this.#places.get(reference.ui.counter) : undefined;
      return place === undefined ? reference : { ...reference, digest: place.digest };
    });
    return { ...draft, references };
  }

  #toldEntry(entry: LogEntry): LogEntry {
    const place = this.#placeOf(entry);
    if (place === undefined || place.digest === entry.digest) return entry;
    const told = completeDraft(this.context, place.draft, entry.ui);
    return told.kind === 'VIEW-CHANGE' ? stubOf(told) : told;
  }

  #placeOf(message: MinbftMessage | LogEntry): Place | undefined {
    const ui = uiOf(message);
    return ui?.replica === this.#options.self ? this.#places.get(ui.counter) : undefined;
  }

  // ---- after the seal ---------------------------------------------------------------------------------------------

  #onSealed(ui: UniqueIdentifier): void {
    const done = this.#outstanding;
    this.#outstanding = undefined;
    this.#last = Math.max(this.#last, ui.counter);
    if (done === undefined || done.counter !== ui.counter) return this.#feed({ kind: 'sealed', ui });
    const { draft, extras } = done;
    const place = { draft, digest: encodeDraft(this.context, draft).digest, ui, extras };
    this.#places.set(ui.counter, place);
    const message = this.#messageOf(place);
    this.heard.note(message);
    done.then?.(message);
    for (const strategy of this.#strategies) strategy.sealed?.(message);
    if (!done.mine) return this.#feed({ kind: 'sealed', ui });
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.#bendSeal(waiting);
    return undefined;
  }

  #messageOf({ draft, ui, extras }: Place): StreamMessage {
    const { newViews = [], justification = [] } = extras;
    const sealed = completeDraft(this.context, draft, ui, { newViews, justification });
    return sealed.kind === 'NEW-VIEW-HEADER'
      ? makeFullNewView(sealed, extras.viewChanges ?? this.#quoted(sealed))
      : sealed;
  }

  /** The VIEW-CHANGEs that a NEW-VIEW names, as far as they are at hand. */
  #quoted(header: NewViewHeader): ViewChange[] {
    const found: ViewChange[] = [];
    for (const { digest, replica } of header.references) {
      const one = this.heard.viewChanges.findLast((other) => other.digest === digest);
      if (one?.ui.replica === replica) found.push(one);
    }
    return found;
  }

  /** The message that was really sealed, where it is another one than the logic means. */
  told(message: MinbftMessage): MinbftMessage {
    const place = this.#placeOf(message);
    if (place === undefined) return message;
    if (message.kind === 'VIEW-CHANGE' && place.draft.kind === 'VIEW-CHANGE') {
      const { justification } = message;
      const newViews = message.newViews.map((proof) => this.#toldProof(proof));
      place.extras = { newViews, justification, ...place.extras };
    } else if (place.digest === digestOf(message)) return message;
    return this.#messageOf(place);
  }

  #toldProof(proof: NewViewProof): NewViewProof {
    const told = proof.kind === 'NEW-VIEW' ? this.told(proof) : proof;
    return told.kind === 'NEW-VIEW' ? told : proof;
  }

  /** Tells a message to one replica or to all others, as the strategies want it. */
  say(message: MinbftMessage, to?: ReplicaId): void {
    const told = this.told(message);
    const changes = this.#strategies.filter((strategy) => strategy.tells !== undefined);
    if (changes.length === 0) {
      this.#out.push(
        to === undefined ? { kind: 'broadcast', message: told } : { kind: 'send', to, message: told },
      );
      return;
    }
    for (const id of this.others(to)) {
      let versions: readonly MinbftMessage[] = [told];
      for (const strategy of changes) versions = versions.flatMap((one) => strategy.tells!(one, id));
      for (const version of versions) this.#out.push({ kind: 'send', to: id, message: version });
    }
  }

  /** Sends a message as it is. */
  send(to: ReplicaId, message: MinbftMessage): void {
    if (to !== this.#options.self) this.#out.push({ kind: 'send', to, message });
  }

  /** Stores a body and shares it. */
  share(batch: Batch): void {
    this.heard.noteBatch(batch);
    this.#out.push({ kind: 'store', entries: [{ key: `body/${batch.digest}`, value: batch.bytes }] });
    this.#give({ kind: 'shareBody', batch });
  }

  #give(effect: StreamEffect & { readonly kind: 'shareBody' | 'forward' }): void {
    const chooses = this.#strategies.filter((strategy) => strategy.gives !== undefined);
    if (chooses.length === 0) {
      this.#out.push(effect);
      return;
    }
    for (const to of this.others(effect.to))
      if (chooses.every((strategy) => strategy.gives!(effect, to))) this.#out.push({ ...effect, to });
  }

  /** That replica, or all others. */
  others(to?: ReplicaId): readonly ReplicaId[] {
    if (to !== undefined) return [to];
    const { settings, self } = this.#options;
    return settings.members.map(({ id }) => id).filter((id) => id !== self);
  }

  /** Does something later. */
  later(delayMs: Milliseconds, action: () => void): void {
    this.#timers += 1;
    const timer = `${TIMER}${this.#timers}`;
    this.#actions.set(timer, action);
    this.#out.push({ kind: 'setTimer', timer, delayMs: Math.max(1, Math.floor(delayMs)) });
  }
}
