/** The desk at which own messages are vouched for, as the protocol needs it: one stream of seals, or one by one. */
import type { Input } from '../core/protocol.ts';
import { AttestDesk } from './attest-desk.ts';
import type { AttestDeskOptions } from './attest-desk.ts';
import type { JournalImage } from './image.ts';
import type { JournalDesk } from './journal-desk.ts';
import type { HostOptions } from './host-options.ts';
import { otherOwnerOf } from './restore.ts';
import { SealDesk } from './seal-desk.ts';
import type { SealDeskOptions } from './seal-desk.ts';

/** What a host gives. */
interface VouchingParts<M> {
  readonly image: JournalImage;
  readonly journal: JournalDesk;
  readonly give: (input: Input<M>) => void;
  readonly halt: (reason: string) => void;
}

function deskParts<M>({ self, settings, crypto, ports }: HostOptions<M>, parts: VouchingParts<M>) {
  const { image, journal, halt } = parts;
  return {
    self,
    settings,
    crypto,
    image,
    append: (record: Uint8Array) => journal.append(record),
    whenSynced: (then: () => void) => journal.whenSynced(then),
    halt,
    note: (name: string, detail: Readonly<Record<string, string | number | boolean>>) =>
      ports.observer.note(name, detail),
  };
}

/** For protocols with one stream of seals. */
export function makeSealDesk<M>(
  options: HostOptions<M>,
  parts: VouchingParts<M> & Pick<SealDeskOptions, 'onStart'>,
): SealDesk {
  const { self, settings, executor, ports } = options;
  return new SealDesk({
    ...deskParts(options, parts),
    trusted: ports.trusted,
    onSealed: (ui) => parts.give({ kind: 'sealed', ui }),
    onStart: parts.onStart,
    otherOwner: (identity) => otherOwnerOf(self, settings, executor, parts.image, identity),
  });
}

/** For all others. */
export function makeAttestDesk<M>(
  options: HostOptions<M>,
  parts: VouchingParts<M> & Pick<AttestDeskOptions, 'onStart'>,
): AttestDesk {
  const { definition, ports } = options;
  return new AttestDesk({
    ...deskParts(options, parts),
    ...(definition.trustedProgram === undefined ? {} : { trusted: ports.trusted }),
    onAttested: (id, attestation) => parts.give({ kind: 'attested', id, attestation }),
    onRefused: (id) => parts.give({ kind: 'refused', id }),
    onStart: parts.onStart,
  });
}
