/** Patches that take one numbered rule out: where the code asks whether it holds, it always does. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Patch } from '../catalogue/mutant.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const SOURCES: readonly string[] = ['src/protocols', 'src/smr'].flatMap((folder) =>
  readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) => file.endsWith('.ts') && !/\.(test|testing)\.ts$/.test(file) && !file.endsWith('rules.ts'),
    )
    .map((file) => `${folder}/${file}`),
);

/** The only place that asks for the rule, as a patch. */
export function withoutRule(id: string): Patch[] {
  const question = new RegExp(`rule\\(\\s*'${id.replaceAll('.', '\\.')}',\\s*`, 'g');
  const places = SOURCES.flatMap((file) =>
    [...readFileSync(root + file, 'utf8').matchAll(question)].map(([find]) => ({ file, find })),
  );
  if (places.length !== 1)
    throw new Error(`rule ${id} is asked for in ${places.length} places, expected one`);
  const { file, find } = places[0]!;
  return [{ file, find, replace: `${find}true || ` }];
}
