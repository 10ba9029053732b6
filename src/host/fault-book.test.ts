import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterSettings } from '../core/config.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../core/config.ts';
import type { PeerInspection } from '../core/protocol.ts';
import type { TcEpoch } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import { FaultBook } from './fault-book.ts';
import { hostStatus } from './status.ts';
import type { HostStatus } from './status.ts';

const NOW = 100_000;
const registered = {
  program: 'usig',
  footprint: 'process',
  measurement: ZERO_DIGEST,
  suite: 'ed25519' as const,
  tcId: '00',
  tcEpoch: '00' as TcEpoch,
  publicKey: '',
};
const member = { name: 'r', organisation: 'o', hostKey: '', linkKey: '', address: '', trusted: registered };
const settings: ClusterSettings = {
  clusterId: ZERO_DIGEST,
  configurationVersion: 0,
  protocol: 'minbft',
  f: 1,
  suite: 'ed25519',
  members: [0, 1, 2].map((id) => ({ id, ...member })),
  clients: [],
  policy: [],
  limits: DEFAULT_LIMITS,
  timers: DEFAULT_TIMERS,
};

function statusWith(faults: FaultBook, over: Partial<PeerInspection> = {}): HostStatus {
  const peer = { incarnation: 0, counter: 1, dead: false, executed: 4, lastHeardMs: NOW - 10 };
  const executor = {
    executed: 4,
    height: 4,
    headerHash: ZERO_DIGEST,
    checkpoint: { sequence: 0, stateDigest: ZERO_DIGEST },
  } as LedgerExecutor;
  return hostStatus({
    self: 0,
    settings,
    executor,
    phase: 'running',
    haltReason: undefined,
    inspection: {
      view: 0,
      mode: 'active',
      primary: 0,
      executed: 4,
      stable: 0,
      ownCounter: 1,
      pendingBundles: 0,
      ownLogEntries: 1,
      peers: [
        { replica: 0, ...peer },
        { replica: 1, ...peer },
        { replica: 2, ...peer, ...over },
      ],
    },
    identity: undefined,
    footprint: undefined,
    trustedAnswers: true,
    faults,
    waitingBundles: 0,
    stateTransfers: 0,
    rolledBack: 0,
    transferring: false,
    waits: [],
    now: NOW,
  });
}
const why = (status: HostStatus): string[] => status.suspected.map((one) => `${one.replica}: ${one.why}`);

test('a stream that stopped is suspected with its rule, unless the fault is proved', () => {
  const faults = new FaultBook();
  assert.deepEqual(why(statusWith(faults, { dead: true })), [
    '2: stream stopped: it broke the rule of its protocol',
  ]);
  faults.note('streamDead', { replica: 2, rule: 'MinBFT.V3', counter: 7 });
  faults.note('otherNote', { replica: 1, rule: 'MinBFT.V3' });
  assert.deepEqual(why(statusWith(faults, { dead: true })), [
    '2: stream stopped: it broke the rule MinBFT.V3',
  ]);
  assert.deepEqual(why(statusWith(faults)), [], 'a new incarnation starts clean');
  assert.ok(faults.accuse(2, 'doubleProposal', 5));
  assert.ok(!faults.accuse(2, 'doubleProposal', 6));
  const proved = statusWith(faults, { dead: true });
  assert.deepEqual(why(proved), []);
  assert.deepEqual(proved.proven, [{ replica: 2, rule: 'doubleProposal', atMs: 5 }]);
});

test('silence, delay and withholding are suspected, with when it was last heard', () => {
  const faults = new FaultBook();
  assert.deepEqual(why(statusWith(faults, { lateMs: 90, lacks: 2 })), [], 'that happens to correct ones');
  const silent = statusWith(faults, { lastHeardMs: NOW - 7_000 });
  assert.deepEqual(silent.suspected, [{ replica: 2, lastHeardMs: NOW - 7_000, why: 'silent for 7 s' }]);
  assert.deepEqual(why(statusWith(faults, { lateMs: 400 })), ['2: its votes come 400 ms late']);
  assert.match(why(statusWith(faults, { lacks: 5 }))[0]!, /^2: withholds messages: .* 5 times/);
});

test('what was ignored is counted by reason, repeated messages among it', () => {
  const faults = new FaultBook();
  faults.ignore('invalidSeal');
  faults.ignore('invalidSeal');
  assert.deepEqual(statusWith(faults, { repeated: 3 }).ignored, { invalidSeal: 2, repeatedMessage: 3 });
});
