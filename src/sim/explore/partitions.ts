/** Partitions of a small set into parts, by number: restricted growth strings in lexical order. */

/** By member: the number of its part; parts are numbered in the order in which they are met. */
export type Partition = readonly number[];

/** All partitions of a set of `size` members (15 of four, 203 of six). */
export function partitionsOf(size: number): readonly Partition[] {
  let partial: readonly Partition[] = [[]];
  for (let member = 0; member < size; member += 1)
    partial = partial.flatMap((parts) => {
      const used = parts.length === 0 ? 0 : Math.max(...parts) + 1;
      return Array.from({ length: used + 1 }, (_, part) => [...parts, part]);
    });
  return partial;
}
