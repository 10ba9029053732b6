/** All protocols, in the order in which they are shown. The only file that knows each of them. */
import type { ProtocolDefinition } from '../core/protocol.ts';
import { a2mPbftE } from './a2m-pbft-e/definition.ts';
import { a2mPbftEa } from './a2m-pbft-ea/definition.ts';
import { cheapbftOver } from './cheapbft/definition.ts';
import { ebawa } from './ebawa/definition.ts';
import { flexiBft } from './flexi-bft/definition.ts';
import { minbft } from './minbft/definition.ts';
import { minzyzzyva } from './minzyzzyva/definition.ts';
import { pbft } from './pbft/definition.ts';
import { pbftMac } from './pbft-mac/definition.ts';
import { reminbft } from './reminbft/definition.ts';
import { repbft } from './repbft/definition.ts';
import { zyzzyva } from './zyzzyva/definition.ts';

/** A protocol whose messages only it can read: whoever runs it passes them on as they are. */
export type AnyProtocol = ProtocolDefinition<unknown>;

/** CheapBFT falls back to MinBFT (decision E5: no protocol names another). */
const cheapbft = cheapbftOver(minbft as AnyProtocol as ProtocolDefinition<object>);

/** See the top of this file. */
export const PROTOCOLS: readonly AnyProtocol[] = [
  minbft,
  zyzzyva,
  minzyzzyva,
  pbft,
  pbftMac,
  a2mPbftE,
  a2mPbftEa,
  repbft,
  reminbft,
  cheapbft,
  ebawa,
  flexiBft,
];

/** What a protocol asks of a cluster that tolerates f faults; undefined if this version has none of that name. */
export function protocolNeeds(
  name: string,
  f: number,
): { readonly replicas: number; readonly program: string | undefined } | undefined {
  const protocol = protocolNamed(name);
  return protocol && { replicas: protocol.replicasFor(f), program: protocol.trustedProgram };
}

/** The protocol of this name, as in `ClusterSettings.protocol`; undefined if this version has none. */
export function protocolNamed(name: string): AnyProtocol | undefined {
  return PROTOCOLS.find((protocol) => protocol.name === name);
}
