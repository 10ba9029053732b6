/** `npm run test:rollback`: an old copy of a replica's store and trusted component put back at N random moments under load. */
import { parseArgs } from 'node:util';
import { Rehearsal } from './rehearsal.ts';

const USAGE =
  'usage: npm run test:rollback -- [--moments N] [--seed N] [--replicas 3|5] [--clients N] [--keep]';
const DEFAULTS: Readonly<Record<string, number>> = { moments: 100, seed: 1, replicas: 3, clients: 2 };

function settingsOf(): { readonly numbers: Readonly<Record<string, number>>; readonly keep: boolean } {
  const string = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      options: {
        moments: string,
        seed: string,
        replicas: string,
        clients: string,
        keep: { type: 'boolean' },
      },
    });
    const numbers = { ...DEFAULTS };
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'string') continue;
      if (!/^\d{1,9}$/.test(value)) throw new Error(`--${name} must be a whole number.`);
      numbers[name] = Number(value);
    }
    if (![3, 5, 7].includes(numbers['replicas']!)) throw new Error('--replicas must be 3, 5 or 7.');
    return { numbers, keep: values.keep === true };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const { numbers, keep } = settingsOf();
const rehearsal = new Rehearsal({
  replicas: numbers['replicas']!,
  clients: numbers['clients']!,
  seed: numbers['seed']!,
  keep,
  tell: (line) => console.log(line),
});
let signals = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    signals += 1;
    if (signals === 1) {
      console.error(`\n${signal}: the moment under way is the last one; once more ends at once`);
      rehearsal.finishSoon();
    } else if (signals === 2) void rehearsal.dispose().finally(() => process.exit(130));
  });
const failures = await rehearsal.run(numbers['moments']!);
for (const failure of failures) console.log(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
