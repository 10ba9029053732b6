/**
 * One guard as a process, with the component that it hosts, if any. `--found`: makes its key, prints the public part,
 * and takes one line with the group from its input; only such a run begins active (ROTE.RECOVER.3).
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { bytesToHex } from '../../core/bytes.ts';
import { encodeTrustedRequest, REQUEST_BYTES_MAX } from '../../trusted/frames.ts';
import type { GuardEffect, GuardPorts } from '../../trusted/rote/contract.ts';
import { Guard } from '../../trusted/rote/guard.ts';
import { CHANNEL_ID, encodeFrame, FrameReader } from '../process/channel.ts';
import { loadModule } from '../process/program-file.ts';
import { GuardedComponent } from './component.ts';
import { GuardLinks } from './links.ts';
import { guardPath, readGuardFile } from './places.ts';
import type { GuardFile } from './places.ts';

const MODULES = new URL('../../../trusted/', import.meta.url);
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** How often what had no answer is sent again. */
const TICK_MS = 100;
const FOLDER_CHECK_MS = 2_000;
/** Requests that share one increment, at most. */
const GROUP_REQUESTS_MAX = 64;

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

function publicKeyOf(seed: Uint8Array): string {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return bytesToHex(new Uint8Array(spki.subarray(-32)));
}

function portsOf(seed: Uint8Array, keys: readonly string[]): GuardPorts {
  const own = privateKeyOf(seed);
  const known = new Map(
    keys.map((key) => {
      const der = Buffer.concat([PUBLIC_KEY_PREFIX, Buffer.from(key, 'hex')]);
      return [key, createPublicKey({ key: der, format: 'der', type: 'spki' })] as const;
    }),
  );
  return {
    sign: (bytes) => sign(null, bytes, own),
    check: (publicKey, bytes, signature) => {
      const key = known.get(publicKey);
      return key !== undefined && verify(null, bytes, key, signature);
    },
    random: (length) => randomBytes(length),
  };
}

function firstLineOfInput(): Promise<string> {
  return new Promise((done) => createInterface({ input: process.stdin }).once('line', done));
}

async function foundGroup(id: number): Promise<{ readonly seed: Uint8Array; readonly told: GuardFile }> {
  mkdirSync(String(id), { mode: 0o700 });
  const seed = randomBytes(32);
  process.stdout.write(`${publicKeyOf(seed)}\n`);
  const heard = JSON.parse(await firstLineOfInput()) as GuardFile;
  const { program } = heard;
  const told =
    program === undefined ? heard : { ...heard, measurement: loadModule(MODULES, program).measurement };
  writeFileSync(guardPath(id, 'key'), bytesToHex(seed), { mode: 0o600, flush: true });
  writeFileSync(guardPath(id, 'group'), `${JSON.stringify(told)}\n`, { mode: 0o600, flush: true });
  return { seed, told };
}

/** Serves the component to the newest caller. */
class ComponentServer {
  readonly #component: GuardedComponent;
  #caller: { readonly socket: Socket; readonly reader: FrameReader } | undefined;
  #busy = false;

  constructor(component: GuardedComponent) {
    this.#component = component;
  }

  listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    const server = createServer((socket) => {
      this.#caller?.socket.destroy();
      const caller = { socket, reader: new FrameReader(REQUEST_BYTES_MAX) };
      this.#caller = caller;
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        if (this.#caller === caller) this.#caller = undefined;
      });
      socket.on('data', (chunk: Buffer) => {
        caller.reader.push(chunk);
        void this.#pump();
      });
    });
    return new Promise((done, fail) => {
      server.once('error', fail);
      server.listen(path, () => {
        chmodSync(path, 0o600);
        done();
      });
    });
  }

  /** One group after the other; what comes meanwhile waits, and above a bound is not read. */
  async #pump(): Promise<void> {
    if (this.#busy) {
      this.#caller?.socket.pause();
      return;
    }
    this.#busy = true;
    for (;;) {
      const caller = this.#caller;
      const frames: { readonly id: number; readonly body: Uint8Array }[] = [];
      while (caller !== undefined && frames.length < GROUP_REQUESTS_MAX) {
        const frame = caller.reader.next();
        if (frame === undefined) break;
        if (frame.id === CHANNEL_ID) caller.socket.destroy();
        else frames.push({ id: frame.id, body: Uint8Array.from(frame.body) });
      }
      if (caller?.reader.broken === true) caller.socket.destroy();
      if (caller === undefined || frames.length === 0) break;
      const answers = await this.#component.handle(frames.map(({ body }) => body));
      if (!caller.socket.destroyed)
        caller.socket.write(
          Buffer.concat(answers.map((answer, index) => encodeFrame(frames[index]!.id, answer))),
        );
    }
    this.#busy = false;
    this.#caller?.socket.resume();
  }
}

function end(code: number, why: string): never {
  process.stderr.write(`${new Date().toISOString()} ended: ${why}\n`);
  process.exit(code);
}

async function main(): Promise<void> {
  process.umask(0o077);
  // Who started it may have gone.
  process.stdout.on('error', () => undefined);
  const { values } = parseArgs({
    options: {
      guards: { type: 'string' },
      id: { type: 'string' },
      found: { type: 'boolean', default: false },
    },
  });
  const id = Number(values.id);
  process.chdir(values.guards!);
  const isFounding = values.found;
  const { seed, told } = isFounding
    ? await foundGroup(id)
    : {
        seed: Buffer.from(readFileSync(guardPath(id, 'key'), 'latin1'), 'hex'),
        told: readGuardFile(guardPath(id, 'group')),
      };
  // First of all: a guard that may not run its component must not take its place in the group either.
  const found = told.program === undefined ? undefined : loadModule(MODULES, told.program, told.measurement);
  const guard = new Guard(id, told.group, portsOf(seed, told.group.keys), isFounding);
  let component: GuardedComponent | undefined;
  const links = new GuardLinks(id, (bytes) => apply(guard.receive(bytes)));
  const apply = (effects: readonly GuardEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind === 'send') links.send(effect.to, effect.bytes);
      else if (effect.kind !== 'phase') component?.onEffect(effect);
      else if (effect.phase === 'cut') end(0, 'another copy of this guard runs under its key');
    }
  };
  await links.listen();
  writeFileSync(guardPath(id, 'pid'), `${process.pid}\n`, { mode: 0o600 });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(0, signal));
  setInterval(() => apply(guard.tick()), TICK_MS);
  setInterval(() => {
    if (!existsSync(guardPath(id, 'group'))) end(0, 'its folder is gone');
  }, FOLDER_CHECK_MS);
  apply(guard.tick());
  if (found === undefined) {
    process.stdout.write('ready\n');
    return;
  }
  component = new GuardedComponent(id, guard, apply);
  const how = await component.start(found);
  await new ComponentServer(component).listen(guardPath(id, 'component'));
  const [identity] = await component.handle([encodeTrustedRequest({ op: 'identify' })]);
  process.stderr.write(`${new Date().toISOString()} ${how}\n`);
  process.stdout.write(`ready ${bytesToHex(identity!)}\n`);
}

main().catch((error: unknown) => end(1, (error as Error).message));
