/**
 * A USIG made of a TPM alone: certificate k extends an NV index by the message and has the TPM attest the content. Two
 * messages can not both follow one content, and what is left out breaks the chain. A receiver keeps the last content of
 * each sender; what it accepts here is as good as a certificate of counter value k, but no TCS1 statement.
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import { domainTag } from '../../core/domain.ts';
import type { CounterValue, Digest, Hash } from '../../core/types.ts';
import type { AttestationCrypto } from './format.ts';
import { attestationKeyOf, decodeTpmAttest, isOneWayIndex, nvNameOf } from './tpm-attest.ts';
import type { SignedAttest } from './tpm-quote.ts';

/** Whose chain it is: pinned at registration. */
export interface ChainIdentity {
  /** Public area of the attestation key. */
  readonly keyArea: Uint8Array;
  /** Public area of the EXTEND index. */
  readonly indexArea: Uint8Array;
}

/** Where a chain stands for a receiver. */
export interface ChainState {
  readonly value: CounterValue;
  /** Content of the index, 32 bytes. */
  readonly content: Uint8Array;
}

/** Before the first certificate. */
export const CHAIN_START: ChainState = { value: 0, content: new Uint8Array(32) };

/** What the index is extended by for the certificate of a digest. */
export function chainData(hash: Hash, value: CounterValue, digest: Digest): Uint8Array {
  return new Uint8Array(
    hash(new Writer(128).ascii(domainTag('tpm', 'EXTEND')).u64(value).digest(digest).finish()),
  );
}

/** Content of an EXTEND index after it was extended by `data`. */
export function extended(hash: Hash, content: Uint8Array, data: Uint8Array): Uint8Array {
  return new Uint8Array(hash(new Writer(64).raw(content).raw(data).finish()));
}

/** Authenticator of a certificate. */
export function encodeChainAuthenticator({ attest, signature }: SignedAttest): Uint8Array {
  return new Writer(256).bytes(attest).raw(signature).finish();
}

/** What is wrong with an identity, in words; undefined if chains of it can be trusted as far as the TPM can. */
export function chainIdentityProblem({ keyArea, indexArea }: ChainIdentity): string | undefined {
  const key = attestationKeyOf(keyArea);
  if (typeof key === 'string') return `the attestation key is ${key}`;
  return isOneWayIndex(indexArea, 'extend')
    ? undefined
    : 'the index is not an EXTEND index that nobody can remove: made again, it would start from zero';
}

/**
 * The state after a certificate of `digest` that follows `state`, or what is wrong with it in words. A certificate that
 * was accepted means: this sender can show no other message with this value to anybody.
 */
export function followChain(
  crypto: AttestationCrypto,
  identity: ChainIdentity,
  state: ChainState,
  certificate: { readonly digest: Digest; readonly authenticator: Uint8Array },
): ChainState | string {
  const signed = decodeWhole(certificate.authenticator, (reader) => {
    const attest = new Uint8Array(reader.bytes(1024));
    return { attest, signature: new Uint8Array(reader.raw(64)) };
  });
  const key = attestationKeyOf(identity.keyArea);
  if (signed === undefined || typeof key === 'string') return 'no authenticator of a chain';
  if (!(crypto.verifyP256?.(key.publicKey, signed.attest, signed.signature) ?? false))
    return 'the signature of the attestation key does not verify';
  const content = decodeTpmAttest(signed.attest)?.content;
  if (content?.kind !== 'nv' || content.offset !== 0) return 'the TPM attests something else than an NV index';
  if (!equalBytes(content.name, nvNameOf(crypto.hash, identity.indexArea))) return 'it is about another index';
  const value = state.value + 1;
  const next = extended(crypto.hash, state.content, chainData(crypto.hash, value, certificate.digest));
  if (!equalBytes(content.bytes, next)) return `the content is not what follows certificate ${state.value} by this message`;
  return { value, content: next };
}
