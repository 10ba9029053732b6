/**
 * Every body whose seals were looked at, by digest, for all machines of a run; and what others would make of the frames
 * of a Byzantine machine, which may have altered an object and left its digest as it was: no bytes can do that.
 */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import { decodeBatch, decodeBundle } from '../../core/request.ts';
import type { Batch } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';
import type { CoreFrame } from './frame.ts';
import type { CoreGenesis } from './genesis.ts';
import type { SealBook } from './seal-book.ts';

/** See the top of this file. */
export class BatchBook<M extends object> {
  readonly #definition: Pick<ProtocolDefinition<M>, 'encode' | 'decode'>;
  readonly #genesis: CoreGenesis;
  readonly #seals: SealBook<M>;
  readonly #batches = new Map<Digest, Batch>();
  /** What others would decode from the latest message of a Byzantine machine: often it goes to one after the other. */
  #latest: { readonly message: M; readonly frame: CoreFrame<M> | undefined } | undefined;

  constructor(
    definition: Pick<ProtocolDefinition<M>, 'encode' | 'decode'>,
    genesis: CoreGenesis,
    seals: SealBook<M>,
  ) {
    this.#definition = definition;
    this.#genesis = genesis;
    this.#seals = seals;
  }

  /** A correct machine made this batch. */
  put(batch: Batch): void {
    this.#batches.set(batch.digest, batch);
  }

  /** The batch of a stored body; undefined unless the bytes are exactly that. */
  stored(digest: Digest, bytes: Uint8Array): Batch | undefined {
    const batch = this.#batches.get(digest) ?? this.#check(bytes);
    return batch?.digest === digest ? batch : undefined;
  }

  /** Decodes a body and judges every seal in it, each by itself. */
  #check(bytes: Uint8Array): Batch | undefined {
    const { hash, domain, settings } = this.#genesis;
    const batch = decodeBatch(hash, domain, bytes, settings.limits.batchRequestsMax);
    if (batch === undefined) return undefined;
    const checked = {
      ...batch,
      bundleAuthentic: batch.bundles.map((bundle) => this.#seals.isAuthentic(bundle)),
      recoverAuthentic: batch.recovers.map((request) => this.#seals.isAuthenticRecover(request)),
    };
    this.#batches.set(checked.digest, checked);
    return checked;
  }

  /** The frame as its receivers would decode it; undefined if they would reject it. */
  asDecoded(frame: CoreFrame<M>): CoreFrame<M> | undefined {
    const { hash, domain } = this.#genesis;
    switch (frame.kind) {
      case 'protocol':
        return this.#messageAsDecoded(frame.message);
      case 'body': {
        const { digest, bytes } = frame.batch;
        const known = this.#batches.get(digest);
        const batch = known?.bytes === bytes ? known : this.#check(bytes);
        return batch === undefined ? undefined : { kind: 'body', batch };
      }
      case 'bundle': {
        const bundle = decodeBundle(hash, domain, frame.bundle.bytes);
        return bundle === undefined ? undefined : { kind: 'bundle', bundle };
      }
      case 'fetchBody':
        return frame;
    }
  }

  #messageAsDecoded(message: M): CoreFrame<M> | undefined {
    if (this.#latest?.message === message) return this.#latest.frame;
    const decoded = this.#definition.decode(this.#definition.encode(message), this.#genesis.decoding);
    const frame: CoreFrame<M> | undefined =
      decoded === undefined ? undefined : { kind: 'protocol', message: decoded, isGenuine: false };
    this.#latest = { message, frame };
    return frame;
  }
}
