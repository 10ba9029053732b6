/** Something that is asked for once, and again when what it depends on changes. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Found } from './ledger.ts';

/** What has come; undefined: still under way. */
export function useFound<T>(ask: () => Promise<Found<T>>, inputs: readonly unknown[]): Found<T> | undefined {
  const [found, setFound] = useState<Found<T>>();
  useEffect(() => {
    let isLeft = false;
    setFound(undefined);
    void ask().then((answer) => {
      if (!isLeft) setFound(answer);
    });
    return () => {
      isLeft = true;
    };
  }, inputs);
  return found;
}

/** Shows what has come, or why it has not. */
export function Loaded<T>(props: {
  readonly found: Found<T> | undefined;
  readonly children: (value: T) => JSX.Element;
}): JSX.Element {
  if (props.found === undefined) return <p class="muted">Asking …</p>;
  if ('sentence' in props.found) return <p class="notice warn">{props.found.sentence}</p>;
  return props.children(props.found.found);
}
