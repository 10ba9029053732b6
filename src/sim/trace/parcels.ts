/** How long the frames of both fidelities are, and what they say. */
import { decodeClientFrame } from '../../core/client-wire.ts';
import type { DecodeContext, ProtocolDefinition } from '../../core/protocol.ts';
import { decodeBatch, decodeBundle } from '../../core/request.ts';
import { decodeLinkFrame } from '../../host/link-frames.ts';
import { labelOfMessage } from '../../host/message-label.ts';
import type { CoreFrame } from '../core/frame.ts';
import type { Parcel, SeenExchange } from '../listener.ts';
import { ledgerWords, readableBatch, readableBundle, registerWords } from './readable.ts';

/** Kind of the frame and length of what it holds: what a link puts before a message. */
const HEAD_BYTES = 5;
/** A digest and the kind of the frame that asks for it. */
const FETCH_BYTES = 33;

/** Reads the frames of one world. `F`: what travels over its links. */
export interface ParcelReader<F> {
  /** Between replicas. */
  parcel(frame: F): Parcel;
  /** From a client. */
  exchange(frame: F): SeenExchange;
}

/** Of the whole fidelity. */
export function readerOfBytes<M>(
  definition: ProtocolDefinition<M>,
  context: DecodeContext,
): ParcelReader<Uint8Array> {
  const { hash, domain, settings } = context;
  const bundleOf = (bytes: Uint8Array): object => {
    const bundle = decodeBundle(hash, domain, bytes);
    return bundle === undefined ? { garbage: bytes } : readableBundle(bundle, ledgerWords);
  };
  const contentOf = (bytes: Uint8Array): object => {
    const frame = decodeLinkFrame(bytes);
    if (frame === undefined) return { garbage: bytes };
    if (frame.kind === 'protocol')
      return (definition.decode(frame.bytes, context) as object | undefined) ?? { garbage: frame.bytes };
    if (frame.kind === 'bundle') return bundleOf(frame.bytes);
    if (frame.kind !== 'body') return frame;
    const batch = decodeBatch(hash, domain, frame.bytes, settings.limits.batchRequestsMax);
    return batch === undefined ? { garbage: frame.bytes } : readableBatch(batch, ledgerWords);
  };
  return {
    parcel: (bytes) => ({ bytes: bytes.length, content: contentOf(bytes) }),
    exchange: (bytes) => {
      const frame = decodeClientFrame(bytes);
      const { length } = bytes;
      if (frame === undefined) return { kind: 'garbage', bytes: length, content: { garbage: bytes } };
      if (frame.kind === 'bundle') return { kind: 'REQUEST', bytes: length, content: bundleOf(frame.bytes) };
      return { kind: frame.kind, bytes: length, content: frame };
    },
  };
}

/** Of the core fidelity; lengths are those that the frames would have on links. */
export function readerOfObjects<M extends object>(
  definition: Pick<ProtocolDefinition<M>, 'encode'>,
): ParcelReader<CoreFrame<M>> {
  const known = new WeakMap<object, Parcel>();
  const once = (what: object, make: () => Parcel): Parcel => {
    const parcel = known.get(what) ?? make();
    known.set(what, parcel);
    return parcel;
  };
  const parcel = (frame: CoreFrame<M>): Parcel => {
    switch (frame.kind) {
      case 'protocol': {
        const { message } = frame;
        return once(message, () => ({
          bytes: HEAD_BYTES + definition.encode(message).length,
          content: message,
        }));
      }
      case 'body': {
        const { batch } = frame;
        const { length } = batch.bytes;
        return once(batch, () => ({
          bytes: HEAD_BYTES + length,
          content: readableBatch(batch, registerWords),
        }));
      }
      case 'bundle': {
        const { bundle } = frame;
        const { length } = bundle.bytes;
        return once(bundle, () => ({
          bytes: HEAD_BYTES + length,
          content: readableBundle(bundle, registerWords),
        }));
      }
      case 'fetchBody':
        return { bytes: FETCH_BYTES, content: { digest: frame.digest } };
    }
  };
  return {
    parcel,
    exchange: (frame) => {
      if (frame.kind !== 'protocol') return { kind: 'REQUEST', ...parcel(frame) };
      const { kind, view, sequence } = labelOfMessage(frame.message);
      return {
        kind,
        ...(view === undefined ? {} : { view }),
        ...(sequence === undefined ? {} : { sequence }),
        ...parcel(frame),
      };
    },
  };
}
