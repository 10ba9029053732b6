/** Public entry `moiety/verify`: checks receipts anywhere, without a server, in a browser too. */
export { RECEIPT_LENGTH_MAX } from './receipt.ts';
export { parseTrust } from './trust.ts';
export type { Trust } from './trust.ts';
export { verifyReceipt } from './verify.ts';
export type { ReceiptFault, ReceiptVerdict, VerifierCrypto } from './verify.ts';
