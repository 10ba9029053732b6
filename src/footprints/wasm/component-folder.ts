/**
 * `usig@wasm` for replica processes of development clusters: key and first tcEpoch in a folder, the component itself in
 * the memory of the replica. It is volatile: each start after the first seal is a new component under a tcEpoch never
 * used before (decision A3). The key file is readable by its owner, who can forge with it: this protects nothing.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesToTcEpoch, hexToBytes } from '../../core/bytes.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import type { Hash, TcEpoch } from '../../core/types.ts';
import { registrationOf } from '../../trusted/client.ts';
import type { TrustedProgram } from '../../trusted/contract.ts';
import {
  decodeTrustedRequest,
  decodeTrustedResponse,
  encodeTrustedRequest,
  encodeTrustedResponse,
} from '../../trusted/frames.ts';
import type { Hmac } from '../../trusted/statement.ts';
import { statementKeyOf } from '../../trusted/statement.ts';
import { startGroupComponent, WASM_FOOTPRINT } from './loader.ts';

/** Holds the group key; mode 0600. */
const COMPONENT_FILE = 'component.json';
/** There as soon as the tcEpoch of genesis was used for anything that cannot be repeated. */
const SPENT_FILE = 'spent';

/** Content of `component.json`; all but the number is hexadecimal. */
interface ComponentFile {
  readonly groupKey: string;
  readonly groupId: string;
  readonly replica: number;
  readonly tcEpoch: string;
}

/** The component as its replica talks to it: answers come in order, never from inside `send`. */
export interface WasmConnection {
  send(request: Uint8Array, onResponse: (response: Uint8Array | undefined) => void): void;
  /** Never called: the component ends with its replica. */
  onClose(listener: (reason: string) => void): void;
  close(): void;
}

const hash: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const hmac: Hmac = (key, message) => new Uint8Array(createHmac('sha256', key).update(message).digest());

/** Random, so that no two starts share one (decision A3). */
function newTcEpoch(): TcEpoch {
  return bytesToTcEpoch(new Uint8Array(randomBytes(8)));
}

/** Writes a file that must not exist, durable with its name when this returns. */
function writeOnce(folder: string, name: string, content: string): void {
  for (const [path, flags] of [
    [join(folder, name), 'wx'],
    [folder, 'r'],
  ] as const) {
    const descriptor = openSync(path, flags, 0o600);
    try {
      if (flags === 'wx') writeFileSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

function instantiate(file: ComponentFile, tcEpoch: TcEpoch): TrustedProgram {
  const module = fileURLToPath(new URL('../../../trusted/usig.wasm', import.meta.url));
  return startGroupComponent(new Uint8Array(readFileSync(module)), {
    groupKey: hexToBytes(file.groupKey)!,
    groupId: hexToBytes(file.groupId)!,
    replica: file.replica,
    tcEpoch,
    newTcEpoch,
    hash,
    hmac,
  });
}

/** Makes the components of a new development cluster, one folder a replica, with one group key. */
export function createWasmComponents(folders: readonly string[]): readonly TrustedRegistration[] {
  const groupKey = randomBytes(32).toString('hex');
  const groupId = randomBytes(16).toString('hex');
  return folders.map((folder, replica) => {
    const file: ComponentFile = { groupKey, groupId, replica, tcEpoch: newTcEpoch() };
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeOnce(folder, COMPONENT_FILE, `${JSON.stringify(file)}\n`);
    const program = instantiate(file, file.tcEpoch as TcEpoch);
    const answer = decodeTrustedResponse(program.handle(encodeTrustedRequest({ op: 'identify' })));
    if (answer?.op !== 'identify') throw new TypeError('usig.wasm does not say who it is');
    return registrationOf(answer.identity, WASM_FOOTPRINT);
  });
}

/** Whether a trusted component's folder is one of this footprint. */
export function isWasmComponent(folder: string): boolean {
  return existsSync(join(folder, COMPONENT_FILE));
}

/** Whether the component that genesis registers has sealed something: then the next start is a new component. */
export function isGenesisEpochSpent(folder: string): boolean {
  return existsSync(join(folder, SPENT_FILE));
}

/** Reads `component.json`; throws an Error whose message is for the operator. */
function readComponent(folder: string): ComponentFile {
  const path = join(folder, COMPONENT_FILE);
  let file: Partial<ComponentFile>;
  try {
    file = (JSON.parse(readFileSync(path, 'utf8')) as Partial<ComponentFile> | null) ?? {};
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`);
  }
  const { groupKey, groupId, replica, tcEpoch } = file;
  const isHex = (value: unknown, length: number): boolean =>
    typeof value === 'string' && hexToBytes(value)?.length === length;
  const isWhole = isHex(groupKey, 32) && isHex(groupId, 16) && isHex(tcEpoch, 8);
  if (!isWhole || !Number.isInteger(replica) || replica! < 0)
    throw new Error(`${path} is damaged: begin anew with "moiety up --dev --fresh"`);
  return file as ComponentFile;
}

/** The key with which members of the cluster check each other's seals. Throws like `openWasmComponent`. */
export function readStatementKey(folder: string): Uint8Array {
  const { groupKey, groupId } = readComponent(folder);
  return statementKeyOf(hmac, hexToBytes(groupKey)!, hexToBytes(groupId)!);
}

function storageRefusal(error: unknown): Uint8Array {
  const message = `the first use cannot be marked: ${(error as Error).message}`;
  return encodeTrustedResponse({ op: 'error', code: 'STORAGE', message });
}

/**
 * Starts the component of a folder: under the tcEpoch of genesis until that has been used, even if the store is wiped
 * in between (a counter must not begin twice under one tcEpoch), under a fresh one ever after. Throws an Error whose
 * message is for the operator.
 */
export function openWasmComponent(folder: string): WasmConnection {
  const file = readComponent(folder);
  let isSpent = isGenesisEpochSpent(folder);
  const program = instantiate(file, isSpent ? newTcEpoch() : (file.tcEpoch as TcEpoch));
  const answer = (request: Uint8Array): Uint8Array => {
    const op = isSpent ? undefined : decodeTrustedRequest(request)?.op;
    if (op === 'certify' || op === 'renew') {
      try {
        writeOnce(folder, SPENT_FILE, `${file.tcEpoch}\n`);
      } catch (error) {
        return storageRefusal(error);
      }
      isSpent = true;
    }
    return program.handle(request);
  };
  return {
    send: (request, onResponse) => {
      const response = answer(request);
      // The caller is in the middle of something: it must not be called back from inside.
      queueMicrotask(() => onResponse(response));
    },
    onClose: () => undefined,
    close: () => undefined,
  };
}
