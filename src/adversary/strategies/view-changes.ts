/** Lies in VIEW-CHANGEs: shown to some only, with logs that leave something out, with logs that hold too much. */
import type { ReplicaId } from '../../core/types.ts';
import { completeDraft } from '../../smr/usig-stream/codec.ts';
import { viewChangeContent } from '../../smr/usig-stream/builders.ts';
import type {
  Draft,
  LogEntry,
  MinbftMessage,
  NewViewHeaderContent,
  StreamMessage,
  ViewChange,
  ViewChangeContent,
} from '../../smr/usig-stream/messages.ts';
import { someOf } from './order.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

type Parts = Omit<ViewChangeContent, 'kind' | 'bodyDigest'>;
type Change = readonly [kind: string, change: (parts: Parts) => Parts | undefined];

/** Shows each VIEW-CHANGE to some only. */
export function hiddenViewChange(desk: LiarDesk): Strategy {
  const { random, self } = desk;
  const shown = new Map<number, ReadonlySet<ReplicaId>>();
  const alsoWishes = random.chance(0.3);
  const mayKnow = (view: number, to: ReplicaId): boolean => {
    let some = shown.get(view);
    if (some === undefined) {
      some = desk.eager || random.chance(0.4) ? new Set() : someOf(desk);
      shown.set(view, some);
    }
    return some.has(to);
  };
  return {
    tells: (message, to) => {
      const isOwn = message.kind === 'VIEW-CHANGE' && message.ui.replica === self;
      const isWish = alsoWishes && message.kind === 'REQUEST-VIEW-CHANGE' && message.replica === self;
      const view = isOwn ? message.view : isWish ? message.target : undefined;
      if (view === undefined || mayKnow(view, to)) return [message];
      desk.lied(isOwn ? 'hidden' : 'hidden wish');
      return [];
    },
  };
}

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, at) => at !== index);
}

/** Applies one of the changes that is possible to the content of a VIEW-CHANGE. */
function changed(desk: LiarDesk, draft: ViewChangeContent, changes: readonly Change[]): ViewChangeContent {
  const { view, stable, anchor, vouchers, log } = draft;
  const parts = { view, stable, anchor, vouchers, log };
  const possible = changes.flatMap(([kind, change]) => {
    const result = change(parts);
    return result === undefined ? [] : [{ kind, result }];
  });
  if (possible.length === 0) return draft;
  const { kind, result } = desk.random.pick(possible);
  desk.lied(kind);
  return viewChangeContent(desk.context, result);
}

/** Leaves something out of its log. */
export function truncatedLog(desk: LiarDesk): Strategy {
  const { random } = desk;
  const often = desk.eager ? 1 : random.pick([0.5, 1]);
  const some = (log: readonly LogEntry[]): boolean => log.length > 0;
  const changes: readonly Change[] = [
    [
      'tail',
      (p) => (some(p.log) ? { ...p, log: p.log.slice(0, -random.between(1, p.log.length)) } : undefined),
    ],
    ['last', (p) => (some(p.log) ? { ...p, log: p.log.slice(0, -1) } : undefined)],
    [
      'hole',
      (p) =>
        p.log.length > 2 ? { ...p, log: without(p.log, random.between(1, p.log.length - 2)) } : undefined,
    ],
    ['first', (p) => (p.log.length > 1 ? { ...p, log: p.log.slice(1) } : undefined)],
    ['empty', (p) => (some(p.log) ? { ...p, log: [] } : undefined)],
    ['no anchor', (p) => (p.anchor === undefined ? undefined : { ...p, anchor: undefined, vouchers: [] })],
    ['no vouchers', (p) => (p.vouchers.length === 0 ? undefined : { ...p, vouchers: [] })],
    ['no checkpoint', (p) => (p.stable === undefined ? undefined : { ...p, stable: undefined })],
    [
      'half a checkpoint',
      (p) =>
        p.stable === undefined
          ? undefined
          : { ...p, stable: { checkpoints: p.stable.checkpoints.slice(0, -1) } },
    ],
    [
      'late anchor',
      (p) => {
        const at = p.log.findLastIndex((entry) => entry.kind === 'CHECKPOINT');
        const anchor = p.log[at];
        if (anchor?.kind !== 'CHECKPOINT') return undefined;
        const { n } = desk;
        const newest = desk.heard.checkpoints.filter((one) => one.ui.replica !== desk.self);
        const vouchers = Array.from({ length: n }, (_, id) => newest.findLast((one) => one.ui.replica === id))
          .filter((one) => one !== undefined)
          .slice(0, desk.context.f);
        return { ...p, anchor, vouchers, log: p.log.slice(at + 1) };
      },
    ],
  ];
  return {
    seals: (draft) =>
      draft.kind === 'VIEW-CHANGE' && random.chance(often) ? changed(desk, draft, changes) : draft,
    tells: (message) => [message],
  };
}

/** Content under a seal that covers something else. */
function altered(desk: LiarDesk, entry: LogEntry): LogEntry | undefined {
  const { context, heard, random } = desk;
  switch (entry.kind) {
    case 'PREPARE':
      return completeDraft(context, { ...entry, batchDigest: random.pick(heard.digests) }, entry.ui);
    case 'COMMIT': {
      const prepare = random.pick(heard.prepares);
      return completeDraft(context, { ...entry, prepare }, entry.ui);
    }
    case 'CHECKPOINT':
      return completeDraft(context, { ...entry, stateDigest: random.pick(heard.digests) }, entry.ui);
    default:
      return undefined;
  }
}

/** Every way to put something into a log that does not belong there. */
function forgeries(desk: LiarDesk): readonly Change[] {
  const { random, self, heard, context } = desk;
  const foreign = (): LogEntry | undefined => {
    const entries = heard.entries.filter((entry) => entry.ui.replica !== self);
    return entries.length === 0 ? undefined : random.pick(entries);
  };
  return [
    [
      'foreign entry',
      (p) => {
        const entry = foreign();
        const at = random.between(0, p.log.length);
        return entry && { ...p, log: [...p.log.slice(0, at), entry, ...p.log.slice(at)] };
      },
    ],
    [
      'foreign for own',
      (p) => {
        const entry = foreign();
        const at = random.between(0, Math.max(0, p.log.length - 1));
        return entry && { ...p, log: [...p.log.slice(0, at), entry, ...p.log.slice(at + 1)] };
      },
    ],
    [
      'log of another',
      (p) => {
        const other = heard.viewChanges.findLast((one) => one.ui.replica !== self);
        return other && { ...p, log: other.log, anchor: other.anchor, vouchers: other.vouchers };
      },
    ],
    [
      'altered entry',
      (p) => {
        const at = random.between(0, Math.max(0, p.log.length - 1));
        const entry = p.log[at] && altered(desk, p.log[at]);
        return entry && { ...p, log: p.log.map((one, index) => (index === at ? entry : one)) };
      },
    ],
    ['entry twice', (p) => (p.log.length === 0 ? undefined : { ...p, log: [...p.log, random.pick(p.log)] })],
    [
      'order exchanged',
      (p) =>
        p.log.length < 2 ? undefined : { ...p, log: [...p.log.slice(0, -2), p.log.at(-1)!, p.log.at(-2)!] },
    ],
    [
      'foreign vouchers',
      (p) => (p.anchor === undefined ? undefined : { ...p, vouchers: heard.checkpoints.slice(-context.f) }),
    ],
  ];
}

/** A NEW-VIEW of an earlier view of its own, or the next one, that nothing justifies. */
function unjustified(desk: LiarDesk, draft: ViewChangeContent): NewViewHeaderContent {
  const { random, self, heard, context } = desk;
  const ahead = (self - context.primaryOf(draft.view) + context.n) % context.n;
  const view = draft.view + ahead - context.n;
  return {
    kind: 'NEW-VIEW-HEADER',
    view: view > 0 ? view : draft.view + ahead,
    configurationVersion: desk.domain.configurationVersion,
    references: [],
    low: 0,
    lowDigest: random.pick(heard.digests),
    lowRegistryDigest: context.genesisRegistryDigest,
    end: 0,
    baseDigest: random.pick(heard.digests),
  };
}

/** Puts into its log what does not belong there. */
export function forgedLog(desk: LiarDesk): Strategy {
  const { random, self, context } = desk;
  const often = desk.eager ? 1 : random.pick([0.5, 1]);
  const bogus = new Set<number>();
  const changes = forgeries(desk);
  /** A NEW-VIEW that nothing justifies, in the place of the VIEW-CHANGE; the VIEW-CHANGE comes after it. */
  const bogusNewView = (draft: ViewChangeContent, counter: number): Draft => {
    const header = unjustified(desk, draft);
    bogus.add(counter);
    const later = (message: StreamMessage): void => {
      if (message.kind !== 'NEW-VIEW') return;
      const { stable, anchor, vouchers, log } = draft;
      const content = viewChangeContent(context, {
        view: draft.view,
        stable,
        anchor,
        vouchers,
        log: [...log, message.header],
      });
      desk.insert(content, random.chance(0.5) ? { newViews: [message] } : {});
    };
    onSealed = later;
    desk.lied('bogus NEW-VIEW');
    return header;
  };
  let onSealed: ((message: StreamMessage) => void) | undefined;
  const isBogus = (message: MinbftMessage): boolean =>
    message.kind === 'NEW-VIEW' && message.header.ui.replica === self && bogus.has(message.header.ui.counter);
  return {
    seals: (draft, counter) => {
      if (draft.kind !== 'VIEW-CHANGE' || !random.chance(often)) return draft;
      return random.chance(0.2) ? bogusNewView(draft, counter) : changed(desk, draft, changes);
    },
    sealed: (message) => {
      if (!isBogus(message)) return;
      onSealed?.(message);
      onSealed = undefined;
    },
    tells: (message) => {
      if (isBogus(message)) return [];
      if (message.kind !== 'VIEW-CHANGE' || message.ui.replica !== self || !random.chance(0.15))
        return [message];
      desk.lied('attachments');
      return [withOtherAttachments(desk, message)];
    },
  };
}

/** Attachments are outside the seal: whoever sends them on may change them. */
function withOtherAttachments(desk: LiarDesk, message: ViewChange): ViewChange {
  const newViews = desk.random.chance(0.5) ? [] : desk.heard.newViews.slice(-1);
  const justification = desk.random.chance(0.5) ? [] : message.justification.slice(0, 1);
  return completeDraft(
    desk.context,
    {
      kind: 'VIEW-CHANGE',
      view: message.view,
      stable: message.stable,
      anchor: message.anchor,
      vouchers: message.vouchers,
      log: message.log,
      bodyDigest: message.bodyDigest,
    },
    message.ui,
    { newViews, justification },
  );
}
