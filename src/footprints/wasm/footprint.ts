/** Footprint (b) in the memory of the replica itself: for development and simulation, no protection against its host. */
import { registrationOf } from '../../trusted/client.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Footprint, TrustedConnection } from '../contract.ts';
import { createVolatileFolder, startVolatile } from '../worker/volatile-folder.ts';
import { isWasmComponent, openWasmComponent } from './component-folder.ts';
import { WASM_FOOTPRINT } from './loader.ts';

function connect(folder: string): TrustedConnection {
  // A folder of the HMAC suite: those of `--dev`.
  if (isWasmComponent(folder)) return openWasmComponent(folder);
  const program = startVolatile(folder);
  let closed = false;
  const listeners: ((reason: string) => void)[] = [];
  return {
    send: (request, onResponse) => {
      const response = closed ? undefined : program.handle(request);
      // The caller is in the middle of something: it must not be called back from inside.
      queueMicrotask(() => onResponse(response));
    },
    onClose: (listener) => void listeners.push(listener),
    close: () => {
      closed = true;
      for (const listener of listeners.splice(0)) listener('closed by this process');
    },
  };
}

/** See the top of this file. */
export const wasmFootprint: Footprint = {
  name: WASM_FOOTPRINT,
  scenario: 'b',
  summary: 'module in the memory of the replica, volatile',
  persistent: false,
  missing: () => Promise.resolve([]),
  create: async ({ folder, program }) => {
    createVolatileFolder(folder, program);
    const bytes = startVolatile(folder).handle(encodeTrustedRequest({ op: 'identify' }));
    const answer = decodeTrustedResponse(bytes);
    if (answer?.op !== 'identify') throw new TypeError(`${program} does not say who it is`);
    return Promise.resolve(registrationOf(answer.identity, WASM_FOOTPRINT));
  },
  open: async ({ folder }) => Promise.resolve(connect(folder)),
  stop: () => Promise.resolve(false),
};
