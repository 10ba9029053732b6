/**
 * Seals without cryptography: a book of everything that was ever sealed. A seal holds if the book has it, so nobody can
 * forge one, and what was altered after it was sealed has no entry. All seals look alike; only the book tells them apart.
 */
import type { ObjectAttestation } from '../../core/attestation.ts';
import { bytesToHex, equalBytes } from '../../core/bytes.ts';
import type { ClusterSettings } from '../../core/config.ts';
import type { ProtocolDefinition, Seal, SealVerdict, TrustedKey } from '../../core/protocol.ts';
import type { Bundle, RecoverRequest } from '../../core/request.ts';
import { recoverDigest } from '../../core/request.ts';
import type { CounterValue, Digest, Hash, ReplicaId, TcEpoch } from '../../core/types.ts';
import type { Domain } from '../../core/domain.ts';
import type { EvidenceCheck } from '../../crypto/seal-verifier.ts';
import { recoverEvidenceCheck } from '../../trusted/attestation/registration.ts';
import { fillBytes } from './fill.ts';
import type { CoreMessageFrame } from './frame.ts';

/** Bytes of every seal. */
export const SEAL_BYTES = fillBytes(64, 0x5e);

/** Whether the bytes of a seal are what this model makes. */
function looksRight(bytes: Uint8Array): boolean {
  return bytes === SEAL_BYTES || equalBytes(bytes, SEAL_BYTES);
}

/** Keys that one machine knows: by replica and tcEpoch, the first one stays. */
export class KeyRing {
  readonly #keys = new Map<string, TrustedKey>();

  trust(key: TrustedKey): void {
    const name = nameOf(key.replica, key.tcEpoch);
    if (!this.#keys.has(name)) this.#keys.set(name, key);
  }

  find(replica: ReplicaId, tcEpoch: TcEpoch): TrustedKey | undefined {
    return this.#keys.get(nameOf(replica, tcEpoch));
  }
}

function nameOf(replica: ReplicaId, tcEpoch: TcEpoch): string {
  return `${replica}/${tcEpoch}`;
}

/** Everything that the word of an object says. */
function assignedName(publicKey: string, digest: Digest, said: ObjectAttestation): string {
  const { object, form, previous, value, history = '', strict = false } = said;
  return `${publicKey}/${object}/${form}/${String(strict)}/${previous}/${value}/${digest}/${history}`;
}

function attestedName(publicKey: Uint8Array, bind: Uint8Array): string {
  return `${bytesToHex(publicKey)}/${bytesToHex(bind)}`;
}

/** What the book is made of. */
export interface SealBookOptions<M> {
  readonly definition: Pick<ProtocolDefinition<M>, 'seals'>;
  readonly hash: Hash;
  readonly domain: Domain;
  readonly settings: ClusterSettings;
  /** The components that genesis registers, by replica: everybody knows them. */
  readonly genesis: readonly TrustedKey[];
}

/** See the top of this file. */
export class SealBook<M extends object> {
  readonly #options: SealBookOptions<M>;
  /** By public key of a component, then by counter: what it certified. More than one only if there are two of it. */
  readonly #certified = new Map<string, (Digest | Digest[] | undefined)[]>();
  /** What objects of components said, with everything that it covers. */
  readonly #assigned = new Set<string>();
  readonly #hostSealed = new Set<string>();
  readonly #clientSealed = new Set<Digest>();
  /** By public key of a component: bind digests that it attested. */
  readonly #attested = new Set<string>();
  readonly #evidenceProblem: EvidenceCheck;
  /** Messages all of whose seals hold under keys that everybody knows. */
  readonly #genuine = new WeakSet<M>();

  constructor(options: SealBookOptions<M>) {
    this.#options = options;
    const { settings, hash } = options;
    this.#evidenceProblem = recoverEvidenceCheck(settings, {
      hash,
      verifyEd25519: (key, bind, seal) => looksRight(seal) && this.#attested.has(attestedName(key, bind)),
    });
  }

  /** A component attests its key: the 32 bytes of a bind digest. */
  attest(publicKey: string, bind: Digest): void {
    this.#attested.add(`${publicKey}/${bind}`);
  }

  /** A component certifies a digest. */
  certify(publicKey: string, counter: CounterValue, digest: Digest): void {
    let values = this.#certified.get(publicKey);
    if (values === undefined) this.#certified.set(publicKey, (values = []));
    const known = values[counter];
    if (known === undefined) values[counter] = digest;
    else if (typeof known === 'string') values[counter] = [known, digest];
    else known.push(digest);
  }

  /** An object of a component gives its word. */
  assign(publicKey: string, digest: Digest, said: ObjectAttestation): void {
    this.#assigned.add(assignedName(publicKey, digest, said));
  }

  /** A host signs a digest. */
  signAsHost(replica: ReplicaId, digest: Digest): Uint8Array {
    this.#hostSealed.add(`${replica}/${digest}`);
    return SEAL_BYTES;
  }

  /** A client signs a bundle. */
  signAsClient(digest: Digest): void {
    this.#clientSealed.add(digest);
  }

  /** Judges all seals of a message; once for all receivers if they hold under keys of genesis. */
  judge(frame: CoreMessageFrame<M>, ring: KeyRing): SealVerdict {
    if (frame.isGenuine) return 'valid';
    const { message } = frame;
    // Shown again by itself: on lossy links every other message is.
    if (this.#genuine.has(message)) {
      frame.isGenuine = true;
      return 'valid';
    }
    const seals = this.#options.definition.seals(message);
    const verdict = this.judgeAll(seals, ring);
    const isOfGenesis = (seal: Seal): boolean =>
      seal.kind !== 'counter' || this.#isOfGenesis(seal.ui.replica, seal.ui.tcEpoch);
    if (verdict !== 'valid' || !seals.every(isOfGenesis)) return verdict;
    frame.isGenuine = true;
    if (seals.length > 0) this.#genuine.add(message);
    return verdict;
  }

  /** Judges several seals: one that is invalid spoils all, and so does, less so, an unknown key. */
  judgeAll(seals: readonly Seal[], ring: KeyRing): SealVerdict {
    let verdict: SealVerdict = 'valid';
    for (const seal of seals) {
      const one = this.#judgeSeal(seal, ring);
      if (one === 'invalid') return 'invalid';
      if (one === 'unknownKey') verdict = 'unknownKey';
    }
    return verdict;
  }

  #isOfGenesis(replica: ReplicaId, tcEpoch: TcEpoch): boolean {
    return this.#options.genesis[replica]?.tcEpoch === tcEpoch;
  }

  #judgeSeal(seal: Seal, ring: KeyRing): SealVerdict {
    if (seal.kind === 'evidence')
      return this.#evidenceProblem(seal.request) === undefined ? 'valid' : 'invalid';
    if (seal.kind === 'client')
      return this.#clientSealed.has(seal.digest) && looksRight(seal.signature) ? 'valid' : 'invalid';
    if (seal.kind === 'host')
      return this.#hostSealed.has(`${seal.replica}/${seal.digest}`) && looksRight(seal.signature)
        ? 'valid'
        : 'invalid';
    if (seal.kind === 'object') return this.#isAssigned(seal.attestation, seal.digest) ? 'valid' : 'invalid';
    const { ui, digest } = seal;
    const ofGenesis = this.#options.genesis[ui.replica];
    if (ofGenesis === undefined) return 'invalid';
    const key = ofGenesis.tcEpoch === ui.tcEpoch ? ofGenesis : ring.find(ui.replica, ui.tcEpoch);
    if (key === undefined) return 'unknownKey';
    return looksRight(ui.authenticator) && this.#isCertified(key.publicKey, ui.counter, digest)
      ? 'valid'
      : 'invalid';
  }

  /** Only components that genesis registers speak by objects. */
  #isAssigned(said: ObjectAttestation, digest: Digest): boolean {
    const key = this.#options.genesis[said.replica];
    if (key === undefined || key.tcEpoch !== said.tcEpoch || !looksRight(said.authenticator)) return false;
    return this.#assigned.has(assignedName(key.publicKey, digest, said));
  }

  #isCertified(publicKey: string, counter: CounterValue, digest: Digest): boolean {
    const known = this.#certified.get(publicKey)?.[counter];
    return known === digest || (typeof known === 'object' && known.includes(digest));
  }

  /** Whether a client sealed this bundle; its digest must be the one of its bytes. */
  isAuthentic(bundle: Bundle): boolean {
    return this.#clientSealed.has(bundle.digest) && looksRight(bundle.signature);
  }

  /** Whether the host of a replica sealed this request, and the component attested for it. */
  isAuthenticRecover(request: RecoverRequest): boolean {
    const { hash, domain, genesis } = this.#options;
    if (request.replica >= genesis.length || !looksRight(request.signature)) return false;
    if (!this.#hostSealed.has(`${request.replica}/${recoverDigest(hash, domain, request)}`)) return false;
    return this.#evidenceProblem(request) === undefined;
  }
}
