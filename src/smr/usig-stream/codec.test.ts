/** Canonical bytes: round trips, refusal of everything else, domain separation, seals. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { concatBytes } from '../../core/bytes.ts';
import type { Seal } from '../../core/protocol.ts';
import { requestViewChange, recoverMessage, stubOf, fullNewView } from './builders.ts';
import { completeDraft, decodeDraft, decodeMessage, encodeDraft, encodeMessage } from './codec.ts';
import { createStreamContext, DIGEST_KINDS, digestOf } from './context.ts';
import type { Draft, MinbftMessage, NewViewProof, ViewChange } from './messages.ts';
import {
  certificateOf,
  digestNamed,
  recoverRequest,
  settingsFor,
  sha256,
  TestCluster,
} from './fixture.test.ts';
import { sealsOf } from './seals.ts';
import { KIND } from './wire.ts';

function play() {
  const cluster = new TestCluster({ checkpointInterval: 2, pipelineFactor: 2 });
  const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
  const recovers = [recoverRequest(cluster.context.genesis, 0)];
  const prepare = r0.prepare(1, 'a', { recovers });
  const commit = r2.commit(prepare);
  r1.commit(prepare);
  const plain = r0.prepare(2, 'b');
  r1.commit(plain);
  r2.commit(plain);
  const checkpoints = cluster.checkpoints([0, 1, 2], 2);
  const stable = { checkpoints: checkpoints.slice(0, 2) };
  const wish = requestViewChange(cluster.context, 1, 4, new Uint8Array(64).fill(5));
  const first = [r1.viewChange(1), r2.viewChange(1)];
  const newView = r1.newView(first);
  const commitNewView = r2.commitNewView(newView.header);
  const justification = [wish];
  const second = [1, 2].map((replica) => cluster.author(replica).viewChange(2, { stable, justification }));
  const newView2 = r2.newView(second);
  const certificate = certificateOf(newView, [commitNewView], [prepare, plain]);
  const compact = r1.viewChange(3, { newViews: [certificate, newView2] });
  const { context } = cluster;
  const positions = cluster.positions();
  const messages: MinbftMessage[] = [
    prepare,
    plain,
    commit,
    checkpoints[0]!,
    ...second,
    compact,
    newView,
    newView2,
    certificate,
    certificateOf(newView, [], undefined),
    commitNewView,
    completeDraft(context, { kind: 'COMMIT-NEW-VIEW', header: undefined }, r2.ui(77)),
    wish,
    recoverMessage(context, recovers[0]!),
    { kind: 'STATUS', view: 3, changing: true, executed: 2, stable: 2, streams: positions, committedView: 1 },
    { kind: 'RESEND-REQUEST', author: 2, incarnation: 1, counter: 12 },
    { kind: 'STREAM-SYNC', author: 1, anchor: checkpoints[1]!, vouchers: [checkpoints[0]!] },
    {
      kind: 'CHECKPOINT-PROOF',
      certificate: stable,
      links: [{ certificate: stable, registry: new Uint8Array([1, 2]) }],
    },
    { kind: 'FETCH-LINKS', above: 4 },
    { kind: 'STREAM-BATCH', votes: [commit, commit] },
    { kind: 'FETCH-NEW-VIEW', view: 2, digest: newView.header.digest },
  ];
  return { cluster, context, r1, r2, messages, newView, newView2, prepare, commit, compact, certificate };
}

const SCENE = play();

describe('messages', () => {
  it('come back as they were, every kind', () => {
    const { context, messages } = SCENE;
    const kinds = new Set(messages.map(({ kind }) => kind));
    assert.equal(
      kinds.size,
      Object.keys(KIND).length - 4,
      'all but stub and header, which are entries of logs, and the votes of other protocols',
    );
    for (const message of messages) {
      const bytes = encodeMessage(message);
      assert.equal(bytes[0], KIND[message.kind]);
      const decoded = decodeMessage(context, bytes);
      assert.deepEqual(decoded, message);
      assert.deepEqual(encodeMessage(decoded!), bytes);
    }
  });

  it('hold the votes of their protocol and no others', () => {
    const speculative = new TestCluster({ protocol: 'minzyzzyva', vote: 'SPEC' });
    const prepare = speculative.author(0).prepare(1, 'a');
    const history = prepare.batchDigest;
    const { context } = speculative;
    const draft = { kind: 'SPEC', prepare, history } as const;
    const spec = completeDraft(context, draft, speculative.author(1).ui());
    for (const message of [spec, { kind: 'STREAM-BATCH', votes: [spec] } as const]) {
      const bytes = encodeMessage(message);
      assert.deepEqual(decodeMessage(context, bytes), message);
      assert.equal(decodeMessage(SCENE.context, bytes), undefined, 'COMMITs only');
    }
    const { bytes, digest } = encodeDraft(context, draft);
    assert.deepEqual(decodeDraft(context, bytes), draft);
    assert.equal(decodeMessage(context, encodeMessage(SCENE.commit)), undefined, 'SPECs only');
    const other = { ...draft, history: digest };
    assert.notEqual(encodeDraft(context, other).digest, digest, 'the UI covers the history');
  });

  it('are refused with a byte more or less, and as an unknown kind', () => {
    const { context, messages } = SCENE;
    for (const message of messages) {
      const bytes = encodeMessage(message);
      assert.equal(decodeMessage(context, concatBytes(bytes, new Uint8Array(1))), undefined);
      assert.equal(decodeMessage(context, bytes.subarray(0, -1)), undefined);
      for (const kind of [0, KIND['VIEW-CHANGE-STUB'], KIND['NEW-VIEW-HEADER'], 18, 255])
        assert.equal(
          decodeMessage(context, concatBytes(new Uint8Array([kind]), bytes.subarray(1))),
          undefined,
        );
    }
    assert.equal(decodeMessage(context, new Uint8Array(0)), undefined);
  });

  it('are refused with replicas that are none, counter 0, too few positions', () => {
    const { context, cluster, prepare } = SCENE;
    const author = cluster.author(0);
    const seal = (ui: object) => completeDraft(context, prepare, { ...author.ui(1), ...ui }).bytes;
    assert.notEqual(decodeMessage(context, seal({})), undefined);
    for (const ui of [{ replica: 3 }, { counter: 0 }, { authenticator: new Uint8Array(32) }])
      assert.equal(decodeMessage(context, seal(ui)), undefined);
    const bad: MinbftMessage[] = [
      { kind: 'RESEND-REQUEST', author: 3, incarnation: 0, counter: 1 },
      { kind: 'STATUS', view: 0, changing: false, executed: 0, stable: 0, streams: [], committedView: 0 },
      recoverMessage(context, { ...recoverRequest(cluster.context.genesis, 0), replica: 3 }),
    ];
    for (const message of bad) assert.equal(decodeMessage(context, encodeMessage(message)), undefined);
  });

  it('never throw and are never ambiguous, whatever the bytes', () => {
    const { context, messages } = SCENE;
    const encodings = messages.map(encodeMessage);
    const check = (bytes: Uint8Array): void => {
      const decoded = decodeMessage(context, bytes);
      if (decoded === undefined) return;
      assert.deepEqual(encodeMessage(decoded), bytes);
      sealsOf(decoded);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 300, seed: 1 });
    const mutated = fc
      .tuple(
        fc.constantFrom(...encodings),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(),
      )
      .map(([bytes, changes, cut]) => {
        const copy = bytes.slice();
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return cut % 4 === 0 ? copy.subarray(0, cut % copy.length) : copy;
      });
    fc.assert(fc.property(mutated, check), { numRuns: 2000, seed: 2 });
    const numbers = fc
      .tuple(fc.constantFrom(...encodings), fc.nat(), fc.constantFrom(0, 1, 2, 3, 0xffffffff, 0x7fffffff))
      .map(([bytes, at, value]) => {
        const copy = bytes.slice();
        new DataView(copy.buffer).setUint32(at % Math.max(1, copy.length - 3), value);
        return copy;
      });
    fc.assert(fc.property(numbers, check), { numRuns: 2000, seed: 3 });
  });
});

describe('drafts', () => {
  const drafts = (): Draft[] => {
    const { messages, newView } = SCENE;
    return [...messages, newView.header].filter(
      (message) => 'ui' in message && (message.kind !== 'PREPARE' || message.recovers.length > 0),
    ) as unknown as Draft[];
  };

  it('are a prefix of the message that they become, and come back', () => {
    const { context, r1 } = SCENE;
    for (const draft of drafts()) {
      const { bytes, digest } = encodeDraft(context, draft);
      const decoded = decodeDraft(context, bytes);
      assert.ok(decoded !== undefined);
      assert.deepEqual(encodeDraft(context, decoded), { bytes, digest });
      const sealed = completeDraft(context, decoded, r1.ui(9));
      assert.equal(sealed.digest, digest);
      if (sealed.kind !== 'VIEW-CHANGE') assert.deepEqual(sealed.bytes.subarray(0, bytes.length), bytes);
      assert.equal(decodeDraft(context, concatBytes(bytes, new Uint8Array(1))), undefined);
      assert.equal(decodeDraft(context, bytes.subarray(0, -1)), undefined);
    }
    assert.equal(decodeDraft(context, new Uint8Array(0)), undefined);
  });

  it('do not depend on the authenticators of quoted VIEW-CHANGEs, which nobody would check', () => {
    const { context, newView, r1 } = SCENE;
    const { header } = newView;
    const references = header.references.map((reference) => ({
      ...reference,
      ui: { ...reference.ui, authenticator: new Uint8Array(64).fill(200) },
    }));
    assert.deepEqual(encodeDraft(context, { ...header, references }), encodeDraft(context, header));
    assert.deepEqual(completeDraft(context, { ...header, references }, header.ui), header);
    assert.notEqual(completeDraft(context, { ...header, end: 9 }, r1.ui(1)).digest, header.digest);
  });
});

describe('decision B6: no digest can be taken for another', () => {
  it('separates kinds, protocols, clusters and memberships for the same bytes', () => {
    const contents = SCENE.messages.map(encodeMessage);
    const settings = settingsFor({});
    const contexts = [
      SCENE.context,
      createStreamContext(settings, sha256, SCENE.context.domain, 'cheapbft'),
      createStreamContext(settings, sha256, { ...SCENE.context.domain, configurationVersion: 2 }, 'minbft'),
      createStreamContext(
        settings,
        sha256,
        { ...SCENE.context.domain, clusterId: digestNamed('another') },
        'minbft',
      ),
    ];
    for (const bytes of contents) {
      const digests = contexts.flatMap((context) =>
        DIGEST_KINDS.map((kind) => digestOf(context, kind, bytes)),
      );
      assert.equal(new Set(digests).size, contexts.length * DIGEST_KINDS.length);
    }
    assert.notEqual(contexts[0]!.genesisNewView, contexts[1]!.genesisNewView);
  });

  it('gives no relabelled message a seal of the original', () => {
    const { context, messages } = SCENE;
    const sealed = new Set(messages.flatMap((message) => ('digest' in message ? [message.digest] : [])));
    for (const message of messages) {
      if (!('ui' in message) && message.kind !== 'REQUEST-VIEW-CHANGE' && message.kind !== 'RECOVER')
        continue;
      const bytes = encodeMessage(message);
      for (const kind of Object.values(KIND)) {
        if (kind === bytes[0]) continue;
        const relabelled = decodeMessage(context, concatBytes(new Uint8Array([kind]), bytes.subarray(1)));
        if (relabelled !== undefined && 'digest' in relabelled) assert.ok(!sealed.has(relabelled.digest));
      }
    }
  });

  it('gives another digest for every field that is changed', () => {
    const { context, prepare, commit, cluster } = SCENE;
    const changed: Draft[] = [
      { ...prepare, view: 1 },
      { ...prepare, configurationVersion: 2 },
      { ...prepare, newViewCounter: 1 },
      { ...prepare, sequence: 2 },
      { ...prepare, batchDigest: digestNamed('z') },
      { ...prepare, recovers: [] },
      { ...commit, prepare: completeDraft(context, prepare, { ...prepare.ui, counter: 9 }) },
      { ...commit, prepare: completeDraft(context, prepare, cluster.author(1).ui(1)) },
      { ...commit, prepare: completeDraft(context, { ...prepare, view: 1 }, prepare.ui) },
      { kind: 'COMMIT-NEW-VIEW', header: undefined },
      { kind: 'COMMIT-NEW-VIEW', header: SCENE.newView.header },
      { kind: 'COMMIT-NEW-VIEW', header: { ...SCENE.newView.header, ui: cluster.author(1).ui(999) } },
    ];
    const digests = [...changed, prepare, commit].map((draft) => encodeDraft(context, draft).digest);
    assert.equal(new Set(digests).size, digests.length);
  });
});

describe('quoted VIEW-CHANGEs and NEW-VIEWs', () => {
  /** Consecutive views whose NEW-VIEWs nobody but the primaries commits to. */
  function chain(views: number) {
    const cluster = new TestCluster({ f: 1, checkpointInterval: 128 });
    cluster.author(1).commit(cluster.author(0).prepare(1, 'a'));
    let viewChanges: ViewChange[] = [];
    const sizes: number[] = [];
    for (let view = 1; view <= views; view += 1) {
      viewChanges = cluster.authors.map((author) => author.viewChange(view));
      const primary = view % 3;
      const message = cluster
        .author(primary)
        .newView([viewChanges[primary]!, viewChanges[(primary + 1) % 3]!]);
      sizes.push(message.bytes.length);
      cluster.author((primary + 1) % 3).commitNewView(message.header);
      assert.equal(cluster.author(primary).last?.kind, 'accepted');
    }
    return { cluster, sizes };
  }

  it('stand in a message once, so its size is linear in the number of failed views', () => {
    const { cluster, sizes } = chain(14);
    const growth = sizes.slice(1).map((size, index) => size - sizes[index]!);
    assert.ok(Math.max(...growth) < 2 * 14 * 600, `${growth}`);
    const last = [...cluster.proofs.values()].at(-1)!;
    const decoded = decodeMessage(cluster.context, last.bytes);
    assert.deepEqual(decoded?.kind, 'NEW-VIEW');
    assert.deepEqual(encodeMessage(decoded!), last.bytes);
    const seals = sealsOf(decoded!);
    assert.deepEqual(seals, sealsOf(last));
    assert.ok(seals.length < 14 * 8, `${seals.length} seals`);
  });

  it('can be sent on their own with the bytes that they always have', () => {
    const { context, newView2 } = SCENE;
    const decoded = decodeMessage(context, newView2.bytes);
    assert.ok(decoded?.kind === 'NEW-VIEW');
    for (const [index, viewChange] of decoded.viewChanges.entries()) {
      assert.deepEqual(viewChange.bytes, newView2.viewChanges[index]!.bytes);
      assert.deepEqual(decodeMessage(context, viewChange.bytes), newView2.viewChanges[index]);
    }
  });

  it('are refused where an item is quoted before it stands there, or is not quoted at all', () => {
    const { context, newView } = SCENE;
    const lonely = newView.viewChanges[0]!.bytes;
    const item = lonely.subarray(5);
    const twice = concatBytes(new Uint8Array([KIND['VIEW-CHANGE'], 0, 0, 0, 2]), item, item);
    assert.notEqual(decodeMessage(context, lonely), undefined);
    assert.equal(decodeMessage(context, twice), undefined);
    const self = newView.bytes.slice();
    self[self.length - 1] = 2;
    assert.equal(decodeMessage(context, self), undefined);
  });

  it('are refused when quoted too deeply', () => {
    const { cluster, r1 } = play();
    const viewChange = r1.viewChange(50);
    const nest = (levels: number): NewViewProof => {
      let inner = SCENE.newView;
      for (let level = 0; level < levels; level += 1) {
        const viewChanges = SCENE.newView.viewChanges.map((quoted) =>
          completeDraft(
            cluster.context,
            quoted,
            { ...quoted.ui, counter: level + 1 },
            { newViews: [inner], justification: [] },
          ),
        );
        inner = fullNewView(SCENE.newView.header, viewChanges);
      }
      return inner;
    };
    for (const [levels, accepted] of [
      [100, true],
      [140, false],
    ] as const) {
      const { view, stable, anchor, vouchers, log, bodyDigest } = viewChange;
      const message = completeDraft(
        cluster.context,
        { kind: 'VIEW-CHANGE', view, stable, anchor, vouchers, log, bodyDigest },
        viewChange.ui,
        { newViews: [nest(levels)], justification: [] },
      );
      assert.equal(decodeMessage(cluster.context, message.bytes) !== undefined, accepted);
    }
  });
});

describe('seals', () => {
  const textOf = (seal: Seal): string =>
    seal.kind === 'counter'
      ? `${seal.digest}.${seal.ui.replica}.${seal.ui.counter}`
      : seal.kind === 'host'
        ? `${seal.digest}.host${seal.replica}`
        : seal.kind === 'evidence'
          ? `evidence${seal.request.replica}/${seal.request.tcEpoch}`
          : '';

  it('are all found, once each', () => {
    const { messages, prepare, commit, compact, newView, newView2, certificate } = SCENE;
    assert.deepEqual(
      sealsOf(prepare).map(({ kind }) => kind),
      ['counter', 'host', 'evidence'],
    );
    assert.deepEqual(sealsOf(commit).map(textOf), [
      `${commit.digest}.2.${commit.ui.counter}`,
      ...sealsOf(prepare).map(textOf),
    ]);
    for (const message of messages) {
      const texts = sealsOf(message).map(textOf);
      assert.equal(new Set(texts).size, texts.length);
    }
    const texts = new Set(sealsOf(compact).map(textOf));
    const inside = [newView, newView2, certificate, ...newView.viewChanges, ...newView2.viewChanges];
    for (const message of inside) for (const seal of sealsOf(message)) assert.ok(texts.has(textOf(seal)));
  });

  it('with another authenticator count on their own: quoted bytes are quoted on', () => {
    const { context, commit, r1, prepare } = SCENE;
    const forged = { ...prepare.ui, authenticator: new Uint8Array(64).fill(250) };
    const other = completeDraft(
      context,
      { kind: 'COMMIT', prepare: completeDraft(context, prepare, forged) },
      commit.ui,
    );
    const content = { ...r1.viewChange(60), log: [commit, other] };
    const seals = sealsOf(completeDraft(context, content, r1.ui(3)));
    assert.equal(seals.filter((seal) => seal.kind === 'counter' && seal.digest === prepare.digest).length, 2);
  });

  it('of messages without any are none', () => {
    const { messages } = SCENE;
    const none = ['STATUS', 'RESEND-REQUEST', 'FETCH-LINKS', 'FETCH-NEW-VIEW'];
    for (const message of messages) assert.equal(sealsOf(message).length === 0, none.includes(message.kind));
  });

  it('a stub stands for the VIEW-CHANGE that it abbreviates', () => {
    const { compact } = SCENE;
    const stub = stubOf(compact);
    assert.deepEqual([stub.digest, stub.ui, stub.view], [compact.digest, compact.ui, compact.view]);
  });
});
