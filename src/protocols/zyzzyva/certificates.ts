/**
 * What sets of messages prove: a stable checkpoint, a committed history, the base of a view, a reason to leave a view.
 * Pure: seals were checked before, and every replica comes to the same answer from the same bytes.
 */
import { equalBytes } from '../../core/bytes.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import { isQuorum, isSigned } from '../../smr/attested/quorums.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import type { Link, Position } from './history.ts';
import { GENESIS } from './history.ts';
import type { Message, OrderReq, SpecResponse, ZyzzyvaContent } from './messages.ts';
import type { ZyzzyvaRule } from './rules.ts';

/** What judgements depend on beside the bytes. */
export interface Judging {
  readonly f: number;
  /** n - f: 2f+1 of 3f+1. */
  readonly quorum: number;
  /** Equal CHECKPOINTs that make one stable (CKPT.3). */
  readonly checkpointQuorum: number;
  /** L. */
  readonly window: number;
  readonly link: Link;
  readonly primaryOf: (view: View) => ReplicaId;
  /** Records the outcome of a rule; gives it back. */
  readonly rule: (rule: ZyzzyvaRule, passed: boolean, about?: string) => boolean;
}

type Messages = readonly Sealed<ZyzzyvaContent>[];

/** Whether enough distinct replicas have signed the very same content. */
function areEqualOf(enough: number, messages: Messages): boolean {
  const [first] = messages;
  if (first === undefined || !isQuorum(enough, messages)) return false;
  return messages.every((message) => isSigned(message) && equalBytes(message.bytes, first.bytes));
}

/** A certificate of a view: how far it proves the histories of those who have entered that view. */
export interface Certificate {
  readonly view: View;
  readonly base: Position;
  /** The proven hash: at an order of a commit certificate, or at the end of the base. */
  readonly proven: Position;
  readonly messages: Messages;
}

/**
 * A commit certificate (2f+1 equal SPEC-RESPONSEs) or a view certificate (2f+1 equal VIEW-CONFIRMs). Its position is
 * max(n, gLen): whoever has answered in a view holds the whole base of that view.
 */
export function certificateOf(quorum: number, messages: Messages): Certificate | undefined {
  if (!areEqualOf(quorum, messages)) return undefined;
  const [first] = messages;
  if (isOf(first, 'VIEW-CONFIRM')) {
    const { view, base } = first.content;
    return { view, base, proven: base, messages };
  }
  if (!isOf(first, 'SPEC-RESPONSE')) return undefined;
  const { view, base, sequence, history } = first.content;
  const proven = sequence >= base.length ? { length: sequence, history } : base;
  return { view, base, proven, messages };
}

/** A commit certificate together with the core that it is about. */
export interface CommitCertificate extends Certificate {
  readonly core: SpecResponse;
}

/** 2f+1 equal SPEC-RESPONSEs. */
export function commitCertificateOf(quorum: number, messages: Messages): CommitCertificate | undefined {
  const [first] = messages;
  const certificate = isOf(first, 'SPEC-RESPONSE') ? certificateOf(quorum, messages) : undefined;
  return certificate === undefined
    ? undefined
    : { ...certificate, core: (first as Message<SpecResponse>).content };
}

/** A certified checkpoint: its end of the history, and the view of its certificate (CKPT.4). */
export interface StableProof extends Position {
  readonly view: View;
}

/** What genesis is as a stable checkpoint. */
export const GENESIS_STABLE: StableProof = { ...GENESIS, view: 0 };

/** The stable checkpoint that CHECKPOINTs prove; genesis for none, undefined if they prove nothing. */
export function stableProofOf(quorum: number, messages: Messages): StableProof | undefined {
  const [first] = messages;
  if (first === undefined) return GENESIS_STABLE;
  if (!isOf(first, 'CHECKPOINT') || !areEqualOf(quorum, messages)) return undefined;
  const { view, sequence, history } = first.content;
  return { view, length: sequence, history };
}

/** Whether two ORDER-REQs of one primary exclude each other: one place twice, or successors that do not chain. */
function exclude(link: Link, one: Message<OrderReq>, other: Message<OrderReq>): boolean {
  const [first, second] = one.content.sequence <= other.content.sequence ? [one, other] : [other, one];
  if (first.content.sequence === second.content.sequence) return !equalBytes(first.bytes, second.bytes);
  const follows = second.content.sequence === first.content.sequence + 1;
  const chained: Digest = link(first.content.history, second.content.digest);
  return follows && chained !== second.content.history;
}

/** Whether a message is an ORDER-REQ that the primary of a view has signed. */
function isOrderOf(
  judging: Judging,
  view: View,
  message: Sealed<ZyzzyvaContent> | undefined,
): message is Message<OrderReq> {
  if (!isOf(message, 'ORDER-REQ') || message.attestation.kind !== 'host') return false;
  return message.content.view === view && message.author === judging.primaryOf(view);
}

/**
 * POM: two ORDER-REQs that exclude each other, or one and a commit certificate of its view that has another hash at its
 * place.
 */
function isMisbehaviour(judging: Judging, view: View, messages: Messages): boolean {
  const [order, ...others] = messages;
  if (!isOrderOf(judging, view, order)) return false;
  const [other] = others;
  if (others.length === 1 && isOrderOf(judging, view, other)) return exclude(judging.link, order, other);
  const core = commitCertificateOf(judging.quorum, others)?.core;
  if (core === undefined || core.view !== view) return false;
  return core.sequence === order.content.sequence && core.history !== order.content.history;
}

/** Whether messages are a reason to leave a view: f+1 IHTP of it, so a correct one, or a proof against its primary. */
export function isReason(judging: Judging, view: View, messages: Messages): boolean {
  const [first] = messages;
  if (!isOf(first, 'I-HATE-THE-PRIMARY')) return isMisbehaviour(judging, view, messages);
  return first.content.view === view && areEqualOf(judging.f + 1, messages);
}

/** Highest sequence number that a VIEW-CHANGE may show, given its stable checkpoint. */
export function lastOf(judging: Judging, stable: Position): SequenceNumber {
  return stable.length + judging.window;
}
