/**
 * Parser of server-sent events (text/event-stream) for streams that are read by `fetch`: `EventSource` cannot send
 * headers. Memory is bounded by one event.
 */

/** One event. */
export interface StreamEvent {
  /** Of this event or, if it has none, of the last one that had. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Characters of one event, at most. */
const EVENT_LENGTH_MAX = 8 * 1024 * 1024;
const ID_LENGTH_MAX = 128;

/** See the top of this file. */
export class EventStreamParser {
  #rest = '';
  #id: string;
  #event = '';
  #data: string[] = [];
  #length = 0;

  /** `lastId`: where the stream goes on. */
  constructor(lastId = '') {
    this.#id = lastId;
  }

  /** Events that are whole with this piece of text; undefined if one is longer than it may be. */
  push(text: string): StreamEvent[] | undefined {
    const found: StreamEvent[] = [];
    this.#rest += text;
    let from = 0;
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n', from)) {
      const line = this.#rest.slice(from, end).replace(/\r$/, '');
      from = end + 1;
      const event = this.#take(line);
      if (event !== undefined) found.push(event);
      if (this.#length > EVENT_LENGTH_MAX) return undefined;
    }
    this.#rest = this.#rest.slice(from);
    return this.#rest.length > EVENT_LENGTH_MAX ? undefined : found;
  }

  #take(line: string): StreamEvent | undefined {
    if (line === '') return this.#finish();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'id' && value.length <= ID_LENGTH_MAX) this.#id = value;
    else if (name === 'event') this.#event = value.slice(0, 64);
    else if (name === 'data') {
      this.#data.push(value);
      this.#length += value.length + 1;
    }
    return undefined;
  }

  #finish(): StreamEvent | undefined {
    const [event, data] = [this.#event, this.#data];
    this.#event = '';
    this.#data = [];
    this.#length = 0;
    if (data.length === 0) return undefined;
    return { id: this.#id, event: event === '' ? 'message' : event, data: data.join('\n') };
  }
}
