import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { callingLibrary } from './seal-library.ts';
import { assembleFilter } from './seccomp.ts';
import { startFilter, steadyFilter } from './system-calls.ts';

const X86_64 = 0xc000003e;
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const KILL = 0x80000000;

/** Runs a filter as the kernel does, with an interpreter of its own. */
function verdict(filter: Uint8Array, call: number, args: readonly number[] = [], arch = X86_64): number {
  const code = Buffer.from(filter);
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((argument, index) => data.writeBigUInt64LE(BigInt(argument), 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const value = code.readUInt32LE(8 * at + 4);
    const [whenTrue, whenFalse] = [code[8 * at + 2]!, code[8 * at + 3]!];
    switch (code.readUInt16LE(8 * at)) {
      case 0x20:
        accumulator = data.readUInt32LE(value);
        break;
      case 0x15:
        at += accumulator === value ? whenTrue : whenFalse;
        break;
      case 0x35:
        at += accumulator >= value ? whenTrue : whenFalse;
        break;
      case 0x54:
        accumulator = (accumulator & value) >>> 0;
        break;
      case 0x06:
        return value;
      default:
        assert.fail(`no such instruction at ${at}`);
    }
  }
}

test('a filter allows, refuses, does not know, and ends what is not of this machine', () => {
  const filter = assembleFilter({
    allowed: [
      { call: 1 },
      { call: 41, when: { argument: 0, equals: [1, 3] } },
      { call: 56, when: { argument: 1, bits: 0x10000 } },
    ],
    refused: [59],
  });
  assert.equal(filter.length % 8, 0);
  assert.equal(verdict(filter, 1), ALLOW);
  assert.equal(verdict(filter, 59), EPERM);
  assert.equal(verdict(filter, 2), ENOSYS);
  assert.equal(verdict(filter, 1, [], 0x40000003), KILL);
  assert.equal(verdict(filter, 0x40000001), KILL);
  assert.deepEqual(
    [0, 1, 2, 3].map((domain) => verdict(filter, 41, [domain])),
    [EPERM, ALLOW, EPERM, ALLOW],
  );
  assert.deepEqual(
    [0, 0x10000, 0x30f00].map((flags) => verdict(filter, 56, [0, flags])),
    [EPERM, ALLOW, ALLOW],
  );
});

test('the steady filter leaves no way to a program, a socket, another process or another filter', () => {
  const [start, steady] = [startFilter(), steadyFilter()];
  const names = { execve: 59, socket: 41, bind: 49, listen: 50, prlimit64: 302, seccomp: 317, mlockall: 151 };
  for (const [name, call] of Object.entries(names)) assert.equal(verdict(steady, call, [1]), EPERM, name);
  for (const call of Object.values(names)) assert.equal(verdict(start, call, [1]), ALLOW);
  const never = [42, 44, 46, 57, 58, 62, 101, 165, 250, 272, 298, 304, 308, 310, 321, 322, 323, 425, 438];
  for (const call of never)
    for (const filter of [start, steady]) assert.equal(verdict(filter, call), EPERM, String(call));
  // AF_INET; clone without CLONE_THREAD; clone3, whose flags a filter cannot see; writing to a terminal.
  assert.equal(verdict(start, 41, [2]), EPERM);
  assert.equal(verdict(steady, 56, [17]), EPERM);
  assert.equal(verdict(steady, 56, [0x3d0f00]), ALLOW);
  assert.equal(verdict(steady, 435), ENOSYS);
  assert.equal(verdict(steady, 16, [0, 0x5412]), EPERM);
});

test('filters of a component that connects: Unix sockets, and all else as before', () => {
  const [start, steady] = [startFilter({ connects: true }), steadyFilter({ connects: true })];
  const UNIX = 1;
  for (const filter of [start, steady]) {
    assert.equal(verdict(filter, 41, [UNIX]), ALLOW);
    assert.equal(verdict(filter, 42), ALLOW);
    // Of the internet, of the kernel (netlink), of packets.
    for (const domain of [2, 10, 16, 17]) assert.equal(verdict(filter, 41, [domain]), EPERM);
  }
  const differs = (plain: Uint8Array, connecting: Uint8Array): readonly number[] =>
    Array.from({ length: 600 }, (_, call) => call).filter(
      (call) => verdict(plain, call, [UNIX]) !== verdict(connecting, call, [UNIX]),
    );
  assert.deepEqual(differs(startFilter(), start), [42]);
  assert.deepEqual(differs(steadyFilter(), steady), [41, 42]);
});

const isHere = process.platform === 'linux' && process.arch === 'x64';

test('the library makes its calls when it is loaded', { skip: !isHere && 'Linux on x86-64 only' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-seal-'));
  const EXIT_GROUP = 231;
  const UMASK = 95;
  const GETPPID = 110;
  const script = `
    try { process.dlopen({ exports: {} }, process.argv[1]); } catch (error) { console.log(error.message.slice(0, 24)); }
    console.log(process.umask().toString(8));
  `;
  const load = (library: Uint8Array): { status: number | null; stdout: string } => {
    const path = join(folder, 'library.node');
    writeFileSync(path, library);
    return spawnSync(process.execPath, ['-e', script, path], { encoding: 'utf8' });
  };
  try {
    const fine = load(callingLibrary([{ call: UMASK, arguments: [0o31], exitCode: 0 }]));
    assert.deepEqual([fine.status, fine.stdout], [0, 'Module did not self-regi\n31\n']);
    // A call that must return 0 and does not; one that ends the process itself.
    assert.equal(load(callingLibrary([{ call: GETPPID, arguments: [], exitCode: 77 }])).status, 77);
    assert.equal(load(callingLibrary([{ call: EXIT_GROUP, arguments: [78], exitCode: 0 }])).status, 78);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
