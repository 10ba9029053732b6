/** Reads server-sent events (text/event-stream): the data of each, in order. */

const EVENT_LENGTH_MAX = 4 * 1024 * 1024;

/** Data of each event until the stream ends. Comments and other fields are passed over. */
export async function* readEventStream(response: Response): AsyncGenerator<string, void, void> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > EVENT_LENGTH_MAX) throw new Error('the event stream sends lines that are too long');
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end).replace(/\r$/, '');
      rest = rest.slice(end + 1);
      if (line === '' && data.length > 0) {
        yield data.join('\n');
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
      end = rest.indexOf('\n');
    }
  }
}
