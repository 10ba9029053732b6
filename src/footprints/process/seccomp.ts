/**
 * Filters of system calls (seccomp) as programs of the kernel's packet filter language: an own small assembler, so that
 * no library is needed. Linux on x86-64 only. What a filter does not name answers ENOSYS, as an older kernel would.
 */

/** A condition on the low 32 bits of one argument of a call. */
export interface ArgumentCondition {
  /** 0 to 5. */
  readonly argument: number;
  /** One of these values ... */
  readonly equals?: readonly number[];
  /** ... or all of these bits set. */
  readonly bits?: number;
}

/** A call that may be made; with a condition: only then, else it is refused. */
export interface AllowedCall {
  readonly call: number;
  readonly when?: ArgumentCondition;
}

/** What a filter says. */
export interface FilterRules {
  readonly allowed: readonly AllowedCall[];
  /** Calls that answer EPERM. */
  readonly refused: readonly number[];
}

const AUDIT_ARCH_X86_64 = 0xc000003e;
/** Calls of the x32 convention have this bit. */
const X32_BIT = 0x40000000;
const RETURN = { allow: 0x7fff0000, refuse: 0x00050001, unknown: 0x00050026, kill: 0x80000000 } as const;
/** Codes of instructions: load a word, compare, return. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_BELOW = 0x35;
const AND = 0x54;
const RET = 0x06;
/** Where things lie in what a filter sees. */
const NUMBER_AT = 0;
const ARCH_AT = 4;
const ARGUMENTS_AT = 16;

class Assembler {
  readonly #bytes: number[] = [];

  emit(code: number, value: number, whenTrue = 0, whenFalse = 0): this {
    const word = [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
    this.#bytes.push(code & 255, code >>> 8, whenTrue, whenFalse, ...word);
    return this;
  }

  /** The call is `call`: what `then` emits follows; else it is skipped. `then` ends with a return. */
  onCall(call: number, then: Assembler): this {
    this.emit(JUMP_EQUAL, call, 0, then.length);
    this.#bytes.push(...then.#bytes);
    return this;
  }

  /** In instructions. */
  get length(): number {
    return this.#bytes.length / 8;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

function conditional({ argument, equals = [], bits }: ArgumentCondition): Assembler {
  const code = new Assembler().emit(LOAD, ARGUMENTS_AT + 8 * argument);
  for (const value of equals) code.emit(JUMP_EQUAL, value, 0, 1).emit(RET, RETURN.allow);
  if (bits !== undefined) code.emit(AND, bits).emit(JUMP_EQUAL, bits, 0, 1).emit(RET, RETURN.allow);
  return code.emit(RET, RETURN.refuse);
}

/** The filter as bytes: eight for each instruction. */
export function assembleFilter({ allowed, refused }: FilterRules): Uint8Array {
  const code = new Assembler()
    .emit(LOAD, ARCH_AT)
    .emit(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1, 0)
    .emit(RET, RETURN.kill)
    .emit(LOAD, NUMBER_AT)
    .emit(JUMP_NOT_BELOW, X32_BIT, 0, 1)
    .emit(RET, RETURN.kill);
  for (const { call, when } of allowed)
    code.onCall(call, when === undefined ? new Assembler().emit(RET, RETURN.allow) : conditional(when));
  for (const call of refused) code.onCall(call, new Assembler().emit(RET, RETURN.refuse));
  return code.emit(RET, RETURN.unknown).finish();
}
