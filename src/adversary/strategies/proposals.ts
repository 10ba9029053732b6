/** Batches that no correct primary proposes, and requests that it leaves out. */
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import { batchDigest, decodeBundle, encodeBatch, encodeBundle, recoverDigest } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import { recoverChallengeFor, recoverRequestFor } from '../../host/restore.ts';
import { recoverMessage } from '../../smr/usig-stream/builders.ts';
import type { Draft, PrepareContent } from '../../smr/usig-stream/messages.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** Numbers of spare components begin here: ordinary ones have small numbers. */
const SPARE_FROM = 2 ** 20;

interface Content {
  readonly proposedInView: number;
  readonly time: number;
  readonly bundles: readonly Bundle[];
  readonly recovers?: readonly RecoverRequest[];
}

/** A batch of these bundles, with what is really true about their seals. */
function batchOf(desk: LiarDesk, content: Content, forged: ReadonlySet<Digest>): Batch {
  const { hash, domain } = desk;
  const { proposedInView, time, bundles, recovers = [] } = content;
  const bytes = encodeBatch({
    proposedInView,
    time,
    recovers,
    bundles: bundles.map((bundle) => bundle.bytes),
  });
  return {
    digest: batchDigest(hash, domain, bytes),
    bytes,
    proposedInView,
    time,
    recovers,
    bundles,
    bundleAuthentic: bundles.map(({ digest }) => !forged.has(digest)),
    recoverAuthentic: recovers.map(() => false),
  };
}

/** A bundle that its client never signed: other content under a signature of it. */
function forgedFrom(desk: LiarDesk, bundle: Bundle): Bundle | undefined {
  const { random, hash, domain } = desk;
  const { clientKey, session, requests, signature } = bundle;
  const way = random.between(0, 2);
  const number = requests.at(-1)!.number + random.between(1, 3);
  const content = {
    clientKey,
    session: way === 0 ? session + 1 : session,
    requests: way === 1 ? [...requests, { number, operation: requests[0]!.operation }] : requests,
  };
  const seal = way === 2 ? signature.map((byte, index) => (index === 7 ? byte ^ 1 : byte)) : signature;
  return decodeBundle(hash, domain, encodeBundle(content, seal));
}

/** A RECOVER of its own that it never needed; undefined where host key and a second component are not at hand. */
function ownRecover(desk: LiarDesk): RecoverRequest | undefined {
  const { self, sign, spare, random, hash, settings } = desk;
  if (sign === undefined) return undefined;
  let mark = 0;
  for (let index = 0; index < 112; index += 1) mark = (mark * 16 + random.between(0, 15)) % 2 ** 30;
  const component = spare?.(SPARE_FROM + mark);
  if (component === undefined) return undefined;
  const parts = { self, settings, hash, sign, trusted: {} };
  const { identity } = component;
  return recoverRequestFor(parts, identity, component.attest(recoverChallengeFor(parts, identity)));
}

/**
 * A RECOVER of somebody else as if it were the own one: the same component, under the own name and signature. If it took
 * effect first, the owner of the component could never register it (weakness U1).
 */
function copiedRecover(desk: LiarDesk, request: RecoverRequest): RecoverRequest | undefined {
  const { self, sign, hash, domain } = desk;
  if (sign === undefined || request.replica === self) return undefined;
  const copy = { ...request, replica: self, expectedIncarnation: 0 };
  return { ...copy, signature: sign(recoverDigest(hash, domain, copy)) };
}

/** A proposal that registers the copy before its owner can. */
function proposalOfCopy(desk: LiarDesk, draft: PrepareContent): Draft | undefined {
  const honest = desk.heard.batches.get(draft.batchDigest);
  const copies = draft.recovers.flatMap((request) => copiedRecover(desk, request) ?? []);
  if (honest === undefined || copies.length === 0) return undefined;
  const { proposedInView, time, bundles } = honest;
  const batch = batchOf(desk, { proposedInView, time, bundles, recovers: copies }, new Set());
  desk.share(batch);
  desk.lied('copied RECOVER');
  return { ...draft, batchDigest: batch.digest, recovers: copies };
}

type Way = readonly [kind: string, make: (content: Content) => Content | undefined];

/** Every way to make another batch of an honest one; `seen` are bundles of earlier ones. */
function waysOf(desk: LiarDesk, seen: readonly Bundle[], forged: Set<Digest>): readonly Way[] {
  const { random } = desk;
  return [
    [
      'unsigned',
      (c) => {
        const source = c.bundles[0] ?? seen[0];
        const bundle = source && forgedFrom(desk, source);
        if (bundle === undefined) return undefined;
        forged.add(bundle.digest);
        return { ...c, bundles: [...c.bundles.slice(1), bundle] };
      },
    ],
    ['twice', (c) => (c.bundles.length === 0 ? undefined : { ...c, bundles: [...c.bundles, c.bundles[0]!] })],
    [
      'replayed',
      (c) => (seen.length === 0 ? undefined : { ...c, bundles: [random.pick(seen), ...c.bundles] }),
    ],
    ['backwards', (c) => (c.bundles.length < 2 ? undefined : { ...c, bundles: c.bundles.toReversed() })],
    ['empty', (c) => (c.bundles.length === 0 ? undefined : { ...c, bundles: [] })],
    [
      'too many',
      (c) => {
        const most = desk.settings.limits.batchRequestsMax + 1;
        const bundle = c.bundles[0] ?? seen[0];
        return bundle && { ...c, bundles: Array.from({ length: most }, () => bundle) };
      },
    ],
    ['future', (c) => ({ ...c, time: c.time + random.pick([4_000, 60_000]) })],
    ['past', (c) => ({ ...c, time: Math.max(0, c.time - random.pick([1, 10_000, 2 ** 40])) })],
    ['other view', (c) => ({ ...c, proposedInView: c.proposedInView + 1 })],
  ];
}

/** Proposes what no client wants. */
export function fabricateRequest(desk: LiarDesk): Strategy {
  const { random, heard } = desk;
  let patience = desk.eager ? 0 : random.pick([0, 2, 8]);
  const again = random.pick([1, 5, 20]);
  const hidden = new Set<Digest>();
  const forged = new Set<Digest>();
  const seen: Bundle[] = [];

  const ways = waysOf(desk, seen, forged);
  const fabricated = (draft: PrepareContent): Draft => {
    const honest = heard.batches.get(draft.batchDigest);
    const { bundles = [], time = 0, proposedInView = draft.view } = honest ?? {};
    seen.push(...bundles);
    if (seen.length > 16) seen.splice(0, seen.length - 16);
    if (random.chance(0.15)) {
      // The header of a batch that nobody ever sees.
      desk.lied('no body');
      const batch = batchOf(desk, { proposedInView, time: time + 3, bundles: [] }, forged);
      return { ...draft, batchDigest: batch.digest, recovers: [] };
    }
    const recover = honest !== undefined && random.chance(0.1) ? ownRecover(desk) : undefined;
    if (recover !== undefined) {
      desk.lied('RECOVER in the header only');
      return { ...draft, recovers: [recover] };
    }
    const possible = ways.flatMap(([kind, make]) => {
      const content = make({ proposedInView, time, bundles });
      return content === undefined ? [] : [{ kind, content }];
    });
    const { kind, content } = random.pick(possible);
    const batch = batchOf(desk, content, forged);
    desk.share(batch);
    if (random.chance(0.1)) hidden.add(batch.digest);
    desk.lied(kind);
    return { ...draft, batchDigest: batch.digest, recovers: [] };
  };
  return {
    hears: (input) => {
      const heardRecover = input.kind === 'message' && input.message.kind === 'RECOVER';
      const copy = heardRecover ? copiedRecover(desk, input.message.request) : undefined;
      if (copy === undefined) return true;
      desk.lied('copied RECOVER');
      desk.say(recoverMessage(desk.context, copy));
      return true;
    },
    seals: (draft) => {
      if (draft.kind !== 'PREPARE') return draft;
      const copied = proposalOfCopy(desk, draft);
      if (copied !== undefined) return copied;
      patience -= 1;
      if (patience >= 0) return draft;
      patience = again;
      return fabricated(draft);
    },
    gives: (effect, to) => effect.kind !== 'shareBody' || !hidden.has(effect.batch.digest) || to % 2 === 0,
  };
}

/**
 * Dates its proposals decades ahead. Backups do not commit to them, but a base is not judged by its times (decision D4):
 * one that a view change takes over moves the block time for good.
 */
export function misdate(desk: LiarDesk): Strategy {
  const { heard } = desk;
  return {
    seals: (draft) => {
      const honest = draft.kind === 'PREPARE' ? heard.batches.get(draft.batchDigest) : undefined;
      if (draft.kind !== 'PREPARE' || honest === undefined) return draft;
      const { proposedInView, bundles } = honest;
      const batch = batchOf(desk, { proposedInView, time: honest.time + 2 ** 40, bundles }, new Set());
      desk.share(batch);
      desk.lied('decades ahead');
      return { ...draft, batchDigest: batch.digest, recovers: [] };
    },
  };
}

/** Ignores one client: neither proposes nor passes on its requests. */
export function censor(desk: LiarDesk): Strategy {
  let victim: string | undefined;
  const keyOf = (bundle: Bundle): string => bundle.clientKey.join();
  return {
    hears: (input) => {
      if (input.kind !== 'bundle') return true;
      // The first client that asks is the one; it opens its session before it is ignored.
      if (victim === undefined && input.bundle.session !== 0) victim = keyOf(input.bundle);
      if (keyOf(input.bundle) !== victim || input.bundle.session === 0) return true;
      desk.lied('ignored');
      return false;
    },
    gives: (effect) => effect.kind !== 'forward' || keyOf(effect.bundle) !== victim,
  };
}
