/** Server-sent events for one viewer: written as fast as it takes them, until it goes away or takes nothing any more. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpProblem } from './problem.ts';
import type { GatewayParts } from './routes.ts';

/** A viewer that takes nothing for so long is let go. */
const VIEWER_STALL_MS = 30_000;
const KEEP_ALIVE_MS = 15_000;

/** Where the texts of events come from; ends when the signal is aborted. */
export type EventTexts = (signal: AbortSignal) => AsyncIterable<string>;

/** Writes to one viewer; false if it is gone or takes nothing any more. */
function writeTo(reply: FastifyReply, text: string, stallMs: number): Promise<boolean> {
  const { raw } = reply;
  if (raw.destroyed || raw.writableEnded) return Promise.resolve(false);
  if (raw.write(text)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (isGood: boolean): void => {
      clearTimeout(timer);
      raw.off('drain', onDrain).off('close', onClose);
      resolve(isGood);
    };
    const onDrain = (): void => settle(true);
    const onClose = (): void => settle(false);
    const timer = setTimeout(() => {
      raw.destroy();
      settle(false);
    }, stallMs);
    raw.once('drain', onDrain).once('close', onClose);
  });
}

/** Serves one viewer to its end. Refuses it if too many are there. */
export async function serveEvents(
  parts: GatewayParts,
  request: FastifyRequest,
  reply: FastifyReply,
  texts: EventTexts,
): Promise<FastifyReply> {
  const { feed, live, viewersMax, stopping, viewerStallMs = VIEWER_STALL_MS } = parts;
  if (feed.viewers + live.viewers >= viewersMax)
    throw new HttpProblem(503, 'overloaded', 'too many event streams are open', { retryAfterMs: 5_000 });
  reply.hijack();
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, stopping]);
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  reply.raw.write('retry: 1000\n\n');
  const keepAlive = setInterval(() => {
    if (reply.raw.writableLength === 0) reply.raw.write(': still here\n\n');
  }, KEEP_ALIVE_MS);
  try {
    for await (const text of texts(signal)) if (!(await writeTo(reply, text, viewerStallMs))) break;
  } catch (error) {
    request.log.warn({ err: error }, 'an event stream ended early; the viewer resumes by its last event id');
  } finally {
    clearInterval(keepAlive);
    reply.raw.end();
  }
  return reply;
}
