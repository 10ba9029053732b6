/** PBFT's messages: those of three-phase agreement, under PBFT's own digests. */
import type { SealedCodecOptions } from '../../smr/attested/sealed.ts';
import type { PhaseContent } from '../../smr/three-phase/messages.ts';
import {
  PHASE_KINDS,
  quotedInPhase,
  readPhaseContent,
  writePhaseContent,
} from '../../smr/three-phase/messages.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'pbft';

/** See the top of this file. */
export const PBFT_MESSAGES: SealedCodecOptions<PhaseContent> = {
  protocol: PROTOCOL_NAME,
  kinds: PHASE_KINDS,
  write: writePhaseContent,
  read: readPhaseContent,
  quoted: quotedInPhase,
};
