/** Updates of passive replicas, as targets of the fuzzer: of the ledger, and of the key-value store inside. */
import { decodeKvUpdate, encodeKvUpdate } from '../../src/apps/kv/changes.ts';
import { ZERO_DIGEST } from '../../src/core/types.ts';
import { decodeUpdate, encodeUpdate } from '../../src/ledger/update.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const service = encodeKvUpdate([
  ['a', bytes('value')],
  ['key', undefined],
]);
const clientKey = new Uint8Array(32).fill(7);
const requests = [
  { number: 1, operation: bytes('operation'), answer: bytes('answer') },
  { number: 4, operation: bytes('no operation'), answer: undefined },
];
const update = encodeUpdate({
  ...{ sequence: 9, time: 1_700_000_000_000, proposedInView: 2, service, headerHash: ZERO_DIGEST },
  bundles: [
    { clientKey, session: 0, requests: requests.slice(1) },
    { clientKey, session: 3, requests },
  ],
});

/** What they accept is what their encoder makes of it. */
export const updateTargets = [
  {
    name: 'update',
    seeds: [update],
    decode: (input: Uint8Array): Uint8Array | undefined => {
      const content = decodeUpdate(input);
      return content === undefined ? undefined : encodeUpdate(content);
    },
  },
  {
    name: 'key-value update',
    seeds: [service],
    decode: (input: Uint8Array): Uint8Array | undefined => {
      const slots = decodeKvUpdate(input);
      return slots === undefined ? undefined : encodeKvUpdate(slots);
    },
  },
];
