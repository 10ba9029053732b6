/** Operations of the modelled service: four bytes each. */

/** Registers of the service. */
export const REGISTERS = 8;

/** What an operation does to its register; the answer is always the value before. */
export const OPERATION = { read: 0, write: 1, add: 2, swapIfOdd: 3 } as const;

/** Bytes of an operation. */
export function encodeOperation(kind: number, register: number, value: number): Uint8Array {
  return new Uint8Array([kind, register, value & 255, value >>> 8]);
}

/** Executes an operation; what is not one does nothing and answers with one byte. */
export function applyOperation(registers: Uint32Array, operation: Uint8Array): Uint8Array {
  const register = operation[1] ?? REGISTERS;
  if (operation.length !== 4 || register >= REGISTERS) return new Uint8Array([255]);
  const value = operation[2]! | (operation[3]! << 8);
  const before = registers[register]!;
  switch (operation[0]) {
    case OPERATION.write:
      registers[register] = value;
      break;
    case OPERATION.add:
      registers[register] = (before * 31 + value) & 0xffffff;
      break;
    case OPERATION.swapIfOdd:
      if ((before & 1) === 1) registers[register] = value;
      break;
    default:
      break;
  }
  return new Uint8Array([before & 255, (before >>> 8) & 255, (before >>> 16) & 255]);
}
