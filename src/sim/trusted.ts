/**
 * The trusted component of a simulated replica: a real program (`trusted/programs/usig`, or a module that is given) on a
 * modelled footprint. It outlives its replica, answers after a delay, and can be lost as a whole (then a new one, with a
 * new tcEpoch and key, takes its place).
 */
import { assert } from '../core/assert.ts';
import { bytesToHex } from '../core/bytes.ts';
import type { TrustedRegistration } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Digest, Hash, ReplicaId, TcEpoch } from '../core/types.ts';
import { bytesToDigest } from '../core/bytes.ts';
import type { ModelKeys } from '../crypto/fast-model.ts';
import { RECENT_DEPTH } from '../trusted/contract.ts';
import type { ProgramEnvironment, ProgramKey, TrustedIdentity, TrustedProgram } from '../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest, encodeTrustedResponse } from '../trusted/frames.ts';
import { createUsig } from '../trusted/programs/usig/program.ts';
import { tcIdOf } from '../trusted/statement.ts';

/** What a component knows at one moment: enough to make a second one that nobody can tell from it. */
export interface TrustedMoment {
  readonly key: ProgramKey;
  readonly records: readonly Uint8Array[];
}

/** A trusted program that a simulated component runs. */
export interface SimProgram {
  readonly name: string;
  readonly start: (environment: ProgramEnvironment) => TrustedProgram;
}

const USIG: SimProgram = { name: 'usig', start: createUsig };

/** Answers that no working component gives. */
export const GARBAGE = ['noise', 'cut', 'counter', 'digest', 'epoch', 'seal', 'error', 'other'] as const;
export type Garbage = (typeof GARBAGE)[number];

/**
 * How a component treats its host. `stuck`: it takes requests and never answers them; `works` tells whether it does what
 * it was asked nevertheless.
 */
export type TrustedMood =
  | { readonly kind: 'fine' }
  | { readonly kind: 'slow'; readonly factor: number }
  | { readonly kind: 'stuck'; readonly works: boolean }
  | { readonly kind: 'garbage'; readonly what: Garbage; readonly share: number };

/** See the top of this file. */
export class SimTrusted {
  readonly #keys: ModelKeys;
  readonly #hash: Hash;
  readonly #owner: ReplicaId;
  readonly #random: Prng;
  readonly #what: SimProgram;
  #generation = 0;
  #records: Uint8Array[] = [];
  #key: ProgramKey;
  #program: TrustedProgram;
  #clientRoot: Uint8Array | undefined;
  /** Certificates that were asked for. */
  calls = 0;
  mood: TrustedMood = { kind: 'fine' };
  /** Whether it has given its host reason to stop (decision A6), or no host should run on it (decision A3). */
  isSuspect = false;

  /** `generation`: number of its first key among those of this replica. */
  constructor(
    keys: ModelKeys,
    hash: Hash,
    owner: ReplicaId,
    random: Prng,
    generation = 0,
    what: SimProgram = USIG,
  ) {
    this.#what = what;
    this.#generation = generation;
    this.#keys = keys;
    this.#hash = hash;
    this.#owner = owner;
    this.#random = random;
    this.#key = this.#newKey();
    this.#program = this.#start();
  }

  /** How it is registered in genesis; to be read before it is ever renewed. */
  registration(): TrustedRegistration {
    const { tcId, tcEpoch, publicKey } = this.#key;
    return {
      program: this.#what.name,
      footprint: 'process',
      measurement: measurementOf(this.#hash),
      suite: 'ed25519',
      tcId,
      tcEpoch,
      publicKey,
    };
  }

  /** From now on it belongs to a group that has keys of clients, whatever becomes of its own key. */
  join(clientRoot: Uint8Array): void {
    this.#clientRoot = clientRoot;
    this.restart();
  }

  /** Who it is now. */
  identity(): TrustedIdentity {
    const response = decodeTrustedResponse(this.#program.handle(encodeTrustedRequest({ op: 'identify' })));
    assert(response?.op === 'identify', 'a program says who it is');
    return response.identity;
  }

  /** Its proof that it holds its key, for this challenge. */
  attest(challenge: Digest): Uint8Array {
    const request = encodeTrustedRequest({ op: 'attest', challenge });
    const response = decodeTrustedResponse(this.#program.handle(request));
    assert(response?.op === 'attest', 'a program attests');
    return response.evidence;
  }

  /** Answers a TCS1 request. What it must keep is durable when it answers. */
  handle(request: Uint8Array): Uint8Array {
    this.calls += 1;
    const response = this.#program.handle(request);
    const image = this.#records.length > 4 * RECENT_DEPTH ? this.#program.image?.() : undefined;
    if (image !== undefined) this.#records = [image];
    return response;
  }

  /** By how much its answers take longer than they should. */
  get slowness(): number {
    return this.mood.kind === 'slow' ? this.mood.factor : 1;
  }

  /** What its host gets for a request, as its mood is; undefined: nothing. */
  serve(request: Uint8Array): Uint8Array | undefined {
    const { mood } = this;
    if (mood.kind === 'stuck') {
      if (mood.works) this.handle(request);
      return undefined;
    }
    const response = this.handle(request);
    if (mood.kind !== 'garbage' || !this.#random.chance(mood.share)) return response;
    this.isSuspect = true;
    return spoilResponse(response, mood.what, this.#random);
  }

  /** Its process restarts: everything is read back from its own records. */
  restart(): void {
    this.#program = this.#start();
  }

  /** What a snapshot of its memory would hold. */
  moment(): TrustedMoment {
    return { key: this.#key, records: [...this.#records] };
  }

  /**
   * Its folder is put back to an older state and its process starts on that. A fenced footprint (one whose tcEpoch hangs
   * on something that cannot be put back) notices: counter and key are lost, it comes up under a new tcEpoch. Without
   * the fence it goes on from the older counter.
   */
  putBack(moment: TrustedMoment, fenced: boolean): void {
    if (fenced) return this.lose();
    this.#key = moment.key;
    this.#records = [...moment.records];
    this.#program = this.#start();
  }

  /** Its folder is put back to what it was that many records ago; its footprint notices. */
  putBackBefore(count: number): void {
    this.putBack(this.momentBefore(count), true);
  }

  /** Its folder without the last `count` records, as an older copy of it would be. */
  momentBefore(count: number): TrustedMoment {
    const { key, records } = this.moment();
    return { key, records: records.slice(0, Math.max(0, records.length - count)) };
  }

  /**
   * A second component started from a copy of its folder. Fenced: the start gives it a tcEpoch and key of its own.
   * Otherwise, and always if the copy is one of its memory, nobody can tell the two apart.
   */
  clone(fenced: boolean): SimTrusted {
    const second = new SimTrusted(
      this.#keys,
      this.#hash,
      this.#owner,
      this.#random.fork(),
      this.#generation,
      this.#what,
    );
    this.#generation += 1000;
    if (this.#clientRoot !== undefined) second.join(this.#clientRoot);
    if (!fenced) second.putBack(this.moment(), false);
    return second;
  }

  /** The component is lost with all that it knew; another one takes its place. */
  lose(): void {
    this.#records = [];
    this.#key = this.#newKey();
    this.#program = this.#start();
  }

  #start(): TrustedProgram {
    const environment: ProgramEnvironment = {
      measurement: measurementOf(this.#hash),
      persistent: true,
      hash: this.#hash,
      ...(this.#clientRoot === undefined ? {} : { clientRoot: this.#clientRoot }),
      key: this.#key,
      records: this.#records,
      persist: (record) => {
        this.#records.push(record);
        // Whoever can say what the records amount to is asked for it once the record counts.
        if (this.#what !== USIG) return true;
        if (this.#records.length > 4 * RECENT_DEPTH) this.#records = this.#records.slice(-2 * RECENT_DEPTH);
        return true;
      },
      replaceKey: () => {
        this.#records = [];
        this.#key = this.#newKey();
        return this.#key;
      },
    };
    return this.#what.start(environment);
  }

  #newKey(): ProgramKey {
    const signer = this.#keys.signer(`trusted/${this.#owner}/${this.#generation}`);
    this.#generation += 1;
    const epoch = new Uint8Array(8);
    for (let index = 0; index < 8; index += 1) epoch[index] = this.#random.between(0, 255);
    const { publicKey } = signer;
    return {
      suite: 'ed25519',
      tcId: tcIdOf(this.#hash, { suite: 'ed25519', publicKey }),
      tcEpoch: bytesToHex(epoch) as TcEpoch,
      publicKey: bytesToHex(publicKey),
      authenticate: (bytes) => signer.signBytes(bytes),
    };
  }
}

/** An answer as a broken component might give it. */
function spoilResponse(bytes: Uint8Array, what: Garbage, random: Prng): Uint8Array {
  if (what === 'noise')
    return Uint8Array.from({ length: random.between(0, 80) }, () => random.between(0, 255));
  if (what === 'cut') return bytes.slice(0, random.between(0, bytes.length - 1));
  if (what === 'error')
    return encodeTrustedResponse({ op: 'error', code: 'STORAGE', message: 'cannot keep a record' });
  if (what === 'other') return encodeTrustedResponse({ op: 'verify', valid: true });
  const response = decodeTrustedResponse(bytes);
  if (response?.op !== 'certify') return bytes.slice(1);
  const flip = (hex: string): string => (hex.startsWith('0') ? '1' : '0') + hex.slice(1);
  const { previous, value, digest, tcEpoch, authenticator } = response;
  if (what === 'counter')
    return encodeTrustedResponse({ ...response, previous: previous + 1, value: value + 1 });
  if (what === 'digest') return encodeTrustedResponse({ ...response, digest: flip(digest) as Digest });
  if (what === 'epoch') return encodeTrustedResponse({ ...response, tcEpoch: flip(tcEpoch) as TcEpoch });
  const wrong = authenticator.slice();
  wrong[0] = (wrong[0] ?? 0) ^ 1;
  return encodeTrustedResponse({ ...response, authenticator: wrong });
}

function measurementOf(hash: Hash): Digest {
  return bytesToDigest(hash(new Uint8Array([1])));
}
