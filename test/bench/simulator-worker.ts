/**
 * Decides a few batches in a simulated cluster, in a process of its own so that its memory is what this takes. Arguments:
 * protocol, f, batches. Prints one line of JSON.
 */
import { protocolNamed } from '../../src/protocols/catalogue.ts';
import { calmScenario } from '../../src/sim/family/measure.ts';
import { familyWorld } from '../../src/sim/family/run.ts';

/** What such a process says of itself. */
export interface SimulatedDecisions {
  readonly replicas: number;
  /** Until the first batch was decided: the cluster is made and started, everybody reports to everybody, code is compiled. */
  readonly firstMs: number;
  /** Each further batch, on average. */
  readonly eachMs: number;
  /** Events of the queue for each further batch. */
  readonly eventsEach: number;
  /** Most memory that the process ever had. */
  readonly peakMiB: number;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function main([name = 'pbft', faults = '1', batches = '4']: readonly string[]): void {
  const protocol = protocolNamed(name)!;
  const f = Number(faults);
  const n = protocol.replicasFor(f);
  const begun = processorMs();
  const decided: { readonly ms: number; readonly events: number }[] = [];
  const world = familyWorld(protocol, calmScenario(n, f, Number(batches)), {
    listener: { onBelieved: () => decided.push({ ms: processorMs(), events: world.events }) },
  });
  world.run();
  const [first] = decided;
  const last = decided.at(-1);
  if (first === undefined || last === undefined || decided.length !== Number(batches))
    throw new Error(`the run did not end well: ${JSON.stringify(world.judge.violations)}`);
  const further = decided.length - 1;
  const figures: SimulatedDecisions = {
    replicas: n,
    firstMs: first.ms - begun,
    eachMs: (last.ms - first.ms) / further,
    eventsEach: Math.round((last.events - first.events) / further),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  console.log(JSON.stringify(figures));
}

main(process.argv.slice(2));
