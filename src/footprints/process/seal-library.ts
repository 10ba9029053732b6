/**
 * A shared library that makes a list of system calls when it is loaded and does nothing else. Node has no door to
 * `seccomp`; `process.dlopen` of these bytes is one. Built here, byte by byte, so that no compiler and no binary file
 * is needed. Linux on x86-64 only.
 */
import { SEAL_CALLS, steadyFilter } from './system-calls.ts';
import type { FilterNeeds } from './system-calls.ts';

/** A filter as the kernel takes it: number of instructions and where they are. */
interface FilterArgument {
  readonly filter: Uint8Array;
}

/** An argument: a number, or something whose address is passed. */
type Argument = number | Uint8Array | FilterArgument;

/** One call; `exitCode` other than 0: the process ends with it unless the call returns 0. */
export interface SealCall {
  readonly call: number;
  readonly arguments: readonly Argument[];
  readonly exitCode: number;
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const SEGMENTS = 4;
const CODE_AT = HEADER_BYTES + SEGMENTS * SEGMENT_BYTES;
/** A page: from here on the library can be written to while it is loaded. */
const DATA_AT = 0x1000;
const ENTRY_BYTES = 56;
const DYNAMIC_ENTRIES = 11;
const RELOCATION_BYTES = 24;
const INSTRUCTION_BYTES = 8;
const R_X86_64_RELATIVE = 8;

/** Machine code: makes the calls of the table at `tableAt` one after the other, then returns. */
function machineCode(tableAt: number): Uint8Array {
  const distance = tableAt - (CODE_AT + 8);
  const address = [distance & 255, (distance >>> 8) & 255, (distance >>> 16) & 255, distance >>> 24];
  return Uint8Array.of(
    ...[0x53], // push rbx
    ...[0x48, 0x8d, 0x1d, ...address], // lea rbx, [table]
    ...[0x48, 0x8b, 0x03], // next: mov rax, [rbx]
    ...[0x48, 0x85, 0xc0], // test rax, rax
    ...[0x78, 0x31], // js done
    ...[0x48, 0x8b, 0x7b, 0x08], // mov rdi, [rbx+8]
    ...[0x48, 0x8b, 0x73, 0x10], // mov rsi, [rbx+16]
    ...[0x48, 0x8b, 0x53, 0x18], // mov rdx, [rbx+24]
    ...[0x4c, 0x8b, 0x53, 0x20], // mov r10, [rbx+32]
    ...[0x4c, 0x8b, 0x43, 0x28], // mov r8, [rbx+40]
    ...[0x0f, 0x05], // syscall
    ...[0x48, 0x85, 0xc0], // test rax, rax
    ...[0x74, 0x10], // je after
    ...[0x83, 0x7b, 0x30, 0x00], // cmp dword [rbx+48], 0
    ...[0x74, 0x0a], // je after
    ...[0x8b, 0x7b, 0x30], // mov edi, [rbx+48]
    ...[0xb8, 0xe7, 0x00, 0x00, 0x00], // mov eax, exit_group
    ...[0x0f, 0x05], // syscall
    ...[0x48, 0x83, 0xc3, ENTRY_BYTES], // after: add rbx, 56
    ...[0xeb, 0xc7], // jmp next
    ...[0x5b, 0xc3], // done: pop rbx; ret
  );
}

/** Bytes that grow; addresses are those of the loaded library. */
class Section {
  readonly #parts: Uint8Array[] = [];
  at: number;

  constructor(at: number) {
    this.at = at;
  }

  /** Adds bytes and tells where they are; the next ones begin at a multiple of eight. */
  add(bytes: Uint8Array): number {
    const at = this.at;
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    this.#parts.push(padded);
    this.at += padded.length;
    return at;
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => bytes.writeBigInt64LE(BigInt(value), index * 8));
  return bytes;
}

function segment(kind: number, flags: number, at: number, length: number, align: number): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(flags, 4);
  return Buffer.concat([head, words(at, at, at, length, length, align)]);
}

function fileHeader(): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  // 64 bits, little-endian, a shared object for x86-64.
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  header.writeUInt16LE(HEADER_BYTES, 52);
  header.writeUInt16LE(SEGMENT_BYTES, 54);
  header.writeUInt16LE(SEGMENTS, 56);
  header.writeUInt16LE(64, 58);
  return header;
}

/** The library that makes these calls when it is loaded. */
export function callingLibrary(calls: readonly SealCall[]): Uint8Array {
  const dynamicBytes = DYNAMIC_ENTRIES * 16;
  const tableAt = DATA_AT + dynamicBytes;
  const rest = new Section(tableAt + calls.length * ENTRY_BYTES + 8);
  const relocations: Uint8Array[] = [];
  const pointer = (from: number, to: number): number => {
    relocations.push(words(from, R_X86_64_RELATIVE, to));
    return to;
  };
  const table = calls.map(({ call, arguments: given, exitCode }, index) => {
    const entryAt = tableAt + index * ENTRY_BYTES;
    const slots = [0, 1, 2, 3, 4].map((slot) => {
      const argument = given[slot] ?? 0;
      if (typeof argument === 'number') return argument;
      if (argument instanceof Uint8Array) return pointer(entryAt + 8 + 8 * slot, rest.add(argument));
      const filterAt = rest.add(argument.filter);
      const headAt = rest.add(words(argument.filter.length / INSTRUCTION_BYTES, filterAt));
      pointer(headAt + 8, filterAt);
      return pointer(entryAt + 8 + 8 * slot, headAt);
    });
    return words(call, ...slots, exitCode);
  });
  const initAt = rest.add(words(CODE_AT));
  pointer(initAt, CODE_AT);
  const stringsAt = rest.add(new Uint8Array(1));
  const symbolsAt = rest.add(new Uint8Array(24));
  const hashAt = rest.add(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const relocationsAt = rest.add(Buffer.concat(relocations));
  const dynamic = words(
    ...[4, hashAt, 5, stringsAt, 6, symbolsAt, 10, 1, 11, 24],
    ...[7, relocationsAt, 8, relocations.length * RELOCATION_BYTES, 9, RELOCATION_BYTES],
    ...[25, initAt, 27, 8, 0, 0],
  );
  const data = Buffer.concat([dynamic, ...table, words(-1), rest.finish()]);
  const code = machineCode(tableAt);
  const head = Buffer.concat([
    fileHeader(),
    segment(1, 5, 0, CODE_AT + code.length, 0x1000),
    segment(1, 6, DATA_AT, data.length, 0x1000),
    segment(2, 6, DATA_AT, dynamicBytes, 8),
    segment(0x6474e551, 6, 0, 0, 16),
    code,
  ]);
  return Buffer.concat([head, Buffer.alloc(DATA_AT - head.length), data]);
}

const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;
/** Sockets of the caller and of strangers, files of the state, and what the runtime itself has open. */
const OPEN_FILES_MAX = 128;
/** Memory of now and of later, as it is used. */
const MCL_ALL_ON_FAULT = 7;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;

/**
 * The seal of a trusted process: no new privileges, no core dump, no reading of its memory by strangers, few open
 * files, memory that is not swapped out where the limit of locked memory allows it, and the steady filter on all
 * threads.
 */
export function sealLibrary(needs: FilterNeeds = {}): Uint8Array {
  const { prctl, prlimit64, mlockall, seccomp } = SEAL_CALLS;
  return callingLibrary([
    { call: prctl, arguments: [PR_SET_NO_NEW_PRIVS, 1], exitCode: 71 },
    { call: prctl, arguments: [PR_SET_DUMPABLE, 0], exitCode: 72 },
    { call: prlimit64, arguments: [0, RLIMIT_CORE, words(0, 0)], exitCode: 73 },
    { call: prlimit64, arguments: [0, RLIMIT_NOFILE, words(OPEN_FILES_MAX, OPEN_FILES_MAX)], exitCode: 0 },
    { call: mlockall, arguments: [MCL_ALL_ON_FAULT], exitCode: 0 },
    {
      call: seccomp,
      arguments: [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, { filter: steadyFilter(needs) }],
      exitCode: 74,
    },
  ]);
}
