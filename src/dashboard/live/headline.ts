/** How the cluster is, in a sentence. */
import type { Connection } from './feed.ts';
import { asSentence } from './shapes.ts';
import { shortNumber } from './rates.ts';
import type { Flow } from './rates.ts';
import type { LiveStatus } from './status-shape.ts';

/** The sentence, and what stands below it. */
export interface Headline {
  readonly tone: 'good' | 'warn' | 'bad' | 'muted';
  readonly sentence: string;
  /** Why, one sentence each. */
  readonly reasons: readonly string[];
}

/** Request bundles that wait, as at least one correct replica says where so many answer: f may say anything. */
function waiting({ replicas, f }: LiveStatus): number {
  const counts = replicas.flatMap(({ isReachable, pendingBundles }) =>
    isReachable ? (pendingBundles ?? 0) : [],
  );
  counts.sort((a, b) => b - a);
  return counts[Math.min(f, counts.length - 1)] ?? 0;
}

/** Why it is as it is: the gateway's explanation, or else what the replicas themselves wait for. */
function reasonsOf({ explanation, replicas }: LiveStatus): readonly string[] {
  // The sentence above them says that already.
  if (explanation.length > 0) return explanation.map((one) => one.replace(/^Nothing commits\. (?=.)/, ''));
  return replicas.flatMap(({ id, isReachable, waitsFor }) => {
    if (!isReachable) return [`Replica ${id} does not answer.`];
    return waitsFor === undefined ? [] : [asSentence(`replica ${id} ${waitsFor}`)];
  });
}

function flowWords({ perSecond, p50Ms }: Flow): string {
  const many = shortNumber(perSecond);
  const unit = many === '1' ? 'transaction' : 'transactions';
  return `${many} ${unit} a second${p50Ms === null ? '' : `, p50 ${shortNumber(p50Ms)} ms`}`;
}

/** See the top of this file. */
export function headlineOf(status: LiveStatus | undefined, connection: Connection, flow: Flow): Headline {
  if (connection.state === 'denied')
    return { tone: 'warn', sentence: 'The gateway asks for its token.', reasons: [] };
  if (status === undefined)
    return connection.state === 'reconnecting'
      ? { tone: 'bad', sentence: 'The gateway does not answer.', reasons: [connection.why] }
      : { tone: 'muted', sentence: 'Connecting to the gateway…', reasons: [] };
  if (connection.state === 'reconnecting')
    return {
      tone: 'warn',
      sentence: 'What you see is old: the gateway does not answer.',
      reasons: [connection.why],
    };
  const reasons = reasonsOf(status);
  const many = waiting(status);
  const isStuck = many > 0 && flow.isStopped;
  if (flow.perSecond > 0 && !isStuck)
    return {
      tone: reasons.length === 0 ? 'good' : 'warn',
      sentence: `Commits. ${flowWords(flow)}.`,
      reasons,
    };
  if (isStuck)
    return {
      tone: 'bad',
      sentence: `Nothing commits: ${many === 1 ? 'one request bundle waits' : `${many} request bundles wait`}.`,
      reasons,
    };
  if (many > 0) return { tone: 'warn', sentence: 'Nothing was committed in the last seconds.', reasons };
  const tone = reasons.length > 0 ? 'warn' : 'good';
  return { tone, sentence: 'Idle: nothing was asked for in the last seconds.', reasons };
}

/** What is read out: the same while only numbers change. */
export function spokenOf({ tone, sentence, reasons }: Headline): string {
  const plain = sentence.startsWith('Commits.') ? 'Commits.' : sentence.replace(/:.*$/, '.');
  return [plain, ...(tone === 'good' ? [] : reasons)]
    .join(' ')
    .replaceAll(/\d+(\.\d+)? ?(ms|s|seconds?)\b/g, 'some time');
}
