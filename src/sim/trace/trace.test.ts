/** The event log and what is drawn from it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseScript } from '../script/parse.ts';
import { runScript } from '../script/run.ts';
import type { Script } from '../script/script.ts';
import { chartLines } from './chart.ts';
import { diagramOf } from './diagram.ts';
import { Recorder } from './recorder.ts';
import { svgOf } from './svg.ts';
import type { Trace } from './trace.ts';

const FORK = `
scenario fork
judge outcomes
replicas 3
expect violation agreement
calm after 60
forker 0 by snapshot shows 2 strategy=proposals disk=copied
clients 1 bundles 1
`;
const CRASH = `
scenario crash
replicas 3
expect clean
calm after 200
clients 1 bundles 4
at 20 crash 2 for 50
at 30 partition 0,1 for 5
network loss 0.05
`;

function record(script: Script): Trace {
  const recorder = new Recorder();
  const { result } = runScript(script, {
    spectator: recorder.spectator,
    trace: (event) => recorder.rule(event),
    onOpen: (run) => recorder.open(run),
  });
  return recorder.trace(script, result);
}

describe('traces', () => {
  it('change nothing, are in order of time, and tell the same twice', () => {
    const script = parseScript(CRASH);
    const trace = record(script);
    assert.equal(trace.traceHash, runScript(script).result.traceHash);
    assert.deepEqual(record(script), trace);
    assert.deepEqual(JSON.parse(JSON.stringify(trace)), trace);
    let last = 0;
    for (const { at } of trace.events) {
      assert.ok(at >= last);
      last = at;
    }
  });

  it('hold sendings, deliveries, seals, executions, requests, beliefs and faults', () => {
    for (const fidelity of ['whole', 'core']) {
      const trace = record(parseScript(`${CRASH}\nfidelity ${fidelity}`));
      const count = (kind: string): number => trace.events.filter((event) => event.kind === kind).length;
      const sends = trace.events.flatMap((event) => (event.kind === 'send' ? [event.id] : []));
      assert.equal(new Set(sends).size, sends.length);
      for (const event of trace.events) if (event.kind === 'deliver') assert.ok(sends.includes(event.id));
      assert.ok(count('deliver') > 50 && count('deliver') < sends.length);
      // The whole fidelity opens a session first.
      assert.equal(count('request'), fidelity === 'whole' ? 5 : 4);
      assert.equal(count('believe'), count('request'));
      assert.ok(count('execute') >= 12);
      const seals = trace.events.flatMap((event) =>
        event.kind === 'seal' ? [`${event.replica}:${String(event.counter)}`] : [],
      );
      assert.ok(seals.includes('0:1') && new Set(seals).size === seals.length);
      const faults = trace.events.flatMap((event) => (event.kind === 'fault' ? [event.text] : []));
      assert.ok(faults.some((text) => text.startsWith('crash of 2')) && faults.includes('faults stop'));
      assert.ok(Object.keys(trace.rules).length > 10);
    }
  });

  it('are drawn as SVG with every arrow, mark and the violation, and no more than was asked for', () => {
    const trace = record(parseScript(FORK));
    const diagram = diagramOf(trace);
    const svg = svgOf(trace, diagram);
    assert.equal(
      svg.split('<polygon').length - 1,
      [...diagram.arrows, ...diagram.exchanges].filter((one) => one.arrivedMs !== undefined).length,
    );
    assert.match(svg, />client 0</);
    assert.match(svg, />REQUEST</);
    const calm = record(
      parseScript('scenario calm\nreplicas 3\nexpect clean\ncalm after 60\nclients 1 bundles 1'),
    );
    assert.match(svgOf(calm, diagramOf(calm)), /believes n1<[\s\S]*>executes n1</);
    assert.match(svg, /agreement: sequence 1: replica/);
    assert.match(svg, /replica 0 \(Byzantine\)/);
    assert.match(svg, /PREPARE n1 v0 \[0:1\]/);
    assert.equal(svg.split('executes n1 ').length - 1, 2);
    assert.doesNotMatch(svg, /NaN|undefined/);
    const crash = record(parseScript(CRASH));
    const part = diagramOf(crash, { fromMs: 10, untilMs: 60, arrowsMax: 7, all: true });
    assert.equal(part.arrows.length, 7);
    assert.ok(part.hidden > 0);
    assert.ok(part.arrows.every(({ sentMs }) => sentMs >= 10 && sentMs <= 60));
    assert.doesNotMatch(svgOf(crash, part), /NaN|undefined/);
  });

  it('are charted in the terminal, one line for each delivery', () => {
    const trace = record(parseScript(FORK));
    const lines = chartLines(trace, diagramOf(trace));
    assert.match(lines[0]!, /0! {4}1 {5}2/);
    assert.ok(lines.some((line) => /○────▶│ {5}│ {2}PREPARE n1 v0 \[0:1\]/.test(line)));
    assert.equal(lines.filter((line) => line.includes('not what others executed')).length, 2);
    assert.match(lines.at(-1)!, /agreement: sequence 1/);
  });

  it('follow a script of the folder', () => {
    const text = readFileSync(
      new URL('../../../scenarios/mistake-count-late-commits.txt', import.meta.url),
      'utf8',
    );
    const trace = record(parseScript(text));
    assert.deepEqual(trace.byzantine, [2]);
    const proven = diagramOf(trace).marks.filter(({ kind }) => kind === 'proven');
    assert.match(proven[0]!.label, /proves replica 2: activeAfterViewChange/);
  });
});
