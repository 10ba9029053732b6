/**
 * A replica with the least around it that lets it run: seals are given at once, batches are executed at once, bodies are
 * there when somebody asks for them. No time passes but by an explicit time-out. What it does is a function of the
 * events that it was given, in their order.
 */
import type { Effect, Input, Replica } from '../../../core/protocol.ts';
import type { Batch, Bundle } from '../../../core/request.ts';
import type { Digest, ReplicaId, SequenceNumber, TcEpoch, View } from '../../../core/types.ts';
import { markVerified } from '../../../core/types.ts';
import { minbft } from '../../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../../smr/usig-stream/messages.ts';
import type { CoreGenesis } from '../../core/genesis.ts';
import { SEAL_BYTES } from '../../core/seal-book.ts';
import { CoreService } from '../../core/service.ts';
import type { CoreOutcome } from '../../core/service.ts';
import { placeOf } from '../rounds-of-views.ts';

/** What happens to a replica. */
export type LocalEvent =
  | { readonly kind: 'deliver'; readonly from: ReplicaId; readonly message: MinbftMessage }
  | { readonly kind: 'timeout' };

/** What it says. */
export interface Output {
  readonly to: ReplicaId;
  readonly message: MinbftMessage;
}

/** What all machines of a search share. */
export interface Surroundings {
  readonly genesis: CoreGenesis;
  /** Requests that every replica has from the beginning. */
  readonly bundles: readonly Bundle[];
  /** Whether STATUS and questions arrive at all. */
  readonly hints: boolean;
  /** Every batch that anybody ever made, by digest: content does not depend on who asks. */
  readonly bodies: Map<Digest, Batch>;
  /** Between the logic and the outside, for a Byzantine replica. */
  readonly wrap?: (self: ReplicaId, replica: Replica<MinbftMessage>) => Replica<MinbftMessage>;
}

/** Who looks on; all parts are optional. */
export interface Onlooker {
  readonly watch?: (self: ReplicaId, replica: Replica<MinbftMessage>) => Replica<MinbftMessage>;
  readonly onExecuted?: (
    self: ReplicaId,
    sequence: SequenceNumber,
    batch: Batch,
    outcome: CoreOutcome,
  ) => void;
}

/** Longer than any delay of the settings: whatever waits is due. */
const TIMEOUT_MS = 60_000;
/** Timers that run out at once: they only gather what is there already. */
const PROMPT_TIMERS = ['batch', 'bodies'] as const;
/** How often one event may let them run out. */
const PROMPT_MAX = 8;

/** See the top of this file. */
export class BareMachine {
  readonly self: ReplicaId;
  readonly #around: Surroundings;
  readonly #onlooker: Onlooker;
  readonly #replica: Replica<MinbftMessage>;
  readonly #service: CoreService;
  readonly #tcEpoch: TcEpoch;
  readonly #armed = new Set<string>();
  #now = 0;
  #inputs: Input<MinbftMessage>[] = [];
  #answer: Input<MinbftMessage> | undefined;
  #outputs: Output[] = [];
  /** What was executed, in order: `digest` of sequence number i+1 at i. */
  readonly executed: Digest[] = [];
  /** Whom it accused. */
  readonly accused: ReplicaId[] = [];
  /** What no correct replica does or may have to do, in words. */
  fault: string | undefined;

  constructor(self: ReplicaId, around: Surroundings, onlooker: Onlooker = {}) {
    const { genesis, wrap } = around;
    const { settings, domain, hash } = genesis;
    this.self = self;
    this.#around = around;
    this.#onlooker = onlooker;
    this.#service = new CoreService(settings.limits.checkpointInterval);
    this.#tcEpoch = genesis.trusted[self]!.tcEpoch;
    const bare = minbft.createReplica({
      self,
      settings,
      domain,
      hash,
      isExecuted: (bundle) => this.#service.isExecuted(bundle),
      signAsHost: () => SEAL_BYTES,
      seed: 1,
    });
    const watched = onlooker.watch?.(self, bare) ?? bare;
    this.#replica = wrap === undefined ? watched : wrap(self, watched);
  }

  /** Starts it with all requests at hand; gives what it says. */
  begin(): readonly Output[] {
    const { checkpoint, protocolState } = this.#service;
    return this.#run([
      {
        kind: 'start',
        recovery: {
          standing: 'keeper',
          tcEpoch: this.#tcEpoch,
          stored: new Map(),
          ownLog: [],
          executed: 0,
          checkpoint,
          protocolState,
        },
      },
      ...this.#around.bundles.map((bundle): Input<MinbftMessage> => ({
        kind: 'bundle',
        bundle: markVerified(bundle),
      })),
    ]);
  }

  /** Gives it an event; gives what it says. */
  take(event: LocalEvent): readonly Output[] {
    if (event.kind === 'timeout') {
      this.#now += TIMEOUT_MS;
      return this.#run(
        this.#dueTimers().map((timer): Input<MinbftMessage> => {
          this.#armed.delete(timer);
          return { kind: 'timeout', timer };
        }),
      );
    }
    const { from, message } = event;
    const proposal =
      message.kind === 'PREPARE' ? message : message.kind === 'COMMIT' ? message.prepare : undefined;
    const batch = proposal && this.#around.bodies.get(proposal.batchDigest);
    return this.#run([
      ...(batch === undefined ? [] : [{ kind: 'body', batch } as const]),
      { kind: 'message', from, message: markVerified(message) },
    ]);
  }

  /** Whether a time-out would do something. */
  get canTimeOut(): boolean {
    return this.#dueTimers().length > 0;
  }

  get view(): View {
    return this.#replica.inspect(this.#now).view;
  }

  /** What can be seen of it from outside, as text. */
  look(): string {
    const { view, mode, executed, stable, ownCounter, pendingBundles, peers } = this.#replica.inspect(
      this.#now,
    );
    const streams = peers.map((peer) => `${peer.counter}${peer.dead ? '!' : ''}`).join(',');
    return `${view} ${mode} ${executed} ${stable} ${ownCounter} ${pendingBundles} ${streams} ${this.executed.join(',')} ${this.#now} ${[...this.#armed].sort().join(',')}`;
  }

  #dueTimers(): string[] {
    return ['request', 'newView'].filter((timer) => this.#armed.has(timer));
  }

  #run(inputs: readonly Input<MinbftMessage>[]): readonly Output[] {
    this.#outputs = [];
    this.#inputs = [...inputs];
    if (this.fault !== undefined) return [];
    try {
      this.#drain();
      for (let round = 0; round < PROMPT_MAX; round += 1) {
        const timer = PROMPT_TIMERS.find((name) => this.#armed.delete(name));
        if (timer === undefined) break;
        this.#now += 1;
        this.#inputs.push({ kind: 'timeout', timer });
        this.#drain();
      }
    } catch (error) {
      this.fault = `stopped: ${String((error as Error).message)}`;
    }
    return this.#outputs;
  }

  #drain(): void {
    for (let input = this.#inputs.shift(); input !== undefined;) {
      for (const effect of this.#replica.step(input, this.#now)) this.#perform(effect);
      input = this.#answer ?? this.#inputs.shift();
      this.#answer = undefined;
    }
  }

  #perform(effect: Effect<MinbftMessage>): void {
    const { self } = this;
    switch (effect.kind) {
      case 'send':
        this.#say(effect.to, effect.message);
        break;
      case 'broadcast':
        for (const { id: to } of this.#around.genesis.settings.members) this.#say(to, effect.message);
        break;
      case 'seal': {
        const { tcEpoch, counter } = effect;
        this.#inputs.push({
          kind: 'sealed',
          ui: { replica: self, tcEpoch, counter, authenticator: SEAL_BYTES },
        });
        break;
      }
      case 'execute':
        this.#execute(effect.sequence, effect.batch, effect.protocolState);
        break;
      case 'shareBody':
        this.#around.bodies.set(effect.batch.digest, effect.batch);
        break;
      case 'fetchBody': {
        const batch = this.#around.bodies.get(effect.digest);
        if (batch !== undefined) this.#inputs.push({ kind: 'body', batch });
        break;
      }
      case 'setTimer':
        this.#armed.add(effect.timer);
        break;
      case 'cancelTimer':
        this.#armed.delete(effect.timer);
        break;
      case 'halt':
        this.fault = `halted: ${effect.reason}`;
        break;
      case 'accuse':
        this.accused.push(effect.replica);
        break;
      default:
        break;
    }
  }

  #say(to: ReplicaId, message: MinbftMessage): void {
    if (to === this.self || (!this.#around.hints && placeOf(message) === undefined)) return;
    this.#outputs.push({ to, message });
  }

  #execute(sequence: SequenceNumber, batch: Batch, protocolState: Uint8Array): void {
    const outcome = this.#service.execute(sequence, batch, protocolState);
    this.executed.push(batch.digest);
    this.#onlooker.onExecuted?.(this.self, sequence, batch, outcome);
    const { checkpoint } = outcome;
    this.#answer = { kind: 'executed', sequence, ...(checkpoint === undefined ? {} : { checkpoint }) };
  }
}
