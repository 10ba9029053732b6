/** Names and values below each other. */
import type { JSX } from 'preact';
import type { Line } from './message-words.ts';

/** See the top of this file. */
export function Pairs({ lines }: { readonly lines: readonly Line[] }): JSX.Element {
  return (
    <dl class="pairs">{lines.flatMap(([name, value]) => [<dt key={name}>{name}</dt>, <dd>{value}</dd>])}</dl>
  );
}
