/**
 * Stream of a replica: all messages its trusted counter sealed, in counter order. A pure value and a pure transition,
 * used alike for live messages, for the own ones before they are sealed, and for the logs inside VIEW-CHANGEs.
 */
import type { CounterValue, Incarnation, ReplicaId, SequenceNumber, TcEpoch } from '../../core/types.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { IncarnationEntry } from '../registry.ts';
import type { StreamContext } from './context.ts';
import type {
  Checkpoint,
  Commit,
  CommitNewView,
  FullNewView,
  LogEntry,
  NewViewHeader,
  NewViewReference,
  Prepare,
  OwnerProgress,
  Spec,
  StreamMessage,
  StreamSummary,
  ViewChange,
  ViewChangeStub,
} from './messages.ts';
import type { OwnRule, UsigStreamRule } from './rules.ts';
import { invalid, need } from './validity.ts';
import type { Invalid, Need, Verdict } from './validity.ts';

/** State of one stream after its message with `counter`. Immutable. */
export interface StreamState {
  readonly incarnation: Incarnation;
  /** Last processed counter value. */
  readonly counter: CounterValue;
  readonly mode: 'active' | 'changing';
  /** Active: the view it works in. Changing: the view it asked for, its floor; -1 or more. */
  readonly view: number;
  /** The NEW-VIEW that it committed to last. */
  readonly newView: NewViewReference;
  /** Highest sequence number it committed to in `newView.view`. */
  readonly lastSequence: SequenceNumber;
  /** Counter of the primary's PREPARE of that commitment. */
  readonly lastPrimaryCounter: CounterValue;
  /** Sequence number of its latest CHECKPOINT. */
  readonly checkpointSequence: SequenceNumber;
  /** It broke a rule: it accepts nothing any more. */
  readonly dead: boolean;
  /** Where a view has several owners: one for each of `newView.owners`. */
  readonly last?: readonly OwnerProgress[];
}

/** Content that the rules ask for. */
export interface StreamLookup {
  /** The incarnation bound to (replica, tcEpoch) in any known registry; undefined: not known yet. */
  readonly incarnationOf: (replica: ReplicaId, tcEpoch: TcEpoch) => Incarnation | undefined;
  /** Whether N1 to N4 hold; `attached` is the content, if it came along. */
  readonly newView: (header: NewViewHeader, attached: FullNewView | undefined) => Verdict;
  /** V1 to V6 for live messages; undefined while a log is replayed. */
  readonly viewChange: ((message: ViewChange) => Verdict) | undefined;
}

/** Group of rules that an accepted message has passed. */
export type StepRule =
  | 'MinBFT.STEP.PREPARE'
  | 'MinBFT.STEP.COMMIT'
  | 'MinBFT.STEP.CHECKPOINT'
  | 'MinBFT.STEP.VIEW-CHANGE'
  | 'MinBFT.STEP.NEW-VIEW'
  | 'MinBFT.STEP.COMMIT-NEW-VIEW'
  | OwnRule;

/** Outcome of `stepStream`. */
export type StepResult =
  | { readonly kind: 'accepted'; readonly state: StreamState; readonly rule: StepRule }
  /** The author broke a rule: the caller sets its stream to `killStream(state)`. */
  | Invalid
  /** Fetch, then try again. */
  | Need
  /** Not a message for this state (rules PRE.1 to PRE.3): nothing happens, nobody is convicted. */
  | { readonly kind: 'ignored'; readonly rule: UsigStreamRule; readonly reason: string };

/** Where every stream starts at genesis. */
export function genesisStream(context: StreamContext): StreamState {
  const newView = genesisNewViewReference(context);
  return {
    incarnation: 0,
    counter: 0,
    mode: 'active',
    view: 0,
    newView,
    lastSequence: 0,
    lastPrimaryCounter: 0,
    checkpointSequence: 0,
    dead: false,
    ...lastAtStart(newView),
  };
}

/** Nobody stands for any slot of a view that just began but its coordinator, whose NEW-VIEW is where it stands. */
function lastAtStart({ owners, end, counter }: NewViewReference): Pick<StreamState, 'last'> {
  if (owners === undefined) return {};
  return { last: owners.map((_, index) => ({ sequence: end, counter: index === 0 ? counter : 0 })) };
}

/** The NEW-VIEW of view 0. */
export function genesisNewViewReference(context: StreamContext): NewViewReference {
  const reference = { view: 0, incarnation: 0, counter: 0, digest: context.genesisNewView, end: 0 };
  if (context.slots === undefined) return reference;
  return { ...reference, owners: context.genesis.members.map((_, replica) => ({ replica, incarnation: 0 })) };
}

/** Where the stream of an incarnation starts: `genesisStream` for incarnation 0, else with the floor fromView-1. */
export function incarnationStream(context: StreamContext, entry: IncarnationEntry): StreamState {
  const genesis = genesisStream(context);
  if (entry.incarnation === 0) return genesis;
  return {
    ...genesis,
    incarnation: entry.incarnation,
    mode: 'changing',
    view: entry.fromView - 1,
    newView: { ...genesis.newView, view: -1 },
  };
}

/** What an own CHECKPOINT made in this state says about the stream (`self`). */
export function summaryOf(state: StreamState): StreamSummary {
  const { newView, lastSequence, lastPrimaryCounter, checkpointSequence, last } = state;
  const summary = { newView, lastSequence, lastPrimaryCounter, checkpointSequence };
  return last === undefined ? summary : { ...summary, last };
}

/** State of a stream just after its vouched anchor, as in stream sync. */
export function anchorStream(anchor: Checkpoint, incarnation: Incarnation): StreamState {
  const { newView, lastSequence, lastPrimaryCounter, last } = anchor.self;
  return {
    incarnation,
    counter: anchor.ui.counter,
    mode: 'active',
    view: newView.view,
    newView,
    lastSequence,
    lastPrimaryCounter,
    checkpointSequence: anchor.sequence,
    dead: false,
    ...(last === undefined ? {} : { last }),
  };
}

/** The stream after a proven fault: dead at the counter where it was. */
export function killStream(state: StreamState): StreamState {
  return { ...state, dead: true };
}

/** UI of a message that takes a place in a stream. */
export function streamUi(message: LogEntry | StreamMessage): UniqueIdentifier {
  return message.kind === 'NEW-VIEW' ? message.header.ui : message.ui;
}

/**
 * One step of the stream of `author`. Seals are checked already; this is about meaning alone. `author` is the replica
 * whose stream `state` is.
 */
export function stepStream(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: LogEntry | StreamMessage,
  lookup: StreamLookup,
): StepResult {
  const ui = streamUi(message);
  const refused = checkPlace(state, author, ui, lookup);
  if (refused !== undefined) return refused;
  switch (message.kind) {
    case 'PREPARE':
      return context.slots === undefined
        ? stepPrepare(context, state, author, message)
        : context.slots.stepPrepare(context, state, author, message);
    case 'COMMIT':
    case 'SPEC':
      return stepVote(context, state, author, message, lookup);
    case 'COMMIT-VECTOR':
      return context.slots!.stepVector(context, state, author, message, lookup);
    case 'CHECKPOINT':
      return stepCheckpoint(context, state, message);
    case 'VIEW-CHANGE':
    case 'VIEW-CHANGE-STUB':
      return stepViewChange(state, message, lookup);
    case 'NEW-VIEW':
      return stepNewView(context, state, author, message.header, message, lookup);
    case 'NEW-VIEW-HEADER':
      return stepNewView(context, state, author, message, undefined, lookup);
    case 'COMMIT-NEW-VIEW':
      return stepCommitNewView(context, state, author, message, lookup);
  }
}

function checkPlace(
  state: StreamState,
  author: ReplicaId,
  ui: UniqueIdentifier,
  lookup: StreamLookup,
): StepResult | undefined {
  if (state.dead) return ignored('MinBFT.STEP.PRE.1', 'the stream is dead');
  if (ui.replica !== author) return ignored('MinBFT.STEP.PRE.2', 'sealed by another replica');
  const incarnation = lookup.incarnationOf(author, ui.tcEpoch);
  if (incarnation === undefined) return need({ kind: 'incarnation', replica: author, tcEpoch: ui.tcEpoch });
  if (incarnation !== state.incarnation)
    return ignored('MinBFT.STEP.PRE.2', `incarnation ${incarnation}, the stream is of ${state.incarnation}`);
  if (ui.counter !== state.counter + 1)
    return ignored('MinBFT.STEP.PRE.3', `counter ${ui.counter} after ${state.counter}`);
  return undefined;
}

function ignored(rule: UsigStreamRule, reason: string): StepResult {
  return { kind: 'ignored', rule, reason };
}

function stepPrepare(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: Prepare,
): StepResult {
  if (state.mode !== 'active') return invalid('MinBFT.STEP.PREPARE.1', 'proposes while changing the view');
  if (author !== context.primaryOf(state.newView.view))
    return invalid('MinBFT.STEP.PREPARE.2', `not the primary of view ${state.newView.view}`);
  if (message.view !== state.newView.view)
    return invalid('MinBFT.STEP.PREPARE.3', `view ${message.view} in view ${state.newView.view}`);
  if (message.newViewCounter !== state.newView.counter)
    return invalid('MinBFT.STEP.PREPARE.4', `NEW-VIEW counter ${message.newViewCounter}`);
  if (message.sequence !== state.lastSequence + 1)
    return invalid('MinBFT.STEP.PREPARE.5', `sequence ${message.sequence} after ${state.lastSequence}`);
  if (message.sequence > state.checkpointSequence + context.window)
    return invalid(
      'MinBFT.STEP.PREPARE.6',
      `sequence ${message.sequence}, checkpoint ${state.checkpointSequence}`,
    );
  if (message.configurationVersion !== context.domain.configurationVersion)
    return invalid('MinBFT.STEP.PREPARE.7', `configuration ${message.configurationVersion}`);
  return {
    kind: 'accepted',
    rule: 'MinBFT.STEP.PREPARE',
    state: {
      ...state,
      counter: message.ui.counter,
      lastSequence: message.sequence,
      lastPrimaryCounter: message.ui.counter,
    },
  };
}

function stepVote(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: Commit | Spec,
  lookup: StreamLookup,
): StepResult {
  const { prepare } = message;
  const { newView } = state;
  if (state.mode !== 'active') return invalid('MinBFT.STEP.COMMIT.1', 'commits while changing the view');
  if (author === context.primaryOf(newView.view))
    return invalid('MinBFT.STEP.COMMIT.2', `the primary of view ${newView.view} does not commit`);
  if (prepare.view !== newView.view)
    return invalid('MinBFT.STEP.COMMIT.3', `view ${prepare.view} in view ${newView.view}`);
  if (prepare.newViewCounter !== newView.counter)
    return invalid('MinBFT.STEP.COMMIT.4', `NEW-VIEW counter ${prepare.newViewCounter}`);
  if (prepare.ui.replica !== context.primaryOf(prepare.view))
    return invalid('MinBFT.STEP.COMMIT.5', `PREPARE by ${prepare.ui.replica}`);
  const incarnation = lookup.incarnationOf(prepare.ui.replica, prepare.ui.tcEpoch);
  if (incarnation === undefined)
    return need({ kind: 'incarnation', replica: prepare.ui.replica, tcEpoch: prepare.ui.tcEpoch });
  if (incarnation !== newView.incarnation)
    return invalid('MinBFT.STEP.COMMIT.6', `PREPARE by incarnation ${incarnation}`);
  if (prepare.ui.counter <= state.lastPrimaryCounter)
    return invalid(
      'MinBFT.STEP.COMMIT.7',
      `primary counter ${prepare.ui.counter} after ${state.lastPrimaryCounter}`,
    );
  const { sequence } = prepare;
  if (sequence <= state.lastSequence)
    return invalid('MinBFT.STEP.COMMIT.8', `sequence ${sequence} after ${state.lastSequence}`);
  if (sequence > Math.max(state.lastSequence, state.checkpointSequence) + 1)
    return invalid(
      'MinBFT.STEP.COMMIT.9',
      `sequence ${sequence} after ${state.lastSequence}, checkpoint ${state.checkpointSequence}`,
    );
  if (sequence > state.checkpointSequence + context.window)
    return invalid('MinBFT.STEP.COMMIT.10', `sequence ${sequence}, checkpoint ${state.checkpointSequence}`);
  if (prepare.configurationVersion !== context.domain.configurationVersion)
    return invalid('MinBFT.STEP.COMMIT.11', `configuration ${prepare.configurationVersion}`);
  return {
    kind: 'accepted',
    rule: 'MinBFT.STEP.COMMIT',
    state: {
      ...state,
      counter: message.ui.counter,
      lastSequence: sequence,
      lastPrimaryCounter: prepare.ui.counter,
    },
  };
}

function stepCheckpoint(context: StreamContext, state: StreamState, message: Checkpoint): StepResult {
  if (state.mode !== 'active')
    return invalid('MinBFT.STEP.CHECKPOINT.1', 'makes a checkpoint while changing the view');
  if (message.sequence % context.checkpointInterval !== 0)
    return invalid('MinBFT.STEP.CHECKPOINT.2', `sequence ${message.sequence}`);
  if (message.sequence <= state.checkpointSequence)
    return invalid(
      'MinBFT.STEP.CHECKPOINT.3',
      `sequence ${message.sequence} after ${state.checkpointSequence}`,
    );
  if (!equalSummary(message.self, state))
    return invalid('MinBFT.STEP.CHECKPOINT.4', 'the summary differs from the stream');
  if (message.configurationVersion !== context.domain.configurationVersion)
    return invalid('MinBFT.STEP.CHECKPOINT.5', `configuration ${message.configurationVersion}`);
  return {
    kind: 'accepted',
    rule: 'MinBFT.STEP.CHECKPOINT',
    state: { ...state, counter: message.ui.counter, checkpointSequence: message.sequence },
  };
}

function equalSummary(a: StreamSummary, b: StreamSummary): boolean {
  return (
    a.lastSequence === b.lastSequence &&
    a.lastPrimaryCounter === b.lastPrimaryCounter &&
    a.checkpointSequence === b.checkpointSequence &&
    equalReference(a.newView, b.newView) &&
    equalLists(a.last, b.last, (x, y) => x.sequence === y.sequence && x.counter === y.counter)
  );
}

function equalLists<T>(
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
  equal: (x: T, y: T) => boolean,
): boolean {
  return a === b || (a?.length === b?.length && a!.every((item, index) => equal(item, b![index]!)));
}

function equalReference(a: NewViewReference, b: NewViewReference): boolean {
  return (
    a.view === b.view &&
    a.incarnation === b.incarnation &&
    a.counter === b.counter &&
    a.digest === b.digest &&
    a.end === b.end &&
    equalLists(a.owners, b.owners, (x, y) => x.replica === y.replica && x.incarnation === y.incarnation)
  );
}

function stepViewChange(
  state: StreamState,
  message: ViewChange | ViewChangeStub,
  lookup: StreamLookup,
): StepResult {
  if (message.view <= state.view)
    return invalid('MinBFT.STEP.VIEW-CHANGE.1', `view ${message.view} after ${state.view}`);
  if (message.kind === 'VIEW-CHANGE' && lookup.viewChange !== undefined) {
    const verdict = lookup.viewChange(message);
    if (verdict.kind === 'need') return verdict;
    if (verdict.kind === 'invalid')
      return invalid('MinBFT.STEP.VIEW-CHANGE.2', `${verdict.rule}: ${verdict.reason}`);
  }
  return {
    kind: 'accepted',
    rule: 'MinBFT.STEP.VIEW-CHANGE',
    state: { ...state, counter: message.ui.counter, mode: 'changing', view: message.view },
  };
}

function stepNewView(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  header: NewViewHeader,
  attached: FullNewView | undefined,
  lookup: StreamLookup,
): StepResult {
  if (state.mode !== 'changing') return invalid('MinBFT.STEP.NEW-VIEW.1', 'starts a view while active');
  if (header.view !== state.view)
    return invalid('MinBFT.STEP.NEW-VIEW.2', `view ${header.view}, asked for ${state.view}`);
  if (author !== context.primaryOf(header.view))
    return invalid('MinBFT.STEP.NEW-VIEW.3', `not the primary of view ${header.view}`);
  const verdict = lookup.newView(header, attached);
  if (verdict.kind === 'need') return verdict;
  if (verdict.kind === 'invalid')
    return invalid('MinBFT.STEP.NEW-VIEW.4', `${verdict.rule}: ${verdict.reason}`);
  const state2 = enterView(state, header.ui.counter, newViewReference(header, state.incarnation));
  return { kind: 'accepted', rule: 'MinBFT.STEP.NEW-VIEW', state: state2 };
}

/** How a stream refers to a NEW-VIEW that it commits to; `incarnation` is that of the NEW-VIEW's author. */
export function newViewReference(header: NewViewHeader, incarnation: Incarnation): NewViewReference {
  const { view, ui, digest, end, owners } = header;
  const reference = { view, incarnation, counter: ui.counter, digest, end };
  return owners === undefined ? reference : { ...reference, owners };
}

function enterView(state: StreamState, counter: CounterValue, newView: NewViewReference): StreamState {
  return {
    incarnation: state.incarnation,
    counter,
    mode: 'active',
    view: newView.view,
    newView,
    lastSequence: newView.end,
    lastPrimaryCounter: newView.counter,
    checkpointSequence: state.checkpointSequence,
    dead: false,
    ...lastAtStart(newView),
  };
}

function stepCommitNewView(
  context: StreamContext,
  state: StreamState,
  author: ReplicaId,
  message: CommitNewView,
  lookup: StreamLookup,
): StepResult {
  const { header } = message;
  const view = header === undefined ? 0 : header.view;
  if (state.mode !== 'changing')
    return invalid('MinBFT.STEP.COMMIT-NEW-VIEW.1', 'commits to a NEW-VIEW while active');
  if (view !== state.view)
    return invalid('MinBFT.STEP.COMMIT-NEW-VIEW.2', `view ${view}, asked for ${state.view}`);
  if (author === context.primaryOf(view))
    return invalid('MinBFT.STEP.COMMIT-NEW-VIEW.3', `the primary of view ${view} does not commit to it`);
  const reference =
    header === undefined ? genesisNewViewReference(context) : referTo(context, header, lookup);
  if ('kind' in reference) return reference;
  const entered = enterView(state, message.ui.counter, reference);
  return { kind: 'accepted', rule: 'MinBFT.STEP.COMMIT-NEW-VIEW', state: entered };
}

function referTo(
  context: StreamContext,
  header: NewViewHeader,
  lookup: StreamLookup,
): NewViewReference | Invalid | Need {
  const { replica, tcEpoch } = header.ui;
  if (replica !== context.primaryOf(header.view))
    return invalid('MinBFT.STEP.COMMIT-NEW-VIEW.4', `NEW-VIEW by ${replica}`);
  const verdict = lookup.newView(header, undefined);
  if (verdict.kind === 'need') return verdict;
  if (verdict.kind === 'invalid')
    return invalid('MinBFT.STEP.COMMIT-NEW-VIEW.5', `${verdict.rule}: ${verdict.reason}`);
  const incarnation = lookup.incarnationOf(replica, tcEpoch);
  if (incarnation === undefined) return need({ kind: 'incarnation', replica, tcEpoch });
  return newViewReference(header, incarnation);
}
