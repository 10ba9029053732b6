/** Which seals a message holds (decision B4). */
import type { Seal, UniqueIdentifier } from '../../core/protocol.ts';
import type { MinbftMessage } from './messages.ts';

/** All seals inside a message, nested ones included, each once. */
export function sealsOf(message: MinbftMessage): Seal[] {
  throw new Error(`pending ${message.kind}`);
}

/** UI of a message that has a place in a stream; undefined for all others. */
export function uiOf(message: MinbftMessage): UniqueIdentifier | undefined {
  throw new Error(`pending ${message.kind}`);
}
