/**
 * The trusted component of a simulated replica: the real program (`trusted/programs/usig`) on a modelled footprint. It
 * outlives its replica, answers after a delay, and can be lost as a whole (then a new one, with a new tcEpoch and key,
 * takes its place).
 */
import { bytesToHex } from '../core/bytes.ts';
import type { TrustedRegistration } from '../core/config.ts';
import { Prng } from '../core/prng.ts';
import type { Digest, Hash, ReplicaId, TcEpoch } from '../core/types.ts';
import { bytesToDigest } from '../core/bytes.ts';
import type { ModelKeys } from '../crypto/fast-model.ts';
import { RECENT_DEPTH } from '../trusted/contract.ts';
import type { ProgramEnvironment, ProgramKey, TrustedProgram } from '../trusted/contract.ts';
import { createUsig } from '../trusted/programs/usig/program.ts';
import { tcIdOf } from '../trusted/statement.ts';

/** See the top of this file. */
export class SimTrusted {
  readonly #keys: ModelKeys;
  readonly #hash: Hash;
  readonly #owner: ReplicaId;
  readonly #random: Prng;
  #generation = 0;
  #records: Uint8Array[] = [];
  #key: ProgramKey;
  #program: TrustedProgram;
  /** Certificates that were asked for. */
  calls = 0;

  constructor(keys: ModelKeys, hash: Hash, owner: ReplicaId, random: Prng) {
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
      program: 'usig',
      footprint: 'process',
      measurement: measurementOf(this.#hash),
      suite: 'ed25519',
      tcId,
      tcEpoch,
      publicKey,
    };
  }

  /** Answers a TCS1 request. What it must keep is durable when it answers. */
  handle(request: Uint8Array): Uint8Array {
    this.calls += 1;
    return this.#program.handle(request);
  }

  /** Its process restarts: everything is read back from its own records. */
  restart(): void {
    this.#program = this.#start();
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
      key: this.#key,
      records: this.#records,
      persist: (record) => {
        this.#records.push(record);
        if (this.#records.length > 4 * RECENT_DEPTH) this.#records = this.#records.slice(-RECENT_DEPTH);
        return true;
      },
      replaceKey: () => {
        this.#records = [];
        this.#key = this.#newKey();
        return this.#key;
      },
    };
    return createUsig(environment);
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

function measurementOf(hash: Hash): Digest {
  return bytesToDigest(hash(new Uint8Array([1])));
}
