/** Rules of Zyzzyva with the corrected view change. */
import { inFile } from '../../catalogue/mutant.ts';
import type { FamilyMutant } from '../mutant.ts';
import { mutantsOf } from '../mutant.ts';
import { withoutRule } from '../removing.ts';

const base = 'src/protocols/zyzzyva/base.ts';
const client = 'src/protocols/zyzzyva/client.ts';
const views = 'src/protocols/zyzzyva/views.ts';

/** See the top of this file. */
export const ZYZZYVA_MUTANTS: readonly FamilyMutant[] = mutantsOf('zyzzyva', [
  {
    removes: 'the highest view decides: reports of all views count together, as in the published rule',
    rules: ['Zyzzyva.BASE.2'],
    patches: inFile(base, [
      `reports.filter((report) => report.label === label);`,
      `reports.filter((report) => report.label <= label);`,
    ]),
  },
  {
    removes: 'certificates: what a view starts with rests on f+1 reports alone',
    rules: ['Zyzzyva.BASE.3'],
    patches: inFile(base, [`if (best.proven > stable.start) {`, `if (best.proven > stable.start + 1e9) {`]),
  },
  {
    removes: 'f+1 equal reports: one is enough',
    rules: ['Zyzzyva.BASE.4'],
    patches: inFile(base, [`if (equal.length >= f + 1)`, `if (equal.length >= 1)`]),
  },
  {
    removes: 'a certificate of another view is none',
    rules: ['Zyzzyva.CC.2'],
    patches: withoutRule('Zyzzyva.CC.2'),
  },
  {
    removes: 'nothing is acknowledged after the own VIEW-CHANGE, or without the certificate',
    rules: ['Zyzzyva.LC.1'],
    patches: inFile('src/protocols/zyzzyva/replica.ts', [
      `this.isIn && isHeld && history !== undefined)`,
      `history !== undefined)`,
    ]),
  },
  {
    removes: 'one VIEW-CONFIRM for each view',
    rules: ['Zyzzyva.NV.2'],
    patches: withoutRule('Zyzzyva.NV.2.ONCE'),
  },
  {
    removes: 'VIEW-CONFIRMs of a quorum: f+1 let a replica in',
    rules: ['Zyzzyva.ENTER.1'],
    patches: inFile(views, [
      `'Zyzzyva.ENTER.1.QUORUM', confirms.length >= this.quorum`,
      `'Zyzzyva.ENTER.1.QUORUM', confirms.length >= this.f + 1`,
    ]),
  },
  {
    removes: 'no view below one that was asked for is entered',
    rules: ['Zyzzyva.ENTER.1'],
    patches: inFile(views, [
      `view >= this.view && view > this.label, 'VIEW-CONFIRM'`,
      `view > this.label, 'VIEW-CONFIRM'`,
    ]),
  },
  {
    removes: 'an order follows the history of the one before',
    rules: ['Zyzzyva.ACC.1'],
    patches: withoutRule('Zyzzyva.ACC.1.CHAIN'),
  },
  {
    removes: 'CHECKPOINTs are for what a certificate covers',
    rules: ['Zyzzyva.CKPT.2'],
    patches: withoutRule('Zyzzyva.CKPT.2'),
  },
  {
    removes: 'a client waits for 3f+1 speculative answers: 2f+1 complete',
    rules: ['Zyzzyva.CLI.2'],
    patches: inFile(client, [
      `if (standing === 'speculative') return n;`,
      `if (standing === 'speculative') return n - f;`,
    ]),
  },
]);
