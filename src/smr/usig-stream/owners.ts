/** Owners in a NEW-VIEW, where views have several: whoever starts a view computes them, and everybody else does so again. */
import type { StreamContext } from './context.ts';
import type { NewViewHeader, Owner, ViewChange } from './messages.ts';
import { registryByDigest } from './validation.ts';
import type { ComputedBase, ValidationKnowledge } from './validation.ts';
import { invalid } from './validity.ts';
import type { Invalid } from './validity.ts';

const NO_OWNERS: readonly Owner[] = [];

/** Who owns the slots of the view that begins; the registry at its low end is known when N4 was checked. */
export function ownersOf(
  context: StreamContext,
  view: number,
  viewChanges: readonly ViewChange[],
  computed: ComputedBase,
  known: Pick<ValidationKnowledge, 'byDigest'>,
): readonly Owner[] {
  const certified = registryByDigest(context, computed.lowRegistryDigest, known);
  if (context.slots === undefined || certified.kind !== 'valid') return NO_OWNERS;
  return context.slots.ownersOf(context, view, viewChanges, computed.base, certified.value);
}

/** EBAWA.VC.4: whether a NEW-VIEW names other owners than follow from what it quotes. */
export function ownersFault(
  context: StreamContext,
  header: NewViewHeader,
  viewChanges: readonly ViewChange[],
  computed: ComputedBase,
  known: Pick<ValidationKnowledge, 'byDigest'>,
): Invalid | undefined {
  const named = header.owners ?? NO_OWNERS;
  const owners = ownersOf(context, header.view, viewChanges, computed, known);
  const same =
    named.length === owners.length &&
    owners.every(
      ({ replica, incarnation }, index) =>
        named[index]!.replica === replica && named[index]!.incarnation === incarnation,
    );
  return same ? undefined : invalid('EBAWA.VC.4', `the owners of view ${header.view} are others`);
}
