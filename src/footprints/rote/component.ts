/**
 * A trusted program whose state lies on an untrusted disk and is accepted only if the group of guards names its digest.
 * Everything that one group of requests changes is written first, then its digest is stored at a quorum, and only then
 * the answers leave. A state that the group does not name is never continued: the component begins anew, with a new key
 * and tcEpoch, and must be re-admitted.
 */
import { hash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { bytesToDigest } from '../../core/bytes.ts';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Digest } from '../../core/types.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import type { TrustedProgram } from '../../trusted/contract.ts';
import { startModule } from '../../trusted/module.ts';
import type { GuardEffect } from '../../trusted/rote/contract.ts';
import type { Guard } from '../../trusted/rote/guard.ts';
import { programKeyOf, programServices } from '../process/environment.ts';
import type { MeasuredModule } from '../process/program-file.ts';
import type { StateKey } from '../process/state-log.ts';
import { guardPath } from './places.ts';

/** Name of the application at the guards. */
const APPLICATION = 'component';
const NONCE_BYTES = 16;
/** Above the image of every program; the largest, of A2M, has 164,754 bytes. */
const RECORD_BYTES_MAX = 1024 * 1024;
const RECORDS_MAX = 4 * RECENT_DEPTH;

interface State {
  readonly key: StateKey;
  readonly records: readonly Uint8Array[];
}

function encodeState({ key, records }: State): Uint8Array {
  const writer = new Writer(4096).raw(key.tcEpoch).raw(key.seed).raw(randomBytes(NONCE_BYTES));
  return writer.list(records, (into, record) => into.bytes(record)).finish();
}

function decodeState(bytes: Uint8Array): State | undefined {
  return decodeWhole(bytes, (reader) => {
    const tcEpoch = new Uint8Array(reader.raw(8));
    const seed = new Uint8Array(reader.raw(32));
    reader.raw(NONCE_BYTES);
    const records = reader.list(RECORDS_MAX, (one) => new Uint8Array(one.bytes(RECORD_BYTES_MAX)));
    return { key: { tcEpoch, seed }, records };
  });
}

const digestOf = (bytes: Uint8Array): Digest => bytesToDigest(hash('sha256', bytes, 'buffer'));

/** See the top of this file. One call at a time. */
export class GuardedComponent {
  readonly #id: number;
  readonly #guard: Guard;
  readonly #apply: (effects: readonly GuardEffect[]) => void;
  readonly #waiting = new Map<number, (effect: GuardEffect) => void>();
  #calls = 0;
  #key: StateKey = { tcEpoch: randomBytes(8), seed: randomBytes(32) };
  #records: Uint8Array[] = [];
  #dirty = false;
  /** The newest file is of an increment that never ended: the one before it is the state in force. */
  #isNewestVoid = false;
  #program: TrustedProgram | undefined;

  /** `apply` does what the guard wants. */
  constructor(id: number, guard: Guard, apply: (effects: readonly GuardEffect[]) => void) {
    this.#id = id;
    this.#guard = guard;
    this.#apply = apply;
  }

  /** To be told of every effect of the guard that is an answer. */
  onEffect(effect: GuardEffect): void {
    if (!('id' in effect)) return;
    const done = this.#waiting.get(effect.id);
    this.#waiting.delete(effect.id);
    done?.(effect);
  }

  #ask(call: (id: number) => readonly GuardEffect[]): Promise<GuardEffect> {
    const id = (this.#calls += 1);
    return new Promise((done, fail) => {
      this.#waiting.set(id, (effect) =>
        effect.kind === 'failed' ? fail(new Error(effect.reason)) : done(effect),
      );
      this.#apply(call(id));
    });
  }

  /** Accepts the newest state or begins anew; says which. It waits for a quorum as long as that takes. */
  async start(found: MeasuredModule): Promise<'continued' | 'new' | 'renewed'> {
    const read = await this.#ask((id) => this.#guard.read(id, APPLICATION));
    const named = read.kind === 'read' ? read.digests : [];
    const kept = (['state', 'previous'] as const)
      .map((file) => guardPath(this.#id, file))
      .filter((path) => existsSync(path))
      .map((path) => new Uint8Array(readFileSync(path)));
    const right = kept.find((bytes) => named.includes(digestOf(bytes)));
    this.#isNewestVoid = right !== undefined && right !== kept[0];
    const state = right === undefined ? undefined : decodeState(right);
    if (state !== undefined) {
      this.#key = state.key;
      this.#records = [...state.records];
    }
    this.#program = startModule(found.module, {
      ...programServices,
      measurement: found.measurement,
      persistent: true,
      key: programKeyOf(this.#key),
      records: this.#records,
      persist: (record) => {
        this.#records.push(record);
        this.#dirty = true;
        return true;
      },
      replaceKey: () => {
        this.#key = { tcEpoch: randomBytes(8), seed: randomBytes(32) };
        this.#records = [];
        this.#dirty = true;
        return programKeyOf(this.#key);
      },
    });
    // The first increment of a run binds what was accepted, as it is.
    if (state !== undefined) await this.#store(digestOf(right!));
    else await this.#save();
    if (state !== undefined) return 'continued';
    return named.length === 0 ? 'new' : 'renewed';
  }

  /** Answers requests; resolves when what they changed is held by a quorum. Rejects if that can never be. */
  async handle(requests: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const answers = requests.map((request) => this.#program!.handle(request));
    if (this.#dirty) await this.#save();
    return answers;
  }

  async #save(): Promise<void> {
    this.#dirty = false;
    const image = this.#program!.image?.();
    this.#records = image === undefined ? this.#records.slice(-RECENT_DEPTH) : [image];
    const bytes = encodeState({ key: this.#key, records: this.#records });
    const path = guardPath(this.#id, 'state');
    const aside = `${path}.new`;
    writeFileSync(aside, bytes, { mode: 0o600, flush: true });
    // A crash before the increment ends leaves two states, of which the group names one.
    if (existsSync(path) && !this.#isNewestVoid) renameSync(path, guardPath(this.#id, 'previous'));
    this.#isNewestVoid = false;
    renameSync(aside, path);
    await this.#store(digestOf(bytes));
  }

  async #store(digest: Digest): Promise<void> {
    await this.#ask((id) => this.#guard.increment(id, APPLICATION, digest));
  }
}
