/**
 * Retransmission on lossy links: STATUS tells what a replica has, and whoever sees what it lacks sends it,
 * own messages first, with a budget; gaps and missing contents are asked for.
 */
import type { ReplicaId } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import { stableSequence } from '../checkpoint-keeper.ts';
import { recoverMessage } from '../usig-stream/builders.ts';
import type {
  FetchLinks,
  FetchNewView,
  UsigMessage,
  ResendRequest,
  Status,
  StreamPosition,
} from '../usig-stream/messages.ts';
import { linkedThrough, linksAbove, sendStable } from './checkpoints.ts';
import { noteLack } from './conduct.ts';
import type { PeerState, ReplicaState, StreamItem } from './state.ts';
import { bestProof, onQuorumBack } from './view-change.ts';

/** What may be re-sent to one peer for one status of it. */
const RESEND_BYTES_PER_STATUS = 512 * 1024;
const RESEND_MESSAGES_PER_STATUS = 256;
const LINKS_PER_STATUS = 8;
/** Streams are asked for at most so often in a row without an answer before everybody is asked. */
const ASK_AUTHOR_FIRST = 2;

// ---- Own status

/** STATUS, what is re-broadcast with it, and the look at who is reachable. Sets the next tick, with jitter. */
export function onStatusTick(s: ReplicaState): void {
  s.statusRound += 1;
  const jitter = 0.8 + 0.4 * s.prng.unit();
  s.setTimerAt('status', s.now + s.timers.statusMs * jitter);
  s.broadcast(statusOf(s));
  const own = s.peers[s.self]!.request;
  // Until it is superseded; more and more rarely.
  if (own !== undefined && own.target > s.view && s.statusRound % 2 === 1) s.broadcast(own);
  if (s.ownRecover !== undefined) s.broadcast(recoverMessage(s.streamContext, s.ownRecover));
  if (reachable(s) < s.quorum) s.quorumLost = true;
}

/** What this replica has, for its peers. */
export function statusOf(s: ReplicaState): Status {
  return {
    kind: 'STATUS',
    view: Math.max(0, s.view),
    changing: s.own.state.mode !== 'active',
    executed: s.executed,
    stable: s.stableSequence,
    streams: s.slots.map(({ state }): StreamPosition => ({
      incarnation: state.incarnation,
      counter: state.counter,
    })),
    committedView: s.groups.executing.reference.view,
  };
}

/** How many replicas have been heard within four status periods, the own one included. */
function reachable(s: ReplicaState): number {
  const since = s.now - 4 * s.timers.statusMs;
  let count = 1;
  for (const [replica, peer] of s.peers.entries())
    if (replica !== s.self && peer.lastStatusMs !== undefined && peer.lastStatusMs >= since) count += 1;
  return count;
}

// ---- Others' status

/** STATUS of a peer: what it lacks is sent. */
export function onStatus(s: ReplicaState, from: ReplicaId, status: Status): void {
  const peer = s.peers[from];
  if (peer === undefined || from === s.self || status.streams.length !== s.n) return;
  peer.previous = peer.status;
  peer.status = status;
  peer.lastStatusMs = s.now;
  // A peer that reports more often does not get more for it.
  if (peer.budgetMs === undefined || s.now - peer.budgetMs >= s.timers.statusMs / 2) {
    peer.budgetMs = s.now;
    peer.resendBudget = RESEND_BYTES_PER_STATUS;
  }
  if (s.quorumLost && reachable(s) >= s.quorum) {
    s.quorumLost = false;
    onQuorumBack(s);
  }
  resendStreams(s, from, peer, status);
  resendCheckpoint(s, from, peer, status);
  resendNewView(s, from, peer, status);
}

function resendStreams(s: ReplicaState, from: ReplicaId, peer: PeerState, status: Status): void {
  sendStream(s, from, s.self, status.streams[s.self]!, s.now - s.timers.gapMs);
  const { previous } = peer;
  if (previous === undefined) return;
  for (const author of s.slots.keys()) {
    // Its own stream, too: a replica that does not know its own messages must learn that it was put back (W6).
    if (author === s.self) continue;
    const position = status.streams[author]!;
    const before = previous.streams[author]!;
    // Missing twice in a row: the author itself does not help.
    if (position.counter !== before.counter || position.incarnation !== before.incarnation) continue;
    sendStream(s, from, author, position, s.now - s.timers.statusMs);
  }
}

/** Sends what comes after a position of a stream, as far as the budget goes; younger messages are on their way. */
function sendStream(
  s: ReplicaState,
  to: ReplicaId,
  author: ReplicaId,
  position: StreamPosition,
  notAfter: number,
): void {
  const slot = s.slots[author];
  const peer = s.peers[to];
  if (slot === undefined || peer === undefined || position.incarnation !== slot.state.incarnation) return;
  const { log, vouchers } = slot;
  let next = position.counter + 1;
  if (next > log.last) return;
  if (next <= log.first && log.anchor !== undefined) {
    s.send(to, { kind: 'STREAM-SYNC', author, anchor: log.anchor, vouchers });
    next = log.first + 1;
  }
  let messages = 0;
  for (const { item, at } of log.from(next)) {
    if (at > notAfter || peer.resendBudget <= 0 || messages >= RESEND_MESSAGES_PER_STATUS) break;
    const message = wholeOf(s, item);
    if (message === undefined) continue;
    messages += 1;
    peer.resendBudget -= sizeOf(message);
    s.send(to, message);
  }
}

/** The message that a log item stands for; undefined for a stub: a later VIEW-CHANGE holds it. */
function wholeOf(s: ReplicaState, item: StreamItem): UsigMessage | undefined {
  if (item.kind === 'VIEW-CHANGE-STUB') return undefined;
  if (item.kind === 'NEW-VIEW-HEADER') return bestProof(s, item, true);
  return item;
}

function sizeOf(message: UsigMessage): number {
  return 'bytes' in message ? message.bytes.length : 512;
}

/** A newer stable certificate, and the links that the peer lacks to understand it. */
function resendCheckpoint(s: ReplicaState, from: ReplicaId, peer: PeerState, status: Status): void {
  const { previous } = peer;
  if (s.stable === undefined || previous === undefined) return;
  const lags = status.stable < s.stableSequence && previous.stable === status.stable;
  if (!lags) return;
  // The certificate may be by incarnations that only these links introduce.
  let above = status.stable;
  for (let sent = 0; sent < LINKS_PER_STATUS; sent += 1) {
    const proof = linksAbove(s, above);
    if (proof === undefined) break;
    s.send(from, proof);
    above = stableSequence(proof.certificate);
  }
  sendStable(s, from);
}

/** The NEW-VIEW of the own view, for a peer that is behind it. */
function resendNewView(s: ReplicaState, from: ReplicaId, peer: PeerState, status: Status): void {
  const { state } = s.own;
  if (state.mode !== 'active' || state.newView.view === 0) return;
  const behind = status.view < state.newView.view || (status.changing && status.view === state.newView.view);
  if (!behind || peer.previous === undefined || peer.previous.view !== status.view) return;
  sendNewView(s, from, state.newView.digest, state.newView.view);
}

function sendNewView(s: ReplicaState, to: ReplicaId, digest: string, view: number): void {
  for (const proof of s.knowledge.newViews.all()) {
    const { header } = proof;
    const fits = digest === ZERO_DIGEST ? header.view === view : header.digest === digest;
    if (!fits || s.knowledge.judgeHeader(header).kind !== 'valid') continue;
    const best = bestProof(s, header, true);
    if (best !== undefined) s.send(to, best);
    return;
  }
}

// ---- Questions

/** RESEND-REQUEST: the stream from a counter on. */
export function onResendRequest(s: ReplicaState, from: ReplicaId, message: ResendRequest): void {
  const { incarnation, counter } = message;
  if (counter < 1) return;
  sendStream(s, from, message.author, { incarnation, counter: counter - 1 }, s.now);
}

/** FETCH-NEW-VIEW. */
export function onFetchNewView(s: ReplicaState, from: ReplicaId, message: FetchNewView): void {
  const peer = s.peers[from];
  if (peer === undefined || peer.resendBudget <= 0) return;
  peer.resendBudget -= RESEND_BYTES_PER_STATUS / 16;
  sendNewView(s, from, message.digest, message.view);
}

/** FETCH-LINKS. */
export function onFetchLinks(s: ReplicaState, from: ReplicaId, message: FetchLinks): void {
  const peer = s.peers[from];
  const proof = linksAbove(s, message.above);
  if (peer === undefined || proof === undefined || peer.resendBudget <= 0) return;
  peer.resendBudget -= RESEND_BYTES_PER_STATUS / 64;
  s.send(from, proof);
}

/** A link came up: own status at once, so that the peer re-sends, and what must not wait (decision E8). */
export function onLinkUp(s: ReplicaState, peer: ReplicaId): void {
  if (peer === s.self || s.peers[peer] === undefined) return;
  s.send(peer, statusOf(s));
  const { request } = s.peers[s.self]!;
  if (request !== undefined && request.target > s.view) s.send(peer, request);
  const last = s.own.log.get(s.own.log.last)?.item;
  if (last?.kind === 'VIEW-CHANGE') s.send(peer, last);
  if (s.ownRecover !== undefined) s.send(peer, recoverMessage(s.streamContext, s.ownRecover));
}

/** Asks for what streams wait for; called when the `gap` timer fires, and arms it. */
export function askForGaps(s: ReplicaState): void {
  let next: number | undefined;
  for (const [author, slot] of s.slots.entries()) {
    if (slot.lackingSince === undefined || slot.state.dead) continue;
    const due = slot.lackingSince + s.timers.gapMs * 2 ** Math.min(slot.asks, 6);
    if (due > s.now) {
      next = Math.min(next ?? due, due);
      continue;
    }
    slot.asks += 1;
    if (slot.asks > 1 && slot.need === undefined) noteLack(s, author);
    const again = s.now + s.timers.gapMs * 2 ** Math.min(slot.asks, 6);
    slot.lackingSince = s.now;
    next = Math.min(next ?? again, again);
    ask(s, author);
  }
  if (next !== undefined) s.wakeAt('gap', next);
}

function ask(s: ReplicaState, author: ReplicaId): void {
  const slot = s.slots[author]!;
  const { need, asks } = slot;
  const everybody = asks > ASK_AUTHOR_FIRST;
  let question: UsigMessage;
  if (need?.what.kind === 'newView') {
    question = { kind: 'FETCH-NEW-VIEW', view: need.what.view, digest: need.what.digest };
  } else if (need !== undefined) {
    question = { kind: 'FETCH-LINKS', above: linkedThrough(s) };
  } else if (slot.buffer.get(slot.state.counter + 1) !== undefined || slot.buffer.size === 0) {
    slot.lackingSince = undefined;
    return;
  } else {
    const { incarnation, counter } = slot.state;
    question = { kind: 'RESEND-REQUEST', author, incarnation, counter: counter + 1 };
  }
  if (everybody || author === s.self) s.broadcast(question);
  else s.send(author, question);
}

/** Earliest time at which a stream is to be asked for; arms the timer. */
export function armGapTimer(s: ReplicaState): void {
  for (const slot of s.slots) {
    if (slot.lackingSince === undefined || slot.state.dead) continue;
    s.wakeAt('gap', slot.lackingSince + s.timers.gapMs * 2 ** Math.min(slot.asks, 6));
  }
}

/** Views that peers are active in and this replica knows no NEW-VIEW of: ask the one that reported it. */
export function askForViews(s: ReplicaState): void {
  for (const [replica, { status }] of s.peers.entries()) {
    if (status === undefined || replica === s.self || status.changing) continue;
    const lacking =
      status.view > s.view || (s.own.state.mode === 'changing' && status.view === s.view && status.view > 0);
    if (!lacking) continue;
    const known = s.knowledge.newViews.all().some((proof) => proof.header.view === status.view);
    if (!known) s.send(replica, { kind: 'FETCH-NEW-VIEW', view: status.view, digest: ZERO_DIGEST });
  }
  const executing = s.groups.above(s.groups.executing.reference.view);
  for (const group of executing) {
    const content = s.knowledge.contentOf(group.reference);
    if (content?.base !== undefined || group.entrants.length < s.quorum) continue;
    const { view, digest } = group.reference;
    for (const { replica } of group.entrants)
      if (replica !== s.self) s.send(replica, { kind: 'FETCH-NEW-VIEW', view, digest });
  }
}
