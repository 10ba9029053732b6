/** Prometheus metrics of one replica process, read from its parts when they are asked for. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { HostStatus } from '../host/status.ts';
import type { TransportCounters } from './transport-contract.ts';

/** Where the numbers come from. */
export interface MetricsSources {
  status(): HostStatus;
  transport(): TransportCounters & {
    readonly clients: number;
    readonly peersUp: number;
    readonly waitingBytes: number;
  };
  journal(): { readonly waitingBytes: number; readonly fileBytes: number };
}

/** Gauges that are one number of the status each. */
const STATUS_GAUGES: readonly (readonly [string, string, (status: HostStatus) => number])[] = [
  ['view', 'Current view', (status) => status.view],
  ['sequence', 'Last executed sequence number', (status) => status.sequence],
  ['height', 'Height of the ledger', (status) => status.height],
  ['stable_sequence', 'Sequence number of the latest stable checkpoint', (status) => status.stable],
  ['is_primary', '1 if this replica is the primary', (status) => (status.role === 'primary' ? 1 : 0)],
  ['pending_bundles', 'Bundles that wait to be ordered', (status) => status.pendingBundles],
  ['own_log_entries', 'Own sealed messages that are kept', (status) => status.ownLogEntries],
  ['state_transfers', 'State transfers begun since the start', (status) => status.stateTransfers],
  ['rolled_back', 'Speculative executions undone since the start', (status) => status.rolledBack],
  ['trusted_counter', 'Last value of the trusted counter', (status) => status.tc.counter],
  ['trusted_answers', '1 if the trusted component answers', (status) => (status.tc.answers ? 1 : 0)],
  [
    'proven_faulty',
    'Replicas with a proven fault',
    (status) => new Set(status.proven.map((p) => p.replica)).size,
  ],
  ['suspected', 'Replicas that have not been heard for long', (status) => status.suspected.length],
];

/** A registry whose values are read at each scrape. */
export function createMetrics(sources: MetricsSources): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ replica: String(sources.status().id) });
  collectDefaultMetrics({ register: registry, prefix: 'moiety_' });
  const registers = [registry];
  for (const [name, help, read] of STATUS_GAUGES) {
    new Gauge({
      name: `moiety_${name}`,
      help,
      registers,
      collect() {
        this.set(read(sources.status()));
      },
    });
  }
  new Counter({
    name: 'moiety_ignored_total',
    help: 'What peers and clients sent that was ignored, by reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(sources.status().ignored)) this.inc({ reason }, count);
    },
  });
  new Counter({
    name: 'moiety_connections_closed_total',
    help: 'Connections that were closed, by reason',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(sources.transport().closed))
        this.inc({ reason }, count ?? 0);
    },
  });
  addTransportGauges(sources, registers);
  return registry;
}

function addTransportGauges(sources: MetricsSources, registers: Registry[]): void {
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['clients', 'Clients that are connected', () => sources.transport().clients],
    ['peers_up', 'Peers whose link is up', () => sources.transport().peersUp],
    ['send_queue_bytes', 'Bytes that wait for peers and clients', () => sources.transport().waitingBytes],
    ['frames_received', 'Frames received since the start', () => sources.transport().framesIn],
    ['frames_sent', 'Frames sent since the start', () => sources.transport().framesOut],
    ['frames_dropped', 'Frames dropped because a queue was full', () => sources.transport().droppedFrames],
    [
      'connections_refused',
      'Connections refused since the start',
      () => sources.transport().refusedConnections,
    ],
    ['journal_waiting_bytes', 'Journal bytes not written yet', () => sources.journal().waitingBytes],
    ['journal_file_bytes', 'Bytes of the current journal file', () => sources.journal().fileBytes],
  ];
  for (const [name, help, read] of gauges) {
    new Gauge({
      name: `moiety_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
