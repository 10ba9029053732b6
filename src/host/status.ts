/** What a host says about itself: plain data for `status`, metrics, the dashboard and judges. */
import type { ClusterSettings } from '../core/config.ts';
import type { Lack, WaitCounts } from '../core/live.ts';
import type { PeerInspection, ReplicaInspection } from '../core/protocol.ts';
import type { Digest, Milliseconds, ReplicaId, SequenceNumber, View } from '../core/types.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import type { FaultBook } from './fault-book.ts';

/** Life of a host. */
export type HostPhase = 'new' | 'starting' | 'running' | 'halted';

/** A fault that was proved, with the rule that it broke. */
export interface Accusation {
  readonly replica: ReplicaId;
  readonly rule: string;
  readonly atMs: Milliseconds;
}

/** See the top of this file. */
export interface HostStatus {
  readonly id: ReplicaId;
  readonly protocol: string;
  readonly phase: HostPhase;
  readonly haltReason: string | null;
  readonly view: View;
  readonly role: 'primary' | 'backup' | 'recovering' | 'starting' | 'halted';
  readonly mode: string;
  /** What the replica does in a protocol of several modes, in its words. */
  readonly duty: string | null;
  readonly sequence: SequenceNumber;
  /** What can never be undone; `sequence` unless something was executed speculatively. */
  readonly confirmed: SequenceNumber;
  readonly height: number;
  readonly headerHash: Digest;
  /** Agreed time of the state (decision D4). */
  readonly time: Milliseconds;
  /** State digest of the latest checkpoint at or below `sequence`. */
  readonly stateDigest: Digest;
  readonly checkpointSequence: SequenceNumber;
  readonly stable: SequenceNumber;
  readonly pendingBundles: number;
  readonly ownLogEntries: number;
  readonly stateTransfers: number;
  /** Speculative executions that were undone since the start. */
  readonly rolledBack: number;
  readonly transferring: boolean;
  /** How long requests waited here until they were executed. */
  readonly waits: WaitCounts;
  readonly waitsFor: string | null;
  /** The same as data, also for the moments of normal work. */
  readonly lack: Lack | null;
  readonly tc: {
    readonly program: string;
    readonly footprint: string;
    readonly suite: string;
    readonly persistent: boolean;
    readonly tcId: string;
    readonly tcEpoch: string;
    readonly counter: number;
    readonly answers: boolean;
    readonly measurement: string;
  };
  readonly peers: readonly PeerInspection[];
  /** Replicas whose fault is proved by evidence that verifies offline. */
  readonly proven: readonly Accusation[];
  /** Replicas that have not been heard for long, or whose stream stopped; a suspicion, not a proof. */
  readonly suspected: readonly {
    readonly replica: ReplicaId;
    readonly lastHeardMs: Milliseconds | null;
    readonly why: string;
  }[];
  readonly ignored: Readonly<Record<string, number>>;
}

/** Silence that makes a peer suspected. */
const SUSPECT_AFTER_MS = 3_000;
/** Votes that come later than this part of the request timeout make a peer suspected. */
const LATE_PART = 2;
/** Questions in vain that make a peer suspected. */
const LACKS_MIN = 3;

/** What the status is made of. */
export interface StatusParts {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly executor: LedgerExecutor;
  readonly phase: HostPhase;
  readonly haltReason: string | undefined;
  readonly inspection: ReplicaInspection | undefined;
  readonly identity: TrustedIdentity | undefined;
  /** Where the component runs now, if its port says so. */
  readonly footprint: string | undefined;
  readonly trustedAnswers: boolean;
  readonly faults: Pick<FaultBook, 'accusations' | 'ignored' | 'stopped'>;
  readonly waitingBundles: number;
  readonly stateTransfers: number;
  readonly rolledBack: number;
  readonly transferring: boolean;
  readonly waits: WaitCounts;
  readonly now: Milliseconds;
}

function roleOf(parts: StatusParts): HostStatus['role'] {
  if (parts.phase === 'halted') return 'halted';
  if (parts.inspection === undefined) return 'starting';
  if (parts.inspection.mode === 'recovering') return 'recovering';
  return parts.inspection.primary === parts.self ? 'primary' : 'backup';
}

function suspects(parts: StatusParts): HostStatus['suspected'] {
  const { accusations, stopped } = parts.faults;
  const found: { replica: ReplicaId; lastHeardMs: Milliseconds | null; why: string }[] = [];
  for (const peer of parts.inspection?.peers ?? []) {
    const { replica, lastHeardMs } = peer;
    if (replica === parts.self) continue;
    const suspect = (why: string): void =>
      void found.push({ replica, lastHeardMs: lastHeardMs ?? null, why });
    // Where there is a proof nobody needs a suspicion.
    if (peer.dead && !accusations.some((one) => one.replica === replica))
      suspect(`stream stopped: it broke the rule ${stopped.get(replica) ?? 'of its protocol'}`);
    const { lateMs = 0, lacks = 0 } = peer;
    if (lateMs > parts.settings.timers.requestMs / LATE_PART) suspect(`its votes come ${lateMs} ms late`);
    if (lacks >= LACKS_MIN) suspect(`withholds messages: it was asked in vain ${lacks} times lately`);
    const silentMs = parts.now - (lastHeardMs ?? 0);
    if (silentMs <= SUSPECT_AFTER_MS) continue;
    suspect(
      lastHeardMs === undefined ? 'never heard since start' : `silent for ${Math.round(silentMs / 1000)} s`,
    );
  }
  return found;
}

/** Why and how often something was ignored; what peers sent again is counted by the protocol. */
function ignoredOf(parts: StatusParts): Record<string, number> {
  const counts = new Map(parts.faults.ignored);
  let repeated = 0;
  for (const peer of parts.inspection?.peers ?? []) repeated += peer.repeated ?? 0;
  if (repeated > 0) counts.set('repeatedMessage', repeated);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Puts the status together. */
export function hostStatus(parts: StatusParts): HostStatus {
  const { self, settings, executor, inspection, identity } = parts;
  const registered = settings.members[self]!.trusted;
  const inForce = inspection?.peers[self];
  return {
    id: self,
    protocol: settings.protocol,
    phase: parts.phase,
    haltReason: parts.haltReason ?? null,
    view: inspection?.view ?? 0,
    role: roleOf(parts),
    mode: inspection?.mode ?? parts.phase,
    duty: inspection?.role ?? null,
    sequence: executor.executed,
    confirmed: executor.confirmed,
    height: executor.height,
    headerHash: executor.headerHash,
    time: executor.time,
    stateDigest: executor.checkpoint.stateDigest,
    checkpointSequence: executor.checkpoint.sequence,
    stable: inspection?.stable ?? 0,
    pendingBundles: Math.max(parts.waitingBundles, inspection?.pendingBundles ?? 0),
    ownLogEntries: inspection?.ownLogEntries ?? 0,
    stateTransfers: parts.stateTransfers,
    rolledBack: parts.rolledBack,
    transferring: parts.transferring,
    waits: parts.waits,
    waitsFor: inspection?.waitsFor ?? null,
    lack: inspection?.lack ?? null,
    tc: {
      program: registered.program,
      footprint: parts.footprint ?? inForce?.footprint ?? registered.footprint,
      suite: registered.suite,
      persistent: identity?.persistent ?? false,
      tcId: identity?.tcId ?? registered.tcId,
      tcEpoch: identity?.tcEpoch ?? registered.tcEpoch,
      counter: inspection?.ownCounter ?? identity?.counter ?? 0,
      answers: parts.trustedAnswers,
      measurement: identity?.measurement ?? inForce?.measurement ?? registered.measurement,
    },
    peers: inspection?.peers ?? [],
    proven: parts.faults.accusations,
    suspected: suspects(parts),
    ignored: ignoredOf(parts),
  };
}
