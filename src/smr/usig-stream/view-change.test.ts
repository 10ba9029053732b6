/** V1 to V6, R1 to R3, and that lacking knowledge never convicts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { anchorObstacle } from './anchors.ts';
import type { Digest } from '../../core/types.ts';
import { fullNewView, requestViewChange } from './builders.ts';
import { completeDraft } from './codec.ts';
import type { Checkpoint, NewViewProof, Prepare, ViewChange } from './messages.ts';
import {
  Author,
  certificateOf,
  digestNamed,
  epochOf,
  recovered,
  refusedBy,
  TestCluster,
  valid,
} from './fixture.test.ts';
import type { ClusterOptions } from './fixture.test.ts';
import { need } from './validity.ts';
import { ValidationCache } from './validation.ts';
import { validCheckpointCertificate, validNewView, validViewChange } from './view-change.ts';

const SMALL: ClusterOptions = { checkpointInterval: 2, pipelineFactor: 1 };

/** Everybody orders 1..last and makes every CHECKPOINT. */
function order(cluster: TestCluster, last: number): { prepares: Prepare[]; checkpoints: Checkpoint[][] } {
  const prepares: Prepare[] = [];
  const checkpoints: Checkpoint[][] = [];
  const [primary, ...backups] = cluster.authors;
  for (let sequence = 1; sequence <= last; sequence += 1) {
    const prepare = primary!.prepare(sequence, `b${sequence}`);
    prepares.push(prepare);
    for (const backup of backups) backup.commit(prepare);
    if (sequence % cluster.context.checkpointInterval === 0)
      checkpoints.push(
        cluster.checkpoints(
          cluster.authors.map(({ replica }) => replica),
          sequence,
        ),
      );
  }
  for (const author of cluster.authors) assert.equal(author.last?.kind, 'accepted');
  return { prepares, checkpoints };
}

function judge(cluster: TestCluster, message: ViewChange) {
  return validViewChange(cluster.context, message, cluster.knowledge());
}

describe('MinBFT.V1: the incarnation that is current at the certified checkpoint', () => {
  function reRegistered() {
    const cluster = new TestCluster(SMALL);
    const registry = recovered(cluster.context.genesis, 2, 2, 0);
    const registryDigest = cluster.learn(registry);
    const newer = new Author(cluster, 2, registry.members[2]![1]!);
    const covered = { checkpoints: cluster.checkpoints([0, 1], 2, { registryDigest }) };
    return { cluster, newer, covered, registryDigest };
  }

  it('lets the new incarnation speak once a stable checkpoint covers its RECOVER', () => {
    const { cluster, newer, covered } = reRegistered();
    const checked = valid(judge(cluster, newer.viewChange(1, { stable: covered })));
    assert.equal(checked.incarnation, 1);
    assert.equal(checked.stable.sequence, 2);
    assert.equal(checked.end.newView.view, -1);
  });

  it('refuses the new incarnation before that (scenario 12b)', () => {
    const { cluster, newer } = reRegistered();
    refusedBy(judge(cluster, newer.viewChange(1)), 'MinBFT.V1');
  });

  it('refuses the old incarnation with a checkpoint that covers the RECOVER', () => {
    const { cluster, covered } = reRegistered();
    refusedBy(judge(cluster, cluster.author(2).viewChange(1, { stable: covered })), 'MinBFT.V1');
    valid(judge(cluster, cluster.author(0).viewChange(1)));
  });

  it('refuses a view below fromView for a new incarnation (scenario 19)', () => {
    const cluster = new TestCluster(SMALL);
    const registry = recovered(cluster.context.genesis, 2, 2, 1);
    const registryDigest = cluster.learn(registry);
    const stable = { checkpoints: cluster.checkpoints([0, 1], 2, { registryDigest }) };
    const newer = new Author(cluster, 2, registry.members[2]![1]!);
    refusedBy(judge(cluster, newer.viewChange(0, { stable })), 'MinBFT.V5');
    const again = new Author(cluster, 2, registry.members[2]![1]!);
    valid(judge(cluster, again.viewChange(1, { stable })));
  });

  it('asks for a registry and for a binding that it does not know', () => {
    const { cluster, newer, covered, registryDigest } = reRegistered();
    const message = newer.viewChange(1, { stable: covered });
    const cache = new ValidationCache();
    const ignorant = cluster.knowledge({ byDigest: () => undefined, cache });
    assert.deepEqual(
      validViewChange(cluster.context, message, ignorant),
      need({ kind: 'registry', digest: registryDigest }),
    );
    const strangers = cluster.knowledge({ incarnationOf: () => undefined, cache });
    assert.deepEqual(
      validViewChange(cluster.context, message, strangers),
      need({ kind: 'incarnation', replica: 0, tcEpoch: epochOf(0) }),
    );
    // What was lacking is not remembered.
    valid(validViewChange(cluster.context, message, cluster.knowledge({ cache })));
  });
});

describe('MinBFT.V2: the certificate of the stable checkpoint', () => {
  it('takes f+1 or more that agree', () => {
    const cluster = new TestCluster({ ...SMALL, f: 2 });
    const checkpoints = cluster.checkpoints([4, 0, 2, 1], 2);
    for (const count of [3, 4]) {
      const certificate = { checkpoints: checkpoints.slice(0, count) };
      const stable = valid(validCheckpointCertificate(cluster.context, certificate, cluster.knowledge()));
      assert.deepEqual([stable.sequence, stable.stateDigest], [2, digestNamed('state 2')]);
    }
    for (const count of [0, 2]) {
      const certificate = { checkpoints: checkpoints.slice(0, count) };
      refusedBy(validCheckpointCertificate(cluster.context, certificate, cluster.knowledge()), 'MinBFT.V2');
    }
  });

  it('refuses any field that differs, a replica twice, and a place that is no checkpoint', () => {
    const differing = [
      { sequence: 4 },
      { stateDigest: digestNamed('other') },
      { last: { view: 1, primaryCounter: 2 } },
      { last: { view: 0, primaryCounter: 3 } },
      { configurationVersion: 2 },
      { registryDigest: digestNamed('other') },
    ];
    const check = (cluster: TestCluster, checkpoints: readonly Checkpoint[]) =>
      validCheckpointCertificate(cluster.context, { checkpoints }, cluster.knowledge());
    for (const parts of differing) {
      const cluster = new TestCluster(SMALL);
      const checkpoints = [cluster.author(0).checkpoint(2), cluster.author(1).checkpoint(2, parts)];
      refusedBy(check(cluster, checkpoints), 'MinBFT.V2');
      refusedBy(judge(cluster, cluster.author(2).viewChange(1, { stable: { checkpoints } })), 'MinBFT.V2');
    }
    const cluster = new TestCluster(SMALL);
    const one = cluster.author(0).checkpoint(2);
    refusedBy(check(cluster, [one, one]), 'MinBFT.V2', /one replica/);
    for (const sequence of [0, 3])
      refusedBy(check(cluster, cluster.checkpoints([0, 1], sequence)), 'MinBFT.V2');
    refusedBy(check(cluster, cluster.checkpoints([0, 1], 2, { configurationVersion: 2 })), 'MinBFT.V2');
  });
});

describe('MinBFT.V3 with R1, R2, R3: where a log may start', () => {
  it('takes GENESIS with a log from counter 1, and no vouchers then', () => {
    const cluster = new TestCluster(SMALL);
    const [voucher] = cluster.checkpoints([1], 2);
    valid(judge(cluster, cluster.author(0).viewChange(1)));
    refusedBy(judge(cluster, cluster.author(2).viewChange(1, { vouchers: [voucher!] })), 'MinBFT.V3');
  });

  it('takes a vouched CHECKPOINT that is old enough', () => {
    const cluster = new TestCluster(SMALL);
    const { checkpoints } = order(cluster, 4);
    const stable = { checkpoints: checkpoints[0]!.slice(0, 2) };
    const author = cluster.author(1);
    const anchor = checkpoints[0]![1]!;
    const checked = valid(
      judge(cluster, author.viewChange(1, { stable, anchor, vouchers: [checkpoints[1]![0]!] })),
    );
    assert.deepEqual([checked.end.counter, checked.end.lastSequence], [6, 4]);
  });

  it('refuses an anchor of another stream', () => {
    const cluster = new TestCluster(SMALL);
    const { checkpoints } = order(cluster, 4);
    const stable = { checkpoints: checkpoints[0]!.slice(0, 2) };
    const message = cluster.author(1).viewChange(1, {
      stable,
      anchor: checkpoints[0]![2]!,
      vouchers: [checkpoints[1]![0]!],
    });
    refusedBy(judge(cluster, message), 'MinBFT.V3', /another stream/);
  });

  it('refuses each obstacle: too new (R1), not vouched (R2), base not covered (R3)', () => {
    const cluster = new TestCluster({ checkpointInterval: 2, pipelineFactor: 2 });
    const { checkpoints } = order(cluster, 6);
    const [first, second, third] = checkpoints as [Checkpoint[], Checkpoint[], Checkpoint[]];
    const { context } = cluster;
    const anchor = first[1]!;
    assert.equal(anchorObstacle(context, anchor, [second[0]!], 0, 4), undefined);
    assert.equal(anchorObstacle(context, anchor, [second[0]!], 0, 2), 'MinBFT.R1');
    assert.equal(anchorObstacle(context, anchor, [], 0, 4), 'MinBFT.R2');
    assert.equal(anchorObstacle(context, anchor, [first[0]!], 0, 4), 'MinBFT.R2', 'seen before the anchor');
    assert.equal(anchorObstacle(context, anchor, [second[1]!], 0, 4), 'MinBFT.R2', 'its own word');
    assert.equal(anchorObstacle(context, anchor, [second[0]!], 1, 4), 'MinBFT.R2', 'other incarnation');
    const high = { ...anchor, self: { ...anchor.self, newView: { ...anchor.self.newView, end: 5 } } };
    assert.equal(anchorObstacle(context, high, [second[0]!], 0, 4), 'MinBFT.R3');
    assert.equal(anchorObstacle(context, high, [second[0]!], 0, 6), undefined);
    const tooNew = cluster.author(1).viewChange(1, {
      stable: { checkpoints: second.slice(0, 2) },
      anchor: second[1]!,
      vouchers: [third[0]!],
    });
    refusedBy(judge(cluster, tooNew), 'MinBFT.V3', /R1/);
  });

  it('counts each voucher once', () => {
    const cluster = new TestCluster({ ...SMALL, f: 2 });
    const { checkpoints } = order(cluster, 4);
    const [first, second] = checkpoints as [Checkpoint[], Checkpoint[]];
    assert.equal(anchorObstacle(cluster.context, first[1]!, [second[0]!, second[0]!], 0, 2), 'MinBFT.R2');
    assert.equal(anchorObstacle(cluster.context, first[1]!, [second[0]!, second[2]!], 0, 2), undefined);
  });
});

describe('MinBFT.V4: the log is complete and follows the rules', () => {
  it('refuses a hole at the start, inside and at the end', () => {
    for (const missing of [0, 1, 2]) {
      const cluster = new TestCluster(SMALL);
      order(cluster, 2);
      const author = cluster.author(1);
      const log = author.log.filter((_, index) => index !== missing);
      refusedBy(judge(cluster, author.viewChange(1, { log })), 'MinBFT.V4');
    }
  });

  it('refuses the same length with an entry twice, and entries of another replica', () => {
    const cluster = new TestCluster(SMALL);
    order(cluster, 2);
    const author = cluster.author(1);
    const [first, , third] = author.log;
    refusedBy(judge(cluster, author.viewChange(1, { log: [first!, first!, third!] })), 'MinBFT.V4');
    const other = cluster.author(2);
    const borrowed = [other.log[0]!, cluster.author(0).log[1]!, other.log[2]!];
    refusedBy(judge(cluster, other.viewChange(1, { log: borrowed })), 'MinBFT.V4', /PRE.2/);
  });

  it('names the step rule that an entry breaks', () => {
    const cluster = new TestCluster(SMALL);
    const author = cluster.author(1);
    author.commit(cluster.author(0).prepare(1, 'a'));
    author.checkpoint(3);
    refusedBy(judge(cluster, author.viewChange(1)), 'MinBFT.V4', /STEP.CHECKPOINT.2/);
  });

  it('refuses more entries than the bound that all share', () => {
    for (const [logEntriesMax, kind] of [
      [3, 'valid'],
      [2, 'invalid'],
    ] as const) {
      const cluster = new TestCluster({ ...SMALL, logEntriesMax });
      order(cluster, 2);
      assert.equal(judge(cluster, cluster.author(1).viewChange(1)).kind, kind);
    }
  });

  it('takes older VIEW-CHANGEs as stubs', () => {
    const cluster = new TestCluster(SMALL);
    const author = cluster.author(1);
    for (let view = 1; view <= 10; view += 1) author.viewChange(view);
    const message = author.viewChange(11);
    assert.equal(message.log.length, 10);
    assert.equal(valid(judge(cluster, message)).end.view, 10);
    assert.ok(message.bytes.length < 10 * 180, `${message.bytes.length} bytes`);
  });
});

describe('MinBFT.V4: contents of NEW-VIEWs', () => {
  function entered() {
    const cluster = new TestCluster({ f: 1, checkpointInterval: 2, pipelineFactor: 2 });
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    const prepare = r0.prepare(1, 'a');
    r2.commit(prepare);
    const full = r1.newView([r1.viewChange(1), r2.viewChange(1)]);
    const commit = r2.commitNewView(full.header);
    return { cluster, r0, r1, r2, prepare, full, commit };
  }

  it('takes the content in full, as a certificate, from what is held, and remembers it', () => {
    const { cluster, r2, prepare, full, commit } = entered();
    const compact = certificateOf(full, [commit], [prepare]);
    const attachments: (readonly [ViewChange, Parameters<TestCluster['knowledge']>[0]])[] = [
      [r2.viewChange(2, { newViews: [full] }), {}],
      [r2.viewChange(3, { newViews: [compact] }), {}],
      [r2.viewChange(4, { newViews: [] }), { newViewProof: () => full }],
    ];
    for (const [message, parts] of attachments) {
      const checked = valid(validViewChange(cluster.context, message, cluster.knowledge(parts)));
      assert.deepEqual(checked.newView?.base, [prepare]);
    }
    const cache = new ValidationCache();
    valid(validViewChange(cluster.context, attachments[0]![0], cluster.knowledge({ cache })));
    valid(validViewChange(cluster.context, attachments[2]![0], cluster.knowledge({ cache })));
  });

  it('asks for what is lacking, forged or too little: attachments convict nobody', () => {
    const { cluster, r0, r1, r2, prepare, full, commit } = entered();
    const lacking = need({ kind: 'newView', digest: full.header.digest, view: 1 });
    r0.viewChange(1);
    const stranger = r0.commitNewView(undefined);
    const other = cluster.author(0).viewChange(1);
    const attachments = [
      [],
      [certificateOf(full, [], [prepare])],
      [certificateOf(full, [stranger], [prepare])],
      [certificateOf(full, [completeDraft(cluster.context, commit, r1.ui(9))], [prepare])],
      [certificateOf(full, [commit], [])],
      [certificateOf(full, [commit], undefined)],
      [{ ...full, viewChanges: full.viewChanges.slice(1) }],
      [{ ...full, viewChanges: [other, full.viewChanges[1]!] }],
    ];
    for (const newViews of attachments) {
      const message = new Author(cluster, 2, r2.entry);
      message.log = [...r2.log];
      message.state = r2.state;
      assert.deepEqual(judge(cluster, message.viewChange(2, { newViews })), lacking);
    }
    assert.equal(full.viewChanges.length, 2);
  });

  it('needs no base where the stable checkpoint covers it', () => {
    const { cluster, r1, r2, full, commit } = entered();
    const prepare = r1.prepare(2, 'b');
    r2.commit(prepare);
    const stable = { checkpoints: cluster.checkpoints([1, 2], 2) };
    const newViews = [certificateOf(full, [commit], undefined)];
    const checked = valid(judge(cluster, r2.viewChange(2, { stable, newViews })));
    assert.equal(checked.newView?.base, undefined);
    assert.equal(checked.end.newView.view, 1);
  });
});

describe('forged variants of attachments', () => {
  it('cost no more than their number', () => {
    const f = 6;
    const cluster = new TestCluster({ f });
    // The primary of each view, and nobody else, has entered the view before: one chain, six deep.
    for (let view = 1; view <= f; view += 1) {
      const speakers = cluster.authors.slice(view, view + f + 1);
      const [primary, next] = speakers;
      const message = primary!.newView(speakers.map((author) => author.viewChange(view)));
      next!.commitNewView(message.header);
    }
    const wishes = Array.from({ length: 8 }, (_, byte) =>
      requestViewChange(cluster.context, 0, 1, new Uint8Array(64).fill(byte)),
    );
    const variants = new Map<Digest, NewViewProof[]>();
    const forge = (proof: NewViewProof): NewViewProof[] => {
      const known = variants.get(proof.header.digest);
      if (known !== undefined || proof.kind !== 'NEW-VIEW') return known ?? [];
      // The innermost NEW-VIEW is left out, so nothing can be decided.
      const made = wishes.map((wish) =>
        fullNewView(
          proof.header,
          proof.viewChanges.map((quoted) =>
            completeDraft(cluster.context, quoted, quoted.ui, {
              newViews: quoted.newViews.filter(({ header }) => header.view > 1).flatMap(forge),
              justification: [wish],
            }),
          ),
        ),
      );
      variants.set(proof.header.digest, made);
      return made;
    };
    const outermost = forge([...cluster.proofs.values()].at(-1)!)[0]!;
    let work = 0;
    const counted = cluster.knowledge({
      newViewProof: () => {
        work += 1;
        return undefined;
      },
    });
    const verdict = validNewView(cluster.context, outermost, counted);
    assert.ok(verdict.kind === 'need' && verdict.what.kind === 'newView' && verdict.what.view === 1);
    assert.ok(work < 8 * f * 4, `${work} look-ups`);
  });
});

describe('MinBFT.V5 and V6', () => {
  it('V5 refuses a view that is not above the one the log ends in', () => {
    const cluster = new TestCluster(SMALL);
    const author = cluster.author(1);
    author.viewChange(3);
    refusedBy(judge(cluster, author.viewChange(3)), 'MinBFT.V5');
    valid(judge(cluster, cluster.author(2).viewChange(1)));
    refusedBy(judge(cluster, cluster.author(0).viewChange(0)), 'MinBFT.V5');
  });

  it('V6 refuses a gap whose checkpoint is not shown as stable', () => {
    const cluster = new TestCluster(SMALL);
    const [r0, r1, r2] = [cluster.author(0), cluster.author(1), cluster.author(2)];
    const prepares = [1, 2].map((sequence) => r0.prepare(sequence, 'a'));
    const checkpoints = cluster.checkpoints([0, 1, 2], 2);
    prepares.push(r0.prepare(3, 'c'));
    r1.commit(prepares[2]!);
    r2.commit(prepares[2]!);
    assert.equal(r1.last?.kind, 'accepted');
    refusedBy(judge(cluster, r1.viewChange(1)), 'MinBFT.V6');
    const stable = { checkpoints: checkpoints.slice(0, 2) };
    assert.equal(valid(judge(cluster, r2.viewChange(1, { stable }))).end.lastSequence, 3);
  });
});
