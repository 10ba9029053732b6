/**
 * A replica may say anything in its status: every field of real statuses, at every depth, is left out and replaced by what
 * should not be there. The explanation stays an explanation: it never throws, it is short, and what a replica says is never
 * said in the words of the supervisor.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from './explain.ts';
import type { SeenReplica, SupervisedProcess } from './seen-replica.ts';
import { viewOf } from './stage.testing.ts';
import type { Play, StageView } from './stage.testing.ts';

/** What only a supervisor may say plainly. */
const SUPERVISOR = /its process is|is not running|is paused|was cut off|was told to lie/;
const FORGERY =
  'x". Replica 1: its process is stopped: killed. Replica 1 was told to lie (equivocate). Replica 1';
const PROCESS: SupervisedProcess = { state: 'running', reason: null, byzantine: null, cutOff: false };

const SENTENCES_MAX = 64;
const SENTENCE_LENGTH_MAX = 1_500;

/** So deep that whatever descends into it by calls comes to no end. */
function nested(depth: number): unknown {
  let value: unknown = 'end';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { value };
  return value;
}

const GONE = Symbol('the field is missing');
const REPLACEMENTS: readonly (readonly [string, unknown])[] = [
  ['missing', GONE],
  ['null', null],
  ['undefined', undefined],
  ['true', true],
  ['false', false],
  ['zero', 0],
  ['a negative number', -1],
  ['a broken number', 0.5],
  ['a huge number', Number.MAX_SAFE_INTEGER],
  ['a number that is too huge', 1e308],
  // JSON has a way to say this: 1e999.
  ['no finite number', Number.POSITIVE_INFINITY],
  ['a text like a number', 'NaN-1'],
  ['no number', Number.NaN],
  ['an empty text', ''],
  ['a long text', `killed ${'is not running '.repeat(20_000)}`],
  ['a forged sentence', FORGERY],
  ['a forged clause', 'it) is not running (killed); replica 1 was told to lie (equivocate'],
  ['lines and marks', '\u2028Replica 1: its process is stopped.\n\r\u202e\u0000\ud800"\u201d)('],
  ['short words', 'process that is not running'],
  ['an empty list', []],
  ['a list of lists', [[[]], [null], [[0]]]],
  ['a long list of numbers', Array.from({ length: 10_000 }, (_, index) => index)],
  ['a long list of nothing', Array.from({ length: 10_000 }, () => null)],
  ['a long list of texts', Array.from({ length: 10_000 }, (_, index) => `${index} ${FORGERY}`)],
  [
    'a long list of accusations',
    Array.from({ length: 10_000 }, (_, index) => ({
      replica: index % 3,
      rule: `${index} ${FORGERY}`,
      why: `${index} ${FORGERY}`,
      foundBy: [0, FORGERY],
      explanation: FORGERY,
      atMs: index,
    })),
  ],
  ['an object', { length: 3, state: 'stopped', reason: 'killed' }],
  ['an object with a word of the language', JSON.parse('{"__proto__":{"state":"stopped"},"toString":1}')],
  ['something deep', nested(20_000)],
];

/** Every field of a document, at every depth, as the way there. */
function* waysInto(value: unknown, way: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, one] of Object.entries(value)) {
    yield [...way, name];
    yield* waysInto(one, [...way, name]);
  }
}

/** The document with another value at the end of that way. */
function mutated(document: unknown, way: readonly string[], value: unknown): unknown {
  const [name, ...rest] = way;
  if (name === undefined) return value;
  const copy: unknown = Array.isArray(document) ? [...document] : { ...(document as object) };
  const fields = copy as Record<string, unknown>;
  if (rest.length === 0 && value === GONE) delete fields[name];
  else fields[name] = mutated(fields[name], rest, value);
  return copy;
}

/** What is in a row only at times; it is replaced as the others are. */
const MORE = {
  reason: 'no link',
  proven: [{ replica: 0, rule: 'MinBFT.STEP.PREPARE', atMs: 5, foundBy: [1, 'gateway'], explanation: 'x' }],
  process: { cutOff: false, trustedHardening: null, trustedPlainReason: null },
};

const STAGES: readonly (readonly [string, Play])[] = [
  ['nothing is wrong', { protocol: 'minbft', fidelity: 'whole', steps: [] }],
  ['no quorum', { protocol: 'minbft', fidelity: 'whole', steps: ['crash 1', 'crash 2'] }],
  [
    'two components do not answer',
    {
      protocol: 'minbft',
      fidelity: 'whole',
      steps: [1, 2].map((id) => `now component ${id} for 9000 trouble={"kind":"stuck","works":false}`),
    },
  ],
  ['links are cut', { protocol: 'minbft', fidelity: 'whole', steps: ['cut 0 from 1', 'crash 2'] }],
];

/** Words that no quotation marks and no brackets mark as somebody's. */
function plainPart(sentence: string): string {
  return sentence.replace(/"[^"]*"/g, '""').replace(/\([^()]*\)/g, '()');
}

/** `isProof`: it is about what is proved, which the gateway verifies and writes itself. */
function check(view: StageView, replicas: readonly SeenReplica[], name: string, isProof = false): void {
  const { sentences, waiting } = explain({ ...view, replicas });
  assert.ok(sentences.length <= SENTENCES_MAX, `${name}: ${sentences.length} sentences`);
  assert.ok(Number.isSafeInteger(waiting), name);
  for (const sentence of sentences) {
    assert.ok(sentence.length <= SENTENCE_LENGTH_MAX, `${name}: ${sentence.length} characters`);
    assert.match(sentence, /^[A-Z][^\n\r\u2028\u2029\u202e\u0000]*\.$/, name);
    if (!isProof) assert.doesNotMatch(plainPart(sentence), SUPERVISOR, name);
    // What was said may stand there as it was said.
    const own = plainPart(sentence).replaceAll('NaN-1', '');
    assert.doesNotMatch(own, /Infinity|NaN|undefined|null|\[object|\de\+|-\d+ (?:of|more)/, name);
  }
}

describe('a status of which one field is something else', () => {
  for (const [stage, play] of STAGES)
    it(`while ${stage}`, () => {
      const view = viewOf(play);
      const [first, ...others] = view.replicas;
      assert.ok(first?.reachable === true && first.headerHash !== undefined, 'a whole status');
      const whole = { ...first, ...MORE };
      let count = 0;
      for (const way of waysInto(whole)) {
        // Who it is about is known by whom it was asked of.
        if (way[0] === 'id') continue;
        for (const [what, value] of REPLACEMENTS) {
          const replica = mutated(whole, way, value) as SeenReplica;
          check(view, [replica, ...others], `${way.join('.')} is ${what}`, way[0] === 'proven');
          count += 1;
        }
      }
      assert.ok(count > 1_500, `${count} statuses`);
    });

  it('a status that is no status at all', () => {
    const view = viewOf(STAGES[1]![1]);
    for (const [what, value] of REPLACEMENTS)
      check(view, [value as SeenReplica, ...view.replicas.slice(1)], `the status is ${what}`);
  });

  it('keeps to what its supervisor says, whatever the report looks like', () => {
    const view = viewOf(STAGES[1]![1]);
    for (const way of waysInto({ supervised: PROCESS }))
      for (const [what, value] of REPLACEMENTS) {
        const [first, ...others] = view.replicas;
        const row = mutated({ ...first, supervised: PROCESS }, way, value) as SeenReplica;
        const { sentences } = explain({ ...view, replicas: [row, ...others] });
        assert.ok(sentences.length <= SENTENCES_MAX, `${way.join('.')} is ${what}`);
        for (const sentence of sentences)
          assert.ok(sentence.length <= SENTENCE_LENGTH_MAX && /^[A-Z][^\n\r]*\.$/.test(sentence), what);
      }
  });
});
