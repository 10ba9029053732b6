/**
 * Requests to the gateway. Nothing here throws: what did not work is a sentence. Answers are bounded, and so is the time
 * that they may take.
 */
import { asSentence, fieldsOf, jsonOf, textOf } from './shapes.ts';

/** An answer, or a sentence why there is none. */
export type Answer =
  | { readonly ok: true; readonly status: number; readonly text: string; readonly headers: Headers }
  | {
      readonly ok: false;
      /** 0: the gateway was not reached. */
      readonly status: number;
      readonly sentence: string;
      /** Transaction that may still be executed. */
      readonly txId?: string;
    };

/** An opened stream. */
export type OpenedStream =
  | { readonly ok: true; readonly body: ReadableStream<Uint8Array> }
  | { readonly ok: false; readonly status: number; readonly sentence: string };

/** A request. */
export interface Ask {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 20_000;
/** Bytes of an answer, at most: a block of many long values. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

/** What a problem of the gateway says, in a sentence of its own. */
function sentenceOf(status: number, text: string): { sentence: string; txId?: string } {
  const problem = fieldsOf(jsonOf(text));
  const detail = textOf(problem?.['detail'], 512);
  const txId = textOf(problem?.['txId'], 64);
  const sentence = detail === undefined ? `The gateway answered with status ${status}.` : asSentence(detail);
  return { sentence, ...(txId === undefined ? {} : { txId }) };
}

/** A body as text; undefined if it is too long. */
async function bodyText(response: Response): Promise<string | undefined> {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > ANSWER_BYTES_MAX) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** See the top of this file. */
export class GatewayClient {
  readonly #fetch: typeof fetch;
  /** Token of the gateway; the page may learn it later. */
  readonly #access: () => string | undefined;

  constructor(send: typeof fetch, access: () => string | undefined) {
    this.#fetch = send;
    this.#access = access;
  }

  #headers(more: Readonly<Record<string, string>>): Record<string, string> {
    const access = this.#access();
    return access === undefined ? { ...more } : { ...more, authorization: `Bearer ${access}` };
  }

  /** Sends a request and reads the answer. */
  async ask({ method = 'GET', path, body, headers = {}, timeoutMs = TIMEOUT_MS }: Ask): Promise<Answer> {
    try {
      const response = await this.#fetch(path, {
        method,
        headers: this.#headers(headers),
        signal: AbortSignal.timeout(timeoutMs),
        cache: 'no-store',
        ...(body === undefined ? {} : { body }),
      });
      const text = await bodyText(response);
      const { status } = response;
      if (text === undefined) return { ok: false, status, sentence: 'The answer is too long for this page.' };
      if (!response.ok) return { ok: false, status, ...sentenceOf(status, text) };
      return { ok: true, status, text, headers: response.headers };
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      const sentence = isLate
        ? `The gateway did not answer within ${timeoutMs / 1000} seconds.`
        : 'The gateway cannot be reached.';
      return { ok: false, status: 0, sentence };
    }
  }

  /** Opens a stream of events that goes on behind `lastId`. */
  async stream(path: string, lastId: string, signal: AbortSignal): Promise<OpenedStream> {
    try {
      const headers = { accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) };
      const response = await this.#fetch(path, {
        headers: this.#headers(headers),
        signal,
        cache: 'no-store',
      });
      if (response.ok && response.body !== null) return { ok: true, body: response.body };
      const { status } = response;
      return { ok: false, status, sentence: sentenceOf(status, (await bodyText(response)) ?? '').sentence };
    } catch {
      return { ok: false, status: 0, sentence: 'The gateway cannot be reached.' };
    }
  }
}
