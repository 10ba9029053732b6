/** What a disk may give back for a file when it spoils one sector of it. */

/** Small, so that a short file has many. */
const SECTOR_BYTES = 64;

/** The file with each of its sectors read as zeros, as the one before, as the one behind, and as the first. */
export function* spoiltSectors(whole: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < whole.length; at += SECTOR_BYTES) {
    const instead = [
      new Uint8Array(SECTOR_BYTES),
      whole.slice(Math.max(0, at - SECTOR_BYTES), at),
      whole.slice(at + SECTOR_BYTES, at + 2 * SECTOR_BYTES),
      whole.slice(0, SECTOR_BYTES),
    ];
    for (const sector of instead) {
      const spoilt = whole.slice();
      spoilt.set(sector.subarray(0, spoilt.length - at), at);
      yield spoilt;
    }
  }
}
