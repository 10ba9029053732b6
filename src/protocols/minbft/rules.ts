/**
 * The numbered rules of MinBFT (decision E6): those of the streams and those of a replica's own conduct, which other
 * protocols on USIG streams share.
 */
import type { RuleDescription } from '../../core/protocol.ts';
import { USIG_REPLICA_RULES } from '../../smr/usig-replica/rules.ts';
import { USIG_STREAM_RULES } from '../../smr/usig-stream/rules.ts';

/** Every rule of this protocol. */
export const MINBFT_RULES: readonly RuleDescription[] = [...USIG_STREAM_RULES, ...USIG_REPLICA_RULES];
