/** Chain of incarnations: links from genesis on. */
import { decodeRegistry, entryOf } from '../registry.ts';
import type { IncarnationEntry, Registry } from '../registry.ts';
import { registryDigest } from './context.ts';
import type { StreamContext } from './context.ts';
import type { RegistryLink } from './messages.ts';
import { validCheckpointCertificate } from './view-change.ts';
import { invalid } from './validity.ts';
import type { Validity } from './validity.ts';

function equalEntries(a: IncarnationEntry, b: IncarnationEntry): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.tcEpoch === b.tcEpoch &&
    a.tcId === b.tcId &&
    a.publicKey === b.publicKey &&
    a.since === b.since &&
    a.fromView === b.fromView
  );
}

/** Whether `later` keeps every entry of `before` and adds at least one. */
function extendsRegistry(before: Registry, later: Registry): boolean {
  const keepsAll = before.members.every((entries, replica) =>
    entries.every((entry, index) => {
      const kept = later.members[replica]?.[index];
      return kept !== undefined && equalEntries(entry, kept);
    }),
  );
  return (
    keepsAll && later.members.some((entries, replica) => entries.length > before.members[replica]!.length)
  );
}

/**
 * The registry that a link adds to the chain after `before`. All its CHECKPOINTs must be sealed under incarnations that
 * `before` knows (LINK.1): with keys out of the certified state itself anybody could forge one. `invalid` refuses the
 * link and convicts nobody. The seals of the certificate must have been verified with keys of `before`.
 */
export function validRegistryLink(
  context: StreamContext,
  before: Registry,
  link: RegistryLink,
): Validity<Registry> {
  const certified = validCheckpointCertificate(context, link.certificate, {
    incarnationOf: (replica, tcEpoch) => entryOf(before, replica, tcEpoch)?.incarnation,
  });
  if (certified.kind === 'need')
    return invalid('MinBFT.LINK.1', 'a CHECKPOINT is by an incarnation that is not known before the link');
  if (certified.kind === 'invalid') return certified;
  const registry = decodeRegistry(link.registry, context.n);
  if (registry === undefined || registryDigest(context, registry) !== certified.value.registryDigest)
    return invalid('MinBFT.LINK.2', 'the registry is not the certified one');
  if (!extendsRegistry(before, registry))
    return invalid('MinBFT.LINK.2', 'the registry does not extend the one before');
  return { kind: 'valid', value: registry };
}
