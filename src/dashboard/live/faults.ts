/** Faults that a local cluster can be told to have: what the gateway offers, and which buttons fit a replica now. */
import { fieldsOf, jsonOf, listOf, textOf } from './shapes.ts';
import type { Answer, GatewayClient } from './gateway-client.ts';

/** Process of a replica, as its supervisor sees it. */
export interface ProcessFacts {
  readonly replica: number;
  readonly state: string;
  readonly reason: string | undefined;
  /** How it was told to lie. */
  readonly behaviour: string | undefined;
  /** Cut off from all other replicas. */
  readonly isCutOff: boolean;
}

/** A way to lie. */
export interface Behaviour {
  readonly name: string;
  readonly text: string;
}

/** What `GET /v1/fault` offers. */
export interface FaultMenu {
  readonly actions: readonly string[];
  readonly behaviours: readonly Behaviour[];
  readonly processes: readonly ProcessFacts[];
}

/** A button; it stays where it is while what it does changes. */
export interface FaultButton {
  readonly place: string;
  readonly action: string;
  readonly label: string;
  /** What it does. */
  readonly title: string;
  readonly isEnabled: boolean;
  /** Asked before it is done. */
  readonly question?: string;
}

const LIST_MAX = 256;

function behaviourOf(value: unknown): Behaviour | undefined {
  const fields = fieldsOf(value);
  const name = textOf(fields?.['name'], 64);
  return name === undefined ? undefined : { name, text: textOf(fields?.['text'], 256) ?? '' };
}

function processOf(value: unknown): ProcessFacts | undefined {
  const fields = fieldsOf(value);
  const replica = /^replica (\d{1,3})$/.exec(textOf(fields?.['name'], 64) ?? '')?.[1];
  const state = textOf(fields?.['state'], 64);
  if (fields === undefined || replica === undefined || state === undefined) return undefined;
  return {
    replica: Number(replica),
    state,
    reason: textOf(fields['reason'], 256),
    behaviour: textOf(fields['byzantine'], 64),
    isCutOff: fields['cutOff'] === true,
  };
}

/** The answer of `GET /v1/fault`; undefined if it is none. */
export function readFaultMenu(text: string): FaultMenu | undefined {
  const fields = fieldsOf(jsonOf(text));
  const actions = listOf(fields?.['actions'], LIST_MAX, (one) => textOf(one, 64));
  const behaviours = listOf(fields?.['behaviours'], LIST_MAX, behaviourOf);
  const processes = listOf(fields?.['processes'], LIST_MAX, processOf);
  if (actions === undefined || behaviours === undefined || processes === undefined) return undefined;
  return { actions, behaviours, processes };
}

type Choice = Omit<FaultButton, 'place' | 'isEnabled'>;

const WIPE_QUESTION = 'Its process is stopped and its store deleted; keys and trusted component stay.';
const CHOICES = {
  kill: { action: 'kill', label: 'Kill', title: 'Ends its process at once; it stays down.' },
  restart: { action: 'restart', label: 'Restart', title: 'Stops its process if it runs, and starts it.' },
  pause: { action: 'pause', label: 'Pause', title: 'Freezes its process.' },
  resume: { action: 'resume', label: 'Resume', title: 'Lets its frozen process go on.' },
  partition: {
    action: 'partition',
    label: 'Partition',
    title: 'Cuts it off from all other replicas; clients still reach it.',
  },
  heal: { action: 'heal', label: 'Heal', title: 'Connects it with the other replicas again.' },
  'kill-tc': { action: 'kill-tc', label: 'Kill its TC', title: 'Ends its trusted component at once.' },
  wipe: { action: 'wipe', label: 'Wipe', title: 'Deletes its store.', question: WIPE_QUESTION },
} as const satisfies Readonly<Record<string, Choice>>;

/** The buttons of a replica, those that make no sense now disabled. `process` undefined: its state is not known. */
export function buttonsOf(
  menu: FaultMenu,
  process: ProcessFacts | undefined,
  hasComponent: boolean,
): readonly FaultButton[] {
  const { state = 'running', isCutOff = false } = process ?? {};
  const isUp = state === 'running' || state === 'paused' || state === 'restarting';
  const all: readonly (readonly [place: string, choice: Choice, isEnabled: boolean])[] = [
    ['kill', CHOICES.kill, isUp],
    ['restart', CHOICES.restart, true],
    ['pause', state === 'paused' ? CHOICES.resume : CHOICES.pause, isUp],
    ['partition', isCutOff ? CHOICES.heal : CHOICES.partition, isCutOff || isUp],
    ['kill-tc', CHOICES['kill-tc'], isUp && hasComponent],
    ['wipe', CHOICES.wipe, true],
  ];
  return all
    .filter(([, { action }]) => menu.actions.includes(action))
    .map(([place, choice, isEnabled]) => ({ place, ...choice, isEnabled }));
}

/** Past tense, for the line that says what was done. */
export function doneWords(action: string, replica: number, behaviour: string | undefined): string {
  if (action === 'byzantine')
    return behaviour === 'none'
      ? `replica ${replica} is correct again`
      : `replica ${replica} lies: ${behaviour}`;
  const words: Readonly<Record<string, string>> = {
    kill: 'killed',
    restart: 'restarted',
    pause: 'paused',
    resume: 'resumed',
    partition: 'cut off',
    heal: 'healed',
    'kill-tc': 'lost its trusted component',
    wipe: 'wiped',
  };
  return `replica ${replica} ${words[action] ?? action}`;
}

/** Asks what faults there are. */
export async function askFaultMenu(client: GatewayClient, token: string): Promise<Answer> {
  return await client.ask({ path: '/v1/fault', headers: { 'moiety-fault-token': token } });
}

/** Makes a fault; `behaviour` for `byzantine`. */
export async function makeFault(
  client: GatewayClient,
  token: string,
  order: { readonly action: string; readonly replica: number; readonly behaviour?: string },
): Promise<Answer> {
  const { action, replica, behaviour } = order;
  const headers = {
    'moiety-fault-token': token,
    ...(behaviour === undefined ? {} : { 'content-type': 'text/plain' }),
  };
  return await client.ask({
    method: 'POST',
    path: `/v1/fault/${action}/${replica}`,
    headers,
    ...(behaviour === undefined ? {} : { body: behaviour }),
  });
}
