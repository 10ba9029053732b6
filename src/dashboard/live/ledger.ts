/** Blocks and transactions as the gateway gives them, checked; and receipts. */
import { parseTrust, verifyReceipt } from '../../ledger/index.ts';
import { bytesText } from './operations.ts';
import type { GatewayClient } from './gateway-client.ts';
import { fieldsOf, jsonOf, listOf, numberOf, textOf, wholeOf } from './shapes.ts';
import type { Fields } from './shapes.ts';
import type { LiveReplica } from './status-shape.ts';
import { keyText } from './address.ts';

/** A transaction for people. */
export interface TransactionView {
  readonly txId: string;
  readonly index: number;
  readonly organisation: string;
  readonly client: string;
  readonly session: number;
  readonly number: number;
  /** `put`, `delete`, `cas`, … */
  readonly op: string;
  /** Percent-encoded key, if the operation has one. */
  readonly key?: string;
  /** Value that was written. */
  readonly value?: string;
  /** Value that a swap expected; null: that there is none. */
  readonly expected?: string | null;
  /** Outcome in a word. */
  readonly result: string;
}

/** A block for people. */
export interface BlockView {
  readonly height: number;
  readonly sequence: number;
  readonly headerHash: string;
  readonly previous: string;
  readonly transactionsRoot: string;
  readonly resultsRoot: string;
  /** View in which its batch was proposed. */
  readonly proposedInView: number;
  /** Agreed time, Unix milliseconds. */
  readonly timeMs: number;
  /** Replicas whose signatures over the header the gateway gave. */
  readonly signedBy: readonly number[];
  readonly transactions: readonly TransactionView[];
}

/** Where a transaction stands. */
export type TransactionState =
  | { readonly state: 'committed'; readonly height: number; readonly transaction: TransactionView }
  | { readonly state: 'other'; readonly sentence: string };

/** Something, or a sentence why it is not there. */
export type Found<T> = { readonly found: T } | { readonly sentence: string };

const TRANSACTIONS_MAX = 10_000;
const UNREADABLE = 'The gateway answered something that this page cannot read.';

function resultText(value: unknown): string {
  const fields = fieldsOf(value);
  if (fields?.['ok'] !== true) return `refused: ${textOf(fields?.['error'], 128) ?? 'no reason given'}`;
  if (fields['swapped'] === true) return 'swapped';
  if (fields['swapped'] === false) return 'not swapped';
  if (fields['existed'] === true) return 'done; there was a value';
  if (fields['existed'] === false) return 'done; there was no value';
  return 'done';
}

function operationFields(value: unknown): Pick<TransactionView, 'op' | 'key' | 'value' | 'expected'> {
  const fields = fieldsOf(value) ?? {};
  const key = textOf(fields['key'], 4_096);
  const expected = fields['expected'];
  return {
    op: textOf(fields['op'], 64) ?? 'unknown',
    ...(key === undefined ? {} : { key }),
    ...(fields['value'] === undefined ? {} : { value: bytesText(fields['value']) }),
    ...(expected === undefined ? {} : { expected: expected === null ? null : bytesText(expected) }),
  };
}

function transactionOf(value: unknown): TransactionView | undefined {
  const fields = fieldsOf(value);
  const [txId, index] = [textOf(fields?.['txId'], 64), wholeOf(fields?.['index'])];
  if (fields === undefined || txId === undefined || index === undefined) return undefined;
  return {
    txId,
    index,
    organisation: textOf(fields['organisation'], 128) ?? '?',
    client: textOf(fields['client'], 64) ?? '?',
    session: wholeOf(fields['session']) ?? 0,
    number: wholeOf(fields['number']) ?? 0,
    ...operationFields(fields['operation']),
    result: resultText(fields['result']),
  };
}

function headerOf(fields: Fields): Omit<BlockView, 'signedBy' | 'transactions' | 'headerHash'> | undefined {
  const header = fieldsOf(fields['header']);
  const [height, sequence] = [wholeOf(fields['height']), wholeOf(fields['sequence'])];
  if (header === undefined || height === undefined || sequence === undefined) return undefined;
  return {
    height,
    sequence,
    previous: textOf(header['previous'], 64) ?? '?',
    transactionsRoot: textOf(header['transactionsRoot'], 64) ?? '?',
    resultsRoot: textOf(header['resultsRoot'], 64) ?? '?',
    proposedInView: wholeOf(header['proposedInView']) ?? 0,
    timeMs: numberOf(header['time']) ?? 0,
  };
}

/** A block; undefined if it is none. */
export function readBlock(text: string): BlockView | undefined {
  const fields = fieldsOf(jsonOf(text));
  const header = fields === undefined ? undefined : headerOf(fields);
  const transactions = listOf(fields?.['transactions'], TRANSACTIONS_MAX, transactionOf);
  const headerHash = textOf(fields?.['headerHash'], 64);
  if (header === undefined || transactions === undefined || headerHash === undefined) return undefined;
  const signedBy = listOf(fields?.['signatures'], 256, (one) => wholeOf(fieldsOf(one)?.['replica'])) ?? [];
  return { ...header, headerHash, signedBy, transactions };
}

/** Where a transaction stands; undefined if the text does not say it. */
export function readTransaction(text: string): TransactionState | undefined {
  const fields = fieldsOf(jsonOf(text));
  const state = textOf(fields?.['state'], 64);
  if (state === 'committed') {
    const [height, transaction] = [wholeOf(fields?.['height']), transactionOf(fields)];
    if (height === undefined || transaction === undefined) return undefined;
    return { state, height, transaction };
  }
  if (state === 'pending') return { state: 'other', sentence: 'It waits to be ordered, or to be final.' };
  if (state === 'unknown')
    return { state: 'other', sentence: 'No replica knows this transaction (any more, or yet).' };
  if (state !== 'rejected') return undefined;
  const reason = textOf(fields?.['reason'], 256) ?? 'no reason given';
  return { state: 'other', sentence: `It was rejected: ${reason}.` };
}

/** Asks for a block. */
export async function askBlock(client: GatewayClient, height: number): Promise<Found<BlockView>> {
  const answer = await client.ask({ path: `/v1/blocks/${height}` });
  if (!answer.ok) return answer;
  const found = readBlock(answer.text);
  return found === undefined ? { sentence: UNREADABLE } : { found };
}

/** Asks where a transaction stands. */
export async function askTransaction(client: GatewayClient, id: string): Promise<Found<TransactionState>> {
  const answer = await client.ask({ path: `/v1/tx/${id}` });
  if (!answer.ok) return answer;
  const found = readTransaction(answer.text);
  return found === undefined ? { sentence: UNREADABLE } : { found };
}

/** Asks for a receipt, as text: it must stay as it came. */
export async function askReceipt(client: GatewayClient, id: string): Promise<Found<string>> {
  const answer = await client.ask({ path: `/v1/receipts/${id}` });
  return answer.ok ? { found: answer.text } : answer;
}

/** Where the trust of a verification came from. */
export type TrustSource = 'gateway' | 'file';

/** Outcome of a verification in this page. */
export interface Verification {
  readonly isValid: boolean;
  readonly sentence: string;
  /** What was checked, as the verifier says it. */
  readonly lines: readonly string[];
}

const WHENCE: Readonly<Record<TrustSource, string>> = {
  gateway:
    'The keys came from the gateway itself: a gateway that lies could have sent its own. Choose a trust file that you ' +
    'got elsewhere to rule that out.',
  file: 'The keys came from the file that you chose.',
};

/** Verifies a receipt of transaction `id` with the verifier of the command line. Never throws. */
export function verifyHere(
  receiptText: string,
  trustText: string,
  id: string,
  source: TrustSource,
): Verification {
  const trust = parseTrust(trustText);
  if (trust === undefined) {
    const whose = source === 'file' ? 'The file that you chose' : 'What the gateway sent';
    return { isValid: false, sentence: `${whose} is no trust file of Moiety.`, lines: [] };
  }
  const { valid, lines, txId } = verifyReceipt(receiptText, trust);
  if (!valid) return { isValid: false, sentence: `The receipt does not hold. ${WHENCE[source]}`, lines };
  if (txId !== id)
    return { isValid: false, sentence: 'The receipt holds, but it is of another transaction.', lines };
  return { isValid: true, sentence: `The receipt holds. ${WHENCE[source]}`, lines };
}

/** What a transaction did, in a few words. */
export function operationWords({ op, key }: Pick<TransactionView, 'op' | 'key'>): string {
  return key === undefined ? op : `${op} ${keyText(key)}`;
}

/**
 * Height up to which f+1 replicas say that they have blocks which nothing can undo: below it a proven block can be asked
 * for. A sequence number makes one block at most.
 */
export function provenHeight(replicas: readonly LiveReplica[], f: number): number {
  const heights = replicas
    .filter(({ isReachable }) => isReachable)
    .map(({ height = 0, sequence = 0, confirmed = sequence }) =>
      Math.max(0, height - Math.max(0, sequence - confirmed)),
    );
  return heights.sort((a, b) => b - a)[f] ?? 0;
}
