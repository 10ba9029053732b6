/** A script as text: what `parse.ts` reads back to the same script. Any scenario can be printed. */
import { protocolNamed } from '../../protocols/catalogue.ts';
import type { Scenario } from '../scenario.ts';
import { baseScenario } from '../base-scenario.ts';
import { parseScript } from './parse.ts';
import { printFamily } from './family-lies.ts';
import { printClients, printFault, printFires, printForker, restText } from './plan.ts';
import { conditionText, stepText } from './print-steps.ts';
import type { Expectation, Script } from './script.ts';
import { printRest, printSettings } from './settings.ts';
import type { Json, JsonObject } from './settings.ts';

/** Characters of a line of the story, at most. */
const STORY_WIDTH = 110;

/** See the top of this file. */
export function printScript(script: Script): string {
  const { scenario, puppets, steps } = script;
  // A cluster may have another size than its protocol needs: there are no words for that, see `rest`.
  const needed = protocolNamed(script.protocol)?.replicasFor(scenario.f) ?? scenario.n;
  const head = [
    ...script.story.map((line) => `# ${line}`.trimEnd()),
    `scenario ${script.name}`,
    `protocol ${script.protocol}`,
    `fidelity ${script.fidelity}`,
    ...(script.judges === 'outcomes' ? ['judge outcomes'] : []),
    `replicas ${needed}`,
    `seed ${scenario.seed}`,
    ...script.expect.map((one) => `expect ${expectationText(one)}`),
    ...script.mistakes.map(
      ({ mutant, expect }) => `with mistake ${mutant} expect ${expectationText(expect)}`,
    ),
  ];
  const plan = [
    ...printSettings(asJson(scenario), asJson(baseScenario(scenario.f, needed))),
    ...printLies(scenario),
    ...(scenario.family === undefined ? [] : printFamily(scenario.family)),
    ...(scenario.forker === undefined ? [] : [printForker(scenario.forker)]),
    ...(puppets.length === 0 ? [] : [`puppet ${puppets.join(',')}`]),
    ...printClients(scenario.clients),
    ...scenario.faults.map(printFault),
    ...(scenario.fires === undefined ? [] : printFires(scenario.fires, scenario.n)),
  ];
  // What there are no words for shows when the lines so far are read back.
  const understood = parseScript([...head, ...plan].join('\n')).scenario;
  const rest = printRest(asJson(understood), asJson(scenario));
  const blocks = [head, [...plan, ...rest], steps.map(({ step }) => stepText(step))];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** Sentences as lines of a story. */
export function storyLines(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > STORY_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}

function printLies(scenario: Scenario): string[] {
  const lines: string[] = [];
  scenario.clockOffsetsMs.forEach((offset, replica) => {
    if (offset !== 0) lines.push(`clock ${replica} ahead ${offset}`);
  });
  for (const { replica, behaviour, ...rest } of scenario.byzantine) {
    lines.push(`byzantine ${replica} ${behaviour}${restText(rest)}`);
  }
  return lines;
}

function expectationText(expected: Expectation): string {
  switch (expected.kind) {
    case 'clean':
      return 'clean';
    case 'violation':
      return `violation ${expected.judge}`;
    case 'event':
      return `event ${conditionText(expected.condition)}`;
    case 'refusal':
      return `refusal ${expected.rule}${expected.for === undefined ? '' : ` for ${expected.for}`}`;
  }
}

/** The same as plain JSON data; fields that are undefined go. */
function asJson(scenario: Scenario): JsonObject {
  return JSON.parse(JSON.stringify(scenario)) as { [key: string]: Json };
}
