/**
 * When answers are believed, for the protocol of a cluster: its client rules with everything that they need to know, or
 * the rule of all others, f+1 equal final answers. Pure.
 */
import type { ClusterSettings } from '../core/config.ts';
import type { Lack } from '../core/live.ts';
import type { ClientRules, Seal, Standing } from '../core/protocol.ts';
import type { Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import type { SealVerifier } from '../crypto/port.ts';

/** An answer's proof together with who gave it. */
export interface SignedProof {
  readonly replica: ReplicaId;
  readonly proof: Uint8Array;
}

/** Rules of one cluster. */
export interface AnswerRules {
  /** Equal answers of distinct replicas that complete a request; undefined: this standing never does. */
  needed(standing: Standing): number | undefined;
  /** Equal speculative answers that make a certificate; undefined: there are none. */
  readonly certificateNeeded: number | undefined;
  /** Bytes of a certificate out of so many proofs; undefined if the protocol has none. */
  makeCertificate(proofs: readonly SignedProof[]): Uint8Array | undefined;
  /**
   * What must be equal in answers that count together; undefined: this one does not count, because its proof says
   * nothing or a seal in it does not hold.
   */
  readProof(proof: Uint8Array, replica: ReplicaId, standing: Standing): string | undefined;
  /**
   * Whether N equal answers to a read are linearizable (decision C6): only where no request completes before a correct
   * replica holds it as final. With speculation the latest state may be undone, and the confirmed one may lack a
   * completed write.
   */
  readonly fastReads: boolean;
}

/** What rules are made of. */
export interface AnswerRulesOptions {
  readonly settings: ClusterSettings;
  readonly hash: Hash;
  readonly verifier: SealVerifier;
  /** Of the protocol; undefined: f+1 equal final answers. */
  readonly rules: ClientRules | undefined;
}

/** How answers are counted where a protocol has no rules of its own: f+1 equal final ones. */
export function plainCounting(f: number): Pick<AnswerRules, 'needed' | 'certificateNeeded'> {
  return { needed: (standing) => (standing === 'final' ? f + 1 : undefined), certificateNeeded: undefined };
}

/**
 * Whose answers a request lacks, for people. `needs`: the fewest that bring it on, or one more than there are if those
 * say different things.
 */
export function answersLacking(
  { sentMs, answered: has }: { readonly sentMs: Milliseconds; readonly answered: readonly ReplicaId[] },
  { needed, certificateNeeded }: Pick<AnswerRules, 'needed' | 'certificateNeeded'>,
  replicas: number,
  now: Milliseconds,
): Lack {
  const all = Array.from({ length: replicas }, (_, id) => id);
  const fewest = certificateNeeded ?? needed('final') ?? replicas;
  return {
    what: 'answers',
    needs: Math.min(replicas, Math.max(fewest, has.length + 1)),
    has: all.filter((id) => has.includes(id)),
    lacks: all.filter((id) => !has.includes(id)),
    forMs: Math.max(0, now - sentMs),
  };
}

/** Whether a seal can be checked by a client: it has no key of the HMAC suite, replicas check those. */
function isCheckable(seal: Seal, { suite }: ClusterSettings): boolean {
  return suite === 'ed25519' || (seal.kind !== 'counter' && seal.kind !== 'object');
}

/** See the top of this file. */
export function createAnswerRules({ settings, hash, verifier, rules }: AnswerRulesOptions): AnswerRules {
  const { f, clusterId, configurationVersion } = settings;
  const n = settings.members.length;
  const context = { settings, hash, domain: { clusterId, configurationVersion } };
  const needed = (standing: Standing): number | undefined =>
    rules === undefined ? plainCounting(f).needed(standing) : rules.needed(standing, n, f);
  return {
    needed,
    certificateNeeded: rules?.certificate?.needed(n, f),
    makeCertificate: (proofs) => rules?.certificate?.make(proofs),
    readProof: (proof, replica, standing) => {
      if (rules?.readProof === undefined) return proof.length === 0 ? '' : undefined;
      const read = rules.readProof(proof, replica, context, standing);
      if (read === undefined) return undefined;
      const seals = read.seals.filter((seal) => isCheckable(seal, settings));
      return seals.length === 0 || verifier.verifyMany(seals) === 'valid' ? read.key : undefined;
    },
    fastReads: needed('speculative') === undefined && needed('committed') === undefined,
  };
}
