/** The scene of the live diagram. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LiveMoment, MessageLabel } from '../../core/live.ts';
import { labelText, markFields, messageFields, sceneOf, shownWords } from './live-scene.ts';
import type { LaneFacts, Note } from './live-scene.ts';
import { LiveMessages } from './messages.ts';
import type { Scene } from '../diagram/scene.ts';

const LANES: readonly LaneFacts[] = [0, 1, 2].map((id) => ({
  id,
  note: id === 0 ? 'primary, view 0' : 'backup, view 0',
  isByzantine: false,
  down: [],
}));
const PREPARE = { kind: 'PREPARE', view: 0, sequence: 5, author: 0, counter: 9 } as const;
const COMMIT = { kind: 'COMMIT', view: 0, sequence: 5, author: 1, counter: 7 } as const;

interface Told {
  readonly replica: number;
  readonly moments: readonly LiveMoment[];
}

function sceneFrom(
  told: readonly Told[],
  more: { lanes?: readonly LaneFacts[]; notes?: readonly Note[] } = {},
): Scene {
  const messages = new LiveMessages();
  for (const one of told) messages.add({ ...one, missed: 0 }, 3);
  const { lanes = LANES, notes = [] } = more;
  const { latestMs, hasThreePhases } = messages;
  return sceneOf({
    seen: messages.latest(120, false),
    lanes,
    notes,
    originMs: 1_000,
    latestMs,
    hasThreePhases,
  });
}

const ONE_ORDER: readonly Told[] = [
  { replica: 0, moments: [{ at: 'sent', ms: 1_100, ...PREPARE }] },
  {
    replica: 1,
    moments: [
      { at: 'taken', ms: 1_101, from: 0, ...PREPARE },
      { at: 'sent', ms: 1_102, ...COMMIT },
      { at: 'executed', ms: 1_102, sequence: 5, height: 3, requests: 2 },
    ],
  },
  {
    replica: 2,
    moments: [
      { at: 'taken', ms: 1_103, from: 0, ...PREPARE },
      { at: 'taken', ms: 1_104, from: 1, ...COMMIT },
      { at: 'executed', ms: 1_104, sequence: 5, height: 3, requests: 2 },
      { at: 'taken', ms: 1_109, from: 0, kind: 'COMMIT', view: 0, sequence: 5, author: 0, counter: 10 },
    ],
  },
];

describe('the live scene', () => {
  it('has an arrow for each message, with the certified counter on it', () => {
    const { arrows, lanes } = sceneFrom(ONE_ORDER);
    assert.deepEqual(
      arrows.map(({ from, to, sentMs, arrivedMs, label }) => [from, to, sentMs, arrivedMs, label]),
      [
        [0, 1, 100, 101, 'PREPARE n5 v0 [0:9]'],
        [0, 2, 100, 103, 'PREPARE n5 v0 [0:9]'],
        [1, 0, 102, undefined, 'COMMIT n5 v0 [1:7]'],
        [1, 2, 102, 104, 'COMMIT n5 v0 [1:7]'],
      ],
    );
    assert.equal(arrows[0]!.shortLabel, 'P5 [0:9]');
    assert.deepEqual(
      lanes.map(({ label }) => label),
      ['replica 0', 'replica 1', 'replica 2'],
    );
  });

  it('lights up the votes that a replica had taken when it executed', () => {
    const { marks, arrows } = sceneFrom(ONE_ORDER);
    const lit = marks.map(({ lane, label, quorum }) => [
      lane,
      label,
      quorum
        .map((id) => arrows.find((arrow) => arrow.id === id)!)
        .map(({ from, to, kind }) => `${kind} ${from}${to}`),
    ]);
    assert.deepEqual(lit, [
      [1, 'executes n5', ['PREPARE 01']],
      [2, 'executes n5', ['PREPARE 02', 'COMMIT 12']],
    ]);
  });

  it('tells the fields of what happened', () => {
    const messages = new LiveMessages();
    for (const one of ONE_ORDER) messages.add({ ...one, missed: 0 }, 3);
    const mark = sceneFrom(ONE_ORDER).marks[1]!;
    assert.deepEqual(markFields(mark, messages.latest(120, false).messages, 1_000), [
      ['what', 'executes n5'],
      ['where', 'replica 2'],
      ['when', '00:00:01.104'],
      ['taken up before', 'PREPARE n5 v0 [0:9] from 0, COMMIT n5 v0 [1:7] from 1'],
    ]);
    const killed = { ...mark, lane: undefined, label: 'replica 0 killed', quorum: [] };
    assert.deepEqual(
      markFields(killed, [], 0).map(([, text]) => text),
      ['replica 0 killed', 'done from this page', '00:00:00.104'],
    );
  });

  it('counts only votes of the highest view', () => {
    const vote = (view: number, ms: number): LiveMoment => ({ at: 'taken', ms, from: 1, ...COMMIT, view });
    const executed: LiveMoment = { at: 'executed', ms: 1_200, sequence: 5, height: 3, requests: 1 };
    const late: LiveMoment = { at: 'view', ms: 9_000, view: 1 };
    const { marks, arrows } = sceneFrom([
      { replica: 2, moments: [vote(0, 1_100), vote(1, 1_150), executed, late] },
    ]);
    const quorum = marks[0]!.quorum.map((id) => arrows.find((arrow) => arrow.id === id)!.sentMs);
    assert.deepEqual(quorum, [150]);
    assert.equal(marks[1]!.label, 'enters view 1');
  });

  it('counts only what speaks for the batch that was executed, where both say which', () => {
    const taken = (ms: number, from: number, label: MessageLabel): LiveMoment => ({
      at: 'taken',
      ms,
      from,
      ...label,
    });
    const [one, other] = [{ about: 'aaaaaaaa' }, { about: 'bbbbbbbb' }];
    const moments = [
      taken(1_100, 0, { ...PREPARE, ...one }),
      taken(1_110, 0, { ...PREPARE, ...other, view: 1 }),
      taken(1_120, 1, { ...COMMIT, ...other }),
      taken(1_130, 1, { ...COMMIT, ...one }),
      taken(1_140, 1, COMMIT),
    ];
    const litOf = (executed: { readonly about?: string }): (number | undefined)[] => {
      const mark = { at: 'executed', ms: 1_200, sequence: 5, height: 3, requests: 1, ...executed } as const;
      const late: LiveMoment = { at: 'view', ms: 9_000, view: 1 };
      const { marks, arrows } = sceneFrom([{ replica: 2, moments: [...moments, mark, late] }]);
      return marks[0]!.quorum.map((id) => arrows.find((arrow) => arrow.id === id)!.sentMs);
    };
    assert.deepEqual(litOf(one), [100, 130, 140]);
    assert.deepEqual(litOf({}), [110], 'a replica that does not say what it executed');
  });

  it('takes a message for lost only after a while, and never if its receiver forgot moments', () => {
    const sent: LiveMoment = { at: 'sent', ms: 1_100, to: 1, ...PREPARE };
    const later = (ms: number): Told => ({ replica: 2, moments: [{ at: 'view', ms, view: 0 }] });
    const first = { replica: 0, moments: [sent] };
    assert.equal(sceneFrom([first, later(2_000)]).arrows[0]!.isLost, false);
    assert.equal(sceneFrom([first, later(4_000)]).arrows[0]!.isLost, true);
    const messages = new LiveMessages();
    messages.add({ ...first, missed: 0 }, 3);
    messages.add({ replica: 1, moments: [], missed: 5 }, 3);
    messages.add({ ...later(4_000), missed: 0 }, 3);
    const seen = messages.latest(120, false);
    const parts = { seen, lanes: LANES, notes: [], originMs: 0, latestMs: 4_000, hasThreePhases: false };
    assert.equal(sceneOf(parts).arrows[0]!.isLost, false);
  });

  it('lets nothing arrive before it was sent, whatever the clocks say, but tells it in the fields', () => {
    const told = [
      { replica: 0, moments: [{ at: 'sent', ms: 1_100, to: 1, ...PREPARE }] },
      { replica: 1, moments: [{ at: 'taken', ms: 1_090, from: 0, ...PREPARE, refused: 'minbft.P2' }] },
    ] satisfies Told[];
    const { arrows } = sceneFrom(told);
    assert.deepEqual([arrows[0]!.sentMs, arrows[0]!.arrivedMs, arrows[0]!.isRefused], [100, 100, true]);
    const messages = new LiveMessages();
    for (const one of told) messages.add({ ...one, missed: 0 }, 3);
    const fields = new Map(messageFields(messages.latest(120, false).messages[0]!));
    assert.equal(fields.get('taken up'), '00:00:01.090, 10.0 ms before, by its own clock');
    assert.equal(fields.get('refused'), 'minbft.P2');
    assert.equal(fields.get('certified counter'), '9');
    assert.equal(fields.has('batch'), false);
    const named = { ...messages.latest(120, false).messages[0]!, label: { ...PREPARE, about: '00ff12ab' } };
    assert.equal(new Map(messageFields(named)).get('batch'), '00ff12ab…');
  });

  it('shows when replicas were away and what was done, but nothing from before its first message', () => {
    const lanes = LANES.map((lane) => ({
      ...lane,
      down: [
        { fromMs: 200, untilMs: 900 },
        { fromMs: 1_050, untilMs: undefined },
      ],
    }));
    const notes = [
      { id: 1, atMs: 500, text: 'replica 0 killed' },
      { id: 2, atMs: 1_104, text: 'replica 1 killed' },
    ];
    const scene = sceneFrom(ONE_ORDER, { lanes, notes });
    assert.deepEqual(scene.lanes[0]!.down, [{ fromMs: 100, untilMs: undefined }]);
    const faults = scene.marks.filter(({ kind }) => kind === 'fault');
    assert.deepEqual(
      faults.map(({ lane, label, atMs }) => [lane, label, atMs]),
      [[undefined, 'replica 1 killed', 104]],
    );
  });

  it('leaves out what names replicas that the cluster does not have', () => {
    const { arrows, marks } = sceneFrom([
      { replica: 7, moments: [{ at: 'sent', ms: 1_100, to: 1, ...PREPARE }] },
      { replica: 7, moments: [{ at: 'executed', ms: 1_100, sequence: 1, height: 1, requests: 1 }] },
      { replica: 1, moments: [{ at: 'sent', ms: 1_100, to: 9, ...PREPARE }] },
    ]);
    assert.deepEqual([arrows, marks], [[], []]);
  });

  it('says in words what is shown', () => {
    assert.equal(labelText({ kind: 'STATUS' }), 'STATUS');
    const seen = { messages: [], deeds: [], notShown: 0, missed: 0 };
    assert.equal(shownWords(seen), 'No messages yet.');
    const messages = new LiveMessages();
    messages.add({ replica: 0, moments: [{ at: 'sent', ms: 1, to: 1, ...PREPARE }], missed: 1_200 }, 3);
    const some = messages.latest(120, false);
    assert.match(
      shownWords({ ...some, notShown: 3_400 }),
      /latest 1 are shown, 3,400 others are not\. 1,200 things/,
    );
  });
});
