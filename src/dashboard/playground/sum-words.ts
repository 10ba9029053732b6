/** Sums over a run as lines of name and value. */
import type { Sums } from './happened.ts';
import { bytesWords } from './message-words.ts';
import type { Line } from './message-words.ts';

/** See the top of this file. */
export function sumLines({ messages, clientMessages, bytes, believed, trustedCalls }: Sums): readonly Line[] {
  const calls = trustedCalls.reduce((all, one) => all + one, 0);
  return [
    ['messages between replicas', String(messages)],
    ['messages of clients', String(clientMessages)],
    ['bytes', bytesWords(bytes)],
    ['results that clients believe', String(believed)],
    [
      'calls of trusted components',
      calls === 0
        ? '0'
        : `${calls} (${trustedCalls.map((count, id) => `replica ${id}: ${count}`).join(', ')})`,
    ],
  ];
}
