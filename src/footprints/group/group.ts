/** Runs the steps of a group key's ceremony in the carrier that holds it; the caller never sees a secret. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesToHex, hexToBytes } from '../../core/bytes.ts';
import { stopTrustedProcess } from '../process/launcher.ts';
import type { GroupUse } from './group-key.ts';

const OUTPUT_BYTES_MAX = 1024 * 1024;
const STEP_MS = 30_000;

/** A step was refused; the message is the component's own. */
export class GroupRefusal extends Error {
  override readonly name = 'GroupRefusal';
}

async function run(
  folder: string,
  step: string,
  input: string,
  replica = 0,
  use: GroupUse = 'statements',
): Promise<string> {
  await stopTrustedProcess(folder);
  const carrier = fileURLToPath(new URL('../../../trusted/group-key.mjs', import.meta.url));
  const args = [
    carrier,
    '--folder',
    resolve(folder),
    '--step',
    step,
    '--replica',
    String(replica),
    '--use',
    use,
  ];
  const child = spawn(process.execPath, args, {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: STEP_MS,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.length > OUTPUT_BYTES_MAX) child.kill('SIGKILL');
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  await new Promise<void>((done, fail) => {
    child.once('error', fail);
    child.once('close', () => done());
  });
  const answer = text.trimEnd();
  if (answer.startsWith('refused: ')) throw new GroupRefusal(answer.slice('refused: '.length));
  if (answer === '') throw new GroupRefusal('the ceremony ended without an answer');
  return answer;
}

async function runBytes(...step: Parameters<typeof run>): Promise<Uint8Array> {
  const bytes = hexToBytes(await run(...step));
  if (bytes === undefined) throw new GroupRefusal('the ceremony answered something else than bytes');
  return bytes;
}

/** Makes a group: its key inside the component of `folder`, its policy (JSON) fixed for ever. Gives its offer. */
export function makeGroup(
  folder: string,
  replica: number,
  policy: string,
  use: GroupUse = 'statements',
): Promise<Uint8Array> {
  return runBytes(folder, 'new', policy, replica, use);
}

/** The offer of a newcomer to the group of that member; `policy` is what the newcomer judges members by. */
export function requestGroup(
  folder: string,
  replica: number,
  policy: string,
  memberOffer: Uint8Array,
  use: GroupUse = 'statements',
): Promise<Uint8Array> {
  return runBytes(folder, 'request', `${bytesToHex(memberOffer)}\n${policy}`, replica, use);
}

/** A member judges the offer of a newcomer; gives the grant for it. Offers are as they stand, endorsed or not. */
export function grantGroup(
  folder: string,
  ownOffer: Uint8Array,
  newcomerOffer: Uint8Array,
): Promise<Uint8Array> {
  return runBytes(folder, 'grant', `${bytesToHex(ownOffer)}\n${bytesToHex(newcomerOffer)}`);
}

/** The newcomer judges the member and takes the group key. */
export async function installGroup(folder: string, grant: Uint8Array): Promise<void> {
  await run(folder, 'install', bytesToHex(grant));
}
