/**
 * Entry of a replica process that lies on purpose: `--config node.json --behaviour equivocate`. For development
 * clusters only (decision B3): it composes the production replica with an adversary, which the production entry never
 * loads. Its seals come from its own keys and its real trusted component.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { behaviourOf } from '../adversary/behaviours.ts';
import { Conspiracy } from '../adversary/conspiracy.ts';
import type { GenericLie } from '../adversary/generic/lies.ts';
import { wrapGeneric } from '../adversary/generic/replica-lies.ts';
import { wrapReplica } from '../adversary/stream-liar.ts';
import { wrapPorts } from '../adversary/wire-liar.ts';
import { Prng } from '../core/prng.ts';
import type { ProtocolDefinition, Replica } from '../core/protocol.ts';
import type { Digest } from '../core/types.ts';
import { readNodeConfig } from '../node/node-config.ts';
import type { DevelopmentContext, DevelopmentHooks } from '../node/replica-process.ts';
import { runReplica } from '../node/run-replica.ts';
import type { UsigMessage } from '../smr/usig-stream/messages.ts';
import { knowsMessages, processBehaviours } from './byzantine-choice.ts';
import { developmentComponent } from './development-component.ts';
import { requireProtocol } from './protocol-choice.ts';

function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

/** Lies on the wire, which need no knowledge of the protocol; other behaviours leave the ports as they are. */
function wireHooks(
  behaviour: string,
  self: number,
  { settings, crypto }: DevelopmentContext,
): DevelopmentHooks {
  const lie = behaviourOf(behaviour);
  if (lie === undefined) return {};
  const wire = {
    self,
    n: settings.members.length,
    domain: settings,
    hash: crypto.hash,
    signer: crypto.hostSigner,
    random: new Prng(randomInt(2 ** 47)),
    after: (delayMs: number, action: () => void): void => void setTimeout(action, delayMs),
    patienceMs: settings.timers.requestMs,
    eager: true,
  };
  return { wrapPorts: (ports) => wrapPorts(lie, wire, ports) };
}

/** Lies in the messages of MinBFT. */
function streamHooks(
  behaviour: string,
  self: number,
  { settings, crypto }: DevelopmentContext,
): DevelopmentHooks {
  const lie = behaviourOf(behaviour)!;
  // Every liar of the cluster works out the same plan from the cluster's name.
  const plan = Number.parseInt(settings.clusterId.slice(0, 12), 16);
  const stream = {
    self,
    settings,
    domain: settings,
    hash: crypto.hash,
    random: new Prng(randomInt(2 ** 47)),
    eager: true,
    sign: (digest: Digest) => crypto.hostSigner.sign(digest),
    conspiracy: new Conspiracy(plan, settings.members.length, [self]),
  };
  return {
    wrapReplica: (replica) => wrapReplica(lie, stream, replica as Replica<UsigMessage>) as Replica<unknown>,
  };
}

/** Lies in the messages of any protocol. */
function genericHooks(
  lie: GenericLie,
  self: number,
  { settings, crypto }: DevelopmentContext,
  definition: ProtocolDefinition<object>,
): DevelopmentHooks {
  const options = {
    self,
    n: settings.members.length,
    definition,
    decoding: { settings, domain: settings, hash: crypto.hash },
    random: new Prng(randomInt(2 ** 47)),
    sign: (digest: Digest) => crypto.hostSigner.sign(digest),
  };
  return {
    wrapReplica: (replica) => wrapGeneric(lie, options, replica as Replica<object>) as Replica<unknown>,
  };
}

function hooksFor(behaviour: string, self: number): (context: DevelopmentContext) => DevelopmentHooks {
  return (context) => {
    const protocol = requireProtocol(context.settings.protocol);
    const names = processBehaviours(protocol);
    if (!names.includes(behaviour))
      fail(`A replica process of ${protocol.name} takes one behaviour: ${names.join(', ')}.`);
    const inside = knowsMessages(protocol.name)
      ? streamHooks(behaviour, self, context)
      : genericHooks(behaviour as GenericLie, self, context, protocol as ProtocolDefinition<object>);
    return { ...inside, ...wireHooks(behaviour, self, context) };
  };
}

const { values } = parseArgs({
  options: { config: { type: 'string' }, behaviour: { type: 'string' } },
  strict: true,
});
const { config, behaviour } = values;
if (config === undefined || behaviour === undefined)
  fail('usage: main-byzantine --config node.json --behaviour NAME ("moiety fault --help" lists them)');
const { replica, trustedFolder } = readNodeConfig(config);
await runReplica(config, {
  ...developmentComponent(trustedFolder),
  development: hooksFor(behaviour, replica),
});
