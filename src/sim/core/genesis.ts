/**
 * Settings of a cluster of the core fidelity. Nothing in them depends on the seed but limits and timers, and these are
 * few: equal settings are one object, so that what is derived from them can be kept between runs.
 */
import { hexToBytes } from '../../core/bytes.ts';
import type { ClusterLimits, ClusterSettings, ClusterTimers } from '../../core/config.ts';
import { assertLimits } from '../../core/config.ts';
import type { Domain } from '../../core/domain.ts';
import type { DecodeContext, TrustedKey } from '../../core/protocol.ts';
import type { Digest, Hash, ReplicaId, TcEpoch } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { tcIdOf } from '../../trusted/statement.ts';
import type { Scenario } from '../scenario.ts';
import { hexName } from './fill.ts';

/** A cluster before its first event. */
export interface CoreGenesis {
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly decoding: DecodeContext;
  /** By replica. */
  readonly trusted: readonly TrustedKey[];
}

/** Families of names. */
const NAME = { cluster: 1, host: 2, link: 3, tcEpoch: 5, tcKey: 6, measurement: 7 } as const;

/** Every cluster of the core fidelity has this id: its domain never changes, so digests can be kept between runs. */
const CLUSTER_ID = hexName(64, NAME.cluster, 0, 0) as Digest;
/** What the trusted program of every modelled component measures as. */
export const MEASUREMENT = hexName(64, NAME.measurement, 0, 0) as Digest;
export const CORE_DOMAIN: Domain = { clusterId: CLUSTER_ID, configurationVersion: 0 };

/** Clusters kept for the next run with the same settings, at most. */
const KEPT_MAX = 512;
const kept = new Map<string, CoreGenesis>();

/** The identity of the component that a replica has as its `generation`-th. */
export function modelledKey(replica: ReplicaId, generation: number): TrustedKey {
  const publicKey = hexName(64, NAME.tcKey, replica, generation);
  return {
    replica,
    tcEpoch: hexName(16, NAME.tcEpoch, replica, generation) as TcEpoch,
    tcId: tcIdOf(modelHash, { suite: 'ed25519', publicKey: hexToBytes(publicKey)! }),
    publicKey,
  };
}

/** The cluster of a scenario. */
export function createCoreGenesis(scenario: Scenario, protocol: string): CoreGenesis {
  const { n, f, limits, timers } = scenario;
  const name = [protocol, n, ...Object.values(limits), ...Object.values(timers)].join('/');
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = makeGenesis(n, f, limits, timers, protocol);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(name, made);
  return made;
}

function makeGenesis(
  n: number,
  f: number,
  limits: ClusterLimits,
  timers: ClusterTimers,
  protocol: string,
): CoreGenesis {
  assertLimits(limits);
  const trusted = Array.from({ length: n }, (_, id) => modelledKey(id, 0));
  const settings: ClusterSettings = {
    ...CORE_DOMAIN,
    protocol,
    f,
    suite: 'ed25519',
    members: trusted.map(({ tcId, tcEpoch, publicKey }, id) => ({
      id,
      name: `replica-${id}`,
      organisation: `member-${id}`,
      hostKey: hexName(64, NAME.host, id, 0),
      linkKey: hexName(64, NAME.link, id, 0),
      address: `replica-${id}:4700`,
      trusted: {
        program: 'usig',
        footprint: 'process',
        measurement: MEASUREMENT,
        suite: 'ed25519',
        tcId,
        tcEpoch,
        publicKey,
      },
    })),
    clients: [],
    policy: [],
    limits,
    timers,
  };
  const decoding = { settings, domain: CORE_DOMAIN, hash: modelHash };
  return { settings, domain: CORE_DOMAIN, hash: modelHash, decoding, trusted };
}
