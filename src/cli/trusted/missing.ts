/** What this machine lacks for a footprint, in words. */
import { footprintNamed, isFootprint } from '../../footprints/registry.ts';

/** One text for each thing that is missing, with the Debian package that brings it; empty: it can be used. */
export async function missingFor(footprint: string): Promise<readonly string[]> {
  if (!isFootprint(footprint)) return ['this footprint in this version'];
  return (await (await footprintNamed(footprint)).missing()).map(({ what, debianPackage }) =>
    debianPackage === undefined ? what : `${what} (apt-get install ${debianPackage})`,
  );
}
