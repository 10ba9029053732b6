/** Reading and printing of scripts, and the message rules. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { drawFamilyScenario } from '../family/plan.ts';
import { drawScenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';
import { runScenario } from '../run-schedule.ts';
import { FORK_WAYS } from '../trusted-faults.ts';
import { scriptOf } from './of-scenario.ts';
import { parseScript } from './parse.ts';
import { printScript, storyLines } from './print.ts';
import { runScript } from './run.ts';
import { ScriptError } from './script.ts';

const HEAD = 'scenario test\nreplicas 3\nexpect clean\nclients 2 bundles 3\n';

function printed(scenario: Scenario): string {
  const words = { name: 'drawn', story: [], fidelity: 'whole', judges: 'everything' } as const;
  return printScript(scriptOf(scenario, { ...words, expect: [{ kind: 'clean' }] }));
}

function complaint(text: string): string {
  try {
    parseScript(text);
  } catch (error) {
    assert.ok(error instanceof ScriptError);
    return error.message;
  }
  return 'no complaint';
}

describe('scripts', () => {
  it('print any drawn scenario so that it is read back as it was', () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const way = FORK_WAYS[seed % 8];
      const scenario = drawScenario(seed, way === undefined ? {} : { fork: way });
      assert.deepEqual(
        JSON.parse(JSON.stringify(parseScript(printed(scenario)).scenario)),
        JSON.parse(JSON.stringify(scenario)),
        `seed ${seed}`,
      );
    }
  });

  it('print a cluster of another size than its protocol needs', () => {
    const script = parseScript(
      'scenario small\nprotocol pbft\nfidelity core\nexpect clean\nset n 3\nset clockOffsetsMs [0,0,0]\nclients 1\n',
    );
    assert.equal(script.scenario.n, 3);
    assert.deepEqual(parseScript(printScript(script)).scenario, script.scenario);
  });

  it('print what is drawn for any protocol so that it is read back as it was', () => {
    const words = { name: 'drawn', story: [], fidelity: 'core', judges: 'outcomes' } as const;
    let alone = 0;
    for (const definition of PROTOCOLS)
      for (let seed = 1; seed <= 100; seed += 1) {
        const scenario = drawFamilyScenario(definition, seed);
        alone += scenario.family!.twins.filter(({ others }) => others.length === 0).length;
        const protocol = definition.name;
        const text = printScript(scriptOf(scenario, { ...words, protocol, expect: [{ kind: 'clean' }] }));
        assert.deepEqual(
          JSON.parse(JSON.stringify(parseScript(text).scenario)),
          JSON.parse(JSON.stringify(scenario)),
          `${protocol} seed ${seed}`,
        );
      }
    assert.ok(alone > 0, 'a twin that stands before nobody was among them');
  });

  it('run a printed scenario as the scenario itself runs', () => {
    for (const seed of [2, 5]) {
      const scenario = drawScenario(seed, { replicas: 3 });
      assert.equal(
        runScript(parseScript(printed(scenario))).result.traceHash,
        runScenario(scenario).traceHash,
      );
    }
  });

  it('run exactly the decisions of chance that are listed', () => {
    const scenario = drawScenario(12, { replicas: 3, faults: ['network'] });
    const fires: { family: number; member: number; ordinal: number }[] = [];
    const before = runScenario(scenario, { onFired: (fired) => fires.push(fired) });
    const fixed = parseScript(printed({ ...scenario, fires }));
    assert.deepEqual(fixed.scenario.fires, fires);
    assert.equal(runScript(fixed).result.traceHash, before.traceHash);
    const none = parseScript(printed({ ...scenario, fires: [] }));
    let count = 0;
    runScript(none, { onFired: () => (count += 1) });
    assert.equal(count, 0);
  });

  it('say in which line something is wrong and what was expected there', () => {
    assert.match(complaint('replicas 3\nexpect clean'), /needs a line "scenario NAME"/);
    assert.match(complaint('scenario x\nreplicas 3'), /expects nothing/);
    assert.match(complaint(`${HEAD}drp COMMIT`), /line 5: "drp" is not a verb; there are scenario, /);
    assert.match(complaint(`${HEAD}drop commit`), /line 5: expected a kind of message in capitals/);
    assert.match(
      complaint(`${HEAD}drop COMMIT n4 from R1`),
      /expected replicas with commas.*found "R1"; use: drop/,
    );
    assert.match(complaint(`${HEAD}wait until 1 executes n3`), /expected one of executed, proven/);
    assert.match(complaint(`${HEAD}2 shows vc to 0`), /replica 2 is no puppet/);
    assert.match(complaint(`${HEAD}at 5 crash 1`), /expected "for", found the end of the line; use: at MS/);
    assert.match(complaint(`${HEAD}byzantine 0 lazy`), /expected a behaviour \(equivocate/);
    assert.match(complaint(`${HEAD}network delay fast`), /expected milliseconds as LOW..HIGH, found "fast"/);
    assert.match(
      complaint('scenario x\nreplicas 4\nexpect clean'),
      /line 2: 4 replicas are not what minbft needs/,
    );
    assert.match(complaint(`${HEAD}puppet 7`), /no replica 7 among 3/);
    assert.match(complaint(`${HEAD}set limits {`), /line 5: expected a JSON value/);
  });

  it('fail with the line of a step that cannot be taken', () => {
    const script = parseScript(`${HEAD}puppet 2\n2 seals vote = COMMIT to PREPARE n1 of view 0`);
    assert.throws(() => runScript(script), /line 6: replica 2 has not heard PREPARE n1 of view 0/);
    assert.throws(() => runScript(parseScript(`${HEAD}release late`)), /line 5: no rule is called late/);
  });

  it('have puppets say things with one field changed, and see by which rule they are refused', () => {
    const head = `${HEAD}puppet 2\nexpect refusal MinBFT.STEP.COMMIT-NEW-VIEW.1\n`;
    const seal = '2 seals bad = COMMIT-NEW-VIEW to genesis';
    assert.deepEqual(runScript(parseScript(`${head}${seal}\n2 shows bad to 0,1\nwait 20`)).unmet, []);
    assert.deepEqual(runScript(parseScript(`${head}${seal}\nwait 20`)).unmet, [
      'nothing was refused by MinBFT.STEP.COMMIT-NEW-VIEW.1',
    ]);
    assert.throws(
      () => runScript(parseScript(`${head}${seal} but sequence 4`)),
      /there is no field sequence/,
    );
    assert.match(complaint(`${head}${seal} but header {}`), /expected a number, a text or a truth value/);
    assert.throws(
      () => runScript(parseScript(`${head}2 seals bad anew = COMMIT-NEW-VIEW to genesis`)),
      /replica 2 has no second component/,
    );
  });

  it('put the component of a puppet back: without a fence a fork, with one a voice that nobody knows', () => {
    const steps = (rollBack: string): string =>
      [
        'scenario test',
        'replicas 3',
        'seed 1',
        'judge outcomes',
        'expect clean',
        'puppet 0',
        'timers status 60 gap 4 request 60 new-view 60',
        'calm after 60',
        'set endless true',
        'clients 2 bundles 1 every 5 in-flight 1',
        'delay COMMIT n1 of view 0 from 1,2 to 1,2 by 20',
        'wait until a request',
        'wait 6',
        '0 makes a from first request in view 0',
        '0 makes b from last request in view 0',
        '0 seals one = PREPARE n1 of view 0 with a',
        '0 shows a and one to 1',
        'wait until 1 executed n1',
        rollBack,
        '0 seals two = PREPARE n1 of view 0 with b',
        '0 shows b and two to 2',
      ].join('\n');
    const play = (rollBack: string): ReturnType<typeof runScript> => {
      const script = parseScript(steps(rollBack));
      assert.ok(printScript(script).includes(rollBack));
      return runScript(script);
    };
    assert.deepEqual(
      play('0 rolls back').result.violations.map(({ judge }) => judge),
      ['agreement'],
    );
    assert.deepEqual(play('0 rolls back fenced').result.violations, []);
    assert.match(
      complaint(`${HEAD}puppet 0\n0 rolls over`),
      /expected "back", found "over"; use: P rolls back/,
    );
  });

  it('report a step that is never reached, and an event that never happens', () => {
    const stuck = runScript(parseScript(`${HEAD}calm after 50\nwait until 1 executed n99\ncrash 1`));
    assert.match(stuck.unmet.join(), /still waiting at line 6/);
    const event = runScript(parseScript(`${HEAD}expect event 2 readmitted`));
    assert.deepEqual(event.unmet, ['never happened: 2 readmitted']);
  });

  for (const fidelity of ['whole', 'core'])
    it(`drop, hold and delay messages, cut links and stop machines (${fidelity})`, () => {
      const head = `${HEAD}fidelity ${fidelity}\njudge outcomes\n`;
      const play = (steps: string): ReturnType<typeof runScript> => runScript(parseScript(head + steps));
      assert.deepEqual(
        play('hold COMMIT n1 to 1,2 as late\nwait 30\nrelease late\nwait until 1 executed n1').unmet,
        [],
      );
      assert.deepEqual(
        play('expect event view 1 entered by 1,2\nisolate 0\nwait until view 1 entered by 1,2\nheal').unmet,
        [],
      );
      assert.deepEqual(play('delay PREPARE by 5\nwait until 2 executed n2').unmet, []);
      assert.deepEqual(play('delay COMMIT by 1 to 0 by 5\nwait until 0 executed n2').unmet, []);
      assert.deepEqual(
        play('wait until 1 executed n1\ncrash 2\nwait 20\nrestart 2\nwait until 3 results believed').unmet,
        [],
      );
      assert.deepEqual(
        play(
          'wait until 1 executed n1\nnow crash 2 for 20\nnow clockjump 0 for 30 byMs=-50\nwait until 2 executed n3',
        ).unmet,
        [],
      );
      assert.deepEqual(
        play('drop any from 2 as gone until 1 executed n2\nwait until 2 executed n1').unmet,
        [],
      );
    });

  it('break stories into lines', () => {
    const lines = storyLines('word '.repeat(60));
    assert.ok(lines.length > 1 && lines.every((line) => line.length <= 110));
    assert.equal(lines.join(' '), 'word '.repeat(60).trim());
  });
});
