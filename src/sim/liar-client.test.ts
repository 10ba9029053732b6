/** Byzantine clients: every one of their lies is told, and no judge objects to what correct replicas make of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeClientFrame } from '../core/client-wire.ts';
import { decodeBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import type { ReplicaId } from '../core/types.ts';
import { modelHash } from '../crypto/fast-model.ts';
import { minbft } from '../protocols/minbft/definition.ts';
import { createSimGenesis } from './cluster-settings.ts';
import type { ClientLie } from './client-lies.ts';
import type { LiarClient } from './liar-client.ts';
import { CLIENT_LIES, clientLieOf } from './client-lies.ts';
import { corrupt } from './run-schedule.ts';
import { drawScenario } from './scenario.ts';
import { World } from './world.ts';

interface Sent {
  readonly to: ReplicaId;
  readonly bytes: Uint8Array;
  /** Undefined if it is no bundle. */
  readonly bundle: Bundle | undefined;
}

/** What a Byzantine client sent and heard in one run. */
interface Told {
  readonly sent: readonly Sent[];
  readonly liar: LiarClient;
  /** Key of the correct client. */
  readonly victim: string;
}

function play(seed: number, liarClient: ClientLie): Told {
  const scenario = drawScenario(seed, { replicas: 3, faults: [], liarClient });
  const { settings, clientSigners } = createSimGenesis(scenario, minbft.name);
  const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
  const sent: Sent[] = [];
  const world = new World({
    scenario,
    definition: minbft,
    corrupt: (context) => corrupt(context),
    listener: {
      onClientFrame: (client, to, bytes) => {
        if (client < scenario.clients.length) return true;
        const frame = decodeClientFrame(bytes);
        const bundle = frame?.kind === 'bundle' ? decodeBundle(modelHash, domain, frame.bytes) : undefined;
        sent.push({ to, bytes, bundle });
        return true;
      },
    },
  });
  world.run();
  assert.deepEqual(world.judge.violations, [], `--seed ${seed} --liar-client ${liarClient}`);
  return { sent, liar: world.liarClients[0]!, victim: clientSigners[0]!.publicKey.join() };
}

const bundlesOf = ({ sent }: Told): Bundle[] => sent.flatMap(({ bundle }) => bundle ?? []);
const placeOf = ({ session, requests }: Bundle): string => `${session}/${requests[0]!.number}`;
const timesSent = (told: Told): number[] => {
  const times = new Map<string, number>();
  for (const { to, bundle } of told.sent)
    if (bundle !== undefined)
      times.set(`${to}/${bundle.digest}`, (times.get(`${to}/${bundle.digest}`) ?? 0) + 1);
  return [...times.values()];
};

/** Whether a run shows the lie. */
const SHOWS: Readonly<Record<ClientLie, (told: Told) => boolean>> = {
  'two-faced': (told) => {
    const digests = new Map<string, Set<string>>();
    for (const bundle of bundlesOf(told))
      digests.set(placeOf(bundle), (digests.get(placeOf(bundle)) ?? new Set()).add(bundle.digest));
    return [...digests.values()].some((set) => set.size > 1);
  },
  partial: (told) => timesSent(told).length < 3 * new Set(bundlesOf(told).map(({ digest }) => digest)).size,
  'backups-only': (told) =>
    told.sent.filter(({ to, bundle }) => to === 0 && bundle?.session !== 0).length === 0,
  huge: ({ sent }) => sent.some(({ bytes }) => bytes.length > 60_000),
  replay: (told) => Math.max(...timesSent(told)) > 1,
  forged: (told) => bundlesOf(told).some(({ clientKey }) => clientKey.join() === told.victim),
  numbers: (told) => bundlesOf(told).some(({ requests }) => requests[0]!.number > 2 ** 31),
  'foreign-session': ({ liar }) => liar.heard.has('sessionOfOtherClient') || liar.heard.has('unknownSession'),
  stranger: ({ liar }) => liar.heard.has('unknownClient'),
  revoked: ({ liar }) => liar.heard.has('clientRevoked'),
  'open-storm': (told) => new Set(bundlesOf(told).filter((one) => one.session === 0)).size > 5,
  garbage: ({ sent }) => sent.some(({ bundle }) => bundle === undefined),
  flood: (told) => Math.max(...timesSent(told)) > 5,
  'other-cluster': (told) => bundlesOf(told).length > 3 && !told.liar.heard.has('clientRevoked'),
  'two-seals': (told) => {
    const seals = new Map<string, Set<string>>();
    for (const bundle of bundlesOf(told))
      seals.set(bundle.digest, (seals.get(bundle.digest) ?? new Set()).add(bundle.signature.join()));
    return [...seals.values()].some((set) => set.size > 1);
  },
};

describe('Byzantine clients', () => {
  for (const { name, text } of CLIENT_LIES) {
    it(`${name}: ${text}`, () => {
      const shown = [1, 2, 3].map((seed) => {
        const told = play(seed, name);
        assert.ok((told.liar.told.get(name) ?? 0) > 0);
        return SHOWS[name](told);
      });
      assert.ok(shown.filter(Boolean).length >= 2, `shown in ${shown.join(' ')}`);
    });
  }

  it('names are told apart', () => {
    assert.equal(new Set(CLIENT_LIES.map(({ name }) => name)).size, CLIENT_LIES.length);
    assert.equal(clientLieOf('flood'), 'flood');
    assert.equal(clientLieOf('polite'), undefined);
  });
});
