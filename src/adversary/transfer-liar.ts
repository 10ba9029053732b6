/** Lies to replicas that fetch state and blocks, frame by frame: wrong, misplaced, outdated, too little, or nothing. */
import type { Prng } from '../core/prng.ts';
import type { Digest } from '../core/types.ts';
import { decodeLinkFrame, encodeLinkFrame } from '../host/link-frames.ts';
import type { LinkFrame } from '../host/link-frames.ts';

type Served = LinkFrame & { readonly kind: 'chunks' | 'node' | 'blocks' | 'headerSignature' };

/** Bytes with one changed at a random place. */
export function alteredBytes(random: Prng, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return new Uint8Array([1]);
  const copy = bytes.slice();
  const at = random.between(0, copy.length - 1);
  copy[at] = copy[at]! ^ (1 + random.between(0, 254));
  return copy;
}

function flipped(digest: Digest): Digest {
  return ((digest.startsWith('0') ? '1' : '0') + digest.slice(1)) as Digest;
}

function isServed(frame: LinkFrame): frame is Served {
  return ['chunks', 'node', 'blocks', 'headerSignature'].includes(frame.kind);
}

function lieChunks(random: Prng, frame: LinkFrame & { readonly kind: 'chunks' }): LinkFrame {
  const { sequence, chunks } = frame;
  const [first] = chunks;
  return random.pick<LinkFrame>([
    { ...frame, chunks: chunks.map(({ index, bytes }) => ({ index, bytes: alteredBytes(random, bytes) })) },
    { ...frame, chunks: chunks.map(({ index, bytes }) => ({ index: index + 1, bytes })) },
    { ...frame, sequence: sequence + random.pick([-1, 1]) * random.between(1, 4) },
    { ...frame, chunks: first === undefined ? [] : [first] },
    { ...frame, chunks: [] },
    { kind: 'gone', sequence },
  ]);
}

function lieNode(random: Prng, frame: LinkFrame & { readonly kind: 'node' }): LinkFrame {
  const { sequence, children } = frame;
  return random.pick<LinkFrame>([
    { ...frame, children: children.map((child, at) => (at === 0 ? flipped(child) : child)) },
    { ...frame, children: children.slice(0, -1) },
    { ...frame, children: children.toReversed() },
    { ...frame, index: frame.index + 1 },
    { ...frame, level: frame.level + 1 },
    { kind: 'gone', sequence },
  ]);
}

function lieBlocks(random: Prng, frame: LinkFrame & { readonly kind: 'blocks' }): LinkFrame {
  const { from, blocks } = frame;
  return random.pick<LinkFrame>([
    { ...frame, blocks: blocks.map((block) => alteredBytes(random, block)) },
    { ...frame, blocks: blocks.toReversed() },
    { ...frame, from: from + 1 },
    { ...frame, blocks: blocks.slice(0, 1) },
    { ...frame, blocks: [] },
  ]);
}

function lied(random: Prng, frame: Served): LinkFrame {
  switch (frame.kind) {
    case 'chunks':
      return lieChunks(random, frame);
    case 'node':
      return lieNode(random, frame);
    case 'blocks':
      return lieBlocks(random, frame);
    case 'headerSignature':
      return random.chance(0.5)
        ? { ...frame, headerHash: flipped(frame.headerHash) }
        : { ...frame, signature: alteredBytes(random, frame.signature) };
  }
}

/** What a peer is sent in place of a frame: half of what it fetches is a lie or does not come at all. */
export function lieInTransfer(random: Prng, frame: Uint8Array): Uint8Array | undefined {
  const decoded = decodeLinkFrame(frame);
  if (decoded === undefined || !isServed(decoded) || random.chance(0.5)) return frame;
  if (random.chance(0.1)) return undefined;
  const lie = lied(random, decoded);
  return 'sequence' in lie && lie.sequence < 0 ? undefined : encodeLinkFrame(lie);
}

/** Half of the chunks that it serves are wrong. */
export function spoilChunks(random: Prng, frame: Uint8Array): Uint8Array {
  const decoded = decodeLinkFrame(frame);
  if (decoded?.kind !== 'chunks' || random.chance(0.5)) return frame;
  const chunks = decoded.chunks.map(({ index, bytes }) => ({ index, bytes: alteredBytes(random, bytes) }));
  return encodeLinkFrame({ ...decoded, chunks });
}
