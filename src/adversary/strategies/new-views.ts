/** Lies in NEW-VIEWs: two for one view, one in the wrong place, one from another base. */
import type { Draft, NewViewHeaderContent, Prepare, ViewChange } from '../../smr/usig-stream/messages.ts';
import { entryOf } from '../../smr/registry.ts';
import { baseDigestOf } from '../../smr/usig-stream/base.ts';
import { ValidationCache } from '../../smr/usig-stream/validation.ts';
import type { ValidationKnowledge } from '../../smr/usig-stream/validation.ts';
import { newViewContent } from '../../smr/usig-stream/view-change.ts';
import type { NewViewProposal } from '../../smr/usig-stream/view-change.ts';
import { someOf, tellSome } from './order.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** What a liar can check by itself: genesis, and the NEW-VIEWs that it has heard. */
function knowledgeOf(desk: LiarDesk): ValidationKnowledge {
  const { context, heard } = desk;
  return {
    byDigest: () => undefined,
    incarnationOf: (replica, tcEpoch) => entryOf(context.genesis, replica, tcEpoch)?.incarnation,
    newViewProof: (digest) => heard.newViews.findLast(({ header }) => header.digest === digest),
    cache: new ValidationCache(),
  };
}

/** The NEW-VIEW that follows from some VIEW-CHANGEs, if the liar can work it out. */
function follows(desk: LiarDesk, viewChanges: readonly ViewChange[]): NewViewProposal | undefined {
  const verdict = newViewContent(desk.context, viewChanges, knowledgeOf(desk));
  return verdict.kind === 'valid' ? verdict.value : undefined;
}

/** Other choices of f others beside the own VIEW-CHANGE than the one that a header names. */
function otherChoice(desk: LiarDesk, header: NewViewHeaderContent): ViewChange[] | undefined {
  const { self, random, context } = desk;
  const known = desk.heard.viewChangesFor(header.view);
  const own = known.get(self);
  const named = new Set(header.references.map(({ replica }) => replica));
  const spare = [...known.values()].filter(({ ui }) => !named.has(ui.replica));
  if (own === undefined || spare.length === 0) return undefined;
  const kept = [...known.values()].filter(({ ui }) => named.has(ui.replica) && ui.replica !== self);
  const chosen = [random.pick(spare), ...kept].slice(0, context.f);
  return [own, ...chosen].sort((a, b) => a.ui.replica - b.ui.replica);
}

type Wrong = readonly [
  kind: string,
  change: (header: NewViewHeaderContent) => NewViewHeaderContent | undefined,
];

/** Every way in which a header can be wrong about its base. */
function wrongHeaders(desk: LiarDesk, base: readonly Prepare[]): readonly Wrong[] {
  const { context, heard, random, self } = desk;
  const withBase = (header: NewViewHeaderContent, entries: readonly Prepare[]): NewViewHeaderContent => ({
    ...header,
    end: header.low + entries.length,
    baseDigest: baseDigestOf(context, entries),
  });
  const spare = (): Prepare | undefined =>
    heard.prepares.length === 0 ? undefined : random.pick(heard.prepares);
  return [
    ['shorter', (h) => (base.length === 0 ? undefined : withBase(h, base.slice(0, -1)))],
    ['empty', (h) => (base.length === 0 ? undefined : withBase(h, []))],
    ['reordered', (h) => (base.length < 2 ? undefined : withBase(h, base.toReversed()))],
    [
      'longer',
      (h) => {
        const entry = spare();
        return entry && withBase(h, [...base, { ...entry, sequence: h.end + 1 }]);
      },
    ],
    [
      'foreign entry',
      (h) => {
        const entry = spare();
        return entry && base.length > 0 ? withBase(h, [...base.slice(0, -1), entry]) : undefined;
      },
    ],
    ['base digest', (h) => ({ ...h, baseDigest: random.pick(heard.digests) })],
    ['end', (h) => ({ ...h, end: Math.max(0, h.end + random.pick([-1, 1])) })],
    ['low', (h) => ({ ...h, low: Math.max(0, h.low + random.pick([-1, 1, context.checkpointInterval])) })],
    ['low digest', (h) => ({ ...h, lowDigest: random.pick(heard.digests) })],
    ['registry', (h) => ({ ...h, lowRegistryDigest: random.pick(heard.digests) })],
    ['configuration', (h) => ({ ...h, configurationVersion: h.configurationVersion + 1 })],
    ['too few', (h) => ({ ...h, references: h.references.slice(0, -1) })],
    ['one twice', (h) => ({ ...h, references: h.references.map(() => h.references[0]!) })],
    ['without own', (h) => ({ ...h, references: h.references.filter(({ replica }) => replica !== self) })],
    ['view', (h) => ({ ...h, view: h.view + context.n })],
    [
      'older VIEW-CHANGE',
      (h) => {
        const old = heard.viewChanges.find(({ view, ui }) => view < h.view && ui.replica !== self);
        if (old === undefined) return undefined;
        const { replica } = old.ui;
        const reference = { replica, ui: old.ui, digest: old.digest };
        return { ...h, references: h.references.map((one) => (one.replica === replica ? reference : one)) };
      },
    ],
  ];
}

function wrong(desk: LiarDesk, header: NewViewHeaderContent): NewViewHeaderContent {
  const { heard, random } = desk;
  const known = heard.viewChangesFor(header.view);
  const quoted = header.references
    .map(({ replica }) => known.get(replica))
    .filter((one) => one !== undefined);
  const base = quoted.length === 0 ? [] : (follows(desk, quoted)?.computed.base ?? []);
  const possible = wrongHeaders(desk, base).flatMap(([kind, change]) => {
    const result = change(header);
    return result === undefined ? [] : [{ kind, result }];
  });
  const { kind, result } = random.pick(possible);
  desk.lied(kind);
  return result;
}

/** A NEW-VIEW for a view that another replica leads. */
function usurpedView(desk: LiarDesk, view: number): NewViewHeaderContent {
  const { context, heard, random, domain } = desk;
  const references = [...heard.viewChangesFor(view).values()]
    .sort((a, b) => a.ui.replica - b.ui.replica)
    .map(({ ui, digest }) => ({ replica: ui.replica, ui, digest }));
  return {
    kind: 'NEW-VIEW-HEADER',
    view,
    configurationVersion: domain.configurationVersion,
    references,
    low: 0,
    lowDigest: random.pick(heard.digests),
    lowRegistryDigest: context.genesisRegistryDigest,
    end: 0,
    baseDigest: baseDigestOf(context, []),
  };
}

/** Starts its views from another base, and views that it does not lead. */
export function wrongBase(desk: LiarDesk): Strategy {
  const often = desk.eager ? 1 : desk.random.pick([0.5, 1]);
  const usurps = desk.random.chance(0.4);
  return {
    sealed: (message) => {
      if (!usurps || message.kind !== 'VIEW-CHANGE') return;
      if (desk.context.primaryOf(message.view) === desk.self || !desk.random.chance(0.5)) return;
      desk.insert(usurpedView(desk, message.view));
      desk.lied('view of another');
    },
    seals: (draft) =>
      draft.kind === 'NEW-VIEW-HEADER' && desk.random.chance(often) ? wrong(desk, draft) : draft,
  };
}

/** Two NEW-VIEWs for one view, or one that does not follow its VIEW-CHANGE. */
export function doubleNewView(desk: LiarDesk): Strategy {
  const { random, self, conspiracy } = desk;
  const halves = [someOf(desk), someOf(desk)] as const;
  const mine = new Set<number>();
  let postponed: NewViewHeaderContent | undefined;

  const second = (header: NewViewHeaderContent): void => {
    const choice = otherChoice(desk, header);
    const content = choice && follows(desk, choice)?.content;
    const draft = content ?? wrong(desk, header);
    desk.insert(draft, choice === undefined ? {} : { viewChanges: choice }, (message) => {
      if (message.kind === 'NEW-VIEW') mine.add(message.header.ui.counter);
      tellSome(desk, message, halves[1]);
    });
    desk.lied(content === undefined ? 'second, altered' : 'second, of other VIEW-CHANGEs');
  };
  const filler = (): Draft => {
    const { checkpoints } = desk.heard;
    const own = checkpoints.findLast((one) => one.ui.replica === self);
    return own ?? { kind: 'COMMIT-NEW-VIEW', header: undefined };
  };
  return {
    seals: (draft) => {
      if (draft.kind !== 'NEW-VIEW-HEADER' || !random.chance(0.3)) return draft;
      postponed = draft;
      desk.lied('after a gap');
      return filler();
    },
    sealed: (message) => {
      if (postponed !== undefined) {
        const header = postponed;
        postponed = undefined;
        desk.insert(header);
      } else if (message.kind === 'NEW-VIEW' && !mine.has(message.header.ui.counter)) {
        if (random.chance(0.9) || conspiracy.members.size > 1) second(message.header);
      }
    },
    tells: (message, to) => {
      const isFirst =
        message.kind === 'NEW-VIEW' &&
        message.header.ui.replica === self &&
        !mine.has(message.header.ui.counter);
      return isFirst && !halves[0].has(to) && random.chance(0.8) ? [] : [message];
    },
  };
}
