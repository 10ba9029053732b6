/** Plays one path again with fresh replicas under all judges, those that look inside of replicas included. */
import type { ReplicaId } from '../../../core/types.ts';
import { Judge } from '../../judge.ts';
import type { Violation } from '../../judge.ts';
import { transactionName } from '../../core/service.ts';
import { BareMachine } from './bare-machine.ts';
import type { LocalEvent } from './bare-machine.ts';
import { createConfiguration } from './configuration.ts';
import type { ExhaustiveOptions } from './configuration.ts';

/** One event of a path. */
export interface PathStep {
  readonly replica: ReplicaId;
  readonly event: LocalEvent;
}

/** What judges say of a path. */
export function judgePath(options: ExhaustiveOptions, path: readonly PathStep[]): readonly Violation[] {
  const { n, liar, surroundings } = createConfiguration(options);
  const isCorrect = (replica: ReplicaId): boolean => replica !== liar;
  let moment = 0;
  const judge = new Judge(() => moment, { cluster: { f: (n - 1) / 2, isCorrect } });
  for (const { digest, requests } of surroundings.bundles)
    for (const { number } of requests) judge.onIssued(transactionName(digest, number));
  const machines = Array.from({ length: n }, (_, self) => {
    if (isCorrect(self)) judge.onStarting(self);
    return new BareMachine(self, surroundings, {
      watch: (id, replica) => (isCorrect(id) ? judge.watch(id, replica) : replica),
      onExecuted: (id, sequence, batch, outcome) => {
        if (isCorrect(id)) judge.onExecuted(id, sequence, batch, outcome);
      },
    });
  });
  for (const machine of machines) machine.begin();
  for (const { replica, event } of path) {
    moment += 1;
    machines[replica]!.take(event);
    judge.onLook();
  }
  for (const { self, fault } of machines)
    if (fault !== undefined && isCorrect(self)) judge.report('crash', `replica ${self} ${fault}`);
  judge.finish();
  return judge.violations;
}
