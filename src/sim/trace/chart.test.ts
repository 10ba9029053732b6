/** The chart of the terminal, with what clients ask and are answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { play } from '../playback/play.ts';
import { chartLines } from './chart.ts';
import { diagramOf } from './diagram.ts';

const SCRIPT = `
scenario asked
replicas 3
expect clean
calm after 60
clients 1 bundles 1
`;

const CHART = `
            0     1     2
    12.19   │     │     ◇  2 REQUEST from client 0
    12.20   ◇     │     │  0 REQUEST from client 0
    12.22   │     ◇     │  1 REQUEST from client 0
    13.22   ○─────┼────▶│  PREPARE n1 v0 [0:1]
    13.25   ○────▶│     │  PREPARE n1 v0 [0:1]
    13.32   │     │     ●  2 executes n1
    13.32   │     │     ◆  2 REPLY n1 v0 to client 0
    13.36   │     ●     │  1 executes n1
    13.36   │     ◆     │  1 REPLY n1 v0 to client 0
    14.23   │◀────┼─────○  COMMIT n1 v0 [2:1]
    14.23   ●     │     │  0 executes n1
    14.23   ◆     │     │  0 REPLY n1 v0 to client 0
    14.29   │     ○────▶│  COMMIT n1 v0 [1:1]
    14.31   │     │◀────○  COMMIT n1 v0 [2:1]
    14.32   │     │     │  client 0 believes n1
`;

test('one request, from its client through a quorum to the answer that is believed', () => {
  const { trace } = play(SCRIPT);
  const lines = chartLines(trace, diagramOf(trace, { untilMs: 30 }));
  assert.equal(`\n${lines.slice(0, CHART.trim().split('\n').length).join('\n')}\n`, CHART);
});

test('a request that gets lost is told where it was to go', () => {
  const { trace } = play(SCRIPT);
  const diagram = diagramOf(trace);
  const exchange = { ...diagram.exchanges[0]!, arrivedMs: undefined };
  const lines = chartLines(trace, { ...diagram, arrows: [], marks: [], beliefs: [], exchanges: [exchange] });
  assert.match(lines[1]!, /×.* REQUEST from client 0, never arrives$/);
});
