/**
 * Start-up triage (decision A3, rule W6): what the trusted component says against what the own log says, before any
 * certificate is asked for. A pure judgement.
 */
import { SAFE_INTEGER_END } from '../core/types.ts';
import type { CounterValue, ReplicaId } from '../core/types.ts';
import type { RecentCertificate, TrustedIdentity } from '../trusted/contract.ts';
import type { JournalImage } from './image.ts';

/**
 * From this value on a start renews the component: what is left of the counter (2^53) is more than a replica seals
 * between two starts. A component that comes to its end all the same refuses (OVERFLOW), and the next start renews it.
 */
export const COUNTER_RENEWAL: CounterValue = SAFE_INTEGER_END - 2 ** 32;

/** What to do. */
export type Triage =
  /** Trusted state equals the own log: go on. */
  | { readonly kind: 'continue' }
  /** The component is ahead: ask it for its last `count` certificates, then judge again with them. */
  | { readonly kind: 'askRecent'; readonly count: number }
  /** Everything between is known: take these certificates into the log, send, go on. */
  | { readonly kind: 'complete'; readonly certificates: readonly RecentCertificate[] }
  /** Something sealed is lost: new tcEpoch and key, state transfer, RECOVER. */
  | { readonly kind: 'renew'; readonly reason: string }
  /** The component is a fresh one already (volatile): register it by RECOVER. */
  | { readonly kind: 'register'; readonly reason: string }
  /** Rolled back: running on would void the safety of the cluster. */
  | { readonly kind: 'refuse'; readonly reason: string };

/** What genesis and the executed registry say about the component of a start beside its own replica. */
export interface OtherOwner {
  /** The replica that the component is registered for. */
  readonly replica: ReplicaId;
  /** Whether the own replica expects this component, too: by its registry entries or by its pending RECOVER. */
  readonly isExpectedHere: boolean;
}

/**
 * Judges a start. `recent`: answer to an earlier `askRecent`. `other`: the component is registered for another replica,
 * so nothing that it seals here would ever count.
 */
export function triageStart(
  identity: TrustedIdentity,
  image: JournalImage,
  recent: readonly RecentCertificate[] | undefined,
  other?: OtherOwner,
): Triage {
  if (other !== undefined) return otherReplica(other);
  if (identity.tcEpoch !== image.tcEpoch) return otherEpoch(identity, image);
  const certified = image.certifiedThrough();
  const { counter } = identity;
  if (counter < certified) {
    return {
      kind: 'refuse',
      reason:
        `the trusted component stands at counter ${counter}, but the own log holds messages certified up to ` +
        `${certified}: the component's state was rolled back (an old copy was put back). Restore its newest folder, or ` +
        'replace this replica with new keys; it must not run like this.',
    };
  }
  if (counter >= COUNTER_RENEWAL)
    return { kind: 'renew', reason: `the counter of the trusted component (${counter}) is nearly used up` };
  if (logHasHole(image, certified))
    return { kind: 'renew', reason: 'own sealed messages are missing from the log' };
  if (counter === certified) return { kind: 'continue' };
  const missing = counter - certified;
  if (recent === undefined) return { kind: 'askRecent', count: missing };
  return completion(image, certified, counter, recent);
}

function otherReplica({ replica, isExpectedHere }: OtherOwner): Triage {
  // This replica made the component; whoever registered it as well makes it useless here, but nobody else needs it.
  if (isExpectedHere)
    return {
      kind: 'renew',
      reason: `replica ${replica} registered the identity of this replica's trusted component as its own`,
    };
  // A component is registered by genesis or by its own seal "for replica j" (docs/decisions/0012), so the registered
  // one is the owner: a renewal would destroy the key that it needs.
  return {
    kind: 'refuse',
    reason:
      `this folder holds the trusted component of replica ${replica}: the folders of trusted components were mixed up. ` +
      'Put each back where it belongs and start the replicas again; nothing was changed.',
  };
}

function otherEpoch(identity: TrustedIdentity, image: JournalImage): Triage {
  const what =
    `the trusted component speaks under tcEpoch ${identity.tcEpoch} (counter ${identity.counter}), ` +
    `the own log under ${image.tcEpoch}`;
  // A component that has not spoken yet can be registered; the log tells the truth about the one before it.
  if (identity.counter === 0) return { kind: 'register', reason: what };
  if (image.isEmpty()) return { kind: 'renew', reason: `${what}, which holds nothing: the store was lost` };
  // A log records a renewal before the new component says anything, so one of the two was put back from before it.
  return {
    kind: 'refuse',
    reason:
      `${what}: an old copy of the replica's store or of the trusted component's folder was put back. Put the newest ` +
      "one back, or wipe this replica's store (never its keys) and start it again: it re-joins by state transfer and RECOVER.",
  };
}

function logHasHole(image: JournalImage, certified: CounterValue): boolean {
  for (let counter = Math.max(1, image.trimmedBelow); counter <= certified; counter += 1) {
    if (image.own.get(counter)?.authenticator === undefined) return true;
  }
  return false;
}

function completion(
  image: JournalImage,
  certified: CounterValue,
  counter: CounterValue,
  recent: readonly RecentCertificate[],
): Triage {
  const certificates: RecentCertificate[] = [];
  for (let value = certified + 1; value <= counter; value += 1) {
    // The intent is synced before the component is asked, and after the content (W1), so an intent implies both.
    const intent = image.own.get(value);
    const certificate = recent.find((candidate) => candidate.counter === value);
    if (intent === undefined || certificate === undefined || intent.digest !== certificate.digest) {
      return {
        kind: 'renew',
        reason: `the trusted component certified counter ${value}, but the message is not in the own log (log lost or old)`,
      };
    }
    certificates.push(certificate);
  }
  return { kind: 'complete', certificates };
}
