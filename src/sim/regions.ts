/**
 * Distances between places. Source: typical public cloud inter-region round trips (medians, rounded, milliseconds); a
 * frame takes half of them in one direction.
 */
import type { Milliseconds } from '../core/types.ts';

/** Places that a replica may stand in. */
export const REGIONS = [
  'us-east',
  'us-west',
  'sao-paulo',
  'london',
  'frankfurt',
  'mumbai',
  'singapore',
  'tokyo',
  'sydney',
  'cape-town',
] as const;
export type Region = (typeof REGIONS)[number];

/** Round trips between two places, in the order of `REGIONS`; the diagonal is one inside of a region. */
const ROUND_TRIP_MS: readonly (readonly Milliseconds[])[] = [
  [1, 62, 115, 76, 91, 190, 215, 150, 198, 225],
  [62, 1, 175, 138, 148, 220, 170, 105, 140, 288],
  [115, 175, 1, 186, 203, 300, 325, 260, 312, 338],
  [76, 138, 186, 1, 16, 114, 165, 212, 262, 152],
  [91, 148, 203, 16, 1, 122, 158, 225, 285, 156],
  [190, 220, 300, 114, 122, 1, 58, 122, 150, 270],
  [215, 170, 325, 165, 158, 58, 1, 70, 93, 318],
  [150, 105, 260, 212, 225, 122, 70, 1, 110, 355],
  [198, 140, 312, 262, 285, 150, 93, 110, 1, 408],
  [225, 288, 338, 152, 156, 270, 318, 355, 408, 1],
];

/** Three places that one company would choose for one continent and its neighbour. */
export const THREE_REGIONS: readonly Region[] = ['us-east', 'london', 'frankfurt'];

/** One-way distance between two places, milliseconds. */
export function distanceMs(from: Region, to: Region): Milliseconds {
  return ROUND_TRIP_MS[REGIONS.indexOf(from)]![REGIONS.indexOf(to)]! / 2;
}
