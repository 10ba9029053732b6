/** Rules of three-phase agreement and of the protocols on it. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';

const agreement = 'src/smr/three-phase/agreement.ts';
const viewChange = 'src/smr/three-phase/view-change.ts';
const slots = 'src/smr/three-phase/slots.ts';
const selection = 'src/protocols/pbft-mac/selection.ts';
const mac = 'src/protocols/pbft-mac/replica.ts';
const execution = 'src/protocols/a2m-pbft-e/replica.ts';
const executionClient = 'src/protocols/a2m-pbft-e/client.ts';

/** See the top of this file. */
export const THREE_PHASE_MUTANTS: readonly FamilyMutant[] = [
  ...mutantsOf('pbft', [
    {
      removes: 'COMMITs of a quorum: one fewer decides',
      rules: ['PBFT.N4'],
      patches: inFile(agreement, [
        `this.slots.committed(sequence, this.quorum, known)`,
        `this.slots.committed(sequence, this.quorum - 1, known)`,
      ]),
    },
    {
      removes: 'COMMITs are compared: those for other batches count, too',
      rules: ['PBFT.N4'],
      patches: inFile(slots, [
        'const key = `${view}/${digest}`;',
        'const key = `${view}/${sequence}/${digest.length}`;',
      ]),
    },
    {
      removes: 'PREPAREs of a quorum: one fewer prepares',
      rules: ['PBFT.N3', 'PBFT.VC.proof'],
      patches: [
        ...inFile(agreement, [
          `const enough = (prepares?.size ?? 0) >= this.quorum - 1;`,
          `const enough = (prepares?.size ?? 0) >= this.quorum - 2;`,
        ]),
        ...inFile(viewChange, [
          `if (prepares.length < rules.quorum - 1) return false;`,
          `if (prepares.length < rules.quorum - 2) return false;`,
        ]),
      ],
    },
    {
      removes: 'the proof of the highest view wins: that of the lowest does',
      rules: ['PBFT.N2.base'],
      patches: inFile(viewChange, [
        `if (known === undefined || known.view < view) best`,
        `if (known === undefined || known.view > view) best`,
      ]),
    },
    {
      removes: 'a new view proposes what its NEW-VIEW obliges it to',
      rules: ['PBFT.N2.base'],
      patches: inFile(agreement, [
        `const obliged = sequence > this.base.low && (isFree || this.obligation(sequence) === digest);`,
        `const obliged = sequence >= 0;`,
      ]),
    },
    {
      removes: 'VIEW-CHANGEs of a quorum: one fewer makes a NEW-VIEW',
      rules: ['PBFT.NV.quorum'],
      patches: [
        ...inFile(viewChange, [
          `viewChanges.length === rules.quorum &&`,
          `viewChanges.length >= rules.quorum - 1 &&`,
        ]),
        ...inFile('src/smr/three-phase/replica.ts', [
          `if (viewChanges.length < this.quorum) return;`,
          `if (viewChanges.length < this.quorum - 1) return;`,
        ]),
      ],
    },
    {
      removes: 'what was prepared is told: VIEW-CHANGEs leave it out',
      rules: ['PBFT.VC.proof'],
      patches: inFile('src/smr/three-phase/replica.ts', [
        `.filter(([sequence]) => sequence > this.stableSequence)`,
        `.filter(([sequence]) => sequence < 0)`,
      ]),
    },
    {
      removes: 'one batch for each order of a view: a second one is voted for as well',
      rules: ['PBFT.N2.once'],
      patches: inFile(
        agreement,
        [
          `if (!this.rule('PBFT.N2.once', once, 'PRE-PREPARE')) {`,
          `if (!this.rule('PBFT.N2.once', once || true, 'PRE-PREPARE')) {`,
        ],
        [
          `if (proposal === undefined || slot.chosen !== undefined || this.isPrimary) return;`,
          `if (proposal === undefined || slot.chosen === proposal.digest || this.isPrimary) return;`,
        ],
      ),
    },
  ]),
  ...mutantsOf('pbft-mac', [
    {
      removes: 'A1: what was prepared later is passed over',
      rules: ['PBFT-MAC.VC4'],
      patches: inFile(
        selection,
        [`isLatest(sizes, changes, sequence, digest, view) &&`, ``],
        [`candidates.sort((a, b) => b.view - a.view ||`, `candidates.sort((a, b) => a.view - b.view ||`],
      ),
    },
    {
      removes: 'A2: a batch that nobody vouches for is chosen',
      rules: ['PBFT-MAC.VC4'],
      patches: inFile(selection, [`return vouching.length >= weak;`, `return vouching.length >= 0;`]),
    },
    {
      removes: 'B: an order counts as free though a replica prepared something',
      rules: ['PBFT-MAC.VC4'],
      patches: inFile(selection, [
        `return without.length >= quorum;`,
        `return without.length >= quorum - 1;`,
      ]),
    },
    {
      removes: 'P: nothing that was prepared is told',
      rules: ['PBFT-MAC.VC2'],
      patches: inFile(mac, [
        `prepared: [...this.#prepared.values()].filter(above).sort(inOrder),`,
        `prepared: [],`,
      ]),
    },
    {
      removes: 'the checkpoint to start from is held by f+1: one is enough',
      rules: ['PBFT-MAC.VC4'],
      patches: inFile(selection, [
        `return reached >= quorum && held >= weak;`,
        `return reached >= quorum && held >= 1;`,
      ]),
    },
    {
      removes: 'what one replica says to be decided is believed',
      rules: ['PBFT-MAC.DECIDED'],
      patches: inFile(mac, [
        `this.rule('PBFT-MAC.DECIDED', alike.length > this.f)`,
        `this.rule('PBFT-MAC.DECIDED', alike.length > 0)`,
      ]),
    },
    {
      removes: 'a NEW-VIEW is worked out again by everybody',
      rules: ['PBFT-MAC.VC5.same'],
      patches: inFile(mac, [`isSameStart(selection, content)`, `selection !== null`]),
    },
    {
      removes: 'a state that one replica names is fetched',
      rules: ['PBFT-MAC.CKPT'],
      patches: inFile(mac, [
        `this.checkpoints.certificateAbove(this.executed, this.f + 1)`,
        `this.checkpoints.certificateAbove(this.executed, 1)`,
      ]),
    },
    {
      removes: 'a view is entered as one replica says to have entered it',
      rules: ['PBFT-MAC.ENTERED'],
      patches: inFile(mac, [
        `this.rule('PBFT-MAC.ENTERED', alike.length > this.f)`,
        `this.rule('PBFT-MAC.ENTERED', alike.length > 0)`,
      ]),
    },
  ]),
  ...mutantsOf('a2m-pbft-e', [
    {
      removes: 'clients ask for 2f+1 answers: f+1 are enough',
      rules: ['A2M-PBFT-E.E4'],
      patches: inFile(executionClient, [`'final' ? n - f :`, `'final' ? f + 1 :`]),
    },
    {
      removes: 'answers of different histories count together',
      rules: ['A2M-PBFT-E.E4'],
      patches: inFile(executionClient, [
        'const key = `${content.sequence}/${content.digest}/${attestation.history}`;',
        'const key = `${content.sequence}`;',
      ]),
    },
    {
      removes: 'a log that says another history stops its replica',
      rules: ['A2M-PBFT-E.E3.history'],
      patches: inFile(execution, [`own === undefined || own === said)`, `true)`]),
    },
    {
      removes: 'entries have no gaps: a client reads any',
      rules: ['A2M-PBFT-E.E3.order'],
      patches: inFile(executionClient, [
        `attestation.previous === attestation.value - 1 &&`,
        `attestation.previous < attestation.value &&`,
      ]),
    },
    {
      removes: 'logs are strict: a client reads one that may jump',
      rules: ['A2M-PBFT-E.E3.order'],
      patches: inFile(executionClient, [`attestation.strict === true &&`, ``]),
    },
    {
      removes: 'digests from others lead to a certified history',
      rules: ['A2M-PBFT-E.HIST'],
      patches: inFile(execution, [
        `certain === history)) this.#adopt(hint);`,
        `certain !== ZERO_DIGEST)) this.#adopt(hint);`,
      ]),
    },
    {
      removes: 'CHECKPOINTs count together only with equal histories',
      rules: ['A2M-PBFT-E.CKPT'],
      patches: inFile(execution, [
        'key: `${sequence}/${stateDigest}/${history}`',
        'key: `${sequence}/${stateDigest}/${history.length}`',
      ]),
    },
    {
      removes: 'an answer leaves with its entry: the client sees one without',
      rules: ['A2M-PBFT-E.E4'],
      patches: inFile(execution, [
        `const proof = EXECUTION_WIRE.encode(entry!);`,
        `const proof = new Uint8Array(0);`,
      ]),
    },
  ]),
];
