/** What this machine lacks for a footprint, in words. */
import { footprintNamed } from '../../footprints/registry.ts';

/** One text for each thing that is missing, with the Debian package that brings it; empty: it can be used. */
export async function missingFor(footprint: string): Promise<readonly string[]> {
  const found = await footprintNamed(footprint);
  if (found === undefined) return ['this footprint in this version'];
  return (await found.missing()).map(({ what, debianPackage }) =>
    debianPackage === undefined ? what : `${what} (apt-get install ${debianPackage})`,
  );
}
