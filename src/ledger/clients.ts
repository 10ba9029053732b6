/**
 * The client registry (decision C9): who may have anything ordered. Replicated state, one chunk of the state tree. A
 * revoked client stays in it, so that its key can never come back and its old bundles stay dead.
 */
import { bytesToHex, hexToBytes } from '../core/bytes.ts';
import { assert } from '../core/assert.ts';
import { decodeWhole, Writer } from '../core/codec.ts';
import type { Reader } from '../core/codec.ts';
import type { ClientSettings } from '../core/config.ts';
import { clientIdOf } from '../core/request.ts';
import type { Digest, Hash } from '../core/types.ts';
import { UndoLog } from '../core/undo-log.ts';
import type { ResultError } from './operation.ts';
import { isOrganisationName, ORGANISATION_LENGTH_MAX } from './transaction.ts';

/** Clients of a cluster, revoked ones included, at most. */
export const CLIENTS_MAX = 16 * 1024;

/** One client. Values are replaced, never changed. */
export interface ClientRecord {
  readonly id: Digest;
  /** Raw public key, hexadecimal. */
  readonly key: string;
  readonly organisation: string;
  readonly role: 'client' | 'admin';
  readonly revoked: boolean;
  /** Version of its key for MACs of requests that counts (decision C3). */
  readonly keyVersion: number;
}

const FRESH = { revoked: false, keyVersion: 1 } as const;
const KEY_VERSION_MAX = 2 ** 32 - 1;

/** What REGISTER asks for. */
export interface ClientApplication {
  readonly key: Uint8Array;
  readonly organisation: string;
  readonly role: 'client' | 'admin';
}

/** Registered clients by key and by id. */
export class ClientRegistry {
  readonly #hash: Hash;
  readonly #byKey = new Map<string, ClientRecord>();
  readonly #keyById = new Map<Digest, string>();
  readonly #undo: UndoLog;
  #changed = true;

  /** What changes while `undo` records can be taken back with it. */
  constructor(hash: Hash, genesis: readonly ClientSettings[], undo = new UndoLog()) {
    this.#hash = hash;
    this.#undo = undo;
    for (const client of genesis) {
      const key = hexToBytes(client.key);
      assert(key?.length === 32, 'a client key of genesis is 32 bytes in hexadecimal');
      this.register({ key, organisation: client.organisation, role: client.role });
    }
  }

  /** Clients, revoked ones included. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The client with this public key. */
  byKey(key: Uint8Array): ClientRecord | undefined {
    return this.#byKey.get(bytesToHex(key));
  }

  byId(id: Digest): ClientRecord | undefined {
    const key = this.#keyById.get(id);
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  /** Admits a client; again with the same organisation and role is no error. */
  register(application: ClientApplication): ClientRecord | ResultError {
    const key = bytesToHex(application.key);
    const { organisation, role } = application;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      if (known.revoked) return 'clientRevoked';
      return known.organisation === organisation && known.role === role ? known : 'alreadyRegistered';
    }
    if (this.#byKey.size >= CLIENTS_MAX) return 'clientsExhausted';
    const record = { id: clientIdOf(this.#hash, application.key), key, organisation, role, ...FRESH };
    this.#put(record);
    return record;
  }

  /** Revokes a client for ever. The last administrator cannot be revoked: nobody could undo the consequences. */
  revoke(id: Digest): ClientRecord | ResultError {
    const known = this.byId(id);
    if (known === undefined) return 'unknownClient';
    if (known.revoked) return 'clientRevoked';
    if (known.role === 'admin' && this.#administrators() === 1) return 'lastAdministrator';
    const record = { ...known, revoked: true };
    this.#put(record);
    return record;
  }

  /** The next version of a client's key counts from now on, and no older one. */
  renewKey(id: Digest): ClientRecord | ResultError {
    const known = this.byId(id);
    if (known === undefined) return 'unknownClient';
    if (known.revoked) return 'clientRevoked';
    if (known.keyVersion >= KEY_VERSION_MAX) return 'clientsExhausted';
    const record = { ...known, keyVersion: known.keyVersion + 1 };
    this.#put(record);
    return record;
  }

  #administrators(): number {
    let count = 0;
    for (const record of this.#byKey.values()) if (record.role === 'admin' && !record.revoked) count += 1;
    return count;
  }

  #put(record: ClientRecord): void {
    const previous = this.#byKey.get(record.key);
    this.#undo.note(() => {
      if (previous !== undefined) {
        this.#byKey.set(record.key, previous);
        return;
      }
      this.#byKey.delete(record.key);
      this.#keyById.delete(record.id);
    });
    this.#byKey.set(record.key, record);
    this.#keyById.set(record.id, record.key);
    this.#changed = true;
  }

  /** Whether anything changed since the last call, there and back included. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#undo.note(() => (this.#changed = changed));
    this.#changed = false;
    return changed;
  }

  /** Canonical bytes: all clients, ascending by key; then, if there are any, those whose key was renewed. */
  encode(): Uint8Array {
    const records = [...this.#byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const writer = new Writer(64 + 128 * records.length).list(records, (w, record) => {
      w.hex(record.key).ascii(record.organisation);
      w.bool(record.role === 'admin').bool(record.revoked);
    });
    const renewed = records.filter(({ keyVersion }) => keyVersion !== FRESH.keyVersion);
    if (renewed.length > 0) writer.list(renewed, (w, { key, keyVersion }) => w.hex(key).u32(keyVersion));
    return writer.finish();
  }

  /** Replaces everything by what `encode` gave; false unless canonical. */
  decode(bytes: Uint8Array): boolean {
    let previous = '';
    const read = decodeWhole(bytes, (reader) => {
      const records = reader.list(CLIENTS_MAX, (r): ClientRecord => {
        const raw = r.raw(32);
        const key = bytesToHex(raw);
        const organisation = r.ascii(ORGANISATION_LENGTH_MAX);
        if (key <= previous || !isOrganisationName(organisation)) r.fail();
        previous = key;
        const role = r.bool() ? 'admin' : 'client';
        return { id: clientIdOf(this.#hash, raw), key, organisation, role, ...FRESH, revoked: r.bool() };
      });
      return { records, versions: reader.remaining > 0 ? readVersions(reader) : new Map<string, number>() };
    });
    if (read === undefined) return false;
    const { records, versions } = read;
    const known = new Set(records.map(({ key }) => key));
    if ([...versions.keys()].some((key) => !known.has(key))) return false;
    this.#byKey.clear();
    this.#keyById.clear();
    for (const record of records)
      this.#put({ ...record, keyVersion: versions.get(record.key) ?? FRESH.keyVersion });
    return true;
  }
}

/** Versions by key: at least one, ascending, none that says what is so anyway. */
function readVersions(reader: Reader): Map<string, number> {
  let previous = '';
  const entries = reader.list(CLIENTS_MAX, (r): [string, number] => {
    const key = bytesToHex(r.raw(32));
    const version = r.u32();
    if (key <= previous || version <= FRESH.keyVersion) r.fail();
    previous = key;
    return [key, version];
  });
  if (entries.length === 0) reader.fail();
  return new Map(entries);
}
