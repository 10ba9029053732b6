/**
 * One running instance of the fallback. Its inputs are made of CheapBFT's, its effects become CheapBFT's: `seal` an
 * `attest` on the label of the instance, `store` under a prefix, sequence numbers are counted from the instance's start.
 */
import type { Attestation } from '../../core/attestation.ts';
import type {
  CheckpointState,
  Effect,
  Input,
  Recovery,
  Replica,
  ReplicaContext,
  StoreEntry,
} from '../../core/protocol.ts';
import type { Batch } from '../../core/request.ts';
import type { CounterValue, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Desk } from '../../smr/attested/desk.ts';
import type { Lacking } from '../../smr/lack.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import type { FallbackDefinition } from './inner.ts';
import { boundDigest, contextFor, wrapInner } from './inner.ts';
import type { CheapContent, CheapSealed, Draft, Inner, Role } from './messages.ts';

/** What an instance asks of the replica that it runs in. Sequence numbers are the fallback's own. */
export interface FallbackPort {
  readonly desk: Desk<AttestedMessage<CheapContent>>;
  /** To one replica, or to all others. */
  say(content: Inner, to: ReplicaId | undefined): void;
  seal(content: Draft): void;
  /** The fallback has decided an order. */
  execute(sequence: SequenceNumber, batch: Batch): void;
  transfer(checkpoint: CheckpointState, sources: readonly ReplicaId[]): void;
  /** Own sealed messages below a counter value went out of use. */
  onTrimmed(): void;
  /** It begins anew, as one that only listens: what was executed before is told to it again. */
  onListening(): void;
  /** Whether a stored body is somebody else's business, too. */
  isHeld(key: string): boolean;
}

/** What an instance takes up again. */
export interface FallbackRecovery {
  readonly stored: ReadonlyMap<string, Uint8Array>;
  readonly drafts: readonly CheapSealed[];
  readonly executed: SequenceNumber;
  readonly checkpoint: CheckpointState;
}

/** Where nothing was executed. */
export const NO_CHECKPOINT: CheckpointState = { sequence: 0, stateDigest: ZERO_DIGEST };
const BODY = 'body/';
/** tcEpoch that no registry names. */
const UNREGISTERED = 'f'.repeat(16) as TcEpoch;
const NO_BYTES = new Uint8Array(0);

/** See the top of this file. */
export class Fallback {
  readonly instance: number;
  readonly role: Role;
  readonly #definition: FallbackDefinition;
  readonly #context: ReplicaContext;
  readonly #port: FallbackPort;
  #replica: Replica<object>;
  /** Keys that it has in the store. */
  readonly #keys = new Set<string>();
  readonly #inputs: Input<object>[] = [];
  #running = false;
  /** Own sealed messages below this are not needed any more. */
  trimmedBelow: CounterValue = 0;
  /** The store of what it said is lost: it says nothing more in this instance, but it learns and executes. */
  listens = false;
  #ended = false;

  constructor(
    definition: FallbackDefinition,
    context: ReplicaContext,
    where: Pick<Inner, 'role' | 'instance'>,
    port: FallbackPort,
  ) {
    const { role, instance } = where;
    this.role = role;
    this.instance = instance;
    this.#definition = definition;
    this.#context = context;
    this.#port = port;
    this.#replica = this.#create();
  }

  #create(): Replica<object> {
    const context = this.#context;
    const { hash, domain, self, isExecuted, seed, signAsHost } = context;
    const isTraced = this.role === 'order';
    return this.#definition.createReplica({
      ...contextFor(this.role, context),
      self,
      get trace() {
        return isTraced ? context.trace : undefined;
      },
      isExecuted,
      seed: seed + this.instance,
      signAsHost: (digest) => signAsHost(boundDigest(hash, domain, this, digest)),
    });
  }

  get #prefix(): string {
    return `${this.role}${this.instance}/`;
  }

  /** First words. */
  start({ stored, drafts, executed, checkpoint }: FallbackRecovery): void {
    const own = new Map<string, Uint8Array>();
    for (const [key, value] of stored) {
      const isBody = key.startsWith(BODY);
      if (!isBody && !key.startsWith(this.#prefix)) continue;
      this.#keys.add(key);
      own.set(isBody ? key : key.slice(this.#prefix.length), value);
    }
    const ownLog = drafts.flatMap(({ content, attestation }) => {
      if (content.kind !== 'DRAFT' || attestation.kind !== 'object') return [];
      return [{ draft: content.draft, ui: uiOf(attestation) }];
    });
    const { settings, self } = this.#context;
    const { tcEpoch } = settings.members[self]!.trusted;
    const rest = { stored: own, ownLog, executed, checkpoint, protocolState: NO_BYTES };
    this.take({ kind: 'start', recovery: { standing: 'keeper', tcEpoch, ...rest } });
  }

  /** Peers hold messages of this replica that it knows nothing of: it begins anew, as a component nobody has registered. */
  #listen(reason: string): void {
    if (this.listens) return;
    this.listens = true;
    this.#port.desk.note('fallbackListens', { instance: this.instance, reason });
    this.#clear();
    this.#inputs.length = 0;
    this.#replica = this.#create();
    this.#port.onListening();
    const recovery: Recovery = {
      standing: 'recovering',
      tcEpoch: UNREGISTERED,
      stored: new Map(),
      ownLog: [],
      executed: 0,
      checkpoint: NO_CHECKPOINT,
      protocolState: NO_BYTES,
    };
    this.#inputs.push({ kind: 'start', recovery });
  }

  /** What it waits for, in sequence numbers of its own. */
  lacking(): Lacking | undefined {
    const { desk } = this.#port;
    const { lack } = this.#replica.inspect(desk.wallMs);
    return lack && { ...lack, among: [...lack.has, ...lack.lacks], since: desk.now - lack.forMs };
  }

  /** A word of the component for an own message of this instance. */
  onWord(attestation: Attestation): void {
    if (attestation.kind === 'object' && !this.listens) this.take({ kind: 'sealed', ui: uiOf(attestation) });
  }

  /** The component refused its word: this run has said something before that its store knows nothing of. */
  onUnsaid(): void {
    this.#listen('its component has given this value before');
    this.#run();
  }

  /** Takes in what happened, and whatever follows from it. */
  take(input: Input<object>): void {
    // The answer to an execution comes before anything else (H5).
    if (input.kind === 'executed') this.#inputs.unshift(input);
    else this.#inputs.push(input);
    this.#run();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      if (this.#ended) continue;
      for (const effect of this.#replica.step(next, this.#port.desk.wallMs)) this.#perform(effect);
    }
    this.#running = false;
  }

  /** Ends the instance: nothing of it stays. */
  end(): void {
    this.#ended = true;
    this.#clear();
  }

  #clear(): void {
    const gone = [...this.#keys].filter((key) => !this.#port.isHeld(key));
    this.#keys.clear();
    this.#port.desk.store(gone.map((key) => ({ key, value: undefined })));
  }

  /** Name of its timer, if a timer is one of this instance. */
  timerOf(timer: string): string | undefined {
    const prefix = `${this.role}${this.instance}:`;
    return timer.startsWith(prefix) ? timer.slice(prefix.length) : undefined;
  }

  #perform(effect: Effect<object>): void {
    const { desk } = this.#port;
    switch (effect.kind) {
      case 'send':
        return this.#port.say(this.#wrap(effect.message), effect.to);
      case 'broadcast':
        return this.#port.say(this.#wrap(effect.message), undefined);
      case 'seal': {
        const { counter, digest: sealed, draft } = effect;
        const { instance, role } = this;
        return this.#port.seal({ kind: 'DRAFT', instance, role, counter, sealed, draft });
      }
      case 'store':
        return this.#store(effect.entries);
      case 'trimLog':
        this.trimmedBelow = Math.max(this.trimmedBelow, effect.below);
        return this.#port.onTrimmed();
      case 'forward':
        // Everybody proposes histories by itself.
        if (this.role === 'order') desk.emit(effect);
        return;
      case 'shareBody':
      case 'fetchBody':
      case 'note':
        return desk.emit(effect);
      case 'execute':
        return this.#port.execute(effect.sequence, effect.batch);
      case 'transfer':
        return this.#port.transfer(effect.checkpoint, effect.sources);
      case 'setTimer':
      case 'cancelTimer':
        return desk.emit({ ...effect, timer: `${this.role}${this.instance}:${effect.timer}` });
      case 'halt':
        return this.#listen(effect.reason);
      case 'accuse':
        return desk.note('fallbackAccuses', { replica: effect.replica, rule: effect.rule });
      default:
        // What is stable and which keys are known is CheapBFT's; nothing else is asked for.
        return;
    }
  }

  #wrap(message: object): Inner {
    return wrapInner(this.#definition, this.#context, this, message);
  }

  #store(entries: readonly StoreEntry[]): void {
    const mapped: StoreEntry[] = [];
    for (const { key, value } of entries) {
      const name = key.startsWith(BODY) ? key : this.#prefix + key;
      if (value !== undefined) this.#keys.add(name);
      else if (!this.#keys.delete(name) || this.#port.isHeld(name)) continue;
      mapped.push({ key: name, value });
    }
    this.#port.desk.store(mapped);
  }
}

function uiOf({ replica, tcEpoch, value: counter, authenticator }: Extract<Attestation, { kind: 'object' }>) {
  return { replica, tcEpoch, counter, authenticator };
}
