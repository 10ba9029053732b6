/** What a batch changed in the modelled service, as bytes: what an active replica sends and a passive one applies. */
import type { WireResult } from '../../core/client-wire.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import type { Digest, SequenceNumber, SessionId } from '../../core/types.ts';
import { REGISTERS } from './operations.ts';

/** Results of one update, at most. */
const RESULTS_MAX = 4096;

/** One executed request. */
export interface UpdatedResult {
  readonly session: SessionId;
  readonly result: WireResult;
}

/** Content of an update. */
export interface CoreUpdate {
  readonly sequence: SequenceNumber;
  /** The two lanes of the history before and after. */
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
  readonly height: number;
  readonly registers: readonly number[];
  readonly results: readonly UpdatedResult[];
}

/** Canonical bytes of an update. */
export function encodeUpdate(update: CoreUpdate): Uint8Array {
  const { sequence, before, after, height, registers, results } = update;
  const writer = new Writer(256).u64(sequence).u64(height);
  for (const lane of [...before, ...after, ...registers]) writer.u32(lane >>> 0);
  return writer
    .list(results, (w, { session, result }) =>
      w
        .u64(session)
        .u64(result.number)
        .ascii(result.txId)
        .u64(result.sequence)
        .u64(result.height)
        .bytes(result.result),
    )
    .finish();
}

/** The update, or undefined if the bytes are not one. */
export function decodeUpdate(bytes: Uint8Array): CoreUpdate | undefined {
  return decodeWhole(bytes, readUpdate);
}

function readUpdate(reader: Reader): CoreUpdate {
  const sequence = reader.u64();
  const height = reader.u64();
  const lane = (): number => reader.u32() | 0;
  const before = [lane(), lane()] as const;
  const after = [lane(), lane()] as const;
  const registers = Array.from({ length: REGISTERS }, () => reader.u32());
  const results = reader.list(RESULTS_MAX, (r): UpdatedResult => {
    const session = r.u64();
    const number = r.u64();
    const txId = r.ascii(128) as Digest;
    return { session, result: { number, txId, sequence: r.u64(), height: r.u64(), result: r.bytes(64) } };
  });
  return { sequence, before, after, height, registers, results };
}
