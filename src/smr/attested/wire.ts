/** The part of a protocol's definition that its codec makes. */
import type { DecodeContext, ProtocolDefinition } from '../../core/protocol.ts';
import type { AttestedMessage, Content, SealedCodecOptions } from './sealed.ts';
import { SealedCodec } from './sealed.ts';
import { ZERO_DIGEST } from '../../core/types.ts';

/** How messages of a protocol with attested messages travel and what has to hold in them. */
export function wireOf<C extends Content>(
  options: SealedCodecOptions<C>,
): Pick<ProtocolDefinition<AttestedMessage<C>>, 'encode' | 'decode' | 'seals'> {
  /** By decode context: codecs are derived from it once. */
  const codecs = new WeakMap<DecodeContext, SealedCodec<C>>();
  const codecOf = (context: DecodeContext): SealedCodec<C> => {
    const known = codecs.get(context);
    if (known !== undefined) return known;
    const made = new SealedCodec(context, options);
    codecs.set(context, made);
    return made;
  };
  // Writing needs no digest, so it needs no cluster.
  const plain = new SealedCodec<C>({ hash: (bytes) => bytes, domain: NO_DOMAIN }, options);
  return {
    encode: (message) => plain.encode(message),
    decode: (bytes, context) => codecOf(context).decode(bytes),
    seals: (message) => plain.seals(message),
  };
}

const NO_DOMAIN = { clusterId: ZERO_DIGEST, configurationVersion: 0 };
