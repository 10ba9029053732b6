/** Rules of protocols on counters and logs: A2M-PBFT-EA, ReMinBFT, Flexi-BFT. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';
import { withoutRule } from '../removing.ts';

const chain = 'src/smr/slot-chain/view-change.ts';
const flexi = 'src/protocols/flexi-bft/view-change.ts';

/** Rules of the view change on chains of slots, which two protocols share. */
const CHAIN = {
  whole: {
    removes: 'a chain is whole: votes can be left out of a VIEW-CHANGE',
    rules: ['Chain.VC.whole'],
    patches: withoutRule('Chain.VC.whole'),
  },
  view: {
    removes: 'votes are of the last view that their author can prove',
    rules: ['Chain.VC.view'],
    patches: withoutRule('Chain.VC.view'),
  },
  told: {
    removes: 'the votes of the latest view are what a new view owes: they are passed over',
    rules: ['Chain.NV.terms'],
    patches: inFile(chain, [
      `    if (one.terms.view === latest.view)`,
      `    if (one.terms.view === latest.view && one.author < 0)`,
    ]),
  },
  owed: {
    removes: 'what the latest view owed is owed by the next one',
    rules: ['Chain.NV.terms'],
    patches: inFile(chain, [`?? obligation(latest, sequence) ?? rules.nothing`, `?? rules.nothing`]),
  },
  terms: {
    removes: 'everybody works out again what a NEW-VIEW says',
    rules: ['Chain.NV.terms'],
    patches: withoutRule('Chain.NV.terms'),
  },
  acks: {
    removes: 'NV-ACKs of a quorum prove a view: one does',
    rules: ['Chain.VC.entered'],
    patches: inFile(chain, [
      `areDistinct(acks) && acks.length >= rules.quorum &&`,
      `areDistinct(acks) && acks.length >= 1 &&`,
    ]),
  },
} as const;

/** See the top of this file. */
export const TRUSTED_OBJECT_MUTANTS: readonly FamilyMutant[] = [
  ...mutantsOf('a2m-pbft-ea', [
    CHAIN.whole,
    CHAIN.view,
    CHAIN.told,
    CHAIN.owed,
    CHAIN.terms,
    CHAIN.acks,
    {
      removes: 'COMMITs are logged in the order of sequence numbers',
      rules: ['A2M-PBFT-EA.N4.order'],
      patches: withoutRule('A2M-PBFT-EA.N4.order'),
    },
    {
      removes: 'a PREPARE of the primary does not count',
      rules: ['A2M-PBFT-EA.N3.backup'],
      patches: withoutRule('A2M-PBFT-EA.N3.backup'),
    },
  ]),
  ...mutantsOf('reminbft', [
    CHAIN.whole,
    CHAIN.told,
    {
      removes: 'a proposal names the mode that its view is in',
      rules: ['ReMinBFT.M.agreed'],
      patches: withoutRule('ReMinBFT.M.agreed'),
    },
    {
      removes: 'MODE is ordered after X orders: at any time',
      rules: ['ReMinBFT.M.early'],
      patches: inFile('src/protocols/reminbft/replica.ts', [
        `'ReMinBFT.M.early', mayReturn(this.terms, since!), 'PREPARE')`,
        `'ReMinBFT.M.early', since !== 0, 'PREPARE')`,
      ]),
    },
    {
      removes: 'a COMMIT agrees to a PREPARE of the primary of its view',
      rules: ['ReMinBFT.N3.prepare'],
      patches: inFile('src/protocols/reminbft/replica.ts', [
        `'ReMinBFT.N3.prepare', proposal !== undefined, 'COMMIT'`,
        `'ReMinBFT.N3.prepare', proposal !== null, 'COMMIT'`,
      ]),
    },
    {
      removes: 'in normal-case mode whoever does not get on complains',
      rules: ['ReMinBFT.P.silent'],
      patches: inFile('src/protocols/reminbft/replica.ts', [
        `'ReMinBFT.P.silent', due <= desk.now)`,
        `'ReMinBFT.P.silent', due <= desk.now && this.n < 0)`,
      ]),
    },
    {
      removes: 'updates that contradict each other end normal-case mode: they are waited for',
      rules: ['ReMinBFT.U.conflict'],
      patches: withoutRule('ReMinBFT.U.conflict'),
    },
  ]),
  ...mutantsOf('flexi-bft', [
    {
      removes: 'a quorum commits: one word fewer decides',
      rules: ['FlexiBFT.13.commit'],
      patches: inFile('src/protocols/flexi-bft/replica.ts', [
        `this.#words.decided(sequence, this.quorum, isOther)`,
        `this.#words.decided(sequence, this.quorum - 1, isOther)`,
      ]),
    },
    {
      removes: 'a view is entered with ENTERs of a quorum: f+1 are enough',
      rules: ['FlexiBFT.NV.certified'],
      patches: inFile('src/protocols/flexi-bft/views.ts', [
        `'FlexiBFT.NV.certified', enters.length >= this.quorum, 'ENTER'`,
        `'FlexiBFT.NV.certified', enters.length >= this.f + 1, 'ENTER'`,
      ]),
    },
    {
      removes: 'the start of the last view is certified',
      rules: ['FlexiBFT.VC.base'],
      patches: withoutRule('FlexiBFT.VC.base'),
    },
    {
      removes: 'proposals of the latest view are told: a new view passes them over',
      rules: ['FlexiBFT.VC.proposals'],
      patches: inFile(flexi, [
        `      if (one.kind === 'PREPREPARE') batches.set(one.sequence, one.batch);`,
        `      if (one.kind === 'PREPREPARE' && one.sequence < 0) batches.set(one.sequence, one.batch);`,
      ]),
    },
    {
      removes: 'what the latest view started with is owed by the next one',
      rules: ['FlexiBFT.13.start'],
      patches: inFile(flexi, [
        `(latest?.batches ?? []).entries()`,
        `(latest?.batches ?? []).slice(0, 0).entries()`,
      ]),
    },
    {
      removes: 'whoever asked for another view vouches for nothing in this one',
      rules: ['FlexiBFT.13.left'],
      patches: withoutRule('FlexiBFT.13.left'),
    },
    {
      removes: 'a PREPREPARE has the word of the counter of its view at its sequence number',
      rules: ['FlexiBFT.12.counter'],
      patches: withoutRule('FlexiBFT.12.counter'),
    },
    {
      removes: 'up to its end a view proposes what it starts with',
      rules: ['FlexiBFT.13.start'],
      patches: withoutRule('FlexiBFT.13.start'),
    },
    {
      removes: 'a VIEW-CHANGE waits for the words of own proposals',
      rules: ['FlexiBFT.VC.drained'],
      patches: withoutRule('FlexiBFT.VC.drained'),
    },
  ]),
];
