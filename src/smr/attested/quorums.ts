/** What a list of messages amounts to before anybody reads what they say: whose they are, and who vouches for them. */
import type { ReplicaId } from '../../core/types.ts';
import type { Content, Sealed } from './sealed.ts';

/** Something that one replica said. */
interface Authored {
  readonly author: ReplicaId;
}

/** Whether no replica has a say twice. */
export function areDistinct(messages: readonly Authored[]): boolean {
  return new Set(messages.map(({ author }) => author)).size === messages.length;
}

/** Whether at least `quorum` replicas have a say, none of them twice. */
export function isQuorum(quorum: number, messages: readonly Authored[]): boolean {
  return messages.length >= quorum && areDistinct(messages);
}

/** Whether the host key of its author vouches for a message; the signature itself was checked before. */
export function isSigned({ attestation }: Pick<Sealed<Content>, 'attestation'>): boolean {
  return attestation.kind === 'host';
}
