/**
 * What the tests of this folder share: a cluster without seals, and authors that seal whatever they are told, rules or
 * not. Authenticators are arbitrary bytes; meaning is all that is judged here.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ClusterSettings, MemberSettings } from '../../core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../../core/config.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest, Hash, ReplicaId, TcEpoch } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { applyRecover, currentEntry } from '../registry.ts';
import type { IncarnationEntry, Registry } from '../registry.ts';
import { fullNewView, newViewCertificate, stubOf, viewChangeContent } from './builders.ts';
import { completeDraft } from './codec.ts';
import { createStreamContext, registryDigest } from './context.ts';
import type { StreamContext, VoteKind } from './context.ts';
import type { SlotRules } from './slots.ts';
import type {
  Checkpoint,
  CheckpointContent,
  Commit,
  CommitNewView,
  Draft,
  FullNewView,
  LogEntry,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  PrepareContent,
  RequestViewChange,
  StreamMessage,
  StreamPosition,
  ViewChange,
} from './messages.ts';
import type { UsigStreamRule } from './rules.ts';
import { incarnationStream, stepStream, streamUi, summaryOf } from './stream.ts';
import type { StreamLookup, StepResult, StreamState } from './stream.ts';
import type { Validity } from './validity.ts';
import { ValidationCache } from './validation.ts';
import { newViewContent, resolveNewView, validViewChange } from './view-change.ts';
import type { ValidationKnowledge } from './validation.ts';

export const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());

/** A digest that stands for some content. */
export function digestNamed(name: string): Digest {
  return createHash('sha256').update(name).digest('hex') as Digest;
}

/** tcEpoch of a replica's incarnation. */
export function epochOf(replica: ReplicaId, incarnation = 0): TcEpoch {
  return `${(replica * 256 + incarnation).toString(16)}`.padStart(16, '0') as TcEpoch;
}

export interface ClusterOptions {
  readonly f?: number;
  readonly checkpointInterval?: number;
  readonly pipelineFactor?: number;
  readonly logEntriesMax?: number;
  readonly protocol?: string;
  readonly vote?: VoteKind;
  readonly slots?: SlotRules;
  readonly clusterName?: string;
}

export function settingsFor(options: ClusterOptions): ClusterSettings {
  const { f = 1, checkpointInterval = 4, pipelineFactor = 2, logEntriesMax = 512 } = options;
  const members = Array.from({ length: 2 * f + 1 }, (_, id): MemberSettings => ({
    id,
    name: `r${id}`,
    organisation: 'o',
    hostKey: '00'.repeat(32),
    linkKey: '00'.repeat(32),
    address: `localhost:${id}`,
    trusted: {
      program: 'usig',
      footprint: 'test',
      measurement: ZERO_DIGEST,
      suite: 'ed25519',
      tcId: `${id}`.padStart(32, '0'),
      tcEpoch: epochOf(id),
      publicKey: `${id}`.padStart(64, '0'),
    },
  }));
  return {
    clusterId: digestNamed(options.clusterName ?? 'cluster'),
    configurationVersion: 1,
    protocol: 'minbft',
    f,
    suite: 'ed25519',
    members,
    clients: [],
    policy: [],
    limits: { ...DEFAULT_LIMITS, checkpointInterval, pipelineFactor, logEntriesMax },
    timers: DEFAULT_TIMERS,
  };
}

/** Lookup of `stepStream` for live messages: VIEW-CHANGEs and NEW-VIEWs are judged in full. */
function liveLookup(context: StreamContext, known: ValidationKnowledge): StreamLookup {
  return {
    incarnationOf: known.incarnationOf,
    viewChange: (message) => validViewChange(context, message, known),
    newView: (header, attached) =>
      resolveNewView(context, header, known, {
        attached: attached === undefined ? [] : [attached],
        withBase: false,
      }),
  };
}

/** A cluster of authors, and what everybody in it knows. */
export class TestCluster {
  readonly context: StreamContext;
  readonly authors: readonly Author[];
  readonly proofs = new Map<Digest, NewViewProof>();
  #registries: Registry[] = [];

  constructor(options: ClusterOptions = {}) {
    const settings = settingsFor(options);
    const { clusterId, configurationVersion } = settings;
    this.context = createStreamContext(
      settings,
      sha256,
      { clusterId, configurationVersion },
      options.protocol ?? 'minbft',
      options.vote,
      options.slots,
    );
    this.#registries = [this.context.genesis];
    this.authors = settings.members.map(
      ({ id }) => new Author(this, id, this.context.genesis.members[id]![0]!),
    );
  }

  author(replica: ReplicaId): Author {
    return this.authors[replica]!;
  }

  /** Makes everybody know a registry. Its digest. */
  learn(registry: Registry): Digest {
    this.#registries.push(registry);
    return registryDigest(this.context, registry);
  }

  /** Knowledge with a cache of its own. */
  knowledge(parts: Partial<ValidationKnowledge> = {}): ValidationKnowledge {
    return {
      byDigest: (digest) => this.#registries.find((one) => registryDigest(this.context, one) === digest),
      incarnationOf: (replica, tcEpoch) => {
        for (const registry of this.#registries)
          for (const entry of registry.members[replica] ?? [])
            if (entry.tcEpoch === tcEpoch) return entry.incarnation;
        return undefined;
      },
      cache: new ValidationCache(),
      ...parts,
    };
  }

  /** One CHECKPOINT of each of these authors, all agreeing. */
  checkpoints(replicas: readonly ReplicaId[], sequence: number, parts: Partial<CheckpointContent> = {}) {
    return replicas.map((replica) => this.author(replica).checkpoint(sequence, parts));
  }

  /** All authors' positions. */
  positions(): StreamPosition[] {
    return this.authors.map(({ state }) => ({ incarnation: state.incarnation, counter: state.counter }));
  }
}

/** A replica's voice. Its state follows the rules where it can, its counter always. */
export class Author {
  readonly cluster: TestCluster;
  readonly replica: ReplicaId;
  readonly entry: IncarnationEntry;
  state: StreamState;
  /** Everything sealed, VIEW-CHANGEs as stubs. */
  log: LogEntry[] = [];
  /** What came of the last message. */
  last: StepResult | undefined;

  constructor(cluster: TestCluster, replica: ReplicaId, entry: IncarnationEntry) {
    this.cluster = cluster;
    this.replica = replica;
    this.entry = entry;
    this.state = incarnationStream(cluster.context, entry);
  }

  ui(counter = this.state.counter + 1): UniqueIdentifier {
    const authenticator = new Uint8Array(64).fill(this.replica + 1);
    authenticator[63] = counter % 256;
    return { replica: this.replica, tcEpoch: this.entry.tcEpoch, counter, authenticator };
  }

  #record(message: StreamMessage | NewViewHeader, entry: LogEntry): void {
    const lookup = liveLookup(this.cluster.context, {
      ...this.cluster.knowledge(),
      newViewProof: (digest) => this.cluster.proofs.get(digest),
    });
    this.last = stepStream(this.cluster.context, this.state, this.replica, message, lookup);
    if (this.last.kind === 'accepted') this.state = this.last.state;
    else this.state = { ...this.state, counter: streamUi(message).counter };
    this.log.push(entry);
  }

  #seal<M extends Exclude<LogEntry, { kind: 'VIEW-CHANGE-STUB' }>>(draft: Draft): M {
    const message = completeDraft(this.cluster.context, draft, this.ui()) as unknown as M;
    this.#record(message, message);
    return message;
  }

  prepare(sequence: number, body: string, parts: Partial<PrepareContent> = {}): Prepare {
    const { newView } = this.state;
    return this.#seal<Prepare>({
      kind: 'PREPARE',
      view: newView.view,
      configurationVersion: 1,
      newViewCounter: newView.counter,
      sequence,
      batchDigest: digestNamed(body),
      recovers: [],
      ...parts,
    });
  }

  commit(prepare: Prepare): Commit {
    return this.#seal<Commit>({ kind: 'COMMIT', prepare });
  }

  checkpoint(sequence: number, parts: Partial<CheckpointContent> = {}): Checkpoint {
    return this.#seal<Checkpoint>({
      kind: 'CHECKPOINT',
      sequence,
      stateDigest: digestNamed(`state ${sequence}`),
      last: { view: 0, primaryCounter: sequence },
      configurationVersion: 1,
      registryDigest: this.cluster.context.genesisRegistryDigest,
      self: summaryOf(this.state),
      seen: this.cluster.positions(),
      ...parts,
    });
  }

  /** Attachments default to what is known of the NEW-VIEWs in the log. */
  viewChange(
    view: number,
    parts: Partial<
      Pick<ViewChange, 'stable' | 'anchor' | 'vouchers' | 'log' | 'newViews' | 'justification'>
    > = {},
  ): ViewChange {
    const { anchor } = parts;
    const log =
      parts.log ?? this.log.filter(({ ui }) => anchor === undefined || ui.counter > anchor.ui.counter);
    const content = viewChangeContent(this.cluster.context, {
      view,
      stable: parts.stable,
      anchor,
      vouchers: parts.vouchers ?? [],
      log,
    });
    const newViews = parts.newViews ?? this.#proofsFor(log);
    const justification: readonly RequestViewChange[] = parts.justification ?? [];
    const message = completeDraft(this.cluster.context, content, this.ui(), { newViews, justification });
    this.#record(message, stubOf(message));
    return message;
  }

  #proofsFor(log: readonly LogEntry[]): NewViewProof[] {
    const proofs: NewViewProof[] = [];
    for (const entry of log) {
      const header =
        entry.kind === 'NEW-VIEW-HEADER'
          ? entry
          : entry.kind === 'COMMIT-NEW-VIEW'
            ? entry.header
            : undefined;
      const proof = header === undefined ? undefined : this.cluster.proofs.get(header.digest);
      if (proof !== undefined) proofs.push(proof);
    }
    return proofs;
  }

  /** NEW-VIEW from these VIEW-CHANGEs, which everybody learns. `parts` falsifies it. */
  newView(viewChanges: readonly ViewChange[], parts: Partial<NewViewHeaderContent> = {}): FullNewView {
    const { content } = valid(newViewContent(this.cluster.context, viewChanges, this.cluster.knowledge()));
    return this.sealNewView({ ...content, ...parts }, viewChanges);
  }

  sealNewView(content: NewViewHeaderContent, viewChanges: readonly ViewChange[]): FullNewView {
    const header = completeDraft(this.cluster.context, content, this.ui());
    const message = fullNewView(header, viewChanges);
    this.cluster.proofs.set(header.digest, message);
    this.#record(message, header);
    return message;
  }

  commitNewView(header: NewViewHeader | undefined): CommitNewView {
    return this.#seal<CommitNewView>({ kind: 'COMMIT-NEW-VIEW', header });
  }
}

/** The value of a verdict that must be valid. */
export function valid<T>(verdict: Validity<T>): T {
  assert.equal(verdict.kind, 'valid', JSON.stringify(verdict));
  if (verdict.kind !== 'valid') throw new Error('not valid');
  return verdict.value;
}

/** Asserts the rule that a verdict or a step names. */
export function refusedBy(
  verdict: Validity<unknown> | StepResult | undefined,
  rule: UsigStreamRule,
  because?: RegExp,
): void {
  assert.equal(verdict?.kind, 'invalid', JSON.stringify(verdict?.kind));
  if (verdict?.kind !== 'invalid') return;
  assert.equal(verdict.rule, rule, verdict.reason);
  if (because !== undefined) assert.match(verdict.reason, because);
}

/** RECOVER of a replica for its next incarnation. */
export function recoverRequest(registry: Registry, replica: ReplicaId): RecoverRequest {
  const { incarnation } = currentEntry(registry, replica);
  return {
    replica,
    expectedIncarnation: incarnation,
    tcEpoch: epochOf(replica, incarnation + 1),
    tcId: `${replica}${incarnation + 1}`.padStart(32, 'a'),
    tcPublicKey: `${replica}${incarnation + 1}`.padStart(64, 'b'),
    measurement: ZERO_DIGEST,
    footprint: 'process',
    evidence: new Uint8Array([1, 2, 3]),
    signature: new Uint8Array(64).fill(9),
  };
}

/** The registry after that RECOVER. */
export function recovered(registry: Registry, replica: ReplicaId, since: number, fromView: number): Registry {
  return applyRecover(registry, recoverRequest(registry, replica), since, fromView);
}

/** Certificate of a NEW-VIEW out of the commitments of others. */
export function certificateOf(
  proof: FullNewView,
  commits: readonly CommitNewView[],
  base: readonly Prepare[] | undefined,
) {
  return newViewCertificate(proof.header, base, commits);
}
