/**
 * A process that watches: so many connections to `/v1/live` of a gateway, as dashboards hold them. Orders come over the
 * channel: `watch` opens them and answers when each has its first event, `leave` closes them and answers what came.
 */
import { get } from 'node:http';
import type { ClientRequest } from 'node:http';

/** What came while it watched, all connections together. */
export interface Watched {
  readonly events: number;
  readonly bytes: number;
  readonly seconds: number;
}

const [url, count] = process.argv.slice(2);
const END_OF_EVENT = /\n\n/g;

let requests: ClientRequest[] = [];
let events = 0;
let bytes = 0;
let sinceMs = 0;

/** Opens a connection; done with its first event. */
function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/v1/live`, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`the gateway answers ${response.statusCode}`));
      response.setEncoding('utf8').on('data', (text: string) => {
        bytes += text.length;
        events += text.match(END_OF_EVENT)?.length ?? 0;
        if (text.includes('event:')) resolve();
      });
      response.on('error', () => undefined);
    });
    request.on('error', reject);
    requests.push(request);
  });
}

async function onOrder({ kind }: { readonly kind: 'watch' | 'leave' }): Promise<void> {
  if (kind === 'watch') {
    [events, bytes, sinceMs] = [0, 0, performance.now()];
    await Promise.all(Array.from({ length: Number(count) }, open));
    process.send?.({ kind: 'watching' });
    return;
  }
  const watched: Watched = { events, bytes, seconds: (performance.now() - sinceMs) / 1_000 };
  for (const request of requests) request.destroy();
  requests = [];
  process.send?.(watched);
}

process.on('message', (order: Parameters<typeof onOrder>[0]) => void onOrder(order));
process.on('disconnect', () => process.exit(0));
