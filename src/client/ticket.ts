/** A call that waits for its result. */
import type { WireResult } from '../core/client-wire.ts';
import type { Digest } from '../core/types.ts';
import type { Waiting } from './deadlines.ts';
import type { ClientError } from './errors.ts';

/** See the top of this file. */
export interface Ticket extends Waiting {
  readonly resolve: (result: WireResult) => void;
  readonly reject: (error: ClientError) => void;
  txId: Digest | undefined;
}

/** A ticket without a deadline yet. `txId`: once it is known. */
export function ticketOf(
  resolve: Ticket['resolve'],
  reject: Ticket['reject'],
  txId: Digest | undefined = undefined,
): Ticket {
  return { resolve, reject, txId, due: undefined, onDue: () => undefined };
}
