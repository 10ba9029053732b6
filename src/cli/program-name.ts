/** How a person calls this program: what `up` and `--help` propose must work when it is pasted. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `node bin/moiety.mjs` in a clone, seen from the present folder; `npx moiety` under npx; else `moiety`. */
export function programName(): string {
  if (import.meta.url.endsWith('.ts'))
    return `node ${relative(process.cwd(), fileURLToPath(new URL('../../bin/moiety.mjs', import.meta.url)))}`;
  return process.env['npm_command'] === 'exec' ? 'npx moiety' : 'moiety';
}
