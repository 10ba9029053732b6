/** `moiety fault`: makes faults on a local cluster, through its supervisor. */
import type { Command } from 'commander';
import { Argument } from 'commander';
import { BEHAVIOURS, PROCESS_BEHAVIOURS } from '../../adversary/behaviours.ts';
import { GENERIC_LIES } from '../../adversary/generic/lies.ts';
import { FAULT_ACTIONS } from '../../gateway/fault-port.ts';
import type { FaultAction } from '../../gateway/fault-port.ts';
import { requireBehaviour, SIMULATED } from '../byzantine-choice.ts';
import { readClusterFile } from '../cluster-file.ts';
import { DataFolder } from '../data-folder.ts';
import { CommandFailure, EXIT, usageFailure } from '../failure.ts';
import { callGatewayJson } from '../gateway-client.ts';
import { dataOption, portOption, wholeNumber, withJson } from '../options.ts';
import { printJson, printLine, printNote } from '../output.ts';
import { callControl, liveRun } from '../supervisor/control.ts';

interface Options {
  readonly data: string;
  readonly port?: number;
  readonly json?: boolean;
}

/** How long a replica that was started is waited for, and how often it is asked after. */
const ANSWER_MS = 10_000;
const POLL_MS = 200;

const TEXTS: Readonly<Record<FaultAction, string>> = {
  kill: 'ends the process at once (SIGKILL); it stays down',
  'kill-tc': 'ends the processes of its trusted component at once (SIGKILL)',
  pause: 'freezes the process (SIGSTOP)',
  resume: 'lets a paused process go on (SIGCONT)',
  partition: 'cuts the replica off from all other replicas; clients and the gateway still reach it',
  heal: 'ends "partition"',
  restart: 'stops the process if it runs, and starts it',
  wipe: 'stops the process and deletes its store; keys and trusted component stay',
  byzantine: 'starts it again with a behaviour that lies; "none" makes it correct again',
};

async function fault(
  action: FaultAction,
  replica: number,
  behaviour: string | undefined,
  options: Options,
): Promise<void> {
  if ((action === 'byzantine') !== (behaviour !== undefined))
    throw usageFailure(
      action === 'byzantine'
        ? 'Say which behaviour, or none: "moiety fault --help" lists them.'
        : `"fault ${action}" takes no behaviour.`,
    );
  const folder = new DataFolder(options.data);
  const { replicas } = folder.requireMarker();
  if (behaviour !== undefined && behaviour !== 'none')
    requireBehaviour(behaviour, readClusterFile(folder.cluster).protocol);
  if (replica >= replicas)
    throw usageFailure(`There is no replica ${replica}; this cluster has replicas 0 to ${replicas - 1}.`);
  const run = liveRun(folder);
  if (run === undefined)
    throw new CommandFailure(
      `The cluster in ${folder.path} is not running: start it with "moiety up".`,
      EXIT.unreachable,
    );
  if (options.port !== undefined && options.port !== run.port)
    throw usageFailure(
      `The cluster in ${folder.path} has its gateway on port ${run.port}, not ${options.port}.`,
    );
  const { done } = await callControl<{ done: string }>(run, 'POST', '/fault', { action, replica, behaviour });
  if (options.json === true)
    printJson({ action, replica, ...(behaviour === undefined ? {} : { behaviour }), done });
  else printLine(done);
  const starts = action === 'restart' || action === 'byzantine';
  if (starts && behaviour !== 'silent' && !(await answersSoon(options, replica)))
    printNote(`replica ${replica} does not answer yet: "moiety status" says how it is`);
}

/** Whether a replica that was started answers the gateway within `ANSWER_MS`, so that the next command meets it. */
async function answersSoon(options: Options, replica: number): Promise<boolean> {
  type Answer = { readonly replicas: readonly { readonly id: number; readonly reachable: boolean }[] };
  const end = performance.now() + ANSWER_MS;
  while (performance.now() < end) {
    // The fault is done already: a gateway that does not answer is no failure of it.
    const answer = await callGatewayJson<Answer>(options, { path: '/v1/status' }).catch(() => undefined);
    if (answer?.replicas.some(({ id, reachable }) => id === replica && reachable) === true) return true;
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
  return false;
}

/** Adds the command. */
export function addFault(program: Command): void {
  const actions = FAULT_ACTIONS.map((name) => `  ${name.padEnd(10)} ${TEXTS[name]}`).join('\n');
  const behaviours = BEHAVIOURS.filter(({ name }) => PROCESS_BEHAVIOURS.includes(name))
    .map(({ name, text }) => `  ${name.padEnd(18)} ${text}`)
    .join('\n');
  const others = GENERIC_LIES.filter(({ name }) => !SIMULATED.includes(name))
    .map(({ name, text }) => `  ${name.padEnd(18)} ${text}`)
    .join('\n');
  withJson(
    program
      .command('fault')
      .summary('make a fault on a local cluster')
      .description('Makes a fault on one replica of a local cluster that runs under "moiety up".')
      .addArgument(new Argument('<action>').choices(FAULT_ACTIONS))
      .addArgument(new Argument('<replica>', 'number of the replica').argParser(wholeNumber(0, 99)))
      .argument('[behaviour]', 'for "byzantine"')
      .addOption(dataOption())
      .addOption(portOption()),
  )
    .addHelpText(
      'after',
      `\nActions:\n${actions}\n\nBehaviours of MinBFT, lies in its messages:\n${behaviours}\n\nBehaviours of all other protocols (invent and forge not where each replica has one counter stream):\n${others}\n\nExamples:\n  moiety fault kill 0\n  moiety fault kill-tc 1\n  moiety fault partition 0 && moiety fault heal 0\n  moiety fault wipe 2 && moiety fault restart 2\n  moiety fault byzantine 1 equivocate\n  moiety fault byzantine 1 reseal --data /tmp/pbft\n`,
    )
    .action(fault);
}
