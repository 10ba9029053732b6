/** Leaving a view, starting one, entering one (decisions E8, B7). */
import type { StoreEntry } from '../../core/protocol.ts';
import type { ReplicaId, View } from '../../core/types.ts';
import { currentEntry } from '../registry.ts';
import { newViewCertificate, viewChangeContent } from '../usig-stream/builders.ts';
import type { Attachments } from '../usig-stream/codec.ts';
import { encodeMessage } from '../usig-stream/codec.ts';
import type {
  CommitNewViewContent,
  LogEntry,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  RequestViewChange,
  ViewChange,
  ViewChangeContent,
} from '../usig-stream/messages.ts';
import { newViewContent } from '../usig-stream/view-change.ts';
import type { ValidNewView } from '../usig-stream/validation.ts';
import { encodeWhy, STORE_KEY } from './durable.ts';
import { bodyOf, makeBodyDurable, requestDelay, wantBody } from './execution.ts';
import type { ReplicaState } from './state.ts';
import { requestViewChangeTo } from './suspicion.ts';
import type { ViewGroup } from './view-groups.ts';

/** Choices of VIEW-CHANGEs that a new primary tries, at most. */
const CHOICES_MAX = 64;

// ---- Triggers

/** Draws the conclusions from wishes, VIEW-CHANGEs and NEW-VIEWs: which view to go to, and which timer to run. */
export function considerViewChange(s: ReplicaState): void {
  certifyExecutingView(s);
  if (!s.maySeal) return;
  suspectPrimary(s);
  const wanted = viewOfQuorum(s);
  if (s.rule('MinBFT.VC.1', wanted > s.view)) s.target = Math.max(s.target, wanted);
  const joinable = joinableView(s);
  if (s.rule('MinBFT.VC.5', joinable > s.view)) s.target = Math.max(s.target, joinable);
  runNewViewTimer(s);
}

/**
 * After a power cut a stream has to be shown again. If nobody shows what the own COMMITs quote, the votes in it are never
 * counted again, and whoever executed that far owes its client nothing any more: it has to ask for another view all the
 * same, or those who are behind stay alone with their wish.
 */
function isLost(s: ReplicaState, primary: ReplicaId): boolean {
  const { mode, newView, lastPrimaryCounter } = s.own.state;
  const shown = s.slots[primary]!.state;
  // Executed on the votes of others: no own message quotes what is lacking, but those who are behind need it all the same.
  const executedMore =
    s.groups.executing.reference.digest === newView.digest &&
    shown.newView.digest === newView.digest &&
    shown.lastSequence < s.executed;
  const lacks =
    mode === 'active' &&
    shown.incarnation === newView.incarnation &&
    (shown.counter < lastPrimaryCounter || executedMore);
  if (!(s.part.lacksStreams?.() ?? lacks)) {
    s.lostSince = undefined;
    return false;
  }
  s.lostSince ??= s.now;
  const due = s.lostSince + requestDelay(s);
  if (due > s.now) s.wakeAt('request', due);
  return due <= s.now;
}

/** A dead stream or a retired incarnation leads nobody. */
function suspectPrimary(s: ReplicaState): void {
  if (s.view < 0) return;
  const primary = s.primaryOf(s.view);
  if (primary === s.self) return;
  const alive = s.rule('MinBFT.VC.3', !s.slots[primary]!.state.dead && !isLost(s, primary));
  const { mode, newView } = s.own.state;
  const current =
    mode === 'active'
      ? newView.incarnation === currentEntry(s.registry, primary).incarnation
      : s.view > 0 || currentEntry(s.registry, primary).incarnation === 0;
  if (!s.rule('MinBFT.RECOVER.2', current) || !alive) requestViewChangeTo(s, s.view + 1);
}

/** Highest view that a replica asked for or went to, as far as known. */
function askedView(s: ReplicaState, replica: ReplicaId): View {
  const peer = s.peers[replica]!;
  const view = Math.max(s.slots[replica]!.state.view, peer.viewChanges[0]?.view ?? -1);
  const asked = Math.max(view, peer.request?.target ?? -1);
  return replica === s.self ? Math.max(asked, s.requested) : asked;
}

/** Trigger 4: the (f+1)-th largest view that replicas ask for, if it is above the own one; otherwise the own one. */
function viewOfQuorum(s: ReplicaState): View {
  const { view } = s;
  let above = 0;
  for (let replica = 0; replica < s.n; replica += 1) if (askedView(s, replica) > view) above += 1;
  if (above < s.quorum) return view;
  const asked = s.peers.map((_, replica) => askedView(s, replica)).sort((a, b) => b - a);
  return asked[s.f]!;
}

/** Trigger 5: the highest view with a valid NEW-VIEW that a replica may take part in. */
function joinableView(s: ReplicaState): View {
  let best = -1;
  const highest = s.groups.above(s.view)[0];
  if (highest !== undefined) best = highest.reference.view;
  const { newViews } = s.knowledge;
  if (newViews.highestView <= Math.max(best, s.view)) return best;
  for (const proof of newViews.all()) {
    const { view } = proof.header;
    if (view <= Math.max(best, s.view)) continue;
    if (s.knowledge.judgeHeader(proof.header).kind === 'valid') best = view;
  }
  return best;
}

/** VC.4: how many replicas are known to have sent a VIEW-CHANGE for the own view or a higher one. */
export function viewChangersOf(s: ReplicaState, view: View): ReplicaId[] {
  const found: ReplicaId[] = [];
  for (const [replica, peer] of s.peers.entries()) {
    const { state } = s.slots[replica]!;
    if (state.view >= view || (peer.viewChanges[0]?.view ?? -1) >= view) found.push(replica);
  }
  return found;
}

/** The new-view timer runs while this replica changes and f+1 ask for its view or a higher one (decision E8). */
function runNewViewTimer(s: ReplicaState): void {
  if (s.own.state.mode === 'active') {
    s.newViewTimerView = undefined;
    s.cancelTimer('newView');
    return;
  }
  if (s.newViewTimerView === s.view) return;
  const enough = viewChangersOf(s, s.view).length >= s.quorum;
  if (!s.rule('MinBFT.VC.4', enough)) return;
  s.newViewTimerView = s.view;
  s.setTimerAt('newView', s.now + s.backoff.delay(s.timers.newViewMs));
}

/** The new-view timer expired (trigger 3): ask for the next view. */
export function onNewViewTimeout(s: ReplicaState): void {
  if (s.own.state.mode === 'active' || s.newViewTimerView !== s.view) return;
  s.backoff.onExpired();
  s.note('newViewTimeout', { view: s.view, exponent: s.backoff.exponent });
  requestViewChangeTo(s, s.view + 1);
}

/** A quorum is reachable again after an interval in which it was not (decision E8): wait short times again. */
export function onQuorumBack(s: ReplicaState): void {
  if (!s.backoff.onQuorumBack()) return;
  s.pending.restartDeadlines(s.now, requestDelay(s));
  if (s.newViewTimerView === undefined) return;
  s.cancelTimer('newView');
  s.setTimerAt('newView', s.now + s.backoff.delay(s.timers.newViewMs));
}

// ---- VIEW-CHANGE

/** A VIEW-CHANGE that is due, with what travels outside its UI and what must be durable before it (W1). */
export interface ViewChangeWish {
  readonly content: ViewChangeContent;
  readonly attachments: Attachments;
  readonly entries: readonly StoreEntry[];
}

/** "Starting view change": built when nothing is outstanding, since its log holds every earlier own message. */
export function nextViewChange(s: ReplicaState): ViewChangeWish | undefined {
  const { target } = s;
  if (target <= s.view) return undefined;
  const { log, vouchers } = s.own;
  const content = viewChangeContent(s.streamContext, {
    view: target,
    stable: s.stable,
    anchor: log.anchor,
    vouchers: log.anchor === undefined ? [] : vouchers,
    log: log.entries(),
    ...(s.part.suspects === undefined ? {} : { suspects: s.part.suspects() }),
  });
  const justification = justify(s, target);
  const newViews = attachedNewViews(s, content.log);
  const entries: StoreEntry[] = [{ key: STORE_KEY.why, value: encodeWhy(justification) }];
  for (const proof of s.knowledge.newViews.all())
    if (proof.header.view === target && s.knowledge.judgeHeader(proof.header).kind === 'valid')
      entries.push(...storeNewView(s, proof));
  return { content, attachments: { newViews, justification }, entries };
}

/** rvcProof: f+1 signed wishes for this view or a higher one; empty if there are not so many. */
function justify(s: ReplicaState, target: View): RequestViewChange[] {
  const wishes: RequestViewChange[] = [];
  for (const { request } of s.peers)
    if (request !== undefined && request.target >= target) wishes.push(request);
  return wishes.length >= s.quorum ? wishes.slice(0, s.quorum) : [];
}

/** Contents of the NEW-VIEWs that a log refers to: certificates where f others committed, else in full. */
export function attachedNewViews(s: ReplicaState, log: readonly LogEntry[]): NewViewProof[] {
  const proofs: NewViewProof[] = [];
  for (const entry of log) {
    const header =
      entry.kind === 'COMMIT-NEW-VIEW' ? entry.header : entry.kind === 'NEW-VIEW-HEADER' ? entry : undefined;
    if (header === undefined) continue;
    const proof = bestProof(s, header, header.end > s.stableSequence);
    if (proof !== undefined) proofs.push(proof);
  }
  return proofs;
}

/** The smallest content of a NEW-VIEW that is held; with its base if asked for. */
export function bestProof(
  s: ReplicaState,
  header: NewViewHeader,
  withBase: boolean,
): NewViewProof | undefined {
  const fitting = s.knowledge.newViews
    .of(header.digest)
    .filter(
      ({ header: other }) => other.ui.counter === header.ui.counter && other.ui.tcEpoch === header.ui.tcEpoch,
    );
  const compact = fitting.find(
    (proof) => proof.kind === 'NEW-VIEW-CERTIFICATE' && (!withBase || proof.base !== undefined),
  );
  if (compact !== undefined) return compact;
  const full = fitting.find((proof) => proof.kind === 'NEW-VIEW');
  return full ?? fitting[0];
}

function certifyExecutingView(s: ReplicaState): void {
  const group = s.groups.executing;
  if (group === s.certified || group.commits.size < s.f) return;
  const content = s.knowledge.contentOf(group.reference);
  if (content?.base === undefined) return;
  s.certified = group;
  formCertificate(s, group, content);
}

/** Once f others have committed to a NEW-VIEW, its certificate replaces the VIEW-CHANGEs (nesting stays shallow). */
function formCertificate(s: ReplicaState, group: ViewGroup, content: ValidNewView): void {
  const primary = s.primaryOf(group.reference.view);
  const commits = [...group.commits.entries()]
    .filter(([replica]) => replica !== primary)
    .sort(([a], [b]) => a - b)
    .slice(0, s.f)
    .map(([, commit]) => commit);
  if (commits.length < s.f || content.base === undefined) return;
  const held = s.knowledge.newViews.of(group.reference.digest);
  if (held.some((proof) => proof.kind === 'NEW-VIEW-CERTIFICATE' && proof.base !== undefined)) return;
  s.knowledge.newViews.put(newViewCertificate(content.header, content.base, commits), () => true);
}

/** Entry that makes the content of a NEW-VIEW durable. */
function storeNewView(s: ReplicaState, proof: NewViewProof): StoreEntry[] {
  const { digest } = proof.header;
  if (s.storedNewViews.has(digest)) return [];
  s.storedNewViews.add(digest);
  return [{ key: STORE_KEY.newView + digest, value: encodeMessage(proof) }];
}

// ---- NEW-VIEW

/** A NEW-VIEW that is due. */
export interface NewViewWish {
  readonly content: NewViewHeaderContent;
  readonly viewChanges: readonly ViewChange[];
  readonly base: readonly Prepare[];
}

/** "New leader": the own VIEW-CHANGE and f others, all valid, with every body of the base above execution at hand. */
export function nextNewView(s: ReplicaState): NewViewWish | undefined {
  const { state, log } = s.own;
  if (s.primaryOf(state.view) !== s.self || !s.viewChangesChanged) return undefined;
  const own = log.get(log.last)?.item;
  if (own?.kind !== 'VIEW-CHANGE' || own.view !== state.view) return undefined;
  if (state.incarnation > 0 && state.view <= currentEntry(s.registry, s.self).fromView) return undefined;
  s.viewChangesChanged = false;
  const others: ViewChange[] = [];
  for (const [replica, peer] of s.peers.entries()) {
    if (replica === s.self) continue;
    const fitting = peer.viewChanges.find((one) => one.view === state.view);
    if (fitting !== undefined && s.knowledge.lookup.viewChange!(fitting).kind === 'valid')
      others.push(fitting);
  }
  for (const choice of choicesOf(others, s.f)) {
    const viewChanges = [own, ...choice].sort((a, b) => a.ui.replica - b.ui.replica);
    const verdict = newViewContent(s.streamContext, viewChanges, s.knowledge.validation);
    if (verdict.kind !== 'valid') continue;
    const { content, computed } = verdict.value;
    if (!s.rule('MinBFT.VC.6', hasBodies(s, computed.base))) continue;
    return { content, viewChanges, base: computed.base };
  }
  return undefined;
}

/** Subsets of a size, in a fixed order, as many as are worth trying. */
function choicesOf<T>(items: readonly T[], size: number): T[][] {
  const choices: T[][] = [];
  const extend = (from: number, chosen: T[]): void => {
    if (choices.length >= CHOICES_MAX) return;
    if (chosen.length === size) {
      choices.push(chosen);
      return;
    }
    for (let index = from; index < items.length; index += 1) extend(index + 1, [...chosen, items[index]!]);
  };
  extend(0, []);
  return choices;
}

/** Whether every body of a base above execution is here; asks for those that are not. */
function hasBodies(s: ReplicaState, base: readonly Prepare[]): boolean {
  let complete = true;
  for (const entry of base) {
    if (entry.sequence <= s.executed || bodyOf(s, entry) !== undefined) continue;
    wantBody(s, entry, entry.sequence);
    complete = false;
  }
  return complete;
}

/** W1: bodies of a base above execution are durable before it is committed to. */
export function storeBase(s: ReplicaState, base: readonly Prepare[]): void {
  for (const entry of base) {
    const batch = entry.sequence > s.executed ? bodyOf(s, entry) : undefined;
    if (batch !== undefined) makeBodyDurable(s, batch, entry.sequence);
  }
}

// ---- COMMIT-NV

/** "Accepting a NEW-VIEW": commits to the NEW-VIEW of the view that this replica asked for. */
export function nextCommitNewView(s: ReplicaState): CommitNewViewContent | undefined {
  const { view } = s.own.state;
  const primary = s.primaryOf(view);
  if (primary === s.self) return undefined;
  const incarnation = currentEntry(s.registry, primary).incarnation;
  if (view === 0) return incarnation === 0 ? { kind: 'COMMIT-NEW-VIEW', header: undefined } : undefined;
  const found = findNewView(s, view, incarnation);
  if (found === undefined) return undefined;
  const base = found.base ?? [];
  if (found.base === undefined && found.header.end > s.executed) return undefined;
  if (!s.rule('MinBFT.VC.6', hasBodies(s, base))) return undefined;
  storeBase(s, base);
  const proof = bestProof(s, found.header, true);
  if (proof !== undefined) s.store(storeNewView(s, proof));
  return { kind: 'COMMIT-NEW-VIEW', header: found.header };
}

function findNewView(s: ReplicaState, view: View, incarnation: number): ValidNewView | undefined {
  for (const proof of s.knowledge.newViews.all()) {
    if (proof.header.view !== view) continue;
    const verdict = s.knowledge.judgeHeader(proof.header);
    if (verdict.kind === 'valid' && verdict.value.incarnation === incarnation) return verdict.value;
  }
  return undefined;
}

/** The own stream became active in a view: what its base does not hold is pending again. */
export function onViewEntered(s: ReplicaState): void {
  const { newView } = s.own.state;
  s.newViewTimerView = undefined;
  s.cancelTimer('newView');
  s.pending.clearProposed();
  const base = s.knowledge.contentOf(newView)?.base ?? [];
  for (const entry of base) {
    if (entry.sequence <= s.executed) continue;
    for (const bundle of s.bodies.get(entry.batchDigest)?.bundles ?? [])
      s.pending.markProposed(bundle.digest, newView.view);
  }
  for (const entry of s.groups.of(newView).proposals.values()) {
    for (const bundle of s.bodies.get(entry.batchDigest)?.bundles ?? [])
      s.pending.markProposed(bundle.digest, newView.view);
  }
  s.viewEnteredAtMs = s.now;
  s.pending.restartDeadlines(s.now, requestDelay(s));
  s.coverageDeadline = undefined;
  s.groups.prune(newView.view);
  s.part.onViewEntered?.();
  s.note('viewEntered', { view: newView.view, primary: s.primaryOf(newView.view), end: newView.end });
}
