/**
 * The ledger as a stream of transactions with dense numbers (decision C10: event numbers come from blocks). The start
 * is placed by f+1 equal answers, from then on blocks are walked by height, each proved, so that nothing is lost,
 * repeated or renumbered.
 */
import type { EventPosition } from '../core/client-queries.ts';
import type { Height, Milliseconds } from '../core/types.ts';
import type { LedgerEvent, ProvenBlock } from './contract.ts';
import { ClientError } from './errors.ts';

/** What the stream reads from. */
export interface EventSource {
  block(height: Height): Promise<ProvenBlock | undefined>;
  /** `height:<H>` or `number:<N>`. */
  position(argument: string): Promise<EventPosition | undefined>;
  height(): Promise<Height>;
  /** Resolves after a while, or sooner if the ledger has grown beyond `height`; rejects if `signal` is aborted. */
  pause(height: Height, signal: AbortSignal | undefined): Promise<void>;
}

/** How long to wait before asking again for a block that is not there; for implementations of `pause`. */
export const EVENT_POLL_MS: Milliseconds = 100;

async function retrying<T>(
  source: EventSource,
  height: Height,
  signal: AbortSignal | undefined,
  ask: () => Promise<T | undefined>,
): Promise<T | undefined> {
  while (signal?.aborted !== true) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      // An outage is not the end of the stream: it goes on when the cluster does.
      if (!(error instanceof ClientError) || error.code !== 'unavailable') throw error;
    }
    await source.pause(height, signal).catch(() => undefined);
  }
  return undefined;
}

async function startOf(
  source: EventSource,
  from: number | 'latest',
  signal: AbortSignal | undefined,
): Promise<EventPosition | undefined> {
  if (from === 1) return { height: 1, firstNumber: 1 };
  if (from !== 'latest') return retrying(source, 0, signal, () => source.position(`number:${from}`));
  return retrying(source, 0, signal, async () => {
    const height = await source.height();
    if (height === 0) return { height: 1, firstNumber: 1 };
    const [position, proven] = await Promise.all([source.position(`height:${height}`), source.block(height)]);
    if (position === undefined || proven === undefined || position.height !== height) return undefined;
    return { height: height + 1, firstNumber: position.firstNumber + proven.block.transactions.length };
  });
}

/** Events from number `from`; ends when `signal` is aborted. */
export async function* streamEvents(
  source: EventSource,
  from: number | 'latest',
  signal?: AbortSignal,
): AsyncGenerator<LedgerEvent, void, void> {
  if (from !== 'latest' && (!Number.isSafeInteger(from) || from < 1))
    throw new ClientError('invalid', 'events are numbered from 1');
  const start = await startOf(source, from, signal);
  if (start === undefined) return;
  let { firstNumber } = start;
  for (let height = start.height; ; height += 1) {
    const proven = await retrying(source, height, signal, () => source.block(height));
    if (proven === undefined) return;
    const { block } = proven;
    for (const [index, transaction] of block.transactions.entries()) {
      const number = firstNumber + index;
      if (from !== 'latest' && number < from) continue;
      yield { number, block, index, transaction };
      if (signal?.aborted === true) return;
    }
    firstNumber += block.transactions.length;
  }
}
