/**
 * How the fallback orders histories: as requests that name them. Nobody signs such a request, for the history speaks for
 * itself; a batch that holds one besides requests of clients is authentic to nobody.
 */
import { bytesToHex, digestToBytes } from '../../core/bytes.ts';
import type { DecodeContext } from '../../core/protocol.ts';
import type { Batch, Bundle } from '../../core/request.ts';
import { decodeBundle, encodeBundle } from '../../core/request.ts';
import type { Digest } from '../../core/types.ts';

const NOBODY = new Uint8Array(32);
const NO_SIGNATURE = new Uint8Array(64);

/** The request that names a history. */
export function namingBundle({ hash, domain }: DecodeContext, history: Digest): Bundle {
  const requests = [{ number: 1, operation: digestToBytes(history) }];
  const bytes = encodeBundle({ clientKey: NOBODY, session: 0, requests }, NO_SIGNATURE);
  return decodeBundle(hash, domain, bytes)!;
}

/** The histories that a batch names, in order; undefined for any other batch. */
export function namedBy(batch: Batch): readonly Digest[] | undefined {
  const isNaming = ({ clientKey }: Bundle): boolean => clientKey.every((byte) => byte === 0);
  if (batch.bundles.length === 0 || !batch.bundles.every(isNaming)) return undefined;
  return batch.bundles.flatMap(({ requests }) =>
    requests.map(({ operation }) => bytesToHex(operation) as Digest),
  );
}
