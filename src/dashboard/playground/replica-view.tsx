/** A replica as it is at the moment that the diagram has come to. */
import type { JSX } from 'preact';
import type { LoadedRun } from './loaded-run.ts';
import { Pairs } from './pairs.tsx';
import { replicaLines } from './replica-words.ts';

/** See the top of this file. */
export function ReplicaView(props: {
  readonly run: LoadedRun;
  readonly replica: number;
  readonly event: number;
}): JSX.Element {
  const { run, replica, event } = props;
  const { trace } = run.playback;
  const state = run.happened.replica(replica, event);
  return (
    <section aria-label={`Replica ${replica}`}>
      <h2>Replica {replica}</h2>
      {trace.byzantine.includes(replica) && <p class="notice bad">It is Byzantine: it may lie.</p>}
      {state === undefined || state === null ? (
        <p>{state === null ? 'It is down.' : 'It has not started yet.'}</p>
      ) : (
        <>
          {state.waitsFor !== null && <p class="notice warn">{state.waitsFor}</p>}
          <Pairs lines={replicaLines(state)} />
        </>
      )}
    </section>
  );
}
