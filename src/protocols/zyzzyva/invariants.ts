/**
 * What must hold between correct replicas of Zyzzyva at any moment (as far as it can be seen
 * from inside; what clients believe is judged outside).
 */
import type { Replica } from '../../core/protocol.ts';
import type { SequenceNumber, View } from '../../core/types.ts';
import { ZyzzyvaHistories } from './histories.ts';
import type { History } from './history.ts';

/** How a replica was when it was last looked at. */
interface Look {
  readonly label: View;
  readonly history: History;
  readonly confirmed: SequenceNumber;
}

const LOOKS = new WeakMap<object, Look>();

/** Looks into the correct replicas that run; a sentence if something is wrong. */
export function checkZyzzyva(replicas: readonly Replica<object>[]): string | undefined {
  const own = replicas.filter((replica) => replica instanceof ZyzzyvaHistories) as unknown[];
  const all = own as readonly ZyzzyvaHistories[];
  for (const replica of all) {
    const broken = checkOne(replica) ?? checkSince(replica);
    if (broken !== undefined) return `replica ${replica.self}: ${broken}`;
  }
  for (const one of all)
    for (const other of all) {
      const broken = one === other ? undefined : checkPair(one, other);
      if (broken !== undefined) return `replicas ${one.self} and ${other.self}: ${broken}`;
    }
  return undefined;
}

/** Invariant 6, and the bounds of what is final. */
function checkOne(replica: ZyzzyvaHistories): string | undefined {
  const { certificate, label, mode, stableProof, confirmed, executed, history } = replica;
  if (certificate !== undefined && certificate.view !== label)
    return `the certificate is of view ${certificate.view}, the label ${label}`;
  if (certificate === undefined && label > 0) return `view ${label} was entered without a certificate`;
  // After a crash a stable checkpoint may be known before its view is entered; until then nothing rests on it.
  if (stableProof.view > label && mode === 'active')
    return `stable in view ${stableProof.view}, but the label is ${label}`;
  if (confirmed > executed) return `confirmed ${confirmed}, but executed ${executed}`;
  if (history.start !== stableProof.length) return 'the history does not begin at the stable checkpoint';
  return undefined;
}

/** Invariants 1 and 4: within a view a history only grows, and what is confirmed stays. */
function checkSince(replica: ZyzzyvaHistories): string | undefined {
  const { label, history, confirmed } = replica;
  const before = LOOKS.get(replica);
  LOOKS.set(replica, { label, history, confirmed });
  if (before === undefined) return undefined;
  if (label < before.label) return `label ${before.label} became ${label}`;
  if (confirmed < before.confirmed) return `confirmed ${before.confirmed} became ${confirmed}`;
  // CKPT.6 is the exception: a stable checkpoint replaces a branch.
  if (label !== before.label || history.start !== before.history.start) return undefined;
  return history.has(before.history.end) ? undefined : `its history of view ${label} was changed`;
}

/** Invariants 2 and 3: one base for each view, comparable certificates, stable checkpoints in all later bases. */
function checkPair(one: ZyzzyvaHistories, other: ZyzzyvaHistories): string | undefined {
  const { label, base, history, certificate } = one;
  if (label === other.label && (base.length !== other.base.length || base.history !== other.base.history))
    return `two bases of view ${label}`;
  const proven = other.certificate?.proven;
  if (label === other.label && proven !== undefined && (certificate?.proven.length ?? 0) >= proven.length)
    if ((history.hashAt(proven.length) ?? proven.history) !== proven.history)
      return `certificates of view ${label} that exclude each other`;
  const stable = other.stableProof;
  if (label <= stable.view) return undefined;
  if (base.length < stable.length)
    return `the base of view ${label} lacks the stable checkpoint ${stable.length}`;
  const hash = history.hashAt(stable.length) ?? stable.history;
  return hash === stable.history
    ? undefined
    : `view ${label} contradicts the stable checkpoint ${stable.length}`;
}
