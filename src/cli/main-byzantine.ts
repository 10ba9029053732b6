/**
 * Entry of a replica process that lies on purpose: `--config node.json --behaviour equivocate`. For development
 * clusters only (decision B3): it composes the production replica with an adversary, which the production entry never
 * loads. Its seals come from its real trusted component.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { behaviourOf, PROCESS_BEHAVIOURS, refusalForProcess } from '../adversary/behaviours.ts';
import type { Lie } from '../adversary/behaviours.ts';
import { Conspiracy } from '../adversary/conspiracy.ts';
import { wrapReplica } from '../adversary/stream-liar.ts';
import { wrapPorts } from '../adversary/wire-liar.ts';
import { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import { readNodeConfig } from '../node/node-config.ts';
import type { DevelopmentContext, DevelopmentHooks } from '../node/replica-process.ts';
import { runReplica } from '../node/run-replica.ts';
import { developmentComponent } from './development-component.ts';

function hooksFor(behaviour: Lie, self: number): (context: DevelopmentContext) => DevelopmentHooks {
  return ({ settings, crypto }) => {
    const random = new Prng(randomInt(2 ** 47));
    const domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    const { hash, hostSigner: signer } = crypto;
    const wire = {
      self,
      n: settings.members.length,
      domain,
      hash,
      signer,
      random: random.fork(),
      after: (delayMs: number, action: () => void): void => void setTimeout(action, delayMs),
      patienceMs: settings.timers.requestMs,
      eager: true,
    };
    // Every liar of the cluster works out the same plan from the cluster's name.
    const plan = Number.parseInt(settings.clusterId.slice(0, 12), 16);
    const conspiracy = new Conspiracy(plan, settings.members.length, [self]);
    const stream = {
      self,
      settings,
      domain,
      hash,
      random: random.fork(),
      eager: true,
      sign: (digest: Digest) => signer.sign(digest),
      conspiracy,
    };
    return {
      wrapReplica: (replica) => wrapReplica(behaviour, stream, replica),
      wrapPorts: (ports) => wrapPorts(behaviour, wire, ports),
    };
  };
}

const { values } = parseArgs({
  options: { config: { type: 'string' }, behaviour: { type: 'string' } },
  strict: true,
});
const chosen = behaviourOf(values.behaviour ?? '');
if (values.config === undefined || chosen === undefined || refusalForProcess(chosen) !== undefined) {
  const names = PROCESS_BEHAVIOURS.join('|');
  process.stderr.write(`usage: main-byzantine --config node.json --behaviour ${names}\n`);
  process.exit(2);
}
const { replica, trustedFolder } = readNodeConfig(values.config);
await runReplica(values.config, {
  ...developmentComponent(trustedFolder),
  development: hooksFor(chosen, replica),
});
