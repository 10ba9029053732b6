/**
 * State of a replica on USIG streams, which is the desk of all its parts, too. The parts (streams, ordering, execution,
 * checkpoints, view changes, gossip) are functions over it; they note what they learned and the replica's `settle` loop
 * draws the conclusions.
 */
import type { ClusterLimits, ClusterTimers } from '../../core/config.ts';
import { windowOf } from '../../core/config.ts';
import type {
  CheckpointState,
  Recovery,
  ReplicaContext,
  ReplicaInspection,
  TrustedKey,
} from '../../core/protocol.ts';
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import type {
  CounterValue,
  Digest,
  Milliseconds,
  ReplicaId,
  SequenceNumber,
  TcEpoch,
  View,
} from '../../core/types.ts';
import { Prng } from '../../core/prng.ts';
import { Backoff } from '../backoff.ts';
import { CheckpointKeeper, stableSequence } from '../checkpoint-keeper.ts';
import { PendingRequests } from '../pending-requests.ts';
import type { Registry } from '../registry.ts';
import { currentEntry, encodeRegistry } from '../registry.ts';
import { ReplicaDesk } from '../replica-desk.ts';
import { StreamBuffer } from '../stream-buffer.ts';
import type { StreamContext } from '../usig-stream/context.ts';
import { createStreamContext } from '../usig-stream/context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  Draft,
  UsigMessage,
  NewViewHeader,
  Prepare,
  RequestViewChange,
  Status,
  StreamMessage,
  ViewChange,
  ViewChangeStub,
} from '../usig-stream/messages.ts';
import type { Attachments, EncodedDraft } from '../usig-stream/codec.ts';
import type { StreamState } from '../usig-stream/stream.ts';
import { genesisStream } from '../usig-stream/stream.ts';
import type { Needed } from '../usig-stream/validity.ts';
import { BodyKeeper } from '../bodies.ts';
import { ExecutionTimes, freshConduct } from './conduct.ts';
import type { Conduct } from './conduct.ts';
import { Knowledge } from './knowledge.ts';
import type { ProtocolPart, UsigProtocol } from './part.ts';
import type { StableRecord } from './durable.ts';
import type { OwnRule } from '../usig-stream/rules.ts';
import type { UsigReplicaRule } from './rules.ts';
import { StreamLog } from './stream-log.ts';
import { ViewGroups } from './view-groups.ts';
import type { ViewGroup } from './view-groups.ts';

/** What may take a place in a stream: a message, or what is known of one from somebody's log. */
export type StreamItem = StreamMessage | ViewChangeStub | NewViewHeader;

/** Bytes of messages of one stream that came too early, at most, beside the one that comes next. */
export const EARLY_BYTES_MAX = 8 * 1024 * 1024;

function bytesOf(item: StreamItem): number {
  return 'bytes' in item ? item.bytes.length : 0;
}

/** What is known of one replica's stream. */
export interface StreamSlot {
  state: StreamState;
  buffer: StreamBuffer<StreamItem>;
  /** Processed messages since the newest vouched anchor, to relay to others; the own log for the own stream. */
  log: StreamLog;
  /** f CHECKPOINTs of others that vouch for `log.anchor`; empty if the log starts at counter 1. */
  vouchers: readonly Checkpoint[];
  /** What the next message waits for, and the knowledge at which that was found. */
  need: { readonly what: Needed; readonly version: number } | undefined;
  /** Since when the stream is known to go on beyond what was processed. */
  lackingSince: Milliseconds | undefined;
  asks: number;
}

/** What gossip knows of a peer. */
export interface PeerState {
  lastHeardMs: Milliseconds | undefined;
  /** Messages that it sent and that were processed before: retransmissions and replays; counted, otherwise ignored. */
  repeated: number;
  readonly conduct: Conduct;
  lastStatusMs: Milliseconds | undefined;
  status: Status | undefined;
  /** The status before that one: what is missing twice in a row is missing. */
  previous: Status | undefined;
  /** Bytes that may still be re-sent to it before its next status. */
  resendBudget: number;
  /** When they were granted. */
  budgetMs: Milliseconds | undefined;
  /** Highest view of its REQ-VIEW-CHANGE, and the signed wish. */
  request: RequestViewChange | undefined;
  /** Its latest VIEW-CHANGEs, newest first, at most two. */
  viewChanges: ViewChange[];
}

/** An executed checkpoint boundary. */
export interface Boundary {
  readonly checkpoint: CheckpointState;
  readonly last: { readonly view: View; readonly primaryCounter: CounterValue };
  readonly registryDigest: Digest;
}

/** The seal that is outstanding (K = 1). */
export interface Sealing {
  readonly counter: CounterValue;
  readonly draft: Draft;
  readonly encoded: EncodedDraft;
  readonly attachments: Attachments | undefined;
  /** For a NEW-VIEW: what its header quotes. */
  readonly viewChanges: readonly ViewChange[];
  /** When it was asked for. */
  readonly since: Milliseconds;
}

/** The batch that the service executes right now. */
export interface Executing {
  readonly sequence: SequenceNumber;
  readonly entry: Prepare;
  readonly batch: Batch;
  readonly registry: Registry;
}

/** Everything a replica knows. */
export class ReplicaState extends ReplicaDesk<UsigMessage, UsigReplicaRule | OwnRule> {
  readonly streamContext: StreamContext;
  readonly n: number;
  readonly f: number;
  /** f+1: commits, view changes, checkpoints alike. */
  readonly quorum: number;
  readonly limits: ClusterLimits;
  readonly timers: ClusterTimers;
  /** L. */
  readonly window: number;
  readonly prng: Prng;
  readonly knowledge: Knowledge;
  readonly keeper: CheckpointKeeper;
  readonly pending = new PendingRequests();
  readonly backoff: Backoff;
  readonly bodies = new BodyKeeper();
  readonly executionTimes = new ExecutionTimes();
  readonly groups: ViewGroups;
  readonly slots: StreamSlot[];
  readonly peers: PeerState[];
  readonly part: ProtocolPart;

  started = false;
  startedAtMs: Milliseconds = 0;
  /** Whether peers have said, since the start, that they hold no more of the own stream than this replica. */
  peersAsked = false;
  viewEnteredAtMs: Milliseconds = 0;
  /** Stopped for good: inputs are ignored. */
  halted = false;

  /** tcEpoch of the trusted component that runs here. */
  tcEpoch: TcEpoch;
  /** Own RECOVER, until the registry names `tcEpoch`. */
  ownRecover: RecoverRequest | undefined;
  /** Own log that waits until the registry names the component that sealed it. */
  unreplayed: { readonly recovery: Recovery; readonly record: StableRecord | undefined } | undefined;
  sealing: Sealing | undefined;

  /** Executed for good: on f+1 votes, or as part of a certified state. */
  executed: SequenceNumber = 0;
  executing: Executing | undefined;
  registry: Registry;
  registryBytes: Uint8Array;
  /** As in a CHECKPOINT. */
  registryDigest: Digest;
  /** Views below this do not execute any more (rule on `last.view`, "Checkpoint" 4). */
  executionFloor: View = 0;
  /** Latest executed boundary; the own digests of boundaries that are not stable yet. */
  boundary: Boundary | undefined;
  readonly boundaries = new Map<SequenceNumber, Boundary>();

  /** Latest stable checkpoint whose state this replica has. */
  stable: CheckpointCertificate | undefined;
  /** The stable checkpoint before it: bodies down to it are kept. */
  stableBefore: SequenceNumber = 0;
  /** Highest certificate known. */
  knownStable: CheckpointCertificate | undefined;
  checkpointsChanged = false;
  transferring: CheckpointCertificate | undefined;
  /** Since when states are being fetched; the last time, if none is. */
  transferringSince: Milliseconds | undefined;
  lagSince: Milliseconds | undefined;

  /** View to change to; the VIEW-CHANGE is built when it is above the view of the own stream. */
  target: View;
  /** Highest view asked for by this replica; 0: none. */
  requested: View = 0;
  /** What justified the own latest VIEW-CHANGE. */
  justification: readonly RequestViewChange[] = [];
  /** View for which the new-view timer runs. */
  newViewTimerView: View | undefined;
  quorumLost = false;
  /** An attempt to build a NEW-VIEW is worthwhile again. */
  viewChangesChanged = false;
  coverageDeadline: Milliseconds | undefined;
  /** Since when own COMMITs quote more of the primary's stream than anybody has shown since the start. */
  lostSince: Milliseconds | undefined;
  coverageExecuted: SequenceNumber = -1;
  /** Latest RECOVER of each replica that is not in the registry yet. */
  readonly recovers: (RecoverRequest | undefined)[];
  /** Last batch proposed for a held RECOVER. */
  lastIdleBatchMs: Milliseconds = 0;
  lastEmptyBatchTime: Milliseconds = 0;
  statusRound = 0;
  /** The group whose NEW-VIEW certificate was made. */
  certified: ViewGroup | undefined;
  /** NEW-VIEW contents in the store, by digest. */
  readonly storedNewViews = new Set<string>();
  /** What was accused already, as replica/rule. */
  readonly accused = new Set<string>();
  /** Stored bodies with a seal that does not hold. */
  readonly flaggedBodies = new Set<Digest>();

  constructor(context: ReplicaContext, protocol: UsigProtocol) {
    super(context);
    const { settings, self } = context;
    const { name, vote, slots } = protocol;
    this.streamContext = createStreamContext(settings, context.hash, context.domain, name, vote, slots);
    this.n = settings.members.length;
    this.f = settings.f;
    this.quorum = this.f + 1;
    this.limits = settings.limits;
    this.timers = settings.timers;
    this.window = windowOf(settings.limits);
    this.prng = new Prng(context.seed);
    this.knowledge = new Knowledge(this.streamContext);
    this.keeper = new CheckpointKeeper(this.n, this.quorum);
    this.backoff = new Backoff(settings.timers.backoffCapMs, settings.limits.checkpointInterval);
    this.registry = this.streamContext.genesis;
    this.registryBytes = encodeRegistry(this.registry);
    this.registryDigest = this.streamContext.genesisRegistryDigest;
    this.groups = new ViewGroups(this.streamContext);
    this.slots = settings.members.map(() => this.freshSlot(genesisStream(this.streamContext)));
    this.peers = settings.members.map(() => freshPeer());
    this.recovers = settings.members.map(() => undefined);
    this.tcEpoch = settings.members[self]!.trusted.tcEpoch;
    this.target = 0;
    this.part = protocol.part(this);
  }

  /** A stream from `state` on. */
  freshSlot(state: StreamState): StreamSlot {
    return {
      state,
      buffer: new StreamBuffer({ messages: 4 * this.window + 64, bytes: EARLY_BYTES_MAX, bytesOf }),
      log: new StreamLog(state.counter),
      vouchers: [],
      need: undefined,
      lackingSince: undefined,
      asks: 0,
    };
  }

  /** Highest order executed here; below `executed` never, above it only what may be undone. */
  get reached(): SequenceNumber {
    return this.part.reached?.() ?? this.executed;
  }

  /** Whether every request of the bundle was executed for good. */
  readonly isDone = (bundle: Bundle): boolean =>
    this.context.isExecuted(bundle) && this.part.isOpen?.(bundle) !== true;

  get own(): StreamSlot {
    return this.slots[this.self]!;
  }

  /** The view of the own stream: the one it is active in or has asked for. */
  get view(): View {
    return this.own.state.view;
  }

  get active(): boolean {
    return this.own.state.mode === 'active' && this.maySeal;
  }

  get stableSequence(): SequenceNumber {
    return stableSequence(this.stable);
  }

  primaryOf(view: View): ReplicaId {
    return this.streamContext.primaryOf(Math.max(0, view));
  }

  /**
   * RECOVER.3: whether this replica may use its trusted component: the registry names it, and a stable checkpoint
   * covers the RECOVER that brought it there.
   */
  get maySeal(): boolean {
    const entry = currentEntry(this.registry, this.self);
    if (entry.tcEpoch !== this.tcEpoch || this.unreplayed !== undefined) return false;
    if (this.own.state.incarnation !== entry.incarnation || this.own.state.dead) return false;
    return entry.since <= this.stableSequence;
  }

  /** min(ckptN, stable.n): what may be skipped, and what windows count from. */
  get covered(): SequenceNumber {
    return Math.min(this.own.state.checkpointSequence, this.stableSequence);
  }

  trust(keys: readonly TrustedKey[]): void {
    for (const key of keys) this.emit({ kind: 'trustKey', key });
    if (keys.length === 0) return;
    this.knowledge.version += 1;
    this.viewChangesChanged = true;
  }

  override get mode(): ReplicaInspection['mode'] {
    return this.maySeal ? this.own.state.mode : 'recovering';
  }
}

function freshPeer(): PeerState {
  return {
    lastHeardMs: undefined,
    repeated: 0,
    conduct: freshConduct(),
    lastStatusMs: undefined,
    status: undefined,
    previous: undefined,
    resendBudget: 0,
    budgetMs: undefined,
    request: undefined,
    viewChanges: [],
  };
}
