/**
 * The `wasm` footprint (b of the survey's Fig. 3): a trusted program in the memory of its caller. Volatile, and no protection
 * against its own host, who can read all of that memory: for the simulator, the playground, benchmarks and `--dev`
 * (decision A1). Runs wherever there is WebAssembly.
 */
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import type { Digest, Hash, TcEpoch } from '../../core/types.ts';
import type { ProgramEnvironment, ProgramKey, TrustedProgram } from '../../trusted/contract.ts';
import { compileModule, startModule } from '../../trusted/module.ts';
import type { Hmac } from '../../trusted/statement.ts';
import { statementKeyOf, tcIdOf } from '../../trusted/statement.ts';

/** Name of this footprint in registrations. */
export const WASM_FOOTPRINT = 'wasm';

/** What a component of the HMAC suite is started with. */
export interface GroupComponentOptions {
  /** 32 bytes, the same for all members. */
  readonly groupKey: Uint8Array;
  /** 16 bytes. */
  readonly groupId: Uint8Array;
  readonly replica: number;
  /** Never used before: eight random bytes at every start. */
  readonly tcEpoch: TcEpoch;
  /** Gives another tcEpoch for `renew`; without it `renew` is refused. */
  readonly newTcEpoch?: () => TcEpoch;
  readonly hash: Hash;
  readonly hmac: Hmac;
}

/** Eight random bytes as a tcEpoch; `random` fills an array, like `crypto.getRandomValues`. */
export function randomTcEpoch(random: (bytes: Uint8Array) => void): TcEpoch {
  const bytes = new Uint8Array(8);
  random(bytes);
  return bytesToTcEpoch(bytes);
}

/** Environment of a volatile component of the HMAC suite: the module itself makes and checks all MACs. */
function groupEnvironment(measurement: Digest, options: GroupComponentOptions): ProgramEnvironment {
  const { groupKey, groupId, replica, hash, hmac, newTcEpoch } = options;
  if (groupKey.length !== 32 || groupId.length !== 16)
    throw new TypeError('a group key has 32 bytes and a group id 16');
  const statementKey = statementKeyOf(hmac, groupKey, groupId);
  const keyUnder = (tcEpoch: TcEpoch): ProgramKey => ({
    suite: 'hmac-sha256',
    tcId: tcIdOf(hash, { suite: 'hmac-sha256', groupId, replica }),
    tcEpoch,
    publicKey: '',
    statementKey,
    authenticate: (bytes) => hmac(statementKey, bytes),
  });
  return {
    measurement,
    persistent: false,
    keepsRecords: false,
    hash,
    key: keyUnder(options.tcEpoch),
    records: [],
    persist: () => true,
    replaceKey: () => (newTcEpoch === undefined ? undefined : keyUnder(newTcEpoch())),
  };
}

/**
 * Starts a component of the HMAC suite from the bytes of a module (trusted/*.wasm). Throws on bytes that are no module:
 * a bug of ours, or a file that was damaged.
 */
export function startGroupComponent(bytes: Uint8Array, options: GroupComponentOptions): TrustedProgram {
  const measurement = bytesToHex(options.hash(bytes)) as Digest;
  return startModule(compileModule(bytes), groupEnvironment(measurement, options));
}
