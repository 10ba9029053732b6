/**
 * View change on chains of slots: when a VIEW-CHANGE and a NEW-VIEW are valid, and what a new view starts with. Pure:
 * every replica comes to the same answers from the same bytes.
 *
 * A replica that voted in a view and leaves it cannot hide the vote: each slot of its chain names the one before, so the
 * slots that it shows are all there are between its stable checkpoint and its barrier. And a replica votes in a view
 * only with f+1 NV-ACKs for it, so every vote that it shows is of the last view that it can prove.
 */
import type { Attestor } from '../../core/attestation.ts';
import type { Domain } from '../../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../../core/domain.ts';
import { Writer } from '../../core/codec.ts';
import type { Digest, Hash, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { provenCheckpoint, readingOf } from '../attested/checkpoint.ts';
import { areDistinct } from '../attested/quorums.ts';
import type { Sealed } from '../attested/sealed.ts';
import type { ChainContent, ChainEntry, OrderContent, Terms, ViewChange, ViewProof } from './messages.ts';
import { writeTerms } from './messages.ts';
import type { ChainRule } from './rules.ts';
import { slotOf } from './slots.ts';

/** What one slot of a chain says. */
export interface Vote {
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

/** The order that a content is about; undefined if it is about none of a view. */
export function orderIn(content: object): Vote | undefined {
  return 'view' in content && 'sequence' in content && 'digest' in content ? (content as Vote) : undefined;
}

/** What the judgement depends on beside the bytes. */
export interface ChainRules<P extends OrderContent> {
  readonly protocol: string;
  readonly hash: Hash;
  readonly domain: Domain;
  /** f+1 of 2f+1. */
  readonly quorum: number;
  /** L. */
  readonly window: number;
  /** Digest of the batch that does nothing. */
  readonly nothing: Digest;
  readonly primaryOf: (view: View) => ReplicaId;
  /** Who must vouch for a content; the chain's object for those that are slots of a chain. */
  readonly attestorOf: (content: ChainContent<P>) => Attestor;
  /** The vote that a chain entry is, with what the paper asks for as its proof; undefined: it is none. */
  readonly voteOf: (entry: ChainEntry<P>) => Vote | undefined;
  /** What view 0 starts with. */
  readonly genesis: Terms;
  /** The number that the protocol hands on to a view, from that of the view before and the last order that it covers. */
  readonly carry: (previous: Terms, top: SequenceNumber) => number;
  /** Records the outcome of a rule; gives it back. */
  readonly rule: (rule: ChainRule, passed: boolean, about?: string) => boolean;
}

/** What a valid VIEW-CHANGE says. */
export interface ViewChangeFacts {
  readonly author: ReplicaId;
  /** h. */
  readonly stable: SequenceNumber;
  /** Of ell. */
  readonly terms: Terms;
  /** Votes in view ell above h, by sequence number. */
  readonly votes: ReadonlyMap<SequenceNumber, Digest>;
}

/** Last sequence number that the terms of a view oblige to. */
export function topOf({ base, orders }: Terms): SequenceNumber {
  return base + orders.length;
}

/** What the terms oblige the primary to propose as a sequence number; undefined: it is free. */
export function obligation({ base, orders }: Terms, sequence: SequenceNumber): Digest | undefined {
  return orders[sequence - base - 1];
}

/** H(view, hNV, O, carried): what NV-ACKs are about. */
export function digestOfTerms<P extends OrderContent>(rules: ChainRules<P>, terms: Terms): Digest {
  const writer = domainWriter(domainTag(rules.protocol, 'TERMS'), rules.domain);
  writeTerms(writer, terms);
  return finishDigest(rules.hash, writer);
}

/** Whether the word given for a message is of the kind, object and value that its content asks for. */
export function fitsAttestor<P extends OrderContent>(
  { attestorOf }: Pick<ChainRules<P>, 'attestorOf'>,
  { attestation, content, author }: Sealed<ChainContent<P>>,
): boolean {
  const by = attestorOf(content);
  if (attestation.replica !== author) return false;
  if (by.kind !== 'object' || attestation.kind !== 'object') return by.kind === attestation.kind;
  return attestation.object === by.object && attestation.form === by.form && attestation.value === by.value;
}

/** h: the stable checkpoint that a VIEW-CHANGE proves; undefined if it proves none. */
function stableIn<P extends OrderContent>(
  rules: ChainRules<P>,
  { checkpoints }: ViewChange<P>,
): SequenceNumber | undefined {
  const { quorum } = rules;
  const isVouched = (message: Sealed<ChainContent<P>>): boolean => fitsAttestor(rules, message);
  return provenCheckpoint({ quorum, checkpointOf: readingOf, isVouched }, checkpoints);
}

/** The terms that NV-ACKs of a quorum prove; undefined if they prove nothing. */
function provenTerms<P extends OrderContent>(
  rules: ChainRules<P>,
  { terms, acks }: ViewProof<P>,
): Terms | undefined {
  const digest = digestOfTerms(rules, terms);
  const agree = acks.every(
    (message) =>
      message.content.kind === 'NV-ACK' &&
      message.content.view === terms.view &&
      message.content.digest === digest &&
      fitsAttestor(rules, message),
  );
  return agree && areDistinct(acks) && acks.length >= rules.quorum && terms.view > 0 ? terms : undefined;
}

/** Whether the entries are all slots of their author between slot(ell, h) and its barrier of `view`. */
function isWholeChain<P extends OrderContent>(
  rules: ChainRules<P>,
  author: ReplicaId,
  chain: readonly ChainEntry<P>[],
  ends: { readonly view: View; readonly ell: View; readonly stable: SequenceNumber },
): boolean {
  let last = slotOf(ends.ell, ends.stable);
  for (const [index, { message }] of chain.entries()) {
    const { attestation } = message;
    if (message.author !== author || attestation.kind !== 'object' || !fitsAttestor(rules, message))
      return false;
    // The first may follow anything that is covered by the checkpoint; the others follow each other.
    const follows = index === 0 ? attestation.previous <= last : attestation.previous === last;
    if (!follows || attestation.value <= slotOf(ends.ell, ends.stable)) return false;
    last = attestation.value;
  }
  const end = chain.at(-1)?.message.content;
  return end?.kind === 'BARRIER' && end.view === ends.view;
}

/** What a VIEW-CHANGE says, or undefined if it is not valid; every seal in it holds already. */
export function judgeViewChange<P extends OrderContent>(
  rules: ChainRules<P>,
  message: Sealed<ChainContent<P>>,
): ViewChangeFacts | undefined {
  const { content, author } = message;
  if (content.kind !== 'VIEW-CHANGE' || !fitsAttestor(rules, message)) return undefined;
  const { view, entered, chain } = content;
  const stable = stableIn(rules, content);
  if (!rules.rule('Chain.VC.checkpoint', stable !== undefined, 'VIEW-CHANGE')) return undefined;
  const terms = entered === undefined ? rules.genesis : provenTerms(rules, entered);
  const proven = terms !== undefined && terms.view < view && stable! >= terms.base;
  if (!rules.rule('Chain.VC.entered', proven, 'VIEW-CHANGE')) return undefined;
  const whole = isWholeChain(rules, author, chain, { view, ell: terms!.view, stable: stable! });
  if (!rules.rule('Chain.VC.whole', whole, 'VIEW-CHANGE')) return undefined;
  const votes = votesIn(rules, chain, terms!, stable!);
  return votes === undefined ? undefined : { author, stable: stable!, terms: terms!, votes };
}

/** The votes of a whole chain, or undefined if one of them is none that its author may have given. */
function votesIn<P extends OrderContent>(
  rules: ChainRules<P>,
  chain: readonly ChainEntry<P>[],
  terms: Terms,
  stable: SequenceNumber,
): ReadonlyMap<SequenceNumber, Digest> | undefined {
  const votes = new Map<SequenceNumber, Digest>();
  for (const entry of chain) {
    const { kind } = entry.message.content;
    if (kind === 'BARRIER') continue;
    const vote = rules.voteOf(entry);
    if (!rules.rule('Chain.VC.proof', vote !== undefined, kind)) return undefined;
    const { view, sequence, digest } = vote!;
    if (!rules.rule('Chain.VC.view', view === terms.view, kind)) return undefined;
    const inRange = sequence > stable && sequence <= stable + rules.window;
    if (!rules.rule('Chain.VC.range', inRange, kind)) return undefined;
    const obliged = obligation(terms, sequence);
    if (!rules.rule('Chain.VC.obliged', obliged === undefined || obliged === digest, kind)) return undefined;
    votes.set(sequence, digest);
  }
  return votes;
}

/**
 * (hNV, O) of the view that starts with these VIEW-CHANGEs: votes of the highest view that any of them proves, then what
 * that view itself was obliged to, then the batch that does nothing.
 */
export function computeTerms<P extends OrderContent>(
  rules: Pick<ChainRules<P>, 'nothing' | 'carry'>,
  view: View,
  facts: readonly ViewChangeFacts[],
): Terms {
  const base = Math.max(...facts.map(({ stable }) => stable));
  const latest = facts.reduce((best, one) => (one.terms.view > best.terms.view ? one : best)).terms;
  const votes = new Map<SequenceNumber, Digest>();
  for (const one of facts)
    if (one.terms.view === latest.view)
      for (const [sequence, digest] of one.votes) votes.set(sequence, digest);
  const top = Math.max(base, topOf(latest), ...votes.keys());
  const orders: Digest[] = [];
  for (let sequence = base + 1; sequence <= top; sequence += 1)
    orders.push(votes.get(sequence) ?? obligation(latest, sequence) ?? rules.nothing);
  return { view, base, orders, carried: rules.carry(latest, top) };
}

/** Whether two views start with the same. */
export function areEqualTerms(one: Terms, other: Terms): boolean {
  const bytes = [one, other].map((terms) => {
    const writer = new Writer(256);
    writeTerms(writer, terms);
    return writer.finish();
  });
  return bytes[0]!.length === bytes[1]!.length && bytes[0]!.every((byte, at) => byte === bytes[1]![at]);
}

/** The terms of a NEW-VIEW, or undefined if it is not valid. */
export function judgeNewView<P extends OrderContent>(
  rules: ChainRules<P>,
  message: Sealed<ChainContent<P>>,
): Terms | undefined {
  const { content, author } = message;
  if (content.kind !== 'NEW-VIEW' || !fitsAttestor(rules, message)) return undefined;
  const { view, viewChanges, terms } = content;
  if (!rules.rule('Chain.NV.primary', author === rules.primaryOf(view), 'NEW-VIEW')) return undefined;
  const facts = viewChanges.flatMap((one) => judgeViewChange(rules, one) ?? []);
  const isQuorum =
    facts.length === rules.quorum &&
    viewChanges.length === rules.quorum &&
    areDistinct(viewChanges) &&
    viewChanges.some((one) => one.author === author) &&
    viewChanges.every((one) => one.content.kind === 'VIEW-CHANGE' && one.content.view === view);
  if (!rules.rule('Chain.NV.quorum', isQuorum, 'NEW-VIEW')) return undefined;
  const equal = areEqualTerms(computeTerms(rules, view, facts), terms);
  return rules.rule('Chain.NV.terms', equal, 'NEW-VIEW') ? terms : undefined;
}
