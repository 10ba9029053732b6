/** Playing scenarios: whole, alike each time, bounded, and with the deployed bytes of the trusted program. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PROTOCOLS } from '../../protocols/catalogue.ts';
import { runFamilySeed } from '../family/run.ts';
import type { Trace, TraceEvent } from '../trace/trace.ts';
import { quorumOf } from '../trace/quorums.ts';
import { eventLogDigest } from './digest.ts';
import { drawnScript } from './draw.ts';
import { play } from './play.ts';

const root = new URL('../../../', import.meta.url);
const scenario = (name: string): string => readFileSync(new URL(`scenarios/${name}.txt`, root), 'utf8');
const usig = new Uint8Array(readFileSync(new URL('trusted/usig.wasm', root)));

const CALM = `
scenario calm
replicas 3
expect clean
calm after 60
clients 1 bundles 2
`;

function kinds({ events }: Trace): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of events) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function eventsOf<K extends TraceEvent['kind']>(trace: Trace, kind: K): Extract<TraceEvent, { kind: K }>[] {
  return trace.events.filter((event): event is Extract<TraceEvent, { kind: K }> => event.kind === kind);
}

describe('playing a scenario', () => {
  for (const fidelity of ['whole', 'core'])
    it(`tells what is said, asked, answered and certified, and what replicas show (${fidelity})`, () => {
      const { trace, totals, checkers, unmet, isCut } = play(`${CALM}fidelity ${fidelity}`);
      const counted = kinds(trace);
      assert.equal(isCut, false);
      assert.deepEqual(unmet, []);
      assert.equal(totals.messages, counted['send']);
      assert.equal(totals.clientMessages, counted['ask']! + counted['answer']!);
      assert.equal(counted['asked'], counted['ask']);
      assert.equal(counted['answered'], counted['answer']);
      assert.ok(totals.bytes > (100 * totals.messages) / 4);
      // Each batch costs the primary a PREPARE and each backup a COMMIT.
      assert.ok(totals.trustedCalls.every((calls) => calls >= 2));
      const prepare = eventsOf(trace, 'send').find(({ message }) => message === 'PREPARE')!;
      const fields = trace.contents[prepare.content!]!;
      assert.equal(fields['sequence'], prepare.sequence);
      assert.match(String(fields['batchDigest']), /^[0-9a-f]{64}$/);
      const request = eventsOf(trace, 'ask').at(-1)!;
      assert.equal(request.message, 'REQUEST');
      assert.match(
        JSON.stringify(trace.contents[request.content!]),
        /"operation":"(put|add|write|read|get|swap|delete|list)/,
      );
      const accepted = eventsOf(trace, 'deliver').find(({ id }) => id === prepare.id)!;
      assert.ok(accepted.rules!.some(({ rule, passed }) => rule.startsWith('MinBFT.STEP.PREPARE') && passed));
      assert.equal(accepted.verdict, undefined);
      assert.ok(checkers.length > 10 && checkers.every(({ found }) => found.length === 0));
      assert.equal(
        checkers.some(({ judge }) => judge === 'receipt'),
        fidelity === 'whole',
      );
      const last = trace.states.filter(({ replica }) => replica === 0).at(-1)!.state!;
      assert.equal(last.sequence, Math.max(...eventsOf(trace, 'execute').map(({ sequence }) => sequence)));
      assert.equal(
        last.counter,
        eventsOf(trace, 'certify').findLast(({ replica }) => replica === 0)!.counter,
      );
      assert.equal(last.waitsFor, null);
    });

  it('is the same again, from the script that it hands out, for every protocol', () => {
    for (const protocol of PROTOCOLS)
      for (const seed of [3, 12, 33]) {
        const first = play(drawnScript({ protocol: protocol.name, seed }));
        const again = play(first.script);
        assert.equal(again.script, first.script);
        assert.equal(eventLogDigest(again.trace), eventLogDigest(first.trace), `${protocol.name} ${seed}`);
        assert.equal(first.trace.traceHash, runFamilySeed(protocol, seed).traceHash);
      }
  });

  it('has a refused message with the rule, and who is down', () => {
    const { trace } = play(scenario('double-proposal-proven'));
    const refused = eventsOf(trace, 'deliver').filter(({ verdict }) => verdict !== undefined);
    assert.ok(refused.some(({ verdict }) => verdict!.startsWith('MinBFT.') || verdict!.length > 3));
    const crashed = play(`${CALM}at 10 crash 2 for 30`).trace;
    const states = crashed.states.filter(({ replica }) => replica === 2);
    assert.ok(states.some(({ state }) => state === null));
    assert.equal(states.at(-1)!.state!.phase, 'running');
  });

  it('refuses nothing where nobody lies and nothing is lost', () => {
    for (const { name } of PROTOCOLS) {
      const script = drawnScript({ protocol: name, seed: 1, f: 1, faults: [] });
      for (const event of play(script).trace.events)
        if (event.kind === 'deliver' || event.kind === 'asked')
          assert.equal(event.verdict, undefined, `${name}: ${JSON.stringify(event)}`);
    }
  });

  it('runs the trusted program of MinBFT as WebAssembly: event for event the same', () => {
    for (const name of ['wiped-replica-readmitted', 'primary-cut-off', 'fork-by-rollback-fenced']) {
      const modelled = play(scenario(name));
      const deployed = play(scenario(name), { modules: { usig } });
      assert.deepEqual(deployed.totals, modelled.totals, name);
      assert.ok(deployed.moduleCalls > 10 && modelled.moduleCalls === 0, name);
      assert.equal(eventLogDigest(deployed.trace), eventLogDigest(modelled.trace), name);
    }
    assert.equal(play(`${CALM}fidelity core`, { modules: { usig } }).moduleCalls, 0, 'it has no program');
    assert.throws(
      () => play(CALM, { modules: { usig: new Uint8Array(8) } }),
      /the module of the trusted program/,
    );
  });

  it('ends a run that is too long with what there is', () => {
    const { trace, isCut, checkers } = play(CALM, { eventsMax: 100 });
    assert.equal(trace.events.length, 100);
    assert.ok(isCut && trace.truncated);
    assert.deepEqual(trace.violations, []);
    assert.equal(
      checkers.some(({ judge }) => judge === 'liveness'),
      false,
    );
  });

  it('says in a sentence why it does not play something', () => {
    const refused: readonly [string, RegExp][] = [
      ['', /no name/],
      ['x'.repeat(70_000), /longer than 65536/],
      [`${CALM}set n 100000`, /100000 replicas/],
      [`${CALM}set n "three"`, /replicas/],
      [`${CALM}clients 40`, /clients/],
      [`${CALM}clients 1 bundles 1000000`, /plan/],
      [`${CALM}clients 2 bundles 3000 of 1`, /requests/],
      [`${CALM}timers status 0`, /timers/],
      [`${CALM}set settleMs 1e15`, /times/],
      [`${CALM}set clients 7`, /is not a scenario that/],
      [`${CALM}set network null`, /is not a scenario that/],
    ];
    for (const [text, words] of refused)
      assert.throws(
        () => play(text),
        (error: Error) => error.name === 'ScriptError' && words.test(error.message),
        text.slice(-40),
      );
    assert.throws(() => drawnScript({ protocol: 'raft', seed: 1 }), /there is no protocol "raft"/);
    assert.throws(() => drawnScript({ protocol: 'pbft', seed: -1 }), /a seed is/);
    assert.throws(() => drawnScript({ protocol: 'pbft', seed: 1, f: 99 }), /f is a whole number/);
    assert.throws(() => drawnScript({ protocol: 'pbft', seed: 1, faults: ['rain'] }), /"rain" is not/);
  });
});

describe('quorums', () => {
  it('are the messages by which a replica executes, a view begins and a client believes, in every protocol', () => {
    for (const { name, replicasFor } of PROTOCOLS) {
      const { trace } = play(drawnScript({ protocol: name, seed: 1, f: 1, faults: [] }));
      let executed = 0;
      trace.events.forEach((event, place) => {
        if (event.kind !== 'execute' && event.kind !== 'believe') return;
        const quorum = quorumOf(trace, place);
        const arrived = new Set(
          trace.events
            .slice(0, place)
            .flatMap((one) => (one.kind === 'deliver' || one.kind === 'answered' ? [one.id] : [])),
        );
        assert.ok(quorum.every((id) => arrived.has(id)));
        assert.ok(quorum.length < 4 * replicasFor(1));
        if (event.kind === 'believe') assert.ok(quorum.length > 0, `${name}: ${JSON.stringify(event)}`);
        // A primary with few others may need nobody's message, as its own vote is none.
        else if (quorum.length > 0) executed += 1;
      });
      assert.ok(executed > 0, name);
    }
  });

  it('of a view are its VIEW-CHANGEs and NEW-VIEW', () => {
    const { trace } = play(scenario('primary-cut-off'));
    const place = trace.events.findIndex((event) => event.kind === 'note' && event.name === 'viewEntered');
    const sent = new Map(eventsOf(trace, 'send').map((event) => [event.id, event.message]));
    assert.ok(quorumOf(trace, place).some((id) => sent.get(id) === 'VIEW-CHANGE'));
    assert.deepEqual(quorumOf(trace, 999_999), []);
  });
});
