/** RePBFT's messages: those of three-phase agreement, and those of the update exchange with passive replicas. */
import type { SealedCodecOptions } from '../../smr/attested/sealed.ts';
import type { UpdateContent } from '../../smr/passive/messages.ts';
import {
  isUpdateContent,
  readUpdateContent,
  UPDATE_KINDS,
  writeUpdateContent,
} from '../../smr/passive/messages.ts';
import type { PhaseContent } from '../../smr/three-phase/messages.ts';
import {
  PHASE_KINDS,
  quotedInPhase,
  readPhaseContent,
  writePhaseContent,
} from '../../smr/three-phase/messages.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'repbft';

/** Everything that replicas say to each other. */
export type RepbftContent = PhaseContent | UpdateContent;

function isUpdateKind(kind: RepbftContent['kind']): kind is UpdateContent['kind'] {
  return (UPDATE_KINDS as readonly string[]).includes(kind);
}

/** See the top of this file. */
export const REPBFT_MESSAGES: SealedCodecOptions<RepbftContent> = {
  protocol: PROTOCOL_NAME,
  kinds: [...PHASE_KINDS, ...UPDATE_KINDS],
  write: (writer, content, codec) => {
    if (isUpdateContent(content)) writeUpdateContent(writer, content);
    else writePhaseContent(writer, content, codec as never);
  },
  read: (kind, reader, codec) =>
    isUpdateKind(kind) ? readUpdateContent(kind, reader) : readPhaseContent(kind, reader, codec as never),
  quoted: (content) => (isUpdateContent(content) ? [] : quotedInPhase(content)),
};
