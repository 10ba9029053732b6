/** The live space-time diagram, with the list of its messages, which the keyboard reaches, and the fields of one. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Legend } from '../diagram/legend.tsx';
import type { Scene } from '../diagram/scene.ts';
import { SpaceTime } from '../diagram/space-time.tsx';
import type { Selection } from '../diagram/space-time.tsx';
import { agreementOf } from './agreement.ts';
import { cardOf } from './cards.ts';
import { lanesOf } from './cluster-state.ts';
import type { ClusterState } from './cluster-state.ts';
import { useCluster, useShared } from './context.tsx';
import type { FaultMenu } from './faults.ts';
import { clockText, labelText, markFields, messageFields, sceneOf, shownWords } from './live-scene.ts';
import { momentOf } from './messages.ts';
import type { LiveMessage, MessagesSeen } from './messages.ts';
import type { LiveStore } from './store.ts';

/** Messages that are drawn. */
const SHOWN_MAX = 120;

/** What is drawn at one moment. */
interface Picture {
  readonly seen: MessagesSeen;
  readonly scene: Scene;
  readonly nowMs: number;
  /** Time that counts as zero in the scene. */
  readonly originMs: number;
  readonly hasThreePhases: boolean;
}

function pictureOf(
  state: ClusterState,
  { messages, gatewayNowMs }: LiveStore,
  menu: FaultMenu | undefined,
  options: { readonly originMs: number; readonly withBackground: boolean },
): Picture {
  const { originMs, withBackground } = options;
  const away = state.gaps.filter((gap) => gap.untilMs === undefined).map(({ replica }) => replica);
  const untilMs = messages.horizon(state.status?.nowMs ?? 0, gatewayNowMs, away);
  const seen = messages.latest(SHOWN_MAX, withBackground, untilMs);
  const { hasThreePhases } = messages;
  const latestMs = Math.max(messages.latestMs, originMs);
  const lanes = lanesOf(state, menu);
  const scene = sceneOf({ seen, lanes, notes: state.notes, originMs, latestMs, hasThreePhases });
  const last = Math.max(0, scene.marks.at(-1)?.atMs ?? 0, untilMs - originMs);
  return { seen, scene, nowMs: last, originMs, hasThreePhases };
}

function MessageList(props: {
  readonly messages: readonly LiveMessage[];
  readonly selected: number | undefined;
  readonly onSelect: (id: number) => void;
}): JSX.Element {
  return (
    <label class="field">
      <span>Messages, newest first</span>
      <select
        size={8}
        class="message-list mono"
        value={props.selected === undefined ? '' : `${props.selected}`}
        onChange={(event) => props.onSelect(Number(event.currentTarget.value))}
      >
        {props.messages.toReversed().map((message) => (
          <option key={message.id} value={`${message.id}`}>
            {clockText(momentOf(message)).slice(3)} {message.from}→{message.to} {labelText(message.label)}
            {message.refused === undefined ? '' : ' ✗'}
          </option>
        ))}
      </select>
    </label>
  );
}

function FieldRows(props: {
  readonly label: string;
  readonly rows: readonly (readonly [string, string])[];
}): JSX.Element {
  return (
    <dl class="fields" aria-label={props.label}>
      {props.rows.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A replica as it is now. */
function LaneFields({ lane }: { readonly lane: number }): JSX.Element | null {
  const { status, sayings } = useCluster();
  const replica = status?.replicas[lane];
  if (status === undefined || replica === undefined) return null;
  const card = cardOf(status, replica, agreementOf(sayings, replica.id), undefined);
  const rows = [
    ['replica', `${card.id}`],
    ['role', card.role],
    ...card.rows,
    ['trusted component', card.component],
    ...(card.note === '' ? [] : [['now', card.note] as const]),
  ] as const;
  return <FieldRows label={`Replica ${card.id}`} rows={rows} />;
}

/** What is known of what was clicked. */
function SelectedFields(props: {
  readonly selected: Selection | undefined;
  readonly picture: Picture;
}): JSX.Element | null {
  const { selected, picture } = props;
  if (selected === undefined)
    return <p class="muted">Click on a message, or choose one in the list, to read its fields.</p>;
  if (selected.kind === 'lane') return <LaneFields lane={selected.lane} />;
  const { seen, scene, originMs } = picture;
  if (selected.kind === 'mark') {
    const mark = scene.marks.find(({ id }) => id === selected.id);
    return mark === undefined ? null : (
      <FieldRows label="What happened" rows={markFields(mark, seen.messages, originMs)} />
    );
  }
  const message = seen.messages.find(({ id }) => id === selected.id);
  return message === undefined ? null : (
    <FieldRows label="Fields of the message" rows={messageFields(message)} />
  );
}

/** The picture, which stands still while it is paused. */
function usePicture(menu: FaultMenu | undefined, isPaused: boolean, withBackground: boolean): Picture {
  const state = useCluster();
  const { store } = useShared();
  const origin = useRef<number>(undefined);
  origin.current ??= state.status === undefined ? undefined : Math.floor(state.status.nowMs);
  const originMs = origin.current ?? 0;
  const fresh = useMemo(
    () => pictureOf(state, store, menu, { originMs, withBackground }),
    [state, store.messages.latestMs, menu, originMs, withBackground],
  );
  const kept = useRef(fresh);
  if (!isPaused) kept.current = fresh;
  return kept.current;
}

/** See the top of this file. */
export function DiagramPanel({ menu }: { readonly menu: FaultMenu | undefined }): JSX.Element {
  const [isPaused, setPaused] = useState(false);
  const [withBackground, setBackground] = useState(false);
  const [selected, setSelected] = useState<Selection>();
  const picture = usePicture(menu, isPaused, withBackground);
  const { seen, scene, nowMs, originMs, hasThreePhases } = picture;
  const select = (selection: Selection): void => {
    setSelected(selection);
    // Whoever reads of a message wants it to stand still.
    if (selection.kind !== 'lane') setPaused(true);
  };
  useEffect(() => {
    if (!isPaused) setSelected(undefined);
  }, [isPaused]);
  return (
    <section aria-labelledby="messages">
      <div class="section-head">
        <h2 id="messages">Messages between the replicas</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={withBackground}
            onChange={(event) => setBackground(event.currentTarget.checked)}
          />
          gossip and fetching too
        </label>
        <button
          type="button"
          class="button"
          aria-pressed={isPaused}
          onClick={() => setPaused((before) => !before)}
        >
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </div>
      <p class="muted shown">{shownWords(seen)}</p>
      <div class="diagram">
        <div>
          <SpaceTime
            scene={scene}
            nowMs={nowMs}
            selected={selected}
            onSelect={select}
            follow={!isPaused}
            timeText={(atMs) => clockText(originMs + atMs).slice(3)}
            hasThreePhases={hasThreePhases}
            label="Messages between the replicas over time, newest at the bottom"
          />
          <Legend scene={scene} hasThreePhases={hasThreePhases} />
        </div>
        <div class="diagram-side">
          <MessageList
            messages={seen.messages}
            selected={selected?.kind === 'arrow' ? selected.id : undefined}
            onSelect={(id) => select({ kind: 'arrow', id })}
          />
          <div class="message-fields">
            <SelectedFields selected={selected} picture={picture} />
          </div>
        </div>
      </div>
    </section>
  );
}
