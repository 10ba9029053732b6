/** The form that writes and reads: what is sent for an operation, and its answer in words. */
import { encodedKey, keyText } from './address.ts';
import type { Answer, Ask, GatewayClient } from './gateway-client.ts';
import { fieldsOf, jsonOf, listOf, textOf, wholeOf } from './shapes.ts';

/** Operations of the form. */
export const OPERATIONS = ['put', 'get', 'delete', 'cas', 'list'] as const;

/** One of them. */
export type OperationName = (typeof OPERATIONS)[number];

/** What was typed. */
export interface OperationForm {
  readonly operation: OperationName;
  /** Key, or the beginning of the keys that are listed. */
  readonly key: string;
  readonly value: string;
  /** For `cas`; empty with `onlyIfAbsent`. */
  readonly expected: string;
  readonly onlyIfAbsent: boolean;
}

/** An entry of a list. */
export interface ListedEntry {
  /** Percent-encoded. */
  readonly key: string;
  readonly value: string;
}

/** What came of it. */
export interface OperationOutcome {
  readonly isGood: boolean;
  readonly sentence: string;
  readonly tookMs: number;
  readonly txId?: string;
  readonly height?: number;
  /** A value that was read. */
  readonly value?: string;
  readonly entries?: readonly ListedEntry[];
  /** Where the next page of a list begins. */
  readonly next?: string;
}

/** Entries of one page. */
const LIST_LIMIT = 50;
const ENTRIES_MAX = 1_000;
/** Characters of a value that are shown. */
const VALUE_SHOWN_MAX = 4_000;

const UNSENDABLE = 'A browser cannot send the keys "." and "..": use the command line.';

/** A path of a key; undefined if a browser would not send it as it is. */
function keyPath(key: string): string | undefined {
  return /^(\.|%2e){1,2}$/i.test(key) ? undefined : `/v1/kv/${key}`;
}

/** What is sent; a text says why nothing can be. */
export function askOf(form: OperationForm, after?: string): Ask | string {
  const { operation, value, expected, onlyIfAbsent } = form;
  const key = encodedKey(form.key);
  if (operation === 'list') {
    const from = after === undefined ? '' : `&after=${after}`;
    return { path: `/v1/kv?prefix=${key}${from}&limit=${LIST_LIMIT}` };
  }
  if (key === '') return 'Say which key.';
  const path = keyPath(key);
  if (path === undefined) return UNSENDABLE;
  if (operation === 'get') return { path };
  if (operation === 'delete') return { method: 'DELETE', path };
  if (operation === 'put')
    return { method: 'PUT', path, body: value, headers: { 'content-type': 'text/plain' } };
  const body = JSON.stringify(onlyIfAbsent ? { value } : { expected, value });
  return { method: 'POST', path: `${path}?op=cas`, body, headers: { 'content-type': 'application/json' } };
}

/** Bytes of an answer (`{"base64":…,"text":…}`) for people. */
export function bytesText(value: unknown): string {
  const fields = fieldsOf(value);
  const text = textOf(fields?.['text'], VALUE_SHOWN_MAX);
  if (text !== undefined) return text;
  const base64 = textOf(fields?.['base64'], VALUE_SHOWN_MAX);
  return base64 === undefined ? '?' : `base64 ${base64}`;
}

type Good = Extract<Answer, { readonly ok: true }>;

function writtenOutcome(form: OperationForm, answer: Good): Omit<OperationOutcome, 'tookMs'> | undefined {
  const fields = fieldsOf(jsonOf(answer.text));
  const [txId, height] = [textOf(fields?.['txId'], 64), wholeOf(fields?.['height'])];
  if (fields === undefined || txId === undefined || height === undefined) return undefined;
  const place = { txId, height };
  const existed = fields['existed'] === true;
  if (form.operation === 'delete') {
    const sentence = existed ? 'Deleted.' : 'There was no value; that is in the ledger now.';
    return { isGood: true, sentence, ...place };
  }
  if (form.operation === 'put') {
    const sentence = existed ? 'Written, in the place of an earlier value.' : 'Written; the key is new.';
    return { isGood: true, sentence, ...place };
  }
  if (fields['swapped'] === true) return { isGood: true, sentence: 'Swapped.', ...place };
  const current = fields['current'];
  if (current === null || current === undefined)
    return { isGood: false, sentence: 'Not swapped: there is no value.', ...place };
  const sentence = 'Not swapped: the value is another one.';
  return { isGood: false, sentence, value: bytesText(current), ...place };
}

function listedOutcome(answer: Good): Omit<OperationOutcome, 'tookMs'> | undefined {
  const fields = fieldsOf(jsonOf(answer.text));
  const entries = listOf(fields?.['entries'], ENTRIES_MAX, (one): ListedEntry | undefined => {
    const entry = fieldsOf(one);
    const key = textOf(entry?.['key'], 4_096);
    return key === undefined ? undefined : { key, value: bytesText(entry?.['value']) };
  });
  if (entries === undefined) return undefined;
  const next = textOf(fields?.['next'], 4_096);
  const many = entries.length === 1 ? '1 entry' : `${entries.length} entries`;
  const sentence = `${many}${next === undefined ? '' : '; there are more'}.`;
  return { isGood: true, sentence, entries, ...(next === undefined ? {} : { next }) };
}

const READ_WAYS: Readonly<Record<string, string>> = {
  fast: 'all replicas gave the same answer',
  ordered: 'the read was ordered like a write',
  replica: 'one replica gave it',
};

/** A value that was read, for people. */
function readOutcome({ text, headers }: Good): Omit<OperationOutcome, 'tookMs'> {
  const sequence = headers.get('moiety-sequence') ?? '?';
  const way = READ_WAYS[headers.get('moiety-read') ?? ''] ?? 'read';
  const isLong = text.length > VALUE_SHOWN_MAX;
  return {
    isGood: true,
    sentence: `The value as of sequence number ${sequence}: ${way}.${isLong ? ' Only its beginning is shown.' : ''}`,
    value: text.slice(0, VALUE_SHOWN_MAX),
  };
}

/** An answer in words. */
export function outcomeOf(form: OperationForm, answer: Answer, tookMs: number): OperationOutcome {
  if (!answer.ok) {
    const { sentence, txId, status } = answer;
    if (form.operation === 'get' && status === 404) return { isGood: false, sentence, tookMs };
    return { isGood: false, sentence, tookMs, ...(txId === undefined ? {} : { txId }) };
  }
  const outcome =
    form.operation === 'get'
      ? readOutcome(answer)
      : form.operation === 'list'
        ? listedOutcome(answer)
        : writtenOutcome(form, answer);
  if (outcome === undefined)
    return { isGood: false, sentence: 'The gateway answered something that this page cannot read.', tookMs };
  return { ...outcome, tookMs };
}

/** Carries an operation out. `now`: a clock for the time that it took. */
export async function carryOut(
  client: GatewayClient,
  form: OperationForm,
  now: () => number,
  after?: string,
): Promise<OperationOutcome> {
  const ask = askOf(form, after);
  if (typeof ask === 'string') return { isGood: false, sentence: ask, tookMs: 0 };
  const beganMs = now();
  const answer = await client.ask(ask);
  return outcomeOf(form, answer, now() - beganMs);
}

/** Asks for the value of a percent-encoded key. */
export async function askKey(
  client: GatewayClient,
  key: string,
): Promise<
  { readonly found: { readonly sentence: string; readonly value: string } } | { readonly sentence: string }
> {
  const path = keyPath(key);
  if (path === undefined) return { sentence: UNSENDABLE };
  const answer = await client.ask({ path });
  if (!answer.ok) return answer;
  const { sentence, value = '' } = readOutcome(answer);
  return { found: { sentence, value } };
}

/** A key of a list, for people. */
export function listedKeyText(key: string): string {
  return key === '' ? '(empty)' : keyText(key);
}
