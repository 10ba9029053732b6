/**
 * Validity of VIEW-CHANGE (V1 to V6) and NEW-VIEW (N1 to N4): pure functions of the bytes, the static configuration and
 * the certified registry. The two quote each other; verdicts are remembered by name, so each is judged once.
 */
import type { Incarnation } from '../../core/types.ts';
import { applyRecover, currentEntry, entryOf, isEffectiveRecover } from '../registry.ts';
import type { IncarnationEntry, Registry } from '../registry.ts';
import { anchorObstacle } from './anchors.ts';
import { baseDigestOf, foldBase } from './base.ts';
import type { CheckedViewChange } from './base.ts';
import type { StreamContext } from './context.ts';
import type {
  CheckpointCertificate,
  FullNewView,
  NewViewCertificate,
  NewViewHeader,
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  ViewChange,
} from './messages.ts';
import { makeFullNewView } from './nested.ts';
import { ownersFault, ownersOf } from './owners.ts';
import { anchorStream, incarnationStream, stepStream } from './stream.ts';
import type { StreamLookup, StreamState } from './stream.ts';
import { genesisCheckpoint, registryByDigest, sameUi } from './validation.ts';
import type {
  ComputedBase,
  StableCheckpoint,
  ValidationKnowledge,
  ValidNewView,
  ValidViewChange,
} from './validation.ts';
import { invalid, need } from './validity.ts';
import type { Invalid, Need, Validity } from './validity.ts';

// ---- VIEW-CHANGE

/**
 * Rule V2: f+1 CHECKPOINTs or more of distinct replicas, at a positive multiple of cp, that agree in sequence, state,
 * last entry, configuration and registry. In which order their streams were processed does not matter.
 */
export function validCheckpointCertificate(
  context: StreamContext,
  certificate: CheckpointCertificate,
  known: Pick<ValidationKnowledge, 'incarnationOf'>,
): Validity<StableCheckpoint> {
  const { checkpoints } = certificate;
  const [first] = checkpoints;
  if (first === undefined || checkpoints.length <= context.f)
    return invalid('MinBFT.V2', `${checkpoints.length} CHECKPOINTs are not f+1`);
  if (new Set(checkpoints.map(({ ui }) => ui.replica)).size !== checkpoints.length)
    return invalid('MinBFT.V2', 'two CHECKPOINTs of one replica');
  if (first.sequence === 0 || first.sequence % context.checkpointInterval !== 0)
    return invalid('MinBFT.V2', `sequence ${first.sequence} is no checkpoint`);
  if (first.configurationVersion !== context.domain.configurationVersion)
    return invalid('MinBFT.V2', `configuration ${first.configurationVersion}`);
  for (const other of checkpoints) {
    const agrees =
      other.sequence === first.sequence &&
      other.stateDigest === first.stateDigest &&
      other.last.view === first.last.view &&
      other.last.primaryCounter === first.last.primaryCounter &&
      other.configurationVersion === first.configurationVersion &&
      other.registryDigest === first.registryDigest;
    if (!agrees) return invalid('MinBFT.V2', `the CHECKPOINT of replica ${other.ui.replica} differs`);
    const { replica, tcEpoch } = other.ui;
    if (known.incarnationOf(replica, tcEpoch) === undefined)
      return need({ kind: 'incarnation', replica, tcEpoch });
  }
  const { sequence, stateDigest, registryDigest } = first;
  return { kind: 'valid', value: { sequence, stateDigest, registryDigest, certificate } };
}

/** V1 to V6. The result is what `computeBase` builds on. */
export function validViewChange(
  context: StreamContext,
  message: ViewChange,
  known: ValidationKnowledge,
): Validity<ValidViewChange> {
  const remembered = known.cache.viewChange(message);
  if (remembered !== undefined) return remembered;
  const verdict = known.cache.once(message, () => checkViewChange(context, message, known));
  known.cache.keepViewChange(message, verdict);
  return verdict;
}

function checkViewChange(
  context: StreamContext,
  message: ViewChange,
  known: ValidationKnowledge,
): Validity<ValidViewChange> {
  const stable =
    message.stable === undefined
      ? { kind: 'valid' as const, value: genesisCheckpoint(context) }
      : validCheckpointCertificate(context, message.stable, known);
  if (stable.kind !== 'valid') return stable;
  const registry = registryByDigest(context, stable.value.registryDigest, known);
  if (registry.kind !== 'valid') return registry;
  const entry = currentEntry(registry.value, message.ui.replica);
  if (entry.tcEpoch !== message.ui.tcEpoch)
    return invalid(
      'MinBFT.V1',
      `tcEpoch ${message.ui.tcEpoch} is not current at sequence ${stable.value.sequence}`,
    );
  const start = startOf(context, message, entry, stable.value);
  if ('kind' in start) return start;
  const end = replayLog(context, { message, entry, start, stable: stable.value }, known);
  if (end.kind !== 'valid') return end;
  if (message.view <= end.value.state.view)
    return invalid('MinBFT.V5', `view ${message.view}, the log ends in ${end.value.state.view}`);
  return {
    kind: 'valid',
    value: {
      incarnation: entry.incarnation,
      stable: stable.value,
      end: end.value.state,
      newView: end.value.newView,
    },
  };
}

/** Rule V3. */
function startOf(
  context: StreamContext,
  message: ViewChange,
  entry: IncarnationEntry,
  stable: StableCheckpoint,
): StreamState | Invalid {
  const { anchor, vouchers, ui } = message;
  if (anchor === undefined) {
    if (vouchers.length > 0) return invalid('MinBFT.V3', 'vouchers without an anchor');
    return incarnationStream(context, entry);
  }
  if (anchor.ui.replica !== ui.replica || anchor.ui.tcEpoch !== ui.tcEpoch)
    return invalid('MinBFT.V3', 'the anchor is of another stream');
  const obstacle = anchorObstacle(context, anchor, vouchers, entry.incarnation, stable.sequence);
  if (obstacle !== undefined) return invalid('MinBFT.V3', `${obstacle} does not hold for the anchor`);
  return anchorStream(anchor, entry.incarnation);
}

interface Replay {
  readonly message: ViewChange;
  readonly entry: IncarnationEntry;
  readonly start: StreamState;
  readonly stable: StableCheckpoint;
}

interface Replayed {
  readonly state: StreamState;
  /** Content of the NEW-VIEW that the log entered last. */
  readonly newView: ValidNewView | undefined;
}

/** Rules V4 and V6. */
function replayLog(context: StreamContext, replay: Replay, known: ValidationKnowledge): Validity<Replayed> {
  const { message, entry, start, stable } = replay;
  const { log, ui } = message;
  if (log.length > context.logEntriesMax) return invalid('MinBFT.V4', `${log.length} entries`);
  if (ui.counter !== start.counter + log.length + 1)
    return invalid('MinBFT.V4', `${log.length} entries between counters ${start.counter} and ${ui.counter}`);
  let newView: ValidNewView | undefined;
  const lookup: StreamLookup = {
    incarnationOf: (replica, tcEpoch) =>
      replica === ui.replica && tcEpoch === ui.tcEpoch
        ? entry.incarnation
        : known.incarnationOf(replica, tcEpoch),
    newView: (header) => {
      const verdict = resolveNewView(context, header, known, {
        attached: message.newViews,
        withBase: header.end > stable.sequence,
      });
      if (verdict.kind === 'valid') newView = verdict.value;
      return verdict;
    },
    viewChange: undefined,
  };
  let state = start;
  for (const item of log) {
    const result = stepStream(context, state, ui.replica, item, lookup);
    if (result.kind === 'need') return result;
    if (result.kind !== 'accepted')
      return invalid('MinBFT.V4', `counter ${item.ui.counter}: ${result.rule}: ${result.reason}`);
    if ('prepare' in item) {
      const { sequence } = item.prepare;
      if (sequence > state.lastSequence + 1 && stable.sequence < sequence - 1)
        return invalid('MinBFT.V6', `${sequence} after ${state.lastSequence}, stable ${stable.sequence}`);
    }
    if (item.kind === 'COMMIT-VECTOR') {
      const skipped = context.slots!.skippedBy(state, item);
      if (stable.sequence < skipped)
        return invalid('MinBFT.V6', `slot ${skipped} is skipped, stable ${stable.sequence}`);
    }
    state = result.state;
  }
  return { kind: 'valid', value: { state, newView } };
}

// ---- computeBase

function checkAll(
  context: StreamContext,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<readonly CheckedViewChange[]> {
  const checkedViewChanges: CheckedViewChange[] = [];
  for (const message of viewChanges) {
    const verdict = validViewChange(context, message, known);
    if (verdict.kind !== 'valid') return verdict;
    checkedViewChanges.push({ message, checked: verdict.value });
  }
  return { kind: 'valid', value: checkedViewChanges };
}

/** computeBase over VIEW-CHANGEs (at least one); `invalid` names the rule that one of them breaks. */
export function computeBase(
  context: StreamContext,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<ComputedBase> {
  const all = checkAll(context, viewChanges, known);
  if (all.kind !== 'valid') return all;
  return { kind: 'valid', value: foldBase(context, all.value, known.incarnationOf) };
}

// ---- NEW-VIEW

/**
 * N1 to N4, or the agreement of f others (certificate). A proof whose attachments do not fit its header gives `need`:
 * attachments are not sealed, so their lack or their forgery convicts nobody.
 */
export function validNewView(
  context: StreamContext,
  proof: NewViewProof,
  known: ValidationKnowledge,
): Validity<ValidNewView> {
  const { header } = proof;
  const remembered = known.cache.newView(header);
  const asksForBase = proof.kind === 'NEW-VIEW' || proof.base !== undefined;
  if (remembered?.kind === 'invalid') return remembered;
  if (remembered !== undefined && (!asksForBase || remembered.value.base !== undefined)) return remembered;
  const verdict = known.cache.once(proof, () =>
    proof.kind === 'NEW-VIEW' ? checkNewView(context, proof, known) : checkCertificate(context, proof, known),
  );
  known.cache.keepNewView(header, verdict);
  return verdict;
}

/** Where `resolveNewView` may look besides what is known already. */
export interface NewViewSources {
  readonly attached: readonly NewViewProof[];
  /** Whether the base must be known, too. */
  readonly withBase: boolean;
}

/** The validated content of a NEW-VIEW, from memory, from attachments or from what the caller holds. */
export function resolveNewView(
  context: StreamContext,
  header: NewViewHeader,
  known: ValidationKnowledge,
  sources: NewViewSources,
): Validity<ValidNewView> {
  const suffices = (verdict: Validity<ValidNewView>): boolean =>
    verdict.kind === 'invalid' ||
    (verdict.kind === 'valid' && (!sources.withBase || verdict.value.base !== undefined));
  const remembered = known.cache.newView(header);
  if (remembered !== undefined && suffices(remembered)) return remembered;
  let lacking: Need | undefined;
  const held = known.newViewProof?.(header.digest);
  for (const proof of held === undefined ? sources.attached : [...sources.attached, held]) {
    if (proof.header.digest !== header.digest) continue;
    const fitting = fitProof(proof, header);
    if (fitting === undefined) continue;
    const verdict = validNewView(context, fitting, known);
    if (suffices(verdict)) return verdict;
    if (verdict.kind === 'need') lacking = verdict;
  }
  return lacking ?? needContent(header);
}

/** The proof as one of this header: a Byzantine primary may have sealed one content twice, and N3 must judge both. */
function fitProof(proof: NewViewProof, header: NewViewHeader): NewViewProof | undefined {
  if (sameUi(proof.header.ui, header.ui)) return proof;
  return proof.kind === 'NEW-VIEW' ? makeFullNewView(header, proof.viewChanges) : undefined;
}

function needContent(header: NewViewHeader): Need {
  return need({ kind: 'newView', digest: header.digest, view: header.view });
}

/** The VIEW-CHANGEs that the header names, in its order; undefined if the attachments are not just these. */
function attachedViewChanges(proof: FullNewView): readonly ViewChange[] | undefined {
  const { references } = proof.header;
  const fits =
    proof.viewChanges.length === references.length &&
    proof.viewChanges.every(
      ({ digest, ui }, index) => digest === references[index]!.digest && sameUi(ui, references[index]!.ui),
    );
  return fits ? proof.viewChanges : undefined;
}

/**
 * Whether a proof is whole, as far as that shows without judging it: the VIEW-CHANGEs that its header names, or f
 * commitments and the base that its header names. None of these is sealed with the header; no correct replica sends a
 * NEW-VIEW without them.
 */
export function proofFits(context: StreamContext, proof: NewViewProof): boolean {
  if (proof.kind === 'NEW-VIEW') return attachedViewChanges(proof) !== undefined;
  return (
    committers(proof).size >= context.f &&
    (proof.base === undefined || baseDigestOf(context, proof.base) === proof.header.baseDigest)
  );
}

/** Who committed to the NEW-VIEW of a certificate, its primary left out. */
function committers({ header, commits }: NewViewCertificate): ReadonlySet<number> {
  const others = new Set<number>();
  for (const commit of commits)
    if (
      commit.header?.digest === header.digest &&
      sameUi(commit.header.ui, header.ui) &&
      commit.ui.replica !== header.ui.replica
    )
      others.add(commit.ui.replica);
  return others;
}

/** The part of N1 that needs no attachments. */
function headerFault(
  context: StreamContext,
  header: NewViewHeader | NewViewHeaderContent,
): string | undefined {
  const { references, view } = header;
  const primary = context.primaryOf(view);
  if ('ui' in header && header.ui.replica !== primary) return `not by the primary of view ${view}`;
  if (header.configurationVersion !== context.domain.configurationVersion)
    return `configuration ${header.configurationVersion}`;
  if (references.length !== context.f + 1) return `${references.length} VIEW-CHANGEs are not f+1`;
  if (references.some(({ replica }, index) => index > 0 && replica <= references[index - 1]!.replica))
    return 'the VIEW-CHANGEs are not of distinct replicas in ascending order';
  if (!references.some(({ replica }) => replica === primary)) return 'the own VIEW-CHANGE is not among them';
  return undefined;
}

function checkNewView(
  context: StreamContext,
  proof: FullNewView,
  known: ValidationKnowledge,
): Validity<ValidNewView> {
  const { header } = proof;
  const fault = headerFault(context, header);
  if (fault !== undefined) return invalid('MinBFT.N1', fault);
  const viewChanges = attachedViewChanges(proof);
  if (viewChanges === undefined) return needContent(header);
  const all = checkQuoted(context, header.view, viewChanges, known);
  if (all.kind !== 'valid') return all;
  const computed = foldBase(context, all.value, known.incarnationOf);
  const agrees =
    header.low === computed.low &&
    header.lowDigest === computed.lowDigest &&
    header.lowRegistryDigest === computed.lowRegistryDigest &&
    header.end === computed.end &&
    header.baseDigest === computed.baseDigest;
  if (!agrees)
    return invalid('MinBFT.N2', `the base is ${computed.low + 1}..${computed.end}, or other entries`);
  const own = viewChanges.find(({ ui }) => ui.replica === header.ui.replica)!;
  if (own.ui.tcEpoch !== header.ui.tcEpoch || own.ui.counter + 1 !== header.ui.counter)
    return invalid('MinBFT.N3', `counter ${header.ui.counter} after VIEW-CHANGE ${own.ui.counter}`);
  const incarnation = checkIncarnations(context, header.view, viewChanges, computed, known);
  if (incarnation.kind !== 'valid') return incarnation;
  const others = ownersFault(context, header, viewChanges, computed, known);
  if (others !== undefined) return others;
  return { kind: 'valid', value: { header, incarnation: incarnation.value, base: computed.base } };
}

/** The part of N1 that is about the quoted VIEW-CHANGEs. */
function checkQuoted(
  context: StreamContext,
  view: number,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<readonly CheckedViewChange[]> {
  const stranger = viewChanges.find((message) => message.view !== view);
  if (stranger !== undefined) return invalid('MinBFT.N1', `a VIEW-CHANGE is for view ${stranger.view}`);
  const all = checkAll(context, viewChanges, known);
  return all.kind === 'invalid' ? invalid('MinBFT.N1', `${all.rule}: ${all.reason}`) : all;
}

/** N4, and the part of N3 about fromView. The primary's incarnation. */
function checkIncarnations(
  context: StreamContext,
  view: number,
  viewChanges: readonly ViewChange[],
  computed: ComputedBase,
  known: ValidationKnowledge,
): Validity<Incarnation> {
  const certified = registryByDigest(context, computed.lowRegistryDigest, known);
  if (certified.kind !== 'valid') return certified;
  const registry = certified.value;
  const primary = viewChanges.find(({ ui }) => ui.replica === context.primaryOf(view))!.ui;
  const entry = entryOf(registry, primary.replica, primary.tcEpoch);
  if (entry !== undefined && view <= entry.fromView)
    return invalid('MinBFT.N3', `view ${view}, the incarnation may lead above ${entry.fromView}`);
  const after = registryAfter(context, registry, computed.base);
  for (const { ui } of viewChanges) {
    if (currentEntry(registry, ui.replica).tcEpoch !== ui.tcEpoch)
      return invalid('MinBFT.N4', `replica ${ui.replica} has another incarnation at ${computed.low}`);
    if (currentEntry(after, ui.replica).tcEpoch !== ui.tcEpoch)
      return invalid('MinBFT.N4', `the base re-registers replica ${ui.replica}`);
  }
  return { kind: 'valid', value: entry!.incarnation };
}

/**
 * The registry after the formally effective RECOVERs of a base. Their host seals were verified with the headers;
 * evidence is judged at execution only and does not matter here.
 */
function registryAfter(context: StreamContext, registry: Registry, base: readonly Prepare[]): Registry {
  let after = registry;
  for (const { recovers, sequence, view } of base)
    for (const request of recovers)
      if (isEffectiveRecover(after, request, true, sequence, context.checkpointInterval))
        after = applyRecover(after, request, sequence, view);
  return after;
}

/** Agreement of f others stands for N1 to N4: one of the f+1 is correct and has checked them. */
function checkCertificate(
  context: StreamContext,
  proof: NewViewCertificate,
  known: ValidationKnowledge,
): Validity<ValidNewView> {
  const { header, base } = proof;
  const { replica, tcEpoch } = header.ui;
  if (replica !== context.primaryOf(header.view))
    return invalid('MinBFT.N1', `not by the primary of view ${header.view}`);
  if (!proofFits(context, proof)) return needContent(header);
  const incarnation = known.incarnationOf(replica, tcEpoch);
  if (incarnation === undefined) return need({ kind: 'incarnation', replica, tcEpoch });
  return { kind: 'valid', value: { header, incarnation, base } };
}

/** What a new primary seals, and what it follows from. */
export interface NewViewProposal {
  readonly content: NewViewHeaderContent;
  readonly computed: ComputedBase;
}

/**
 * Content of the NEW-VIEW for f+1 VIEW-CHANGEs of one view, the primary's own included, if every rule holds but for its
 * place in the stream (N3); with `invalid` another choice may do.
 */
export function newViewContent(
  context: StreamContext,
  viewChanges: readonly ViewChange[],
  known: ValidationKnowledge,
): Validity<NewViewProposal> {
  const ordered = viewChanges.toSorted((a, b) => a.ui.replica - b.ui.replica);
  const [first] = ordered;
  if (first === undefined) return invalid('MinBFT.N1', 'no VIEW-CHANGE');
  const all = checkQuoted(context, first.view, ordered, known);
  if (all.kind !== 'valid') return all;
  const computed = foldBase(context, all.value, known.incarnationOf);
  const { low, lowDigest, lowRegistryDigest, end, baseDigest } = computed;
  const content: NewViewHeaderContent = {
    kind: 'NEW-VIEW-HEADER',
    view: first.view,
    configurationVersion: context.domain.configurationVersion,
    references: ordered.map(({ ui, digest }) => ({ replica: ui.replica, ui, digest })),
    low,
    lowDigest,
    lowRegistryDigest,
    end,
    baseDigest,
  };
  const fault = headerFault(context, content);
  if (fault !== undefined) return invalid('MinBFT.N1', fault);
  const incarnation = checkIncarnations(context, first.view, ordered, computed, known);
  if (incarnation.kind !== 'valid') return incarnation;
  if (context.slots === undefined) return { kind: 'valid', value: { content, computed } };
  const owners = ownersOf(context, first.view, ordered, computed, known);
  return { kind: 'valid', value: { content: { ...content, owners }, computed } };
}
