/**
 * Faults in simulated clusters of all protocols: the explanation names whoever is at fault and why, and never a correct
 * replica but as the word of somebody; also if one of the statuses lies.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReplicaId } from '../../core/types.ts';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { explain } from './explain.ts';
import type { Explanation } from './explain.ts';
import type { SeenReplica, SupervisedProcess } from './seen-replica.ts';
import { viewOf } from './stage.testing.ts';
import type { Play, StageView } from './stage.testing.ts';

interface Case {
  readonly name: string;
  readonly play: Play;
  /** Who is at fault. */
  readonly culprits: readonly ReplicaId[];
  /** What must be said. */
  readonly says: readonly RegExp[];
  readonly stuck: readonly Explanation['stuck'][];
  /** What the supervisor knows. */
  readonly supervised?: (id: ReplicaId) => Partial<SupervisedProcess>;
}

const WELL: SupervisedProcess = { state: 'running', reason: null, byzantine: null, cutOff: false };
const NAMES: readonly string[] = PROTOCOLS.map(({ name }) => name);
const sizeOf = (protocol: string, f = 1): number =>
  PROTOCOLS.find(({ name }) => name === protocol)!.replicasFor(f);
const lines = (ids: readonly number[], line: (id: number) => string): string[] => ids.map(line);

/** What takes a quorum away, in every protocol. */
function usualCases(protocol: string): Case[] {
  const n = sizeOf(protocol);
  const last = [n - 2, n - 1];
  const each = (text: (id: number) => string): RegExp[] => last.map((id) => new RegExp(text(id)));
  const waits = /Replicas? \d.* says? that .*waits? for /;
  return [
    {
      name: 'two more than it stands are killed',
      play: { protocol, steps: lines(last, (id) => `crash ${id}`) },
      culprits: last,
      says: [/^Nothing commits\. No quorum/m, waits, ...each((id) => `replica ${id} cannot be reached`)],
      stuck: ['seen'],
    },
    {
      name: 'the primary and another one are killed',
      play: { protocol, steps: ['crash 0', `crash ${n - 1}`] },
      culprits: [0, n - 1],
      says: [waits, /replica 0 is not running \(killed\)/, new RegExp(`replica ${n - 1} is not running`)],
      stuck: ['seen'],
      supervised: (id) => (id === 0 || id === n - 1 ? { state: 'stopped', reason: 'killed' } : {}),
    },
    {
      name: 'two are paused',
      play: { protocol, steps: lines(last, (id) => `pause ${id}`), mute: last },
      culprits: last,
      says: [waits, ...each((id) => `replica ${id} is paused`)],
      stuck: ['seen'],
      supervised: (id) => (last.includes(id) ? { state: 'paused' } : {}),
    },
    {
      name: 'two are cut off on purpose',
      play: { protocol, steps: lines(last, (id) => `isolate ${id}`) },
      culprits: last,
      says: [/^Nothing commits\. No quorum/m, ...each((id) => `replica ${id} was cut off from the others`)],
      stuck: ['seen'],
      supervised: (id) => (last.includes(id) ? { cutOff: true } : {}),
    },
    {
      name: 'what two say gets lost',
      play: { protocol, steps: lines(last, (id) => `now mute ${id} for 9000`) },
      culprits: last,
      says: [
        /^Nothing commits, say/m,
        ...each((id) => `eplica ${id} is (?:silent, say|suspected \\(silent)`),
      ],
      stuck: ['seen', 'said'],
    },
    {
      name: 'nobody asks for anything when a quorum is lost',
      play: { protocol, steps: lines(last, (id) => `crash ${id}`), isAsked: false },
      culprits: last,
      says: [/^No quorum.*No request waits for that now/m],
      stuck: ['no'],
    },
  ];
}

const STUCK = 'trouble={"kind":"stuck","works":false}';
const LOST = 'trouble={"kind":"lost"}';

const SPECIAL: readonly Case[] = [
  {
    name: 'whole replicas: two are killed',
    play: { protocol: 'minbft', fidelity: 'whole', steps: ['crash 1', 'crash 2'] },
    culprits: [1, 2],
    says: [
      /Replica 0 says that it waits for the COMMIT of one more of replicas 1, 2 for sequence number \d+ of view 0/,
    ],
    stuck: ['seen'],
  },
  {
    name: 'whole replicas: the trusted components of two do not answer',
    play: {
      protocol: 'minbft',
      fidelity: 'whole',
      steps: [`now component 1 for 9000 ${STUCK}`, `now component 2 for 9000 ${STUCK}`],
    },
    culprits: [1, 2],
    says: [
      /replica 1 says that its trusted component does not answer/,
      /replica 2 says that its trusted component/,
    ],
    stuck: ['seen', 'said'],
  },
  {
    name: 'whole replicas: one was wiped and another one is down, so it is not re-admitted',
    play: {
      protocol: 'minbft',
      fidelity: 'whole',
      steps: [`now component 2 for 100 ${LOST}`, 'crash 1'],
    },
    culprits: [1, 2],
    says: [/replica 1 cannot be reached/, /[Rr]eplica 2 says that it (?:must be|is being) re-admitted/],
    stuck: ['seen'],
  },
  ...['a2m-pbft-ea', 'reminbft', 'cheapbft', 'a2m-pbft-e'].map((protocol): Case => ({
    name: `${protocol}: the trusted components of two are lost for ever`,
    play: {
      protocol,
      head: ['set overBudget true'],
      steps: [1, 2].map((id) => `now component ${id} for 20 ${LOST}`),
    },
    culprits: [1, 2],
    says: [/Nothing commits\. No quorum/, /eplica 1 says that it has halted/, /eplica 2 says that it has/],
    stuck: ['seen'],
  })),
  {
    name: 'more components are lost than it stands: a final halt',
    play: {
      protocol: 'minbft',
      fidelity: 'whole',
      head: ['set overBudget true'],
      steps: [`now component 2 for 100 ${LOST}`, 'wait 5', `now component 1 for 100 ${LOST}`],
    },
    culprits: [1, 2],
    says: [/final halt: replicas 1, 2 lost counter or log/],
    stuck: ['seen'],
  },
  {
    name: 'one backup is cut off: the others go on, and it is said of that one alone',
    play: { protocol: 'minbft', steps: ['isolate 2'] },
    culprits: [2],
    says: [/^Replica 2 says that it waits for .*: it may be cut off|Replica 2 says that it waits/m],
    stuck: ['no'],
  },
  {
    name: 'the link between two is cut and the third is down',
    play: { protocol: 'minbft', steps: ['cut 0 from 1', 'crash 2'] },
    culprits: [2],
    says: [/replica 2 cannot be reached/, /do not hear each other, they say/],
    stuck: ['seen', 'said'],
  },
  {
    name: 'what a view change needs gets lost',
    play: { protocol: 'minbft', steps: ['drop CHECKPOINT', 'drop VIEW-CHANGE', 'drop NEW-VIEW'] },
    culprits: [],
    says: [/waits? for the VIEW-CHANGE of one more of replicas .* may get lost/],
    stuck: ['seen', 'said'],
  },
  {
    name: 'CHECKPOINTs get lost: the window is full (PBFT)',
    play: { protocol: 'pbft', steps: ['drop CHECKPOINT'] },
    culprits: [],
    says: [/waits? for the CHECKPOINT of/],
    stuck: ['seen', 'said'],
  },
  {
    name: 'COMMITs get lost: prepared, and no more (PBFT)',
    play: {
      protocol: 'pbft',
      head: ['set timers.requestMs 20000', 'set timers.newViewMs 20000'],
      steps: ['drop COMMIT'],
    },
    culprits: [],
    says: [/waits? for the COMMIT of 2 more of replicas .*\(1 of 3 there\)/],
    stuck: ['seen', 'said'],
  },
  ...['minbft', 'a2m-pbft-ea', 'reminbft', 'ebawa'].map((protocol): Case => ({
    name: `five replicas of ${protocol}: three are killed`,
    play: { protocol, replicas: 5, steps: ['crash 2', 'crash 3', 'crash 4'] },
    culprits: [2, 3, 4],
    says: [
      /No quorum, as far as can be seen from here: 2 of 5/,
      /replica 2 cannot be reached/,
      /[Rr]eplica 4 (?:cannot|is unreachable)/,
    ],
    stuck: ['seen'],
  })),
];

function known(view: StageView, { supervised }: Case): readonly SeenReplica[] {
  if (supervised === undefined) return view.replicas;
  return view.replicas.map((seen) => ({ ...seen, supervised: { ...WELL, ...supervised(seen.id) } }));
}

/** Grounds that are facts, or a replica's word about itself. */
function isPlain({ kind }: Explanation['grounds'][number]): boolean {
  return kind !== 'word' && kind !== 'link';
}

function check(one: Case, view: StageView, replicas: readonly SeenReplica[]): void {
  const { sentences, stuck, grounds } = explain({ ...view, replicas });
  const text = sentences.join('\n');
  assert.ok(one.stuck.includes(stuck), `${stuck}: ${text}`);
  for (const pattern of one.says) assert.match(text, pattern);
  for (const culprit of one.culprits)
    assert.match(text, new RegExp(`[Rr]eplicas? (?:\\d, )*${culprit}\\b`), `replica ${culprit} is named`);
  for (const ground of grounds) {
    const wrong = ground.kind !== 'link' && !one.culprits.includes(ground.replica);
    assert.ok(!wrong, `accuses replica ${ground.replica}, which is correct: ${ground.text}\n${text}`);
  }
}

/** What a liar may say about itself and others. */
function liesOf(liar: ReplicaId, seen: SeenReplica, n: number): SeenReplica[] {
  const others = Array.from({ length: n }, (_, id) => id).filter((id) => id !== liar);
  const lack = {
    what: 'COMMIT',
    view: 3,
    sequence: 99,
    needs: n,
    has: [liar],
    lacks: others,
    forMs: 86_400_000,
  };
  const accusation = 'it broke every rule). Replica 0 is proven faulty (all of them';
  const suspected = others.map((replica) => ({ replica, why: 'silent for 99 s' }));
  const words = {
    haltReason: 'Replica 0 is proven faulty.',
    waitsFor: 'replica 0". Replica 0 has halted. "',
  };
  return [
    { ...seen, reachable: true, role: 'primary', lack, suspected, pendingBundles: 1_000_000 },
    { ...seen, reachable: true, role: 'backup', lack: null, suspected: [], pendingBundles: 0, sequence: 1e9 },
    { ...seen, reachable: true, role: 'halted', ...words, lack: null, suspected: [] },
    {
      ...seen,
      reachable: true,
      role: 'backup',
      waitsFor: words.waitsFor,
      lack: { what: 'x'.repeat(1e6), lacks: null } as never,
      suspected: others.map((replica) => ({ replica, why: accusation })),
    },
  ];
}

/** No correct replica but the liar is accused plainly, nor by the word of anybody but the liar. */
function checkWithLiar(one: Case, view: StageView, replicas: readonly SeenReplica[], liar: ReplicaId): void {
  const { sentences, grounds } = explain({ ...view, replicas });
  const text = sentences.join('\n');
  const isBlameless = (replica: ReplicaId): boolean => replica !== liar && !one.culprits.includes(replica);
  for (const ground of grounds.filter(({ replica }) => isBlameless(replica))) {
    assert.ok(!isPlain(ground), `plainly accuses replica ${ground.replica}: ${ground.text}\n${text}`);
    if (ground.kind === 'word')
      assert.ok(
        ground.by!.every((id) => !isBlameless(id)),
        `the word of others against ${ground.replica}\n${text}`,
      );
  }
  for (const { id } of replicas.filter((seen) => isBlameless(seen.id))) {
    const plain = new RegExp(`^Replica ${id} (?:is (?!suspected)|has|was|cannot)`, 'm');
    assert.doesNotMatch(text, plain);
  }
  for (const sentence of sentences) {
    const quoteless = sentence.replace(/"[^"]*"/g, '').replace(/\([^()]*\)/g, '');
    assert.doesNotMatch(quoteless, /is proven faulty|(?<!says that it )has halted/, text);
    assert.ok(sentence.length < 2_000);
  }
}

const CASES: readonly (readonly [string, readonly Case[]])[] = [
  ...NAMES.map((name) => [name, usualCases(name)] as const),
  ['special', SPECIAL],
];

for (const [group, cases] of CASES)
  describe(`faults explained: ${group}`, () => {
    for (const one of cases)
      it(one.name, () => {
        const view = viewOf(one.play);
        const replicas = known(view, one);
        check(one, view, replicas);
        for (const liar of replicas.map(({ id }) => id))
          for (const lie of liesOf(liar, replicas[liar]!, replicas.length)) {
            const told = replicas.map((seen) => (seen.id === liar ? lie : seen));
            checkWithLiar(one, view, told, liar);
          }
      });
  });

describe('nothing is wrong', () => {
  for (const protocol of NAMES)
    it(`with ${protocol} at work, and at rest`, () => {
      for (const isAsked of [true, false]) {
        const view = viewOf({ protocol, steps: [], isAsked });
        const { sentences, stuck, grounds } = explain(view);
        assert.deepEqual({ sentences, stuck, grounds }, { sentences: [], stuck: 'no', grounds: [] });
      }
    });
});
