/**
 * When clients of Zyzzyva believe an answer: 3f+1 equal speculative ones of one history (Zyzzyva.CLI.2); with 2f+1 of them
 * they make a commit certificate and need 2f+1 acknowledgements of it (Zyzzyva.CLI.3); f+1 final ones (Zyzzyva.CLI.6).
 */
import type { ClientRules, DecodeContext } from '../../core/protocol.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import type { ZyzzyvaContent } from './messages.ts';
import { coreKey, decodeProof, joinProofs, ZYZZYVA_MESSAGES } from './messages.ts';

/** Codecs by decode context: they are derived from it once. */
const CODECS = new WeakMap<DecodeContext, SealedCodec<ZyzzyvaContent>>();

function codecOf(context: DecodeContext): SealedCodec<ZyzzyvaContent> {
  const known = CODECS.get(context);
  if (known !== undefined) return known;
  const made = new SealedCodec(context, ZYZZYVA_MESSAGES);
  CODECS.set(context, made);
  return made;
}

/** See the top of this file. Answers of different (view, base) never count together: their keys differ. */
export const ZYZZYVA_CLIENT: ClientRules = {
  needed: (standing, n, f) => {
    if (standing === 'speculative') return n;
    return standing === 'committed' ? 2 * f + 1 : f + 1;
  },
  readProof: (proof, replica, context, standing) => {
    if (standing === 'final') return proof.length === 0 ? { key: '', seals: [] } : undefined;
    const codec = codecOf(context);
    const read = decodeProof(proof, codec);
    if (read?.kind !== standing) return undefined;
    if (read.kind === 'committed') return { key: coreKey(read.core), seals: [] };
    const { message } = read;
    const isOwn = message.author === replica && message.attestation.kind === 'host';
    return isOwn ? { key: coreKey(message.content), seals: codec.seals(message) } : undefined;
  },
  certificate: {
    needed: (_n, f) => 2 * f + 1,
    make: (proofs) => joinProofs(proofs.map(({ proof }) => proof)),
  },
};
