/** What the details say of a message: its parts as lines of name and value, and what its receiver made of it. */
import type { CheckedRule, TraceTaken, TraceValue } from '../../sim/trace/trace.ts';
import type { MessageStory, Sending } from './happened.ts';
import { ruleText } from './rule-texts.ts';

/** A name and a value. */
export type Line = readonly [string, string];

/** Fields deeper than this are shown on one line. */
const DEPTH_MAX = 4;
/** Reasons without a numbered rule, in words. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['unknownKey', 'it is sealed with a key that nobody has taken in'],
]);

function fromWords(sending: Sending): string {
  return sending.kind === 'ask' ? `client ${sending.client}` : `replica ${sending.from}`;
}

function toWords(sending: Sending): string {
  return sending.kind === 'answer' ? `client ${sending.client}` : `replica ${sending.to}`;
}

/** Bytes as a person reads them. */
export function bytesWords(bytes: number): string {
  return bytes < 10_000 ? `${bytes} bytes` : `${(bytes / 1000).toFixed(1)} kB`;
}

/** A moment as a person reads it. */
export function msWords(atMs: number): string {
  return `${atMs.toFixed(2)} ms`;
}

/** What stands on a message, whatever its kind. */
export function headLines({ sending, arrivals }: MessageStory): readonly Line[] {
  const { view, sequence, author, counter, bytes, at } = sending;
  const lines: Line[] = [
    ['from', fromWords(sending)],
    ['to', toWords(sending)],
    ['sent at', msWords(at)],
    ['arrives at', arrivals.length === 0 ? 'never' : arrivals.map((one) => msWords(one.at)).join(', ')],
  ];
  if (view !== undefined) lines.push(['view', String(view)]);
  if (sequence !== undefined) lines.push(['sequence number', String(sequence)]);
  if (author !== undefined && (sending.kind !== 'send' || author !== sending.from))
    lines.push(['made by', `replica ${author}`]);
  if (counter !== undefined)
    lines.push([
      'sealed with',
      `counter value ${counter}${author === undefined ? '' : ` of replica ${author}'s trusted component`}`,
    ]);
  if (bytes !== undefined) lines.push(['size', bytesWords(bytes)]);
  return lines;
}

function isRecord(value: TraceValue): value is Readonly<Record<string, TraceValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value on one line. */
function inline(value: TraceValue): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(inline).join(', ');
  if (isRecord(value))
    return `{ ${Object.entries(value)
      .map(([name, one]) => `${name}: ${inline(one as TraceValue)}`)
      .join(', ')} }`;
  return value === null ? 'none' : String(value);
}

/** Fields of a message as lines; what is inside of others has a name with dots. */
export function fieldLines(
  fields: Readonly<Record<string, TraceValue>>,
  prefix = '',
  depth = 1,
): readonly Line[] {
  return Object.entries(fields).flatMap(([name, value]): readonly Line[] => {
    const path = `${prefix}${name}`;
    if (depth < DEPTH_MAX && isRecord(value) && Object.keys(value).length > 0)
      return fieldLines(value, `${path}.`, depth + 1);
    return [[path, inline(value)]];
  });
}

/** A rule with its text, and what came of it. */
export interface RuleLine {
  readonly rule: string;
  readonly text: string;
  readonly outcome: 'holds' | 'refuses it' | 'not met';
  /** How often it was checked with this outcome. */
  readonly times: number;
}

/** Rules that were checked while a message was worked on. */
export interface RuleGroups {
  /** Those about messages of its kind, and the one that refused. */
  readonly about: readonly RuleLine[];
  /** What else was asked meanwhile. */
  readonly beside: readonly RuleLine[];
}

function linesOf(checked: readonly CheckedRule[], verdict: string | undefined): readonly RuleLine[] {
  const found = new Map<string, RuleLine>();
  for (const { rule, passed } of checked) {
    const key = `${rule}/${passed}`;
    const times = (found.get(key)?.times ?? 0) + 1;
    // Only the one of the verdict refuses: others just wait for more.
    const outcome = passed ? 'holds' : rule === verdict ? 'refuses it' : 'not met';
    found.set(key, { rule, outcome, times, text: ruleText(rule) ?? '' });
  }
  const order = ['refuses it', 'holds', 'not met'];
  return [...found.values()].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
}

/** The rules that were checked, each once with each outcome. */
export function ruleGroups({ sending, arrivals }: MessageStory): RuleGroups {
  const verdict = arrivals.at(-1)?.verdict;
  const checked = arrivals.flatMap((arrival) => arrival.rules ?? []);
  const isAbout = ({ rule, about }: CheckedRule): boolean => about === sending.message || rule === verdict;
  return {
    about: linesOf(checked.filter(isAbout), verdict),
    beside: linesOf(
      checked.filter((one) => !isAbout(one)),
      verdict,
    ),
  };
}

/** What its receiver made of it, in a sentence. */
export function verdictWords(story: MessageStory): string {
  const { sending, arrivals } = story;
  const last: TraceTaken | undefined = arrivals.at(-1);
  const receiver = toWords(sending);
  const Receiver = `${receiver[0]!.toUpperCase()}${receiver.slice(1)}`;
  if (last === undefined) return `It never reaches ${receiver}.`;
  const isAccepted = ruleGroups(story).about.some(({ outcome }) => outcome === 'holds');
  if (last.verdict !== undefined) {
    if (ruleText(last.verdict) === undefined)
      return `Not accepted by ${receiver}: ${REASONS.get(last.verdict) ?? last.verdict}.`;
    if (story.refusesAnother === true)
      return `${Receiver} accepts it, and refuses what had waited for it: rule ${last.verdict} does not hold.`;
    return `${Receiver} refuses it: rule ${last.verdict} does not hold.`;
  }
  const { later } = story;
  if (later !== undefined)
    return `${Receiver} lets it wait, and refuses it at ${msWords(later.atMs)}: rule ${later.rule} does not hold.`;
  if (sending.kind === 'answer') return `It reaches ${receiver}.`;
  return isAccepted ? `${Receiver} accepts it.` : `${Receiver} takes it in.`;
}
