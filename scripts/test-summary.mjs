// A reporter for Node's test runner: the few lines that run-tests.mjs prints at the very end.

/** Yields the counts, the names of what failed, and what the budget of seeds says of itself. */
export default async function* summarize(events) {
  const simulated = [];
  const failed = [];
  let counts;
  for await (const { type, data } of events) {
    if (type === 'test:stdout') {
      const lines = data.message.split('\n').filter((line) => /^simulated \d+ schedules/.test(line));
      simulated.push(...lines);
    } else if (type === 'test:fail' && data.details?.type !== 'suite' && data.todo === undefined) {
      failed.push(`${data.file ?? ''}: ${data.name}`);
    } else if (type === 'test:summary' && data.file === undefined) counts = data.counts;
  }
  for (const line of simulated) yield `${line}\n`;
  for (const name of failed.slice(0, 50)) yield `FAILED  ${name}\n`;
  if (counts !== undefined) {
    const { tests, passed, skipped, cancelled } = counts;
    yield `${tests} tests: ${passed} passed, ${tests - passed - skipped - cancelled} failed, ${skipped} skipped, ${cancelled} cancelled\n`;
  }
}
