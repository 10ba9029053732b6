/** The run as a whole: sums so far, and what the checkers say. */
import type { JSX } from 'preact';
import { checkerLines } from './checker-words.ts';
import type { LoadedRun } from './loaded-run.ts';
import { msWords } from './message-words.ts';
import { Pairs } from './pairs.tsx';
import { sumLines } from './sum-words.ts';

/** See the top of this file. */
export function TotalsView(props: {
  readonly run: LoadedRun;
  readonly event: number;
  readonly nowMs: number;
}): JSX.Element {
  const { run, event, nowMs } = props;
  const { playback } = run;
  const sums = run.happened.sums(event);
  const { summary, found, quiet, unmet } = checkerLines(playback);
  return (
    <section aria-label="The run">
      <h2>Up to {msWords(nowMs)}</h2>
      <Pairs lines={sumLines(sums)} />
      {sums.kinds.length > 0 && (
        <details>
          <summary>
            <h3>Messages by kind</h3>
          </summary>
          <Pairs lines={sums.kinds.map(([kind, count]) => [kind, String(count)])} />
        </details>
      )}
      <h3>What the checkers say of the whole run</h3>
      <p class={`notice ${found.length > 0 ? 'bad' : 'good'}`}>{summary}</p>
      {found.length > 0 && (
        <ul class="plain">
          {found.map(({ judge, atMs, text }, index) => (
            <li key={index}>
              <b>{judge}</b> at {msWords(atMs)}: {text}
            </li>
          ))}
        </ul>
      )}
      <details>
        <summary>
          <h3>Checkers that found nothing ({quiet.length})</h3>
        </summary>
        <Pairs lines={quiet.map(({ judge, text }) => [judge, text])} />
      </details>
      {unmet.length > 0 && (
        <div class="notice warn">
          <p>The script expected something else:</p>
          <ul class="plain">
            {unmet.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      )}
      {playback.isCut && (
        <p class="notice warn">The run has too many events and was ended before its time.</p>
      )}
    </section>
  );
}
