/**
 * Whether the socket of a trusted process is still the one that it listens at. Somebody who deletes the file leaves a
 * process that nobody can reach and that keeps the folder's lock, so that none can take its place.
 */
import { lstatSync } from 'node:fs';

function nodeOf(path: string): string | undefined {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

/** To be called when the process listens at `path`; the answer says at any later time what lies there. */
export function watchSocket(path: string): () => 'own' | 'gone' | 'other' {
  const own = nodeOf(path);
  return () => {
    const now = nodeOf(path);
    if (now === undefined) return 'gone';
    return now === own ? 'own' : 'other';
  };
}
