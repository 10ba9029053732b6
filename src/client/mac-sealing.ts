/**
 * How a client makes bundles where requests have MACs (decision C3, docs/decisions/0021): it asks the replicas for its key
 * once, believes f+1 equal answers, keeps the key in memory and tags each request with it.
 */
import { randomBytes } from 'node:crypto';
import { openClientKey } from '../crypto/key-envelope.ts';
import { portableX25519PublicKey } from '../crypto/portable.ts';
import type { Signer } from '../crypto/port.ts';
import { hmacOver, keyQueryDigest, requestTag } from '../crypto/request-mac.ts';
import { bytesToHex } from '../core/bytes.ts';
import type { Domain } from '../core/domain.ts';
import { macBundle } from '../core/request.ts';
import type { Bundle, BundleContent } from '../core/request.ts';
import type { Digest, Hash, Milliseconds } from '../core/types.ts';
import { ClientError } from './errors.ts';
import type { KeyAnswer, ReplicaChannels } from './replica-channels.ts';

/** How long replicas may take to answer. */
const ANSWER_MS: Milliseconds = 2_000;
/** Questions of one attempt: the first may be about a version that counts no more. */
const ROUNDS_MAX = 3;

/** Makes bundles of what a session has to send. */
export interface Sealing {
  readonly isReady: boolean;
  /** Resolves when bundles can be made; fails with a `ClientError` if that is not to be had now. */
  ready(): Promise<void>;
  seal(content: BundleContent): Bundle;
  /** What it seals with counts no more. */
  forget(): void;
}

/** What it is made of. */
export interface MacSealingOptions {
  readonly hash: Hash;
  readonly domain: Domain;
  readonly signer: Signer;
  readonly clientId: Digest;
  /** f+1. */
  readonly quorum: number;
  readonly channels: () => Pick<ReplicaChannels, 'askKey' | 'count'>;
}

/** See the top of this file. */
export class MacSealing implements Sealing {
  readonly #options: MacSealingOptions;
  readonly #hmac: ReturnType<typeof hmacOver>;
  #key: Uint8Array | undefined;
  #version = 1;
  #asking: Promise<void> | undefined;

  constructor(options: MacSealingOptions) {
    this.#options = options;
    this.#hmac = hmacOver(options.hash);
  }

  get isReady(): boolean {
    return this.#key !== undefined;
  }

  ready(): Promise<void> {
    if (this.isReady) return Promise.resolve();
    return (this.#asking ??= this.#fetch().finally(() => (this.#asking = undefined)));
  }

  forget(): void {
    this.#key = undefined;
  }

  seal(content: BundleContent): Bundle {
    const key = this.#key;
    if (key === undefined)
      throw new ClientError('unavailable', 'the key for MACs of requests is not there yet');
    const { hash, domain } = this.#options;
    return macBundle(hash, domain, content, this.#version, (digest) => requestTag(this.#hmac, key, digest));
  }

  async #fetch(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const asked = this.#version;
      this.#key = await this.#ask();
      // With a key, or without one although the version was the right one.
      if (this.#key !== undefined || this.#version === asked) break;
    }
    if (this.#key !== undefined) return;
    throw new ClientError(
      'unavailable',
      `requests of this cluster have MACs, and no ${this.#options.quorum} replicas gave the same key for them: ` +
        'is the client registered, and are their trusted components of one group?',
      { retryAfterMs: 1_000 },
    );
  }

  /** The key of the version in force; undefined, and perhaps another version, if there are not enough equal answers. */
  async #ask(): Promise<Uint8Array | undefined> {
    const { hash, domain, signer, channels, quorum } = this.#options;
    const secret = new Uint8Array(randomBytes(32));
    const version = this.#version;
    const agreementKey = portableX25519PublicKey(secret);
    const signature = signer.sign(keyQueryDigest(hash, domain, { version, agreementKey }));
    const votes = new Map<string, { readonly key: Uint8Array; count: number }>();
    const versions = new Map<number, number>();
    return new Promise((resolve) => {
      const links = channels();
      let open = links.count;
      const take = (answer: KeyAnswer | undefined): void => {
        open -= 1;
        const key = this.#vote(answer, secret, version, votes, versions);
        if (key !== undefined) resolve(key);
        else if (open === 0 || this.#version !== version) resolve(undefined);
      };
      for (let replica = 0; replica < links.count; replica += 1)
        void links.askKey(replica, { version, agreementKey, signature }, ANSWER_MS).then(take);
      if (links.count < quorum) resolve(undefined);
    });
  }

  #vote(
    answer: KeyAnswer | undefined,
    secret: Uint8Array,
    asked: number,
    votes: Map<string, { readonly key: Uint8Array; count: number }>,
    versions: Map<number, number>,
  ): Uint8Array | undefined {
    const { clientId, quorum } = this.#options;
    if (answer === undefined) return undefined;
    if (answer.version !== asked) {
      const count = (versions.get(answer.version) ?? 0) + 1;
      versions.set(answer.version, count);
      // f+1 say so, and 0 is none.
      if (count >= quorum && answer.version > 0) this.#version = answer.version;
      return undefined;
    }
    const key = openClientKey(this.#hmac, secret, clientId, asked, answer.envelope);
    if (key === undefined) return undefined;
    const vote = votes.get(bytesToHex(key)) ?? { key, count: 0 };
    votes.set(bytesToHex(key), vote);
    vote.count += 1;
    return vote.count >= quorum ? key : undefined;
  }
}
