/** Bytes that are no request, for any program: they are refused in the same words and change nothing. */
import { assert } from '../../core/assert.ts';
import type { Prng } from '../../core/prng.ts';
import type { TrustedRequest } from '../contract.ts';
import { decodeTrustedRequest, decodeTrustedResponse, encodeTrustedRequest, REQUEST_BYTES_MAX } from '../frames.ts';
import type { NamedCheck } from './harness.ts';
import { identify, randomBytes } from './harness.ts';

const CHANGES = 12;
const RANDOM_FRAMES = 60;

/** Frames that are near to the templates, most of which are none. */
function garbageOf(prng: Prng, templates: readonly TrustedRequest[]): Uint8Array[] {
  const frames: Uint8Array[] = [new Uint8Array(0), new Uint8Array(REQUEST_BYTES_MAX)];
  for (const template of templates) {
    const bytes = encodeTrustedRequest(template);
    for (let length = 1; length < bytes.length; length += 1) frames.push(bytes.slice(0, length));
    frames.push(Uint8Array.from([...bytes, 0]));
    for (let change = 0; change < CHANGES; change += 1)
      frames.push(bytes.with(prng.between(0, Math.min(5, bytes.length - 1)), prng.u32() & 255));
  }
  for (let frame = 0; frame < RANDOM_FRAMES; frame += 1)
    frames.push(randomBytes(prng, prng.between(1, 200)));
  return frames;
}

/** A check with frames made from these requests of the program. */
export function garbageCheck(templates: readonly TrustedRequest[]): NamedCheck {
  return {
    name: 'attack: garbage, requests cut at every byte',
    *run({ prng }) {
      const before = yield* identify();
      const frames = garbageOf(prng, templates).filter((bytes) => decodeTrustedRequest(bytes) === undefined);
      const answers = yield { kind: 'call', requests: frames };
      for (const bytes of answers) {
        const answer = decodeTrustedResponse(bytes);
        assert(answer?.op === 'error' && answer.code === 'BAD_REQUEST', 'garbage is refused');
      }
      const bodies = Array.from({ length: RANDOM_FRAMES }, () => {
        // Of such a length no body of any program is accepted by chance.
        const body = randomBytes(prng, prng.between(50, 100));
        return encodeTrustedRequest({ op: 'extension', code: prng.between(0, 255), body });
      });
      for (const bytes of yield { kind: 'call', requests: bodies })
        assert(decodeTrustedResponse(bytes)?.op === 'error', 'a body by chance is refused');
      const after = yield* identify();
      assert(after.counter === before.counter && after.tcEpoch === before.tcEpoch, 'garbage changed something');
    },
  };
}
