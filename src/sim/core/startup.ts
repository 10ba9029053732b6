/**
 * How a machine of the core fidelity starts: what its store gives back, and the host's own triage of what its trusted
 * component says (`host/triage.ts`).
 */
import { decodeWhole } from '../../core/codec.ts';
import { readRecover } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import { encodeRecover, otherOwnerOf, recoverChallengeFor, recoverRequestFor } from '../../host/restore.ts';
import { triageStart } from '../../host/triage.ts';
import { registryOfState, trustedKeyOf } from '../../smr/registry.ts';
import type { RecentCertificate } from '../../trusted/contract.ts';
import type { CoreImage, ReplayStep } from './core-image.ts';
import type { CoreGenesis } from './genesis.ts';
import type { KeyRing } from './seal-book.ts';
import { SEAL_BYTES } from './seal-book.ts';
import type { CoreService, FrozenService } from './service.ts';
import type { CoreTrusted } from './trusted.ts';

/** What is restored. */
export interface RestoreParts {
  readonly id: ReplicaId;
  readonly genesis: CoreGenesis;
  readonly image: CoreImage;
  readonly service: CoreService;
  readonly ring: KeyRing;
  readonly snapshot: FrozenService | undefined;
}

/** Executes one batch again, or applies one update; false if its body is not there. */
export type Replay = (step: ReplayStep) => boolean;

/** Brings service and keys to where the store says they were; false if it is damaged. */
export function restoreMachine(parts: RestoreParts, replay: Replay): boolean {
  const { genesis, image, service, ring, snapshot } = parts;
  if (snapshot !== undefined) service.install(snapshot);
  for (const step of image.stepsAbove(service.executed))
    if (step.sequence !== service.executed + 1 || !replay(step)) return false;
  image.coverThrough(snapshot?.sequence ?? 0);
  const registry = registryOfState(service.protocolState, genesis.settings.members.length);
  registry?.members.forEach((entries, replica) => {
    for (const entry of entries) ring.trust(trustedKeyOf(replica, entry));
  });
  const { recover } = image.journal;
  if (recover === undefined) return true;
  const request = decodeWhole(recover, readRecover);
  if (request === undefined) return false;
  const { replica, tcEpoch, tcId, tcPublicKey: publicKey } = request;
  ring.trust({ replica, tcEpoch, tcId, publicKey });
  return true;
}

/** What the machine is to do. */
export type CoreTriage =
  /** Go on; these certificates of the component belong to messages that are in the log. */
  | { readonly kind: 'continue'; readonly completed: readonly RecentCertificate[] }
  /** `renew`: make a new component first; `register`: the one that is there is new. Then RECOVER. */
  | {
      readonly kind: 'renew' | 'register';
      readonly reason: string;
      /** The request for the component that is there when this is called. */
      readonly recoverRequest: (sign: (digest: Digest) => Uint8Array) => Uint8Array;
    }
  | { readonly kind: 'refuse'; readonly reason: string };

/** Asks the component who it is and judges the start. Messages that were never certified leave the log. */
export function triageMachine(
  id: ReplicaId,
  genesis: CoreGenesis,
  trusted: CoreTrusted,
  { journal: image }: CoreImage,
  service: CoreService,
): CoreTriage {
  const identity = trusted.identity();
  const other = otherOwnerOf(id, genesis.settings, service, image, identity);
  const first = triageStart(identity, image, undefined, other);
  const triage =
    first.kind === 'askRecent' ? triageStart(identity, image, trusted.recent(first.count)) : first;
  switch (triage.kind) {
    case 'continue':
    case 'complete': {
      const completed = triage.kind === 'complete' ? triage.certificates : [];
      for (const { counter } of completed) image.own.get(counter)!.authenticator = SEAL_BYTES;
      for (const [counter, message] of image.own)
        if (message.authenticator === undefined) image.own.delete(counter);
      return { kind: 'continue', completed };
    }
    case 'renew':
    case 'register': {
      const { hash, settings } = genesis;
      const recoverRequest = (sign: (digest: Digest) => Uint8Array): Uint8Array => {
        const parts = { self: id, settings, hash, sign, trusted: {} };
        const newest = trusted.identity();
        const possession = trusted.attest(recoverChallengeFor(parts, newest));
        return encodeRecover(recoverRequestFor(parts, newest, possession));
      };
      return { kind: triage.kind, reason: triage.reason, recoverRequest };
    }
    case 'refuse':
      return triage;
    case 'askRecent':
      return { kind: 'refuse', reason: 'the trusted component does not know its own certificates' };
  }
}

/** Whether replicas of a protocol speak by one stream of a USIG: then a start needs its triage. */
export function sealsStreams({ trustedProgram }: { readonly trustedProgram: string | undefined }): boolean {
  return trustedProgram === 'usig';
}

/** Whether a replica needs a component that is not the one it was registered with. */
export function lacksItsComponent(
  { trustedProgram }: { readonly trustedProgram: string | undefined },
  trusted: CoreTrusted,
  { journal }: CoreImage,
): boolean {
  return trustedProgram !== undefined && trusted.key.tcEpoch !== journal.tcEpoch;
}
