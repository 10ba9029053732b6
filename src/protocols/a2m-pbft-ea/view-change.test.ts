/** When a VIEW-CHANGE and a NEW-VIEW are valid, and what a new view starts with: rule by rule. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Sealed } from '../../smr/attested/sealed.ts';
import type { ChainEntry, NewView, Terms } from '../../smr/slot-chain/messages.ts';
import type { ViewChangeFacts } from '../../smr/slot-chain/view-change.ts';
import { computeTerms, judgeNewView, judgeViewChange } from '../../smr/slot-chain/view-change.ts';
import type { EaContent, EaOrder } from './messages.ts';
import { A, B, C, EaStage, vote } from './scenes.testing.ts';

const stage = new EaStage();
const nothing = stage.rules.nothing;
/** View 1, entered by replicas of which one had committed to A as 1. */
const ONE: Terms = { view: 1, base: 0, orders: [A, B], carried: 0 };

function judged(message: Sealed<EaContent>): ViewChangeFacts | undefined {
  return judgeViewChange(stage.rules, message);
}

function assertRefused(rule: string, message: Sealed<EaContent>): void {
  assert.ok(
    stage.refuses(rule, () => assert.equal(judged(message), undefined)),
    `${rule} refuses it`,
  );
}

describe('VIEW-CHANGE', () => {
  it('shows what its author committed to above its checkpoint in the last view that it entered', () => {
    const young = judged(stage.leaving(2, 1, { votes: [vote(0, 1, A), vote(0, 2, B)] }));
    assert.deepEqual(
      [...young!.votes],
      [
        [1, A],
        [2, B],
      ],
    );
    const grown = judged(
      stage.leaving(2, 5, { stable: 4, terms: ONE, votes: [vote(1, 5, C)], barriers: [3, 4] }),
    );
    assert.deepEqual([grown?.stable, grown?.terms, [...grown!.votes]], [4, ONE, [[5, C]]]);
  });

  it('Chain.VC.whole: with an entry left out it is worth nothing (scenario 4)', () => {
    const chain = stage.chain(2, 1, { votes: [vote(0, 1, A), vote(0, 2, B), vote(0, 3, C)] });
    for (const leftOut of chain.keys())
      assertRefused(
        'Chain.VC.whole',
        stage.leaving(2, 1, {}, { chain: chain.filter((_, at) => at !== leftOut) }),
      );
  });

  it('Chain.VC.whole: nothing is forgotten above the proven checkpoint (premature truncation)', () => {
    const votes = [1, 2, 3, 4, 5, 6].map((sequence) => vote(0, sequence, A));
    const chain = stage.chain(2, 1, { votes });
    assert.ok(judged(stage.leaving(2, 1, { stable: 4 }, { chain: chain.slice(4) })) !== undefined);
    assertRefused('Chain.VC.whole', stage.leaving(2, 1, { stable: 4 }, { chain: chain.slice(5) }));
    assertRefused('Chain.VC.whole', stage.leaving(2, 1, {}, { chain: chain.slice(4) }));
  });

  it('Chain.VC.whole: it ends with the barrier of its view, and all slots are its own', () => {
    const shown = { votes: [vote(0, 1, A)] };
    assertRefused('Chain.VC.whole', stage.leaving(2, 2, shown, { chain: stage.chain(2, 1, shown) }));
    assertRefused('Chain.VC.whole', stage.leaving(2, 1, shown, { chain: stage.chain(1, 1, shown) }));
    assertRefused(
      'Chain.VC.whole',
      stage.leaving(2, 1, shown, { chain: stage.chain(2, 1, shown).slice(0, 1) }),
    );
    assertRefused('Chain.VC.whole', stage.leaving(2, 1, shown, { chain: [] }));
  });

  it('Chain.VC.proof: a COMMIT counts with the certificate that its batch was prepared (scenario 5)', () => {
    const good = vote(0, 1, A);
    const [proposal, prepare] = stage.prepared(good);
    const elsewhere = stage.prepared(vote(0, 1, B));
    const proofs = [
      [],
      [proposal!],
      [prepare!],
      [proposal!, proposal!],
      [proposal!, elsewhere[1]!],
      elsewhere,
    ];
    for (const proof of proofs) {
      const chain = stage.chain(2, 1, { votes: [good] }).map((entry): ChainEntry<EaOrder> => {
        return entry.message.kind === 'COMMIT' ? { ...entry, proof } : entry;
      });
      assertRefused('Chain.VC.proof', stage.leaving(2, 1, {}, { chain }));
    }
  });

  it('Chain.VC.proof: what was logged elsewhere is no vote', () => {
    const entry = stage.prepared(vote(0, 1, A))[1]!;
    const barrier = stage.made(1, { kind: 'BARRIER', view: 1 }, 1);
    const chain = [entry, barrier].map((message) => ({ message, proof: [] }));
    assertRefused('Chain.VC.proof', stage.leaving(1, 1, {}, { chain }));
  });

  it('Chain.VC.view: votes are of the last view that it proves, so no vote hides behind an older one', () => {
    assertRefused('Chain.VC.view', stage.leaving(2, 2, { votes: [vote(0, 1, A), vote(1, 1, A)] }));
    assertRefused('Chain.VC.view', stage.leaving(2, 3, { terms: ONE, votes: [vote(2, 1, A)] }));
    assert.ok(judged(stage.leaving(2, 2, { terms: ONE, votes: [vote(1, 1, A)] })) !== undefined);
  });

  it('Chain.VC.range: votes lie in the window above its checkpoint', () => {
    assertRefused('Chain.VC.range', stage.leaving(2, 1, { votes: [vote(0, stage.rules.window + 1, A)] }));
  });

  it('Chain.VC.obliged: nobody may have committed to what the NEW-VIEW did not oblige to', () => {
    assertRefused('Chain.VC.obliged', stage.leaving(2, 2, { terms: ONE, votes: [vote(1, 1, B)] }));
  });

  it('Chain.VC.checkpoint: its h needs f+1 equal CHECKPOINTs of different replicas', () => {
    const [one, two] = stage.checkpoints(4);
    const other = stage.checkpoints(4, B)[1]!;
    for (const checkpoints of [
      [one!],
      [one!, one!],
      [one!, other],
      [one!, stage.prepared(vote(0, 1, A))[0]!],
    ])
      assertRefused('Chain.VC.checkpoint', stage.leaving(2, 1, { stable: 4 }, { checkpoints }));
    assert.equal(judged(stage.leaving(2, 1, { stable: 4 }, { checkpoints: [one!, two!] }))?.stable, 4);
  });

  it('Chain.VC.entered: its ell needs f+1 NV-ACKs for exactly its terms, and h is not below their hNV', () => {
    const [one, two] = stage.acks(ONE);
    const high: Terms = { ...ONE, base: 4 };
    const lies = [
      { terms: ONE, acks: [one!] },
      { terms: ONE, acks: [one!, one!] },
      { terms: { ...ONE, orders: [B, A] }, acks: [one!, two!] },
      stage.entered({ ...ONE, view: 3 }),
      stage.entered(high),
    ];
    for (const entered of lies) assertRefused('Chain.VC.entered', stage.leaving(2, 3, {}, { entered }));
    assert.equal(judged(stage.leaving(2, 3, { terms: high, stable: 4 }))?.terms.base, 4);
  });
});

describe('what a new view starts with', () => {
  const facts = (...messages: readonly Sealed<EaContent>[]): ViewChangeFacts[] =>
    messages.map((message) => judged(message)!);

  it('is the highest checkpoint, then votes, then what the last view was obliged to, then nothing', () => {
    const terms: Terms = { view: 1, base: 0, orders: [A, B, C], carried: 0 };
    const found = computeTerms(
      stage.rules,
      2,
      facts(
        stage.leaving(0, 2, { terms }),
        stage.leaving(2, 2, { terms, votes: [vote(1, 1, A), vote(1, 5, B)] }),
      ),
    );
    assert.deepEqual(found, { view: 2, base: 0, orders: [A, B, C, nothing, B], carried: 0 });
  });

  it('takes votes of the latest entered view only: an older one is covered by its terms', () => {
    const old = stage.leaving(0, 2, { votes: [vote(0, 1, C), vote(0, 3, C)] });
    const found = computeTerms(stage.rules, 2, facts(old, stage.leaving(2, 2, { terms: ONE })));
    assert.deepEqual(found.orders, [A, B]);
  });

  it('is shorter by what a checkpoint covers', () => {
    const votes = [1, 2, 3, 4, 5].map((sequence) => vote(0, sequence, A));
    const found = computeTerms(
      stage.rules,
      1,
      facts(stage.leaving(0, 1, { votes }), stage.leaving(2, 1, { stable: 4 })),
    );
    assert.deepEqual([found.base, found.orders], [4, [A]]);
  });

  it('loses a committed batch if holes in chains were allowed: the rule is what keeps it', () => {
    // Replicas 0 and 2 committed to A; 1 leaves with 2, which hides its vote and has no barrier behind it.
    const hidden = stage.leaving(2, 1, {}, { chain: stage.chain(2, 1, { votes: [vote(0, 1, A)] }).slice(1) });
    assert.equal(judged(hidden), undefined);
    const asIfWhole: ViewChangeFacts = { author: 2, stable: 0, terms: stage.rules.genesis, votes: new Map() };
    const found = computeTerms(stage.rules, 1, [...facts(stage.leaving(1, 1, {})), asIfWhole]);
    assert.deepEqual(found.orders, [], 'A is forgotten');
  });
});

describe('NEW-VIEW', () => {
  const left = [1, 2].map((id) => stage.leaving(id, 1, { votes: [vote(0, 1, A)] }));
  const terms: Terms = { view: 1, base: 0, orders: [A], carried: 0 };
  const honest: NewView<EaOrder> = { kind: 'NEW-VIEW', view: 1, viewChanges: left, terms };
  const refused = (rule: string, author: number, lie: Partial<NewView<EaOrder>>): void => {
    const message = stage.made(author, { ...honest, ...lie });
    assert.ok(stage.refuses(rule, () => assert.equal(judgeNewView(stage.rules, message), undefined)));
  };

  it('is what its primary computes from f+1 VIEW-CHANGEs', () => {
    assert.deepEqual(judgeNewView(stage.rules, stage.made(1, honest)), terms);
  });

  it('Chain.NV.primary: by nobody else', () => refused('Chain.NV.primary', 2, {}));

  it('Chain.NV.quorum: f+1 valid ones of different replicas for this view, the own one among them', () => {
    const invalid = stage.leaving(2, 1, {}, { chain: [] });
    const other = stage.leaving(2, 2, { votes: [vote(0, 1, A)] });
    const foreign = [0, 2].map((id) => stage.leaving(id, 1, { votes: [vote(0, 1, A)] }));
    for (const viewChanges of [
      [left[0]!],
      [left[0]!, left[0]!],
      [left[0]!, invalid],
      [left[0]!, other],
      foreign,
    ])
      refused('Chain.NV.quorum', 1, { viewChanges });
  });

  it('Chain.NV.terms: with a tampered hNV or O it is refused by recomputation (scenario 6)', () => {
    const lies = [
      { orders: [B] },
      { orders: [nothing] },
      { orders: [] },
      { orders: [A, B] },
      { base: 1 },
      { carried: 1 },
    ];
    for (const lie of lies) refused('Chain.NV.terms', 1, { terms: { ...terms, ...lie } });
  });

  it('two of one view cannot be: q5 gives its slot once (scenario 6)', () => {
    const fresh = new EaStage();
    assert.ok(fresh.tryBy(1, honest) !== undefined);
    assert.equal(fresh.tryBy(1, { ...honest, terms: { ...terms, orders: [B] } }), undefined);
  });
});
