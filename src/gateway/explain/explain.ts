/**
 * Why nothing commits, in sentences: which quorum lacks whose messages, and who is to blame as far as can be known. Made
 * of what every replica says, what is proved, and what is seen of processes; no single one of the replicas is believed.
 * What is seen or proved is said plainly, what somebody says is said as his word.
 */
import type { Lack } from '../../core/live.ts';
import type { Milliseconds, ReplicaId } from '../../core/types.ts';
import { namesOf, waitingWords } from '../../smr/lack.ts';
import { aboutEquality, aboutItself, aboutOthers } from './facts.ts';
import { groundsOf, lackSaidBy, takesPart } from './grounds.ts';
import type { Ground } from './grounds.ts';
import { isUnheard, sayWords, silenceOf } from './hearing.ts';
import { checkedReplica, countOf, quoted } from './seen-replica.ts';
import type { SeenReplica } from './seen-replica.ts';

/** What an explanation is made of. */
export interface ExplainSources {
  readonly replicas: readonly SeenReplica[];
  /** Faults that the cluster is made for; default: of 2f+1. */
  readonly f?: number | undefined;
  /** Whose answers the oldest request of whoever asks lacks, if one waits: that is no replica's word. */
  readonly waiting?: Lack | null | undefined;
  /** So long may a replica wait before it is worth a sentence; default `PATIENCE_MS`. */
  readonly patienceMs?: Milliseconds | undefined;
}

/** See the top of this file. */
export interface Explanation {
  /** Most important first; empty if nothing is wrong. */
  readonly sentences: readonly string[];
  /** `no`: requests are ordered, or there are none. `said`: replicas say that nothing is. `seen`: too few are there. */
  readonly stuck: 'no' | 'said' | 'seen';
  /** Bundles that wait to be ordered, as at least one correct replica says. */
  readonly waiting: number;
  /** Who is named as the cause, and on what ground. */
  readonly grounds: readonly Ground[];
}

/** Replicas come to a decision in milliseconds, and change a view in a second or two. */
const PATIENCE_MS: Milliseconds = 2_000;

/** Waits that are told although nobody asks for anything: they do not pass by themselves. */
const LASTING: readonly string[] = ['keepers', 'messages'];
/** What a replica waits for by itself, and how its state says that already. */
const TOLD: Readonly<Record<string, (seen: SeenReplica) => boolean>> = {
  state: ({ transferring }) => transferring === true,
  RECOVER: ({ role }) => role === 'recovering',
  component: ({ tc }) => tc?.answers === false,
};

interface Waiting {
  readonly id: ReplicaId;
  readonly lack: Lack;
}

function forWords(ms: Milliseconds): string {
  return `for ${ms < 100_000 ? (Math.round(ms / 100) / 10).toFixed(1) : String(Math.round(ms / 1000))} s`;
}

/** Who waits too long by his own word, the one that has waited longest first. */
function waitingOf(replicas: readonly SeenReplica[], patienceMs: Milliseconds): Waiting[] {
  const waiting: Waiting[] = [];
  for (const seen of replicas) {
    const lack = lackSaidBy(seen, replicas.length);
    const isFinal = lack?.what === 'keepers';
    if (lack !== undefined && (isFinal || lack.forMs >= patienceMs)) waiting.push({ id: seen.id, lack });
  }
  return waiting.sort((a, b) => b.lack.forMs - a.lack.forMs || a.id - b.id);
}

/** What is known about somebody whose message is lacking, beyond that it is lacking. */
function clauseOf(
  replica: ReplicaId,
  waiting: readonly Waiting[],
  replicas: readonly SeenReplica[],
): { readonly text: string; readonly ground: Ground } {
  const seen = replicas[replica]!;
  const [known] = groundsOf(seen);
  if (known !== undefined) return { text: `replica ${replica} ${known.text}`, ground: known };
  const silence = silenceOf(replica, replicas);
  if (silence !== undefined) return { text: `replica ${replica} ${silence.text}`, ground: silence };
  const missedBy = waiting.filter(({ lack }) => lack.lacks.includes(replica)).map(({ id }) => id);
  const own = waiting.find(({ id }) => id === replica)?.lack;
  const mutual = own === undefined ? [] : missedBy.filter((id) => own.lacks.includes(id));
  if (mutual.length > 0) {
    const text = `says the same of ${namesOf(mutual)}, so what they send each other may get lost`;
    return { text: `replica ${replica} ${text}`, ground: { replica, kind: 'link', text, by: mutual } };
  }
  const ground: Ground = { replica, kind: 'word', text: sayWords(missedBy), by: missedBy };
  if (own !== undefined)
    return { text: `replica ${replica} says that it ${waitingWords(own)} itself`, ground };
  return {
    text: `replica ${replica} answers here and says nothing of it, only the word of ${namesOf(missedBy)} stands against it`,
    ground,
  };
}

/** Whoever waits for the same thing says it in one sentence. */
function groupsOf(waiting: readonly Waiting[], replicas: readonly SeenReplica[]): Waiting[][] {
  const groups = new Map<string, Waiting[]>();
  for (const one of waiting) {
    const { what, view, sequence, lacks } = one.lack;
    const key = `${what}/${view}/${sequence}/${lacks.join()}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const isPlain = ({ id }: Waiting): boolean => groundsOf(replicas[id]!).length === 0;
  const weight = (group: readonly Waiting[]): number => group.filter(isPlain).length;
  return [...groups.values()].sort((a, b) => weight(b) - weight(a) || b.length - a.length);
}

function whoWaits(group: readonly Waiting[]): string {
  const { lack } = group[0]!;
  const ids = group.map(({ id }) => id).sort((a, b) => a - b);
  const says = ids.length === 1 ? 'says that it' : 'say that each';
  return `${upper(namesOf(ids))} ${says} ${waitingWords(lack)}, ${forWords(lack.forMs)}`;
}

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Waits in sentences, and at the first place where each lacking replica is named what is known about it. */
function waitSentences(
  waiting: readonly Waiting[],
  replicas: readonly SeenReplica[],
  faults: number,
): { readonly sentences: string[]; readonly grounds: Ground[] } {
  const named = new Map<ReplicaId, Ground>();
  // Who is known not to do its part, or is not heard, waits because of that: it has nothing to say about others.
  const isExplained = ({ id }: Waiting): boolean =>
    groundsOf(replicas[id]!).length > 0 || isUnheard(id, replicas, faults);
  const sentences = groupsOf(waiting, replicas).map((group) => {
    const clauses: string[] = [];
    for (const replica of group.every(isExplained) ? [] : group[0]!.lack.lacks) {
      if (named.has(replica) || group.every(({ id }) => id === replica)) continue;
      const { text, ground } = clauseOf(replica, waiting, replicas);
      named.set(replica, ground);
      clauses.push(text);
    }
    return `${whoWaits(group)}${clauses.length === 0 ? '' : `: ${clauses.join('; ')}`}.`;
  });
  return { sentences, grounds: [...named.values()] };
}

/** Bundles that wait, as at least one correct replica says where so many answer. */
function pendingOf(replicas: readonly SeenReplica[], faults: number): number {
  const counts = replicas.flatMap(({ reachable, pendingBundles }) =>
    reachable === false ? [] : (countOf(pendingBundles) ?? 0),
  );
  counts.sort((a, b) => b - a);
  return counts[Math.min(faults, counts.length - 1)] ?? 0;
}

/** Why too few are there, if so. Nobody's word about others counts here. */
function quorumSentence(replicas: readonly SeenReplica[], f: number, isIdle: boolean): string | undefined {
  const needed = replicas.length - f;
  const up = replicas.filter(takesPart).length;
  if (replicas.length === 0 || up >= needed) return undefined;
  const nouns = replicas.length === 1 ? 'replica' : 'replicas';
  const more = 'Nothing is ordered until more are back.';
  const seen = replicas.every((one) => takesPart(one) || one.supervised !== undefined);
  return `No quorum${seen ? '' : ', as far as can be seen from here'}: ${up} of ${replicas.length} ${nouns} take part, ${needed} are needed. ${more}${
    isIdle ? ' No request waits for that now, as far as the replicas that answer say.' : ''
  }`;
}

/** Words of replicas that do not say as data what they wait for. */
function plainWaits(replicas: readonly SeenReplica[]): string[] {
  return replicas.flatMap((seen) => {
    const said = quoted(seen.waitsFor);
    const isData = lackSaidBy(seen, replicas.length) !== undefined;
    return seen.reachable === false || said === '' || isData ? [] : [`Replica ${seen.id} says: "${said}".`];
  });
}

/** What somebody who asks waits for himself, and what is known of those whose answers are lacking. */
function ownWait(
  lack: Lack,
  replicas: readonly SeenReplica[],
  isTold: (replica: ReplicaId) => boolean,
): { readonly sentence: string; readonly grounds: Ground[] } {
  const known = lack.lacks
    .filter((replica) => !isTold(replica))
    .flatMap((replica) => groundsOf(replicas[replica] ?? { id: replica })[0] ?? []);
  const clauses = known.map(({ replica, text }) => `replica ${replica} ${text}`).join('; ');
  const waits = `The gateway's oldest request ${waitingWords(lack)}, ${forWords(lack.forMs)}`;
  return { sentence: `${waits}${clauses === '' ? '' : `: ${clauses}`}.`, grounds: known };
}

/** See the top of this file. */
export function explain(sources: ExplainSources): Explanation {
  const { f, waiting, patienceMs = PATIENCE_MS } = sources;
  const replicas = sources.replicas.map(checkedReplica);
  const faults = f ?? Math.floor((replicas.length - 1) / 2);
  const all = waitingOf(replicas, patienceMs);
  const own = (waiting?.forMs ?? 0) >= patienceMs ? (waiting ?? undefined) : undefined;
  const isIdle =
    own === undefined &&
    pendingOf(replicas, faults) === 0 &&
    all.every(({ lack }) => LASTING.includes(lack.what));
  const quorum = quorumSentence(replicas, faults, isIdle);
  const waits = waitSentences(
    all.filter(({ id, lack }) => TOLD[lack.what]?.(replicas[id]!) !== true),
    replicas,
    faults,
  );
  const isNamed = (id: ReplicaId): boolean => waits.grounds.some(({ replica }) => replica === id);
  const asked = own && ownWait(own, replicas, isNamed);
  const grounds = [...waits.grounds, ...(asked?.grounds ?? [])];
  const isTold = (id: ReplicaId): boolean => grounds.some(({ replica }) => replica === id);
  // So many must be wrong or right together that one of them is correct, and the others are too few for a quorum.
  const others = replicas.filter(takesPart).filter(({ id }) => !all.some((one) => one.id === id));
  const isSaid = all.length > faults && others.length < replicas.length - faults && !isIdle;
  const head: string[] = [];
  if (quorum !== undefined) head.push(isIdle ? quorum : `Nothing commits. ${quorum}`);
  else if (isSaid) head.push(`Nothing commits, ${sayWords(all.map(({ id }) => id).sort((a, b) => a - b))}.`);
  return {
    sentences: [
      ...aboutEquality(replicas, faults),
      ...head,
      ...waits.sentences,
      ...(asked === undefined ? [] : [asked.sentence]),
      ...plainWaits(replicas),
      ...replicas.filter(({ id }) => !isTold(id)).flatMap(aboutItself),
      ...aboutOthers(replicas, isTold, (id) => isUnheard(id, replicas, faults)),
    ],
    stuck: (quorum !== undefined && !isIdle) || own !== undefined ? 'seen' : isSaid ? 'said' : 'no',
    waiting: pendingOf(replicas, faults),
    grounds: [
      ...replicas.flatMap(groundsOf),
      ...grounds.filter(({ kind }) => kind === 'word' || kind === 'link'),
    ],
  };
}
