/** The carrier of a machine, as an ordinary process: the whole suite, and bytes that no honest caller sends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Prng } from '../../core/prng.ts';
import { checkSignature } from '../../trusted/conformance/environment.testing.ts';
import { CHECKED_PROGRAMS, conformanceOf } from '../../trusted/conformance/suite.ts';
import {
  decodeTrustedResponse,
  encodeTrustedRequest,
  REQUEST_BYTES_MAX,
  RESPONSE_BYTES_MAX,
} from '../../trusted/frames.ts';
import { CHANNEL_KIND, encodeFrame, FrameReader } from '../process/channel.ts';
import type { Frame } from '../process/channel.ts';
import { programImage } from './image.ts';
import { connectMachine, encodeMachineGreeting } from './link.ts';
import { GuestProcesses, runOver, whySkipped } from './machine.testing.ts';

const skip = await whySkipped();
const root = mkdtempSync(join(tmpdir(), 'moiety-carrier-'));
after(() => rmSync(root, { recursive: true, force: true }));

const TOKEN = Buffer.alloc(32, 7);
const nonceOf = (number: number): Buffer => Buffer.alloc(16, number);
const IDENTIFY = encodeTrustedRequest({ op: 'identify' });
const CERTIFY = Buffer.concat([
  Buffer.from([2, 1, 1, 0, 0, 0, 0, 0, 0]),
  Buffer.alloc(32, 9),
  Buffer.alloc(4),
]);

function certifyFrame(id: number): Buffer {
  return encodeFrame(id, CERTIFY);
}

/** A carrier whose bytes the test sees. */
class Wire {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #reader = new FrameReader(RESPONSE_BYTES_MAX);
  #wake: (() => void) | undefined;
  readonly ended: Promise<number | null>;

  constructor(executable: string) {
    this.#child = spawn(executable, { stdio: 'pipe', env: {} });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.resume();
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#wake?.();
    });
    this.ended = new Promise((done) => this.#child.once('exit', done));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  write(...parts: readonly Uint8Array[]): void {
    this.#child.stdin.write(Buffer.concat(parts));
  }

  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#reader.next();
      if (frame !== undefined) return frame;
      await new Promise<void>((done) => (this.#wake = done));
    }
  }

  /** Greets and skips what comes before the welcome with this nonce; how many frames that were. */
  async greet(number: number): Promise<number> {
    this.write(encodeMachineGreeting(TOKEN, nonceOf(number)));
    for (let skipped = 0; ; skipped += 1) {
      const { id, body } = await this.next();
      if (id === 0 && body[0] === CHANNEL_KIND.welcome && nonceOf(number).equals(body.subarray(7)))
        return skipped;
    }
  }

  async counter(id: number): Promise<number> {
    this.write(encodeFrame(id, IDENTIFY));
    const frame = await this.next();
    assert.equal(frame.id, id);
    const response = decodeTrustedResponse(frame.body);
    assert.ok(response?.op === 'identify');
    return response.identity.counter;
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.ended;
  }
}

async function wire(): Promise<Wire> {
  return new Wire((await programImage('usig')).executable);
}

describe('the carrier', { skip }, () => {
  for (const program of CHECKED_PROGRAMS) {
    test(`conformance: ${program}`, async (t) => {
      const image = await programImage(program);
      const folder = mkdtempSync(join(root, 'tc-'));
      writeFileSync(join(folder, 'access'), TOKEN);
      const guests = new GuestProcesses(folder, image.executable);
      t.after(() => guests.close());
      const open = async () => (await connectMachine(folder, folder, 5_000))!;
      let connection = await open();
      for (const { run } of conformanceOf(program)) {
        const check = run({ prng: new Prng(4), calls: 300, checkSignature });
        connection = await runOver(check, connection, async (old) => {
          old.close();
          return open();
        });
      }
      connection.close();
    });
  }

  test('has the bounds of the contract', () => {
    const header = readFileSync(new URL('../../../native/carrier/channel.h', import.meta.url), 'utf8');
    assert.match(header, new RegExp(`#define REQUEST_BYTES_MAX ${REQUEST_BYTES_MAX}\n`));
    assert.match(header, new RegExp(`#define RESPONSE_BYTES_MAX ${RESPONSE_BYTES_MAX}\n`));
  });

  test('says nothing before a greeting, and nothing to a second token', async () => {
    const carrier = await wire();
    carrier.write(encodeFrame(5, IDENTIFY), Buffer.alloc(100_000, 0xff), certifyFrame(6));
    assert.equal(await carrier.greet(1), 0);
    const stranger = encodeMachineGreeting(Buffer.alloc(32, 8), nonceOf(2));
    carrier.write(stranger);
    assert.equal(await carrier.counter(7), 0);
    await carrier.end();
  });

  test('a caller cut off within a request: the next one gets its own answers, nothing was counted', async () => {
    const carrier = await wire();
    await carrier.greet(1);
    const frame = certifyFrame(9);
    for (let length = 0; length < frame.length; length += 1) {
      carrier.write(frame.subarray(0, length));
      assert.equal(await carrier.greet(2 + length), 0);
    }
    assert.equal(await carrier.counter(1), 0);
    await carrier.end();
  });

  test('answers to a caller who left come before the next welcome', async () => {
    const carrier = await wire();
    await carrier.greet(1);
    carrier.write(certifyFrame(1), certifyFrame(2), certifyFrame(3).subarray(0, 20));
    assert.equal(await carrier.greet(2), 2);
    assert.equal(await carrier.counter(1), 2);
    await carrier.end();
  });

  test('impossible lengths and garbage: a refusal, then the next greeting is heard', async () => {
    const carrier = await wire();
    const prng = new Prng(6);
    for (let round = 0; round < 60; round += 1) {
      await carrier.greet(round);
      const garbage = Buffer.from(Array.from({ length: prng.between(1, 9_000) }, () => prng.u32() & 255));
      if (round % 2 === 0) garbage.writeUInt8(round % 4 === 0 ? 0xff : 0, 0);
      carrier.write(garbage);
    }
    await carrier.greet(200);
    assert.ok((await carrier.counter(1)) < 60);
    await carrier.end();
  });

  test('is locked in before it hears anybody: seccomp, no new rights, no core dump', async () => {
    const carrier = await wire();
    await carrier.greet(1);
    const status = readFileSync(`/proc/${carrier.pid}/status`, 'utf8');
    assert.match(status, /^Seccomp:\t2$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(readFileSync(`/proc/${carrier.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
    await carrier.end();
  });

  test('ends when it is asked to, and when its caller is gone', async () => {
    const carrier = await wire();
    await carrier.greet(1);
    carrier.write(encodeFrame(0, Uint8Array.of(CHANNEL_KIND.stop)));
    assert.equal(await carrier.ended, 1);
    const other = await wire();
    await other.end();
  });
});
