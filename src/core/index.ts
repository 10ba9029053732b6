/** Public entry `moiety/core`: the contract of a protocol and the words that it is written in. */
export type * from './config.ts';
export type * from './protocol.ts';
export type * from './types.ts';
export { Prng } from './prng.ts';
