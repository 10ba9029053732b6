/** N1 to N4, the rules of the base, links of the chain of incarnations. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeRegistry } from '../registry.ts';
import type { Registry } from '../registry.ts';
import { foldBase } from './base.ts';
import type { CheckedViewChange } from './base.ts';
import { completeDraft } from './codec.ts';
import { validRegistryLink } from './links.ts';
import type { FullNewView, NewViewHeaderContent, ViewChange } from './messages.ts';
import {
  Author,
  certificateOf,
  digestNamed,
  epochOf,
  recovered,
  recoverRequest,
  refusedBy,
  TestCluster,
  valid,
} from './fixture.test.ts';
import { genesisCheckpoint, ValidationCache } from './validation.ts';
import { need } from './validity.ts';
import { computeBase, newViewContent, validNewView, validViewChange } from './view-change.ts';

const SMALL = { checkpointInterval: 2, pipelineFactor: 2 };

function judge(cluster: TestCluster, proof: FullNewView) {
  return validNewView(cluster.context, proof, cluster.knowledge());
}

/** View 1 with R0's PREPARE of `a` committed by R1 and R2. */
function play(f = 1) {
  const cluster = new TestCluster({ ...SMALL, f });
  const r0 = cluster.author(0);
  const prepare = r0.prepare(1, 'a');
  for (const author of cluster.authors.slice(1)) author.commit(prepare);
  const viewChanges = cluster.authors.map((author) => author.viewChange(1));
  const quoted = viewChanges.slice(1, f + 2);
  return { cluster, r0, r1: cluster.author(1), r2: cluster.author(2), prepare, viewChanges, quoted };
}

function contentFor(cluster: TestCluster, quoted: readonly ViewChange[]): NewViewHeaderContent {
  return valid(newViewContent(cluster.context, quoted, cluster.knowledge())).content;
}

describe('MinBFT.N1', () => {
  it('takes f+1 VIEW-CHANGEs in any order given, the own one included', () => {
    const { cluster, r1, prepare, quoted } = play(2);
    const message = r1.newView(quoted.toReversed());
    assert.deepEqual(
      message.header.references.map(({ replica }) => replica),
      [1, 2, 3],
    );
    assert.deepEqual(valid(judge(cluster, message)).base, [prepare]);
  });

  it('refuses another author, another configuration, other numbers and orders of references', () => {
    const { cluster, r2, viewChanges, quoted } = play(2);
    const content = contentFor(cluster, quoted);
    const [own, second, third] = content.references as [
      (typeof content.references)[0],
      (typeof content.references)[0],
      (typeof content.references)[0],
    ];
    refusedBy(judge(cluster, r2.sealNewView(content, quoted)), 'MinBFT.N1', /primary/);
    const wrong = [
      { configurationVersion: 2 },
      { references: [own, second] },
      { references: [own, third, second] },
      { references: [own, own, second] },
    ];
    for (const parts of wrong) {
      const author = new Author(cluster, 1, cluster.author(1).entry);
      author.state = cluster.author(1).state;
      refusedBy(judge(cluster, author.sealNewView({ ...content, ...parts }, quoted)), 'MinBFT.N1');
    }
    const without = [viewChanges[0]!, viewChanges[2]!, viewChanges[3]!];
    refusedBy(newViewContent(cluster.context, without, cluster.knowledge()), 'MinBFT.N1', /own/);
    refusedBy(newViewContent(cluster.context, quoted.slice(1), cluster.knowledge()), 'MinBFT.N1');
    refusedBy(newViewContent(cluster.context, [], cluster.knowledge()), 'MinBFT.N1');
  });

  it('refuses a VIEW-CHANGE for another view, and an invalid one', () => {
    const { cluster, r1, r2, quoted } = play();
    const other = r2.viewChange(4);
    const content = contentFor(cluster, quoted);
    const references = [content.references[0]!, { replica: 2, ui: other.ui, digest: other.digest }];
    const message = r1.sealNewView({ ...content, references }, [quoted[0]!, other]);
    refusedBy(judge(cluster, message), 'MinBFT.N1', /view 4/);

    const again = play();
    const hiding = new Author(again.cluster, 2, again.r2.entry);
    hiding.state = { ...again.r2.state, counter: 1 };
    const invalidOne = hiding.viewChange(1, { log: [] });
    const refs = [content.references[0]!, { replica: 2, ui: invalidOne.ui, digest: invalidOne.digest }];
    const built = again.r1.sealNewView({ ...content, references: refs }, [again.quoted[0]!, invalidOne]);
    refusedBy(judge(again.cluster, built), 'MinBFT.N1', /V4/);
    refusedBy(
      newViewContent(again.cluster.context, [again.quoted[0]!, invalidOne], again.cluster.knowledge()),
      'MinBFT.N1',
    );
  });

  it('asks for attachments that do not fit the references, and for what those lack', () => {
    const { cluster, r1, viewChanges, quoted } = play();
    const message = r1.newView(quoted);
    const lacking = need({ kind: 'newView', digest: message.header.digest, view: 1 });
    for (const attached of [[], quoted.toReversed(), [quoted[0]!, viewChanges[0]!]])
      assert.deepEqual(judge(cluster, { ...message, viewChanges: attached }), lacking);
    const strangers = cluster.knowledge({ incarnationOf: () => undefined });
    assert.equal(validNewView(cluster.context, message, strangers).kind, 'need');
  });
});

describe('MinBFT.N2', () => {
  it('refuses every field that does not follow from the VIEW-CHANGEs', () => {
    const wrong: Partial<NewViewHeaderContent>[] = [
      { low: 2 },
      { lowDigest: digestNamed('x') },
      { lowRegistryDigest: digestNamed('x') },
      { end: 0 },
      { end: 2 },
      { baseDigest: digestNamed('x') },
    ];
    for (const parts of wrong) {
      const { cluster, r1, quoted } = play();
      refusedBy(judge(cluster, r1.newView(quoted, parts)), 'MinBFT.N2');
    }
  });
});

describe('MinBFT.N3', () => {
  it('refuses a NEW-VIEW that does not directly follow the own VIEW-CHANGE', () => {
    const { cluster, r1, quoted } = play();
    r1.checkpoint(2);
    refusedBy(judge(cluster, r1.newView(quoted)), 'MinBFT.N3');
  });

  it('refuses the new incarnation of a primary in its fromView (scenario 20)', () => {
    for (const [view, kind] of [
      [1, 'invalid'],
      [4, 'valid'],
    ] as const) {
      const cluster = new TestCluster(SMALL);
      const registry = recovered(cluster.context.genesis, 1, 2, 1);
      const registryDigest = cluster.learn(registry);
      const stable = { checkpoints: cluster.checkpoints([0, 2], 2, { registryDigest }) };
      const newer = new Author(cluster, 1, registry.members[1]![1]!);
      const quoted = [newer.viewChange(view, { stable }), cluster.author(2).viewChange(view)];
      const verdict = newViewContent(cluster.context, quoted, cluster.knowledge());
      assert.equal(verdict.kind, kind);
      if (verdict.kind === 'invalid') refusedBy(verdict, 'MinBFT.N3');
      if (verdict.kind === 'valid')
        assert.equal(valid(judge(cluster, newer.sealNewView(verdict.value.content, quoted))).incarnation, 1);
    }
  });
});

describe('MinBFT.N4', () => {
  it('refuses the old incarnation once the lowest sequence number covers its RECOVER (scenario 12a)', () => {
    const cluster = new TestCluster(SMALL);
    const registry = recovered(cluster.context.genesis, 2, 2, 0);
    const registryDigest = cluster.learn(registry);
    const stable = { checkpoints: cluster.checkpoints([0, 1], 2, { registryDigest }) };
    const own = cluster.author(1).viewChange(1, { stable });
    const old = cluster.author(2).viewChange(1);
    valid(validViewChange(cluster.context, old, cluster.knowledge()));
    refusedBy(
      newViewContent(cluster.context, [own, old], cluster.knowledge()),
      'MinBFT.N4',
      /another incarnation/,
    );
    const newer = new Author(cluster, 2, registry.members[2]![1]!).viewChange(1, { stable });
    valid(newViewContent(cluster.context, [own, newer], cluster.knowledge()));
    const missing = cluster.knowledge({
      byDigest: () => undefined,
    });
    assert.deepEqual(
      newViewContent(cluster.context, [own, newer], missing),
      need({ kind: 'registry', digest: registryDigest }),
    );
  });

  function withRecover(replica: number, parts: { readonly effective: boolean }) {
    const cluster = new TestCluster(SMALL);
    const request = recoverRequest(cluster.context.genesis, replica);
    const recovers = [parts.effective ? request : { ...request, expectedIncarnation: 3 }];
    const prepare = cluster.author(0).prepare(1, 'r', { recovers });
    for (const id of [1, 2]) cluster.author(id).commit(prepare);
    const quoted = [1, 2].map((id) => cluster.author(id).viewChange(1));
    return { cluster, quoted };
  }

  it('refuses a base that re-registers one of the quoted replicas', () => {
    const { cluster, quoted } = withRecover(2, { effective: true });
    refusedBy(newViewContent(cluster.context, quoted, cluster.knowledge()), 'MinBFT.N4', /re-registers/);
  });

  it('minds neither a RECOVER of somebody else nor one that is not effective (scenario 18)', () => {
    for (const { cluster, quoted } of [
      withRecover(0, { effective: true }),
      withRecover(2, { effective: false }),
    ])
      valid(newViewContent(cluster.context, quoted, cluster.knowledge()));
  });

  it('judges a RECOVER against the base before it', () => {
    const cluster = new TestCluster(SMALL);
    const first = recoverRequest(cluster.context.genesis, 0);
    const { tcId, tcPublicKey } = first;
    const reuse = { ...recoverRequest(cluster.context.genesis, 2), tcId, tcPublicKey };
    const prepares = [
      cluster.author(0).prepare(1, 'r', { recovers: [first] }),
      cluster.author(0).prepare(2, 's', { recovers: [reuse] }),
    ];
    for (const id of [1, 2]) for (const prepare of prepares) cluster.author(id).commit(prepare);
    const quoted = [1, 2].map((id) => cluster.author(id).viewChange(1));
    valid(newViewContent(cluster.context, quoted, cluster.knowledge()));
  });
});

describe('NEW-VIEW certificate', () => {
  it('stands for the rules with f commitments of others, and is upgraded by the base', () => {
    const { cluster, r1, r2, prepare, quoted } = play();
    const message = r1.newView(quoted);
    const commit = r2.commitNewView(message.header);
    const cache = new ValidationCache();
    const known = cluster.knowledge({ cache });
    const without = certificateOf(message, [commit], undefined);
    assert.equal(valid(validNewView(cluster.context, without, known)).base, undefined);
    const whole = certificateOf(message, [commit], [prepare]);
    assert.deepEqual(valid(validNewView(cluster.context, whole, known)).base, [prepare]);
    assert.deepEqual(valid(validNewView(cluster.context, without, known)).base, [prepare]);
  });

  it('refuses a header that the primary did not seal', () => {
    const { cluster, r1, r2, quoted } = play();
    const message = r1.newView(quoted);
    const header = completeDraft(cluster.context, message.header, r2.ui());
    const certificate = certificateOf({ ...message, header }, [], undefined);
    refusedBy(validNewView(cluster.context, certificate, cluster.knowledge()), 'MinBFT.N1');
  });
});

describe('computeBase', () => {
  it('MinBFT.BASE.1 starts at the highest certified checkpoint', () => {
    const { cluster, r1, r2 } = playOrdered(4);
    const stable = { checkpoints: cluster.checkpoints([1, 2], 4) };
    const viewChanges = [r1.viewChange(1, { stable }), r2.viewChange(1)];
    const computed = valid(computeBase(cluster.context, viewChanges, cluster.knowledge()));
    assert.deepEqual([computed.low, computed.end, computed.lowDigest], [4, 4, digestNamed('state 4')]);
    assert.equal(computed.certificate, stable);
    assert.deepEqual(computed.base, []);
  });

  function playOrdered(last: number) {
    const cluster = new TestCluster({ checkpointInterval: 4, pipelineFactor: 2 });
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    for (let sequence = 1; sequence <= last; sequence += 1) {
      const prepare = r0.prepare(sequence, `b${sequence}`);
      r1.commit(prepare);
      r2.commit(prepare);
    }
    return { cluster, r0, r1, r2 };
  }

  it('MinBFT.BASE.2 lets a short log of a higher view win over a long one of a lower view', () => {
    const cluster = new TestCluster(SMALL);
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    const first = r0.prepare(1, 'a');
    r0.prepare(2, 'unseen');
    r0.prepare(3, 'unseen');
    r1.commit(first);
    const newView = r1.newView([r1.viewChange(1), r2.viewChange(1)]);
    r2.commitNewView(newView.header);
    const viewChanges = [r0.viewChange(2), r2.viewChange(2)];
    const computed = valid(computeBase(cluster.context, viewChanges, cluster.knowledge()));
    assert.deepEqual(computed.base, [first]);
    assert.equal(computed.parent.digest, newView.header.digest);
  });

  it('MinBFT.BASE.4 starts no lower than the NEW-VIEW it descends from, with its registry', () => {
    const cluster = new TestCluster(SMALL);
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    const prepares = [1, 2, 3].map((sequence) => r0.prepare(sequence, `b${sequence}`));
    for (const prepare of prepares) r1.commit(prepare);
    const stable = { checkpoints: cluster.checkpoints([0, 1], 2) };
    const newView = r1.newView([r1.viewChange(1, { stable }), r2.viewChange(1)]);
    assert.deepEqual([newView.header.low, newView.header.end], [2, 3]);
    r2.commitNewView(newView.header);
    r0.viewChange(1);
    const viewChanges = [r0.viewChange(2), r2.viewChange(2)];
    const computed = valid(computeBase(cluster.context, viewChanges, cluster.knowledge()));
    assert.deepEqual([computed.low, computed.end, computed.certificate], [2, 3, undefined]);
    assert.equal(computed.lowDigest, digestNamed('state 2'));
    assert.equal(computed.lowRegistryDigest, cluster.context.genesisRegistryDigest);
    assert.deepEqual(computed.base, [prepares[2]]);
    const higher = { checkpoints: cluster.checkpoints([0, 1], 4) };
    const covered = [cluster.author(1).viewChange(5, { stable: higher }), r2.viewChange(5)];
    const later = valid(computeBase(cluster.context, covered, cluster.knowledge()));
    assert.deepEqual([later.low, later.end], [4, 4]);
  });

  it('gives nothing above the checkpoint when all are new incarnations', () => {
    const cluster = new TestCluster(SMALL);
    let registry: Registry = cluster.context.genesis;
    for (const replica of [1, 2]) registry = recovered(registry, replica, 2, 0);
    const registryDigest = cluster.learn(registry);
    const stable = { checkpoints: cluster.checkpoints([0, 1], 2, { registryDigest }) };
    const viewChanges = [1, 2].map((replica) =>
      new Author(cluster, replica, registry.members[replica]![1]!).viewChange(1, { stable }),
    );
    const computed = valid(computeBase(cluster.context, viewChanges, cluster.knowledge()));
    assert.deepEqual([computed.low, computed.end, computed.parent.view], [2, 2, -1]);
  });

  /** VIEW-CHANGEs as no valid log can be, to see that the defences hold. */
  function constructed(
    cluster: TestCluster,
    messages: readonly ViewChange[],
    reference: object[],
  ): CheckedViewChange[] {
    return messages.map((message, index) => {
      const checked = valid(validViewChange(cluster.context, message, cluster.knowledge()));
      const newView = { ...checked.end.newView, ...reference[index] };
      return { message, checked: { ...checked, end: { ...checked.end, newView } } };
    });
  }

  it('MinBFT.BASE.3 prefers the newer incarnation, then the lower counter', () => {
    const { cluster, viewChanges } = play();
    const incarnationOf = () => 0;
    const fold = (references: object[]) =>
      foldBase(cluster.context, constructed(cluster, viewChanges.slice(1), references), incarnationOf).parent;
    assert.equal(
      fold([
        { view: 3, counter: 1 },
        { view: 3, counter: 9, incarnation: 1 },
      ]).incarnation,
      1,
    );
    assert.equal(
      fold([
        { view: 3, counter: 9 },
        { view: 3, counter: 4 },
      ]).counter,
      4,
    );
    assert.equal(
      fold([
        { view: 3, counter: 9 },
        { view: 2, counter: 4 },
      ]).counter,
      9,
    );
  });

  it('MinBFT.BASE.6 cuts at the first hole', () => {
    const cluster = new TestCluster(SMALL);
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    const prepares = [1, 2, 3].map((sequence) => r0.prepare(sequence, `b${sequence}`));
    for (const prepare of prepares) r1.commit(prepare);
    const whole = r1.viewChange(1);
    const holed = { ...whole, log: [whole.log[0]!, whole.log[2]!] };
    const checked = [whole, r2.viewChange(1)].map((message) =>
      valid(validViewChange(cluster.context, message, cluster.knowledge())),
    );
    const fold = (message: ViewChange) =>
      foldBase(cluster.context, [{ message, checked: checked[0]! }], () => 0).base.map(
        ({ sequence }) => sequence,
      );
    assert.deepEqual(fold(whole), [1, 2, 3]);
    assert.deepEqual(fold(holed), [1]);
    assert.deepEqual(checked[1]!.stable, genesisCheckpoint(cluster.context));
  });
});

describe('MinBFT.LINK: the chain of incarnations', () => {
  function chain() {
    const cluster = new TestCluster(SMALL);
    const before = cluster.context.genesis;
    const after = recovered(before, 1, 2, 0);
    const registryDigest = cluster.learn(after);
    const link = {
      certificate: { checkpoints: cluster.checkpoints([0, 2], 2, { registryDigest }) },
      registry: encodeRegistry(after),
    };
    return { cluster, before, after, registryDigest, link };
  }

  it('adds what known incarnations certify', () => {
    const { cluster, before, after, link } = chain();
    assert.deepEqual(valid(validRegistryLink(cluster.context, before, link)), after);
  });

  it('LINK.1 refuses a certificate by the incarnation that it introduces (scenario 27)', () => {
    const { cluster, before, after, registryDigest, link } = chain();
    const newer = new Author(cluster, 1, after.members[1]![1]!);
    assert.equal(newer.entry.tcEpoch, epochOf(1, 1));
    const checkpoints = [link.certificate.checkpoints[0]!, newer.checkpoint(2, { registryDigest })];
    const forged = { ...link, certificate: { checkpoints } };
    refusedBy(validRegistryLink(cluster.context, before, forged), 'MinBFT.LINK.1');
    refusedBy(
      validRegistryLink(cluster.context, before, { ...link, certificate: { checkpoints: [] } }),
      'MinBFT.V2',
    );
  });

  it('LINK.2 refuses another registry, one that adds nothing, and one that changes an entry', () => {
    const { cluster, before, after, link } = chain();
    const refuse = (from: Registry, registry: Uint8Array) =>
      refusedBy(validRegistryLink(cluster.context, from, { ...link, registry }), 'MinBFT.LINK.2');
    refuse(before, encodeRegistry(before));
    refuse(before, new Uint8Array(3));
    refuse(after, link.registry);
    refuse(recovered(before, 2, 2, 0), link.registry);
  });
});
