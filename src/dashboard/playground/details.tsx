/** The right side: what is known of the message or replica that was chosen; otherwise of the run as a whole. */
import type { JSX } from 'preact';
import type { Mark } from '../diagram/scene.ts';
import type { LoadedRun } from './loaded-run.ts';
import { MessageView } from './message-view.tsx';
import { msWords } from './message-words.ts';
import { ReplicaView } from './replica-view.tsx';
import { TotalsView } from './totals-view.tsx';
import type { Player } from './use-player.tsx';

function titleOfMark({ kind, label }: Mark): string {
  if (kind === 'execute') return `Executes ${label}`;
  if (kind === 'believe') return `Believes the result of ${label}`;
  return `${label.slice(0, 1).toUpperCase()}${label.slice(1)}`;
}

function MarkView(props: {
  readonly mark: Mark;
  readonly run: LoadedRun;
  readonly nowMs: number;
}): JSX.Element {
  const { mark, run, nowMs } = props;
  const lane = mark.lane === undefined ? undefined : run.scene.lanes[mark.lane];
  const votes = mark.quorum.flatMap((id) => run.scene.arrows.find((arrow) => arrow.id === id) ?? []);
  return (
    <section aria-label="What happened">
      <h2>{titleOfMark(mark)}</h2>
      <dl class="pairs">
        <dt>when</dt>
        <dd>{msWords(mark.atMs)}</dd>
        {lane !== undefined && (
          <>
            <dt>where</dt>
            <dd>{lane.label}</dd>
          </>
        )}
      </dl>
      {mark.isConflict && nowMs >= (mark.conflictFromMs ?? mark.atMs) && (
        <p class="notice bad">Another replica executed something else under this number.</p>
      )}
      {votes.length > 0 && (
        <>
          <h3>Made by these messages</h3>
          <ul class="plain">
            {votes.map(({ id, label, from }) => (
              <li key={id}>
                {label} from {run.scene.lanes[from]?.label ?? '?'}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** See the top of this file. */
export function Details(props: {
  readonly run: LoadedRun;
  readonly player: Player;
  /** Long parts are to be unfolded. */
  readonly isBrief?: boolean;
}): JSX.Element {
  const { run, player, isBrief } = props;
  const { selected, nowMs, ask } = player;
  const event = run.happened.eventAt(nowMs);
  const mark = selected?.kind === 'mark' ? run.scene.marks.find(({ id }) => id === selected.id) : undefined;
  const message = selected?.kind === 'arrow' ? run.happened.message(selected.id) : undefined;
  const replica =
    selected?.kind === 'lane'
      ? selected.lane - run.clientLanes
      : mark?.lane !== undefined && mark.lane >= run.clientLanes
        ? mark.lane - run.clientLanes
        : undefined;
  const isWhole = message === undefined && mark === undefined && (replica === undefined || replica < 0);
  return (
    <div class="details">
      {!isWhole && (
        <button
          type="button"
          class="button small"
          onClick={() => ask({ kind: 'select', selected: undefined })}
        >
          Whole run
        </button>
      )}
      {message !== undefined && <MessageView story={message} isBrief={isBrief === true} />}
      {mark !== undefined && <MarkView mark={mark} run={run} nowMs={nowMs} />}
      {replica !== undefined && replica >= 0 && <ReplicaView run={run} replica={replica} event={event} />}
      {isWhole && <TotalsView run={run} event={event} nowMs={nowMs} />}
    </div>
  );
}
