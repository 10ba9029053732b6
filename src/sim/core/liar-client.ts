/**
 * Byzantine clients of the core fidelity. They use their own key as they like: what they sign counts as sent, and correct
 * clients must not suffer.
 */
import type { Prng } from '../../core/prng.ts';
import type { ClientRules } from '../../core/protocol.ts';
import type { Bundle, Request } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type { EventQueue } from '../event-queue.ts';
import type { CoreLiarPlan } from '../family/plan.ts';
import { sealedBundle } from './client.ts';
import { fillBytes } from './fill.ts';
import type { CoreReply } from './frame.ts';
import { encodeOperation, OPERATION, REGISTERS } from './operations.ts';
import { transactionName } from './service.ts';

/** A seal that does not hold. */
const BAD_SEAL = fillBytes(64, 0x0b);
/** How often a bundle is sent in all. */
const REPEATS = 3;

/** What a Byzantine client is made of. */
export interface CoreLiarClientOptions {
  /** Above those of the correct clients. */
  readonly index: number;
  readonly plan: CoreLiarPlan;
  readonly n: number;
  readonly rules: ClientRules | undefined;
  readonly random: Prng;
  readonly queue: EventQueue;
  readonly send: (to: ReplicaId, bundle: Bundle) => void;
  readonly sendMessage: (to: ReplicaId, bytes: Uint8Array) => void;
  readonly sign: (bundle: Bundle) => void;
  readonly onIssued: (txId: Digest, operation: Uint8Array) => void;
}

/** See the top of this file. */
export class CoreLiarClient {
  readonly #options: CoreLiarClientOptions;
  #number = 1;
  /** By replica: what its last speculative answer proves. */
  readonly #proofs = new Map<ReplicaId, Uint8Array>();

  constructor(options: CoreLiarClientOptions) {
    this.#options = options;
  }

  /** Begins to lie. */
  start(): void {
    const { plan, queue } = this.#options;
    for (let count = 0; count < plan.bundles; count += 1) queue.after(plan.paceMs * count, () => this.#act());
  }

  #act(): void {
    const { plan, n, random } = this.#options;
    const number = this.#number;
    this.#number += 1;
    const all = Array.from({ length: n }, (_, id) => id);
    const some = all.filter(() => random.chance(0.5));
    switch (plan.lie) {
      case 'partial':
        return this.#repeat(some, this.#bundle(number));
      case 'double': {
        this.#repeat(some, this.#bundle(number));
        return this.#repeat(
          random.chance(0.5) ? all : all.filter((id) => !some.includes(id)),
          this.#bundle(number),
        );
      }
      case 'bad-seal': {
        const good = this.#bundle(number);
        this.#repeat(
          all.filter((id) => !some.includes(id)),
          good,
        );
        return this.#repeat(some, sealedBundle(this.#options.index, good.requests, BAD_SEAL));
      }
      case 'bad-certificate':
        return this.#repeat(all, this.#bundle(number));
    }
  }

  #bundle(number: number): Bundle {
    const { random, index, sign, onIssued } = this.#options;
    const operation = encodeOperation(
      random.pick([OPERATION.write, OPERATION.add]),
      random.between(0, REGISTERS - 1),
      random.between(0, 0xffff),
    );
    const requests: Request[] = [{ number, operation }];
    const bundle = sealedBundle(index, requests);
    sign(bundle);
    onIssued(transactionName(bundle.digest, number), operation);
    return bundle;
  }

  #repeat(to: readonly ReplicaId[], bundle: Bundle): void {
    const { queue, random, send } = this.#options;
    for (let count = 0; count < REPEATS; count += 1)
      queue.after(count * 40 * random.unit(), () => {
        for (const replica of to) send(replica, bundle);
      });
  }

  /** A reply of a replica: what a certificate is made of, rightly or not. */
  onReply({ replica, standing, proof }: CoreReply): void {
    const { plan, rules, random, n, sendMessage } = this.#options;
    const certificate = rules?.certificate;
    if (plan.lie !== 'bad-certificate' || certificate === undefined || standing !== 'speculative') return;
    this.#proofs.set(replica, proof);
    if (!random.chance(0.5)) return;
    const proofs = [...this.#proofs].map(([from, known]) => ({ replica: from, proof: known }));
    // Too few, one twice, or one under another name.
    if (random.chance(0.3)) proofs.push(proofs[0]!);
    if (random.chance(0.3)) proofs[0] = { replica: random.between(0, n - 1), proof: proofs[0]!.proof };
    const bytes = certificate.make(proofs);
    if (random.chance(0.3) && bytes.length > 0) bytes[random.between(0, bytes.length - 1)]! ^= 1;
    for (let to = 0; to < n; to += 1) if (random.chance(0.5)) sendMessage(to, bytes);
  }
}
