/**
 * Loaded before everything else (`node --import`): puts the patches of the mutant named by MOIETY_MUTANT into the source
 * text while it is read. Files on disk stay as they are.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { FAMILY_MUTANTS } from './family/mutants.ts';
import { MUTANTS } from './mutants.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const wanted = process.env['MOIETY_MUTANT'] ?? '';

if (wanted !== '') {
  const mutant = [...MUTANTS, ...FAMILY_MUTANTS].find(({ id }) => id === wanted);
  if (mutant === undefined) throw new Error(`no mutant is called ${wanted}`);
  const files = new Set(mutant.patches.map(({ file }) => file));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:')) return loaded;
      const path = fileURLToPath(url);
      const file = path.startsWith(root) ? path.slice(root.length) : '';
      if (!files.has(file)) return loaded;
      let source =
        typeof loaded.source === 'string'
          ? loaded.source
          : new TextDecoder().decode(loaded.source as Uint8Array);
      for (const patch of mutant.patches) {
        if (patch.file !== file) continue;
        const places = source.split(patch.find).length - 1;
        if (places !== 1)
          throw new Error(`mutant ${mutant.id}: its text occurs ${places} times in ${file}, expected once`);
        source = source.replace(patch.find, () => patch.replace);
      }
      return { ...loaded, source };
    },
  });
}
