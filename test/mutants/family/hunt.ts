/**
 * Runs drawn schedules of one protocol until a judge objects; started with a mutant in the product (`apply.ts`). Prints one
 * line of JSON. Arguments: protocol, first seed, count, and the theme: `drawn`, the suite's own schedules, or `split`, with as
 * many twins as the protocol stands, each side of them cut off from the other.
 */
import { protocolNamed } from '../../../src/protocols/catalogue.ts';
import { runBreach } from '../../../src/sim/family/bounds.ts';
import { runFamilySeed } from '../../../src/sim/family/run.ts';

const [name = '', from = '1', count = '1', theme = 'drawn'] = process.argv.slice(2);
const protocol = protocolNamed(name);
if (protocol === undefined) throw new Error(`no protocol is called ${name}`);
let found: { seed: number; judge: string; text: string } | undefined;
for (let seed = Number(from); seed < Number(from) + Number(count) && found === undefined; seed += 1) {
  const { violations } =
    theme === 'split' ? runBreach(protocol, 'none', seed) : runFamilySeed(protocol, seed);
  const [violation] = violations;
  if (violation !== undefined) found = { seed, judge: violation.judge, text: violation.text };
}
console.log(JSON.stringify(found ?? null));
