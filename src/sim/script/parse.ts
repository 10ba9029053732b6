/** Reads a scenario script. */
import { behaviourOf, BEHAVIOURS } from '../../adversary/behaviours.ts';
import { putFamily } from './family-lies.ts';
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import { minbft } from '../../protocols/minbft/definition.ts';
import type { JudgeName } from '../judge.ts';
import { FIDELITIES } from '../run-schedule.ts';
import type { Fidelity } from '../run-schedule.ts';
import type { Scenario } from '../scenario.ts';
import { baseScenario } from '../base-scenario.ts';
import { isStep, readCondition, readStep, STEP_USAGE } from './parse-steps.ts';
import { CLIENT_DEFAULT, readClients, readFault, readFires, readForker, readRest } from './plan.ts';
import { ScriptError } from './script.ts';
import type { Expectation, Script } from './script.ts';
import { putAt, readSetting, SETTINGS } from './settings.ts';
import type { Json, JsonObject } from './settings.ts';
import { Words } from './words.ts';

/** Faults for which a script may have a cluster, at most. */
const FAULTS_MAX = 20;

/** Every judge; the compiler sees to it that none is missing. */
const JUDGE_NAMES: Readonly<Record<JudgeName, true>> = {
  agreement: true,
  validity: true,
  'exactly-once': true,
  checkpoint: true,
  reply: true,
  durability: true,
  accusation: true,
  'self-acceptance': true,
  start: true,
  bounds: true,
  liveness: true,
  client: true,
  crash: true,
  execution: true,
  'real-time': true,
  linearizability: true,
  chain: true,
  inside: true,
  receipt: true,
  stream: true,
  view: true,
  'view-change': true,
  progress: true,
  stability: true,
};
/** Judges that an expectation may name. */
export const JUDGES = Object.keys(JUDGE_NAMES) as readonly JudgeName[];

/** Lines of the head of a script, beside settings and steps. */
export const HEAD_USAGE = {
  scenario: 'scenario NAME',
  protocol: 'protocol NAME (all but minbft: with "fidelity core", and before "expect refusal")',
  fidelity: 'fidelity whole|core',
  replicas: 'replicas COUNT (as many as the protocol needs for some f)',
  seed: 'seed NUMBER',
  judge: 'judge everything | judge outcomes',
  expect: 'expect clean | expect violation JUDGE | expect event CONDITION | expect refusal RULE [for RULE]',
  with: 'with mistake MUTANT expect violation JUDGE',
  puppet: 'puppet A,B',
  byzantine: 'byzantine A BEHAVIOUR',
  lies: `lies A LIE[,LIE] (any protocol, "fidelity core")`,
  twins: 'twins A shows B,C|nobody [at MS] [empty] [cloned] (any protocol, "fidelity core")',
  forker: 'forker A by snapshot|restart|rollback|leak shows B,C [patience PROPOSALS] [at MS] [fenced]',
  clock: 'clock A ahead MS',
  clients:
    'clients COUNT [bundles N] [of REQUESTS] [every MS] [in-flight N] [retransmit MS] [to all|primary]',
  at: 'at MS crash|pause|wipe|isolate|mute|deaf A|primary for MS | at MS partition A,B for MS [one-way] | at MS powercut for MS | at MS KIND A for MS NAME=VALUE (clockjump, bitrot, diskfail, slowdisk, fsynclie, component)',
  fires: 'fires loss|duplicate|tail A>B ORDINAL | fires FAMILY MEMBER ORDINAL | fires nothing',
  set: 'set PATH JSON',
  unset: 'unset PATH',
} as const;

interface Reading {
  name: string;
  story: string[];
  protocol: string;
  fidelity: Fidelity;
  judges: Script['judges'];
  readonly scenario: JsonObject;
  readonly puppets: number[];
  readonly steps: Script['steps'][number][];
  readonly expect: Expectation[];
  readonly mistakes: Script['mistakes'][number][];
}

/** The script that a text says; throws `ScriptError` with the line and what was expected there. */
export function parseScript(text: string): Script {
  const lines = text.split('\n').map((line) => line.trim());
  const reading: Reading = {
    name: '',
    story: [],
    protocol: 'minbft',
    fidelity: 'whole',
    judges: 'everything',
    scenario: baseOf(lines),
    puppets: [],
    steps: [],
    expect: [],
    mistakes: [],
  };
  let begun = false;
  lines.forEach((line, index) => {
    if (line.startsWith('#')) {
      if (!begun) reading.story.push(line.replace(/^#\s?/, ''));
      return;
    }
    if (line === '') return;
    if (!line.startsWith('scenario ')) begun = true;
    readLine(new Words(index + 1, line.replace(/\s#.*$/, '')), reading);
  });
  if (reading.name === '')
    throw new ScriptError(0, 'the script has no name: it needs a line "scenario NAME"');
  if (reading.expect.length === 0)
    throw new ScriptError(
      0,
      'the script expects nothing: it needs a line "expect clean", or another expectation',
    );
  const { name, story, protocol, fidelity, judges, puppets, steps, expect, mistakes } = reading;
  const scenario = reading.scenario as unknown as Scenario;
  checkReplicas(scenario, puppets);
  if (fidelity === 'whole' && (protocol !== minbft.name || scenario.family !== undefined))
    throw new ScriptError(0, `${protocol} with "lies" or "twins" needs "fidelity core"`);
  if (fidelity === 'core' && puppets.length > 0)
    throw new ScriptError(0, 'puppets speak in bytes: they need "fidelity whole"');
  return { name, story, protocol, fidelity, judges, scenario, puppets, steps, expect, mistakes };
}

/** The number of replicas decides what everything else means, wherever it stands; the protocol says for how many faults. */
function baseOf(lines: readonly string[]): JsonObject {
  const protocol = lines.find((line) => line.startsWith('protocol '))?.split(/\s+/)[1] ?? 'minbft';
  const { replicasFor } = protocolNamed(protocol) ?? minbft;
  let f = 1;
  lines.forEach((line, index) => {
    if (!line.startsWith('replicas ')) return;
    const words = new Words(index + 1, line);
    words.usage = HEAD_USAGE.replicas;
    words.must('replicas');
    const n = words.whole('a number of replicas');
    f =
      Array.from({ length: FAULTS_MAX }, (_, faults) => faults + 1).find((one) => replicasFor(one) === n) ??
      0;
    if (f === 0)
      throw new ScriptError(
        index + 1,
        `${n} replicas are not what ${protocol} needs: ${replicasFor(1)}, ${replicasFor(2)}, ${replicasFor(3)} and so on`,
      );
  });
  return baseScenario(f, replicasFor(f)) as unknown as JsonObject;
}

function readLine(words: Words, into: Reading): void {
  const verb = words.peek;
  const setting = SETTINGS.find((candidate) => candidate.verb === verb);
  if (isStep(verb) && !(verb === 'clients' && /^clients \d/.test(words.text))) {
    into.steps.push({ line: words.line, step: readStep(words, (replica) => into.puppets.includes(replica)) });
    return;
  }
  words.take('a verb');
  if (setting !== undefined) return readSetting(setting, words, into.scenario);
  if (!Object.hasOwn(HEAD_USAGE, verb)) {
    const known = [
      ...Object.keys(HEAD_USAGE),
      ...SETTINGS.map((one) => one.verb),
      ...Object.keys(STEP_USAGE),
    ];
    throw new ScriptError(
      words.line,
      `"${verb}" is not a verb; there are ${known.join(', ')}, and what puppets do`,
    );
  }
  words.usage = HEAD_USAGE[verb as keyof typeof HEAD_USAGE];
  readHead(verb as keyof typeof HEAD_USAGE, words, into);
  words.end();
}

function readHead(verb: keyof typeof HEAD_USAGE, words: Words, into: Reading): void {
  const { scenario } = into;
  const append = (path: string, ...values: readonly Json[]): void => {
    const before = (scenario[path] ?? []) as readonly Json[];
    scenario[path] = [...before, ...values];
  };
  switch (verb) {
    case 'scenario':
      into.name = words.name('a name of lower-case letters, digits and hyphens');
      return;
    case 'protocol':
      into.protocol = words.one(PROTOCOLS.map(({ name }) => name));
      return;
    case 'fidelity':
      into.fidelity = words.one(FIDELITIES);
      return;
    case 'replicas':
      words.whole('a number of replicas');
      return;
    case 'judge':
      into.judges = words.one(['everything', 'outcomes']);
      return;
    case 'seed':
      scenario['seed'] = words.whole('a number');
      return;
    case 'expect':
      into.expect.push(readExpectation(words));
      return;
    case 'with': {
      words.must('mistake');
      const mutant = words.take('the id of a mutant');
      words.must('expect');
      into.mistakes.push({ mutant, expect: readExpectation(words) });
      return;
    }
    case 'puppet':
      into.puppets.push(...words.replicas());
      return;
    case 'byzantine':
      return append('byzantine', readByzantine(words));
    case 'lies':
    case 'twins':
      return putFamily(scenario, verb, words);
    case 'forker':
      scenario['forker'] = readForker(words);
      return;
    case 'clock': {
      const replica = words.replica();
      words.must('ahead');
      const offsets = [...(scenario['clockOffsetsMs'] as readonly Json[])];
      offsets[replica] = words.number('milliseconds');
      scenario['clockOffsetsMs'] = offsets;
      return;
    }
    case 'clients':
      return append('clients', ...readClients(words, CLIENT_DEFAULT));
    case 'at':
      return append('faults', readFault(words));
    case 'fires':
      return append('fires', ...readFires(words, scenario['n'] as number));
    case 'set': {
      const path = words.take('a path with dots');
      return putAt(scenario, path, words.json());
    }
    case 'unset':
      return putAt(scenario, words.take('a path with dots'), undefined);
  }
}

function readByzantine(words: Words): Json {
  const replica = words.replica();
  const behaviour = behaviourOf(words.peek);
  if (behaviour === undefined) words.fail(`a behaviour (${BEHAVIOURS.map((one) => one.name).join(', ')})`);
  words.take('');
  return { replica, behaviour, ...readRest(words) };
}

const RULES = PROTOCOLS.flatMap(({ rules }) => rules.map(({ id }) => id));

function readExpectation(words: Words): Expectation {
  switch (words.one(['clean', 'violation', 'event', 'refusal'])) {
    case 'clean':
      return { kind: 'clean' };
    case 'violation':
      return { kind: 'violation', judge: words.one(JUDGES) };
    case 'event':
      return { kind: 'event', condition: readCondition(words) };
    case 'refusal': {
      const rule = words.one(RULES);
      return words.skip('for') ? { kind: 'refusal', rule, for: words.one(RULES) } : { kind: 'refusal', rule };
    }
  }
}

/** Replicas that do not exist, and lies beyond the fault budget of a puppet. */
function checkReplicas(scenario: Scenario, puppets: readonly number[]): void {
  const hit = scenario.faults.flatMap((fault) =>
    'target' in fault && fault.target.kind === 'replica' ? [fault.target.id] : [],
  );
  for (const replica of [...hit, ...(scenario.forker === undefined ? [] : [scenario.forker.replica])])
    if (replica >= scenario.n) throw new ScriptError(0, `there is no replica ${replica} among ${scenario.n}`);
  const named = [...puppets, ...scenario.byzantine.map((entry) => entry.replica)];
  for (const replica of named)
    if (replica >= scenario.n) throw new ScriptError(0, `there is no replica ${replica} among ${scenario.n}`);
  const twice = named.find((replica, index) => named.indexOf(replica) !== index);
  if (twice !== undefined) throw new ScriptError(0, `replica ${twice} is named as Byzantine twice`);
}
