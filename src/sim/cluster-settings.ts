/** Settings and keys of a simulated cluster: modelled keys, real trusted programs, genesis as the product would make it. */
import { bytesToHex } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import { assertLimits } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import { createModelKeys, modelHash } from '../crypto/fast-model.ts';
import type { ModelKeys, ModelSigner } from '../crypto/fast-model.ts';
import { clusterIdOf } from '../ledger/genesis.ts';
import type { SettingsWithoutId } from '../ledger/genesis.ts';
import { SIM_CLIENT_ROOT } from './make-bundle.ts';
import type { Scenario } from './scenario.ts';
import { SimTrusted } from './trusted.ts';
import type { SimProgram } from './trusted.ts';

/** Everything that exists before the first event. */
export interface SimGenesis {
  readonly settings: ClusterSettings;
  readonly keys: ModelKeys;
  readonly hostSigners: readonly ModelSigner[];
  /** Of the correct clients, then of the others. */
  readonly clientSigners: readonly ModelSigner[];
  readonly trusted: readonly SimTrusted[];
}

/** Makes the cluster of a scenario. `program`: what its trusted components run, if that is not USIG. */
export function createSimGenesis(scenario: Scenario, protocol: string, program?: SimProgram): SimGenesis {
  const keys = createModelKeys();
  const random = new Prng(scenario.seed + 1);
  const ids = Array.from({ length: scenario.n }, (_, id) => id);
  const hostSigners = ids.map((id) => keys.signer(`host/${id}`));
  const { liarClients = [] } = scenario;
  const roles = [
    ...scenario.clients.map((_, index) => (index === 0 ? 'admin' : 'client')),
    ...liarClients.map(({ lie }) =>
      lie === 'revoked' ? 'admin' : lie === 'stranger' ? undefined : 'client',
    ),
  ] as const;
  const clientSigners = roles.map((_, index) => keys.signer(`client/${index}`));
  const trusted = ids.map((id) => new SimTrusted(keys, modelHash, id, random.fork(), 0, program));
  assertLimits(scenario.limits);
  const content: SettingsWithoutId = {
    configurationVersion: 0,
    protocol,
    f: scenario.f,
    suite: 'ed25519',
    members: ids.map((id) => ({
      id,
      name: `replica-${id}`,
      organisation: `member-${id}`,
      hostKey: bytesToHex(hostSigners[id]!.publicKey),
      linkKey: bytesToHex(keys.signer(`link/${id}`).publicKey),
      address: `replica-${id}:4700`,
      trusted: trusted[id]!.registration(),
    })),
    clients: clientSigners.flatMap((signer, index) => {
      const role = roles[index];
      return role === undefined ? [] : [{ key: bytesToHex(signer.publicKey), organisation: 'clients', role }];
    }),
    policy: [{ prefix: '', organisations: ['clients'] }],
    limits: scenario.limits,
    timers: scenario.timers,
    ...(scenario.authenticator === undefined ? {} : { authenticator: scenario.authenticator }),
  };
  if (scenario.authenticator === 'mac') for (const one of trusted) one.join(SIM_CLIENT_ROOT);
  const settings: ClusterSettings = { ...content, clusterId: clusterIdOf(modelHash, content) };
  return { settings, keys, hostSigners, clientSigners, trusted };
}
