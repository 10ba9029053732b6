/** All evidence formats that endorsements may have; a new one is added here. */
import type { EvidenceFormat } from './format.ts';
import { operatorFormat } from './operator.ts';
import { tpmFormat } from './tpm-quote.ts';

/** See the top of this file. */
export const EVIDENCE_FORMATS: readonly EvidenceFormat[] = [operatorFormat, tpmFormat];
