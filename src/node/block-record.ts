/** One block as it stands in a block file: what an index needs to know of it, then its bytes. */
import { bytesToDigest, digestToBytes } from '../core/bytes.ts';
import type { Digest, Height } from '../core/types.ts';
import type { Block } from '../ledger/contract.ts';

/** Bytes before those of the block: height, header hash, number of the first transaction, count of transactions. */
export const BLOCK_HEAD_BYTES = 8 + 32 + 8 + 4;

/** Payload of the frame of a block, in parts. `firstNumber`: of its first transaction in the ledger. */
export function blockPayload(block: Block, firstNumber: number): Uint8Array[] {
  const head = Buffer.alloc(BLOCK_HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(block.header.height), 0);
  head.set(digestToBytes(block.headerHash), 8);
  head.writeBigUInt64BE(BigInt(firstNumber), 40);
  head.writeUInt32BE(block.transactions.length, 48);
  return [head, block.bytes];
}

function viewOf(head: Uint8Array): DataView {
  return new DataView(head.buffer, head.byteOffset, head.length);
}

/** Height that a payload's head names. */
export function heightIn(head: Uint8Array): Height {
  return Number(viewOf(head).getBigUint64(0));
}

/** Header hash that a payload's head names. */
export function headerHashIn(head: Uint8Array): Digest {
  return bytesToDigest(head.subarray(8, 40));
}

/** Number of the first transaction, and how many there are, as a payload's head says. */
export function numbersIn(head: Uint8Array): { readonly firstNumber: number; readonly transactions: number } {
  const view = viewOf(head);
  return { firstNumber: Number(view.getBigUint64(40)), transactions: view.getUint32(48) };
}
