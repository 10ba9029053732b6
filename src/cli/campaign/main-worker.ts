/** A process of its own that runs chunks of seeds for a campaign; started by `runner.ts`. */
import { TallyKeeper } from '../../sim/campaign/tally.ts';
import { runSchedule } from '../../sim/run-schedule.ts';
import type { Done, Order } from './orders.ts';

function perform({ chunk, overrides, traced }: Order): Done {
  const before = process.cpuUsage();
  const keeper = new TallyKeeper(chunk.fidelity);
  const listener = traced ? { trace: keeper.trace } : {};
  for (let index = 0; index < chunk.count; index += 1) {
    const seed = chunk.from + index * chunk.step;
    keeper.add(runSchedule(seed, { ...overrides, ...listener }), traced);
  }
  const { user, system } = process.cpuUsage(before);
  return { chunk, tally: keeper.tally((user + system) / 1000) };
}

process.on('message', (order: Order) => {
  process.send?.(perform(order));
});
// The runner decides when a campaign ends; Ctrl-C, and what ends a service, reach the whole group of processes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit(0));
