/** `moiety trusted group`: how a member's component comes into the group that shares the key of clients (`init --auth mac`). */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { attestationPolicyToJson } from '../../ledger/attestation-policy.ts';
import { CommandFailure, messageOf } from '../failure.ts';
import { wholeNumber } from '../options.ts';
import { printLine } from '../output.ts';
import { readPolicyFile } from '../trusted/evidence-files.ts';

const FILE_BYTES_MAX = 64 * 1024;
const REPLICA_MAX = 1_023;

interface GroupOptions {
  readonly replica: number;
  readonly policy: string;
  readonly offer: string;
  readonly own: string;
  readonly grant: string;
  readonly out: string;
}

type Steps = typeof import('../../footprints/group/group.ts');

function read(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read: ${messageOf(error)}.`);
  }
  if (bytes.length <= FILE_BYTES_MAX) return bytes;
  throw new CommandFailure(`${path} is too long to be an offer or a grant.`);
}

/** All members need the same text: what their files say counts, not how it is laid out. */
function policyText(path: string): string {
  return JSON.stringify(attestationPolicyToJson(readPolicyFile(path)));
}

async function perform(work: (steps: Steps) => Promise<void>): Promise<void> {
  const steps = await import('../../footprints/group/group.ts');
  try {
    await work(steps);
  } catch (error) {
    if (error instanceof steps.GroupRefusal) throw new CommandFailure(`Refused: ${error.message}`);
    throw error;
  }
}

const write = (path: string, bytes: Uint8Array): void =>
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });

const make = (folder: string, { replica, policy, out }: GroupOptions): Promise<void> =>
  perform(async ({ makeGroup }) => {
    write(out, await makeGroup(folder, replica, policyText(policy), 'requests'));
    printLine(`A group was made in ${folder}. Hand ${out} to the other members.`);
  });

const request = (folder: string, { replica, policy, offer, out }: GroupOptions): Promise<void> =>
  perform(async ({ requestGroup }) => {
    write(out, await requestGroup(folder, replica, policyText(policy), read(offer), 'requests'));
    printLine(`Hand ${out} to the member whose offer ${offer} is.`);
  });

const grant = (folder: string, { own, offer, out }: GroupOptions): Promise<void> =>
  perform(async ({ grantGroup }) => {
    write(out, await grantGroup(folder, read(own), read(offer)));
    printLine(`The component accepted the newcomer. Hand ${out} back to it.`);
  });

const install = (folder: string, options: GroupOptions): Promise<void> =>
  perform(async ({ installGroup }) => {
    await installGroup(folder, read(options.grant));
    printLine(`The component in ${folder} belongs to the group now.`);
  });

/** Adds the commands. */
export function addGroupCommands(parent: Command): void {
  const group = parent
    .command('group')
    .summary('let components share the key for MACs of requests')
    .description(
      'For "init --auth mac": the first member makes a group, each other one asks for it, is granted it and installs the ' +
        'grant. The components judge one another by the policy and pass the key on themselves; the files that are carried ' +
        'between members are of no use to anybody else. No replica may run meanwhile.',
    );
  const step = (name: string, summary: string): Command =>
    group
      .command(name)
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
      .argument('<folder>', 'folder of the component');
  const withPolicy = (command: Command): Command =>
    command
      .requiredOption('--replica <number>', 'number that the member will have', wholeNumber(0, REPLICA_MAX))
      .requiredOption('--policy <file>', 'attestation policy by which components judge one another');
  const withOut = (command: Command): Command => command.requiredOption('--out <file>', 'file to make');
  withOut(withPolicy(step('new', 'make a group with this component as its first member'))).action(make);
  withOut(withPolicy(step('request', 'ask to join the group of an offer')))
    .requiredOption('--offer <file>', 'what "group new" of the first member made')
    .action(request);
  withOut(step('grant', 'judge a newcomer and give it the key'))
    .requiredOption('--own <file>', 'the own offer, that "group new" or "group request" made')
    .requiredOption('--offer <file>', 'what "group request" of the newcomer made')
    .action(grant);
  step('install', 'take the key of a grant')
    .requiredOption('--grant <file>', 'what "group grant" made')
    .action(install);
}
