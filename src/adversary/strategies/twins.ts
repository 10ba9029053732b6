/**
 * Twins: two copies of the logic with one identity and one trusted component. Each is connected to a part of the others
 * and knows nothing of its twin. A counter value goes to the copy that asks for it first; the other one, when it gets
 * there, finds it given and takes it for its own statement. What is sealed is thus a mixture of two honest streams.
 */
import type { CheckpointState, Replica, ReplicaInspection, UniqueIdentifier } from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { CounterValue, Digest, Milliseconds, ReplicaId, SequenceNumber } from '../../core/types.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { StreamLiarOptions } from '../options.ts';
import type { StreamEffect, StreamInput } from './strategy.ts';

type SealEffect = StreamEffect & { readonly kind: 'seal' };
type ExecuteEffect = StreamEffect & { readonly kind: 'execute' };

/** Timers of the second copy begin so. */
const TIMER = 'twin/';
/** Counter values and orders that are remembered. */
const KEPT = 1024;

/** What twins are made of. */
export interface TwinsOptions {
  readonly others: readonly ReplicaId[];
  /** Has the replicas that the second copy is connected to; all others are the first one's. Asked for each message. */
  readonly part: Pick<ReadonlySet<ReplicaId>, 'has'>;
  readonly first: Replica<MinbftMessage>;
  readonly second: Replica<MinbftMessage>;
  /** The second copy counts this batch as executed. */
  readonly onExecuted: (batch: Batch) => void;
  readonly lied: (kind: string) => void;
}

/** The replica and a twin of it; undefined where the host key is not at hand. */
export function withTwin(
  options: StreamLiarOptions,
  first: Replica<MinbftMessage>,
  lied: (kind: string) => void,
): Replica<MinbftMessage> | undefined {
  const { self, settings, domain, hash, random, sign } = options;
  if (sign === undefined) return undefined;
  const executed = new Set<Digest>();
  const second = minbft.createReplica({
    self,
    settings,
    domain,
    hash,
    isExecuted: (bundle) => executed.has(bundle.digest),
    signAsHost: sign,
    seed: random.u32(),
  });
  const others = settings.members.map(({ id }) => id).filter((id) => id !== self);
  const drawn = others.filter(() => random.chance(0.5));
  const part = new Set(drawn.length === 0 || drawn.length === others.length ? [random.pick(others)] : drawn);
  const onExecuted = (batch: Batch): void => {
    for (const bundle of batch.bundles) executed.add(bundle.digest);
  };
  return new Twins({ others, part, first, second, onExecuted, lied });
}

function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= KEPT) break;
    map.delete(oldest);
  }
}

/** See the top of this file. */
export class Twins implements Replica<MinbftMessage> {
  readonly #options: TwinsOptions;
  readonly #copies: readonly [Replica<MinbftMessage>, Replica<MinbftMessage>];
  readonly #given = new Map<CounterValue, UniqueIdentifier>();
  readonly #done = new Map<
    SequenceNumber,
    { readonly digest: Digest; readonly checkpoint?: CheckpointState }
  >();
  readonly #batches = new Map<SequenceNumber, Digest>();
  /** Which copies wait for the value that is asked for. */
  readonly #waiting = new Set<0 | 1>();
  readonly #pending: { readonly copy: 0 | 1; readonly input: StreamInput }[] = [];
  #executing: ExecuteEffect | undefined;
  #out: StreamEffect[] = [];
  #now: Milliseconds = 0;

  constructor(options: TwinsOptions) {
    this.#options = options;
    this.#copies = [options.first, options.second];
  }

  inspect(now: Milliseconds): ReplicaInspection {
    return this.#options.first.inspect(now);
  }

  step(input: StreamInput, now: Milliseconds): readonly StreamEffect[] {
    this.#out = [];
    this.#now = now;
    this.#route(input);
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift())
      this.#feed(next.copy, next.input);
    return this.#out;
  }

  #route(input: StreamInput): void {
    switch (input.kind) {
      case 'message':
        return this.#feed(this.#copyFor(input.from), input);
      case 'linkUp':
        return this.#feed(this.#copyFor(input.peer), input);
      case 'timeout':
        return input.timer.startsWith(TIMER)
          ? this.#feed(1, { kind: 'timeout', timer: input.timer.slice(TIMER.length) })
          : this.#feed(0, input);
      case 'sealed':
        return this.#onSealed(input.ui);
      case 'executed':
        return this.#onExecuted(input);
      case 'installed':
      case 'transferFailed':
        return this.#feed(0, input);
      case 'start':
        for (const { ui } of input.recovery.ownLog) keep(this.#given, ui.counter, ui);
        this.#feed(0, input);
        return this.#feed(1, input);
      default:
        this.#feed(0, input);
        return this.#feed(1, input);
    }
  }

  #copyFor(peer: ReplicaId): 0 | 1 {
    return this.#options.part.has(peer) ? 1 : 0;
  }

  #feed(copy: 0 | 1, input: StreamInput): void {
    for (const effect of this.#copies[copy].step(input, this.#now)) this.#perform(copy, effect);
  }

  #perform(copy: 0 | 1, effect: StreamEffect): void {
    switch (effect.kind) {
      case 'seal':
        this.#seal(copy, effect);
        break;
      case 'broadcast':
        for (const to of this.#options.others)
          if (this.#copyFor(to) === copy) this.#out.push({ kind: 'send', to, message: effect.message });
        break;
      case 'shareBody':
      case 'forward':
        this.#out.push(effect);
        break;
      case 'execute':
        if (copy === 0) {
          keep(this.#batches, effect.sequence, effect.batch.digest);
          this.#out.push(effect);
        } else {
          this.#executing = effect;
          this.#answerExecution();
        }
        break;
      default:
        if (copy === 0) this.#out.push(effect);
        else this.#performSecond(effect);
    }
  }

  /** The second copy has no disk and no service of its own. */
  #performSecond(effect: StreamEffect): void {
    switch (effect.kind) {
      case 'send':
      case 'fetchBody':
      case 'trustKey':
        this.#out.push(effect);
        break;
      case 'setTimer':
      case 'cancelTimer':
        this.#out.push({ ...effect, timer: TIMER + effect.timer });
        break;
      case 'store': {
        const entries = effect.entries.filter(
          ({ key, value }) => key.startsWith('body/') && value !== undefined,
        );
        if (entries.length > 0) this.#out.push({ kind: 'store', entries });
        break;
      }
      default:
        break;
    }
  }

  #seal(copy: 0 | 1, effect: SealEffect): void {
    const ui = this.#given.get(effect.counter);
    if (ui !== undefined) {
      this.#options.lied('two statements for one value');
      this.#pending.push({ copy, input: { kind: 'sealed', ui } });
      return;
    }
    this.#waiting.add(copy);
    if (this.#waiting.size === 1) this.#out.push(effect);
  }

  #onSealed(ui: UniqueIdentifier): void {
    keep(this.#given, ui.counter, ui);
    if (this.#waiting.size > 1) this.#options.lied('two statements for one value');
    const copies = [...this.#waiting];
    this.#waiting.clear();
    for (const copy of copies) this.#pending.push({ copy, input: { kind: 'sealed', ui } });
  }

  #onExecuted(input: StreamInput & { readonly kind: 'executed' }): void {
    const digest = this.#batches.get(input.sequence);
    if (digest !== undefined) {
      const { checkpoint } = input;
      keep(this.#done, input.sequence, { digest, ...(checkpoint === undefined ? {} : { checkpoint }) });
    }
    this.#feed(0, input);
    this.#answerExecution();
  }

  /** What the first copy has executed is the second one's result too, if it is the same batch. */
  #answerExecution(): void {
    const wanted = this.#executing;
    const done = wanted === undefined ? undefined : this.#done.get(wanted.sequence);
    if (wanted === undefined || done === undefined || done.digest !== wanted.batch.digest) return;
    this.#executing = undefined;
    this.#options.onExecuted(wanted.batch);
    const { checkpoint } = done;
    this.#pending.push({
      copy: 1,
      input: {
        kind: 'executed',
        sequence: wanted.sequence,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      },
    });
  }
}
