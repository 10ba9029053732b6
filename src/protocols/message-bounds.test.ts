/** No list of a message is longer than what a cluster of its size and window can mean: nobody pays for more. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { windowOf } from '../core/config.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { TestCluster } from '../smr/attested/cluster.testing.ts';
import type { Content, Sealed, SealedCodecOptions, Status } from '../smr/attested/sealed.ts';
import { BARRIERS_MAX, SealedCodec, SKIPPED_MAX } from '../smr/attested/sealed.ts';
import { EXECUTION_MESSAGES, HISTORY_MAX } from './a2m-pbft-e/messages.ts';
import { EA_MESSAGES } from './a2m-pbft-ea/messages.ts';
import { CHEAP_MESSAGES } from './cheapbft/messages.ts';
import { FLEXI_MESSAGES } from './flexi-bft/messages.ts';
import { pbft } from './pbft/definition.ts';
import { PBFT_MESSAGES } from './pbft/messages.ts';
import { MAC_MESSAGES } from './pbft-mac/messages.ts';
import { RE_MESSAGES } from './reminbft/messages.ts';
import { REPBFT_MESSAGES } from './repbft/messages.ts';
import { ZYZZYVA_MESSAGES } from './zyzzyva/messages.ts';

const { settings } = new TestCluster(pbft);
const MEMBERS = settings.members.length;
const WINDOW = windowOf(settings.limits);
const domain = { clusterId: settings.clusterId, configurationVersion: 1 };
/** Nothing here depends on digests. */
const hash = () => new Uint8Array(32);
const position = { length: 0, history: ZERO_DIGEST };
const terms = { view: 1, base: 0, orders: [], carried: 0 };
const start = { view: 0, low: 0, batches: [] };

/** A list of a content: which one, with so many items, and how many are the most. */
interface Case {
  readonly list: string;
  readonly most: number;
  readonly with: (count: number) => Record<string, unknown> & { readonly kind: string };
}

const ofCodec = (options: unknown): SealedCodec<Content> =>
  new SealedCodec({ hash, domain, settings }, options as SealedCodecOptions<Content>);
const digests = (count: number) => new Array<typeof ZERO_DIGEST>(count).fill(ZERO_DIGEST);

const CHECKPOINT = {
  ...{ kind: 'CHECKPOINT', sequence: 4, stateDigest: ZERO_DIGEST },
  ...{ history: ZERO_DIGEST, view: 0 },
};

/** A signed message; by default a CHECKPOINT, which all protocols have. */
function sealed(
  codec: SealedCodec<Content>,
  content: Content & Record<string, unknown> = CHECKPOINT,
): Sealed<Content> {
  const word = { kind: 'host', replica: 1, signature: new Uint8Array(64) } as const;
  return codec.complete(1, 1, content, codec.encodeContent(1, content), word);
}

/** Lists of the signed view change that PBFT, RePBFT and A2M-PBFT-E share. */
function ofPhases(one: Sealed<Content>): Case[] {
  const change = { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], prepared: [] };
  const many = (count: number) => new Array<typeof one>(count).fill(one);
  const proofs = (count: number, prepares: number) =>
    new Array(count).fill({ prePrepare: one, prepares: many(prepares) });
  return [
    { list: 'checkpoints', most: MEMBERS, with: (n) => ({ ...change, checkpoints: many(n) }) },
    { list: 'prepared', most: WINDOW, with: (n) => ({ ...change, prepared: proofs(n, 0) }) },
    { list: 'prepares', most: MEMBERS, with: (n) => ({ ...change, prepared: proofs(1, n) }) },
    {
      list: 'viewChanges',
      most: MEMBERS,
      with: (n) => ({ kind: 'NEW-VIEW', view: 1, viewChanges: many(n) }),
    },
  ];
}

/** Lists of the view change on chains of slots. */
function ofChains(one: Sealed<Content>, codec: SealedCodec<Content>): Case[] {
  const barrier = sealed(codec, { kind: 'BARRIER', view: 1 });
  const change = { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], entered: undefined, chain: [] };
  const newView = { kind: 'NEW-VIEW', view: 1, viewChanges: [], terms };
  const many = (count: number) => new Array<typeof one>(count).fill(one);
  const entered = (count: number, orders: number) => ({
    terms: { ...terms, orders: digests(orders) },
    acks: many(count),
  });
  const chain = (message: Sealed<Content>, count: number, proof: number) =>
    new Array(count).fill({ message, proof: many(proof) });
  return [
    { list: 'checkpoints', most: MEMBERS, with: (n) => ({ ...change, checkpoints: many(n) }) },
    { list: 'acks', most: MEMBERS, with: (n) => ({ ...change, entered: entered(n, 0) }) },
    { list: 'orders', most: WINDOW, with: (n) => ({ ...change, entered: entered(0, n) }) },
    { list: 'votes', most: WINDOW, with: (n) => ({ ...change, chain: chain(one, n, 0) }) },
    { list: 'proof', most: MEMBERS, with: (n) => ({ ...change, chain: chain(one, 1, n) }) },
    {
      list: 'barriers',
      most: WINDOW + BARRIERS_MAX,
      with: (n) => ({ ...change, chain: chain(barrier, n, 0) }),
    },
    { list: 'proof of a barrier', most: 0, with: (n) => ({ ...change, chain: chain(barrier, 1, n) }) },
    { list: 'viewChanges', most: MEMBERS, with: (n) => ({ ...newView, viewChanges: many(n) }) },
    {
      list: 'terms',
      most: WINDOW,
      with: (n) => ({ ...newView, terms: { ...terms, orders: digests(n) } }),
    },
  ];
}

function ofZyzzyva(one: Sealed<Content>): Case[] {
  const many = (count: number) => new Array<typeof one>(count).fill(one);
  const change = {
    kind: 'VIEW-CHANGE',
    view: 1,
    checkpoints: [],
    label: 0,
    certificate: [],
    digests: [],
    history: ZERO_DIGEST,
    reason: [],
  };
  return [
    { list: 'checkpoints', most: MEMBERS, with: (n) => ({ ...change, checkpoints: many(n) }) },
    { list: 'certificate', most: MEMBERS, with: (n) => ({ ...change, certificate: many(n) }) },
    { list: 'digests', most: 2 * WINDOW, with: (n) => ({ ...change, digests: digests(n) }) },
    { list: 'reason', most: MEMBERS + 1, with: (n) => ({ ...change, reason: many(n) }) },
    { list: 'proof', most: MEMBERS + 1, with: (n) => ({ kind: 'POM', view: 0, proof: many(n) }) },
    {
      list: 'viewChanges',
      most: MEMBERS,
      with: (n) => ({ kind: 'NEW-VIEW', view: 1, viewChanges: many(n), base: position }),
    },
  ];
}

function ofCheap(one: Sealed<Content>): Case[] {
  const many = (count: number) => new Array<typeof one>(count).fill(one);
  const history = { kind: 'HISTORY', instance: 0, checkpoints: [], entries: [] };
  return [
    { list: 'checkpoints', most: MEMBERS, with: (n) => ({ ...history, checkpoints: many(n) }) },
    { list: 'entries', most: 2 * WINDOW, with: (n) => ({ ...history, entries: many(n) }) },
  ];
}

function ofFlexi(one: Sealed<Content>): Case[] {
  const many = (count: number) => new Array<typeof one>(count).fill(one);
  const change = {
    kind: 'VIEW-CHANGE',
    view: 1,
    checkpoints: [],
    base: { start, enters: [] },
    proposals: [],
  };
  const base = (batches: number, enters: number) => ({
    start: { ...start, batches: digests(batches) },
    enters: many(enters),
  });
  return [
    { list: 'checkpoints', most: MEMBERS, with: (n) => ({ ...change, checkpoints: many(n) }) },
    { list: 'batches', most: WINDOW, with: (n) => ({ ...change, base: base(n, 0) }) },
    { list: 'enters', most: MEMBERS, with: (n) => ({ ...change, base: base(0, n) }) },
    { list: 'proposals', most: WINDOW, with: (n) => ({ ...change, proposals: many(n) }) },
    { list: 'changes', most: MEMBERS, with: (n) => ({ kind: 'NEW-VIEW', view: 1, changes: many(n) }) },
  ];
}

function ofMac(): Case[] {
  const claims = (count: number) => new Array(count).fill({ sequence: 1, digest: ZERO_DIGEST, view: 0 });
  const from = (count: number) => new Array(count).fill({ replica: 0, digest: ZERO_DIGEST });
  const change = { kind: 'VIEW-CHANGE', view: 1, low: 0, checkpoints: [], prepared: [], proposed: [] };
  const checkpoint = { sequence: 0, digest: ZERO_DIGEST };
  const newView = { kind: 'NEW-VIEW', view: 1, from: [], checkpoint, proposals: [] };
  return [
    { list: 'checkpoints', most: WINDOW + 1, with: (n) => ({ ...change, checkpoints: claims(n) }) },
    { list: 'prepared', most: WINDOW, with: (n) => ({ ...change, prepared: claims(n) }) },
    { list: 'proposed', most: 64 * WINDOW, with: (n) => ({ ...change, proposed: claims(n) }) },
    { list: 'from', most: MEMBERS, with: (n) => ({ ...newView, from: from(n) }) },
    { list: 'proposals', most: WINDOW, with: (n) => ({ ...newView, proposals: claims(n) }) },
  ];
}

const history = (n: number) => ({ kind: 'HISTORY', first: 1, digests: digests(n) });
const LISTS: readonly (readonly [
  string,
  unknown,
  (one: Sealed<Content>, codec: SealedCodec<Content>) => Case[],
])[] = [
  ['pbft', PBFT_MESSAGES, ofPhases],
  ['repbft', REPBFT_MESSAGES, ofPhases],
  [
    'a2m-pbft-e',
    EXECUTION_MESSAGES,
    (one) => [...ofPhases(one), { list: 'history', most: HISTORY_MAX, with: history }],
  ],
  ['pbft-mac', MAC_MESSAGES, ofMac],
  ['a2m-pbft-ea', EA_MESSAGES, ofChains],
  ['reminbft', RE_MESSAGES, ofChains],
  ['zyzzyva', ZYZZYVA_MESSAGES, ofZyzzyva],
  ['cheapbft', CHEAP_MESSAGES, ofCheap],
  ['flexi-bft', FLEXI_MESSAGES, ofFlexi],
];

describe('lists on the wire', () => {
  for (const [name, options, cases] of LISTS)
    it(`${name}: no longer than the cluster and its window allow`, () => {
      const codec = ofCodec(options);
      for (const { list, most, with: content } of cases(sealed(codec), codec)) {
        const isRead = (count: number): boolean =>
          codec.decodeContent(codec.encodeContent(1, content(count)).bytes) !== undefined;
        assert.ok(isRead(most), `${list} of ${most}`);
        assert.equal(isRead(most + 1), false, `${list} of ${most + 1}`);
      }
    });

  it('no frame holds more messages than the longest NEW-VIEW, however they lie in each other', () => {
    const codec = ofCodec(RE_MESSAGES);
    const barrier = { message: sealed(codec, { kind: 'BARRIER', view: 1 }), proof: [] };
    const chain = new Array(BARRIERS_MAX).fill(barrier);
    const change = { kind: 'VIEW-CHANGE', view: 1, checkpoints: [], entered: undefined, chain };
    const one = sealed(codec, change);
    const isRead = (count: number): boolean =>
      codec.decode(codec.encode({ kind: 'PROOF', messages: new Array(count).fill(one) })) !== undefined;
    const most = Math.floor(codec.sealedMax / (1 + BARRIERS_MAX));
    assert.deepEqual([isRead(most + 1), isRead(most)], [false, true]);
  });

  it('STATUS and PROOF, too', () => {
    const codec = ofCodec(PBFT_MESSAGES);
    const proof = (count: number) =>
      ({ kind: 'PROOF', messages: new Array(count).fill(sealed(codec)) }) as const;
    const status = (received: number, skipped: number): Status => ({
      kind: 'STATUS',
      life: 1,
      view: 0,
      changing: false,
      executed: 0,
      stable: 0,
      first: 1,
      received: new Array<number>(received).fill(0),
      skipped: new Array<number>(skipped).fill(1),
    });
    const isRead = (message: Parameters<typeof codec.encode>[0]): boolean =>
      codec.decode(codec.encode(message)) !== undefined;
    const most = 2 * (WINDOW + MEMBERS);
    assert.deepEqual([isRead(proof(most)), isRead(proof(most + 1))], [true, false]);
    assert.deepEqual([isRead(status(MEMBERS, SKIPPED_MAX)), isRead(status(MEMBERS + 1, 0))], [true, false]);
    assert.equal(isRead(status(MEMBERS, SKIPPED_MAX + 1)), false);
  });
});
