/** `--auth`: how requests of a new cluster are authentic (decision C1), and where MACs may stand for signatures. */
import { Option } from 'commander';
import { AUTHENTICATORS } from '../core/config.ts';
import type { Authenticator } from '../core/config.ts';
import { formatComponentSpec } from '../footprints/contract.ts';
import type { ComponentSpec } from '../footprints/contract.ts';
import { MAC_COMPONENT } from '../ledger/genesis.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import { usageFailure } from './failure.ts';

/** What each of them is, for texts. */
export const AUTHENTICATOR_WORDS: Readonly<Record<Authenticator, string>> = {
  bundle: 'signed bundles',
  request: 'a signature for each request',
  mac: 'a trusted MAC for each request',
};

/** `--auth`. */
export function authOption(): Option {
  return new Option(
    '--auth <unit>',
    'how requests of a new cluster are authentic: a client signs bundles of them (default) or each request, or trusted ' +
      'components check a MAC of each',
  ).choices(AUTHENTICATORS);
}

/** Throws a usage failure if this cluster cannot have that authenticator. */
export function requireAuthenticator(
  authenticator: Authenticator,
  protocol: AnyProtocol,
  components: readonly ComponentSpec[],
  development: boolean,
): void {
  if (authenticator !== 'mac') return;
  const { program, footprint } = MAC_COMPONENT;
  if (protocol.trustedProgram !== program)
    throw usageFailure(
      `--auth mac needs a protocol on ${program}, whose components check the MACs; ${protocol.name} is none.`,
    );
  if (development)
    throw usageFailure(
      '--auth mac and --dev: a component inside its replica could not keep the keys of clients from it.',
    );
  const other = components.find((spec) => spec.footprint !== footprint);
  if (other !== undefined)
    throw usageFailure(
      `--auth mac needs ${program}@${footprint} at every replica, not ${formatComponentSpec(other)}: only there does the ` +
        'key that all components share pass from one to the next after evidence was checked.',
    );
}
