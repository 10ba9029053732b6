/**
 * USIG (unique sequential identifier generator): one counter that certifies each value once (MinBFT "Trusted
 * component"). Uniqueness: a value is used up before its certificate exists. Monotonicity and sequentiality: the next
 * value is always the last one plus one, the first is 1. A state machine over bytes; all else is its environment's.
 */
import { digestToBytes, equalBytes } from '../../../core/bytes.ts';
import { decodeWhole, Writer } from '../../../core/codec.ts';
import type { CounterValue, Digest, TcEpoch } from '../../../core/types.ts';
import { SAFE_INTEGER_END } from '../../../core/types.ts';
import { sealClientKey } from '../../../crypto/key-envelope.ts';
import {
  clientMacKeyOf,
  hmacOver,
  keyQueryDigest,
  macClientId,
  requestTag,
} from '../../../crypto/request-mac.ts';
import { CORE_BYTES_MAX, RECENT_DEPTH, STATEMENT_BYTES, USIG_OBJECT_ID } from '../../contract.ts';
import type {
  ProgramEnvironment,
  ProgramKey,
  RecentCertificate,
  TagClaim,
  TrustedErrorCode,
  TrustedIdentity,
  TrustedProgram,
  TrustedRequest,
  TrustedResponse,
} from '../../contract.ts';
import { encodeEvidence } from '../../evidence.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../../frames.ts';
import { bindDigestOf, statementForUi } from '../../statement.ts';

/** Name of this program in identities and registrations. */
const USIG_PROGRAM = 'usig';

const NOT_CANONICAL = 'not a canonical TCS1 request';
const NO_ROOT = 'this component belongs to no group that has keys of clients';

/** One value that was used up: what the program persists, and all that it needs to make the certificate again. */
export interface UsigRecord {
  readonly tcEpoch: TcEpoch;
  readonly counter: CounterValue;
  readonly digest: Digest;
  readonly core: Uint8Array;
}

/** Bytes of a record. */
export function encodeUsigRecord(record: UsigRecord): Uint8Array {
  return new Writer(52 + record.core.length)
    .tcEpoch(record.tcEpoch)
    .u64(record.counter)
    .digest(record.digest)
    .bytes(record.core)
    .finish();
}

/** Reads a record; undefined unless canonical. */
export function decodeUsigRecord(bytes: Uint8Array): UsigRecord | undefined {
  return decodeWhole(bytes, (reader) => {
    const tcEpoch = reader.tcEpoch();
    const counter = reader.u64();
    const digest = reader.digest();
    return { tcEpoch, counter, digest, core: new Uint8Array(reader.bytes(CORE_BYTES_MAX)) };
  });
}

/** The records of one tcEpoch in order, the last RECENT_DEPTH of them; undefined if they do not follow each other. */
function restoreRecords(environment: ProgramEnvironment): UsigRecord[] | undefined {
  const restored: UsigRecord[] = [];
  for (const bytes of environment.records) {
    const record = decodeUsigRecord(bytes);
    const last = restored.at(-1);
    if (record === undefined || record.tcEpoch !== environment.key.tcEpoch) return undefined;
    if (last !== undefined && record.counter !== last.counter + 1) return undefined;
    restored.push(record);
  }
  const complete = restored.length === 0 || restored[0]!.counter === 1 || restored.length >= RECENT_DEPTH;
  return complete ? restored.slice(-RECENT_DEPTH) : undefined;
}

class Usig implements TrustedProgram {
  readonly #environment: ProgramEnvironment;
  #key: ProgramKey;
  #counter: CounterValue = 0;
  /** Ascending by counter, at most RECENT_DEPTH; the last one has the value of the counter. */
  #recent: UsigRecord[];
  /** False if the records it was started with are not its own: then it only says who it is and can be renewed. */
  #ready: boolean;

  constructor(environment: ProgramEnvironment) {
    this.#environment = environment;
    this.#key = environment.key;
    const restored = restoreRecords(environment);
    this.#ready = restored !== undefined;
    this.#recent = restored ?? [];
    this.#counter = this.#recent.at(-1)?.counter ?? 0;
  }

  handle(bytes: Uint8Array): Uint8Array {
    const request = decodeTrustedRequest(bytes);
    const response =
      request === undefined ? refuse('BAD_REQUEST', NOT_CANONICAL) : this.#answer(request);
    return encodeTrustedResponse(response);
  }

  #answer(request: TrustedRequest): TrustedResponse {
    switch (request.op) {
      case 'identify':
        return { op: 'identify', identity: this.#identity() };
      case 'certify':
        return this.#certify(request.objectId, request.digest, request.core);
      case 'recent':
        return this.#lastCertificates(request.objectId, request.count);
      case 'renew':
        return this.#renew();
      case 'verify':
        return this.#verify(request.statement, request.authenticator);
      case 'attest':
        return this.#attest(request.challenge);
      case 'exportClientKey':
        return this.#exportClientKey(request);
      case 'verifyTags':
        return this.#verifyTags(request.claims);
      default:
        return refuse('BAD_REQUEST', NOT_CANONICAL);
    }
  }

  #identity(): TrustedIdentity {
    const { measurement, persistent } = this.#environment;
    const { suite, tcId, tcEpoch, publicKey } = this.#key;
    return {
      program: USIG_PROGRAM,
      measurement,
      suite,
      tcId,
      tcEpoch,
      publicKey,
      persistent,
      counter: this.#counter,
    };
  }

  #authenticate(counter: CounterValue, digest: Digest): Uint8Array {
    const { tcId, suite, tcEpoch } = this.#key;
    return this.#key.authenticate(statementForUi({ tcId, suite, tcEpoch, counter, digest }));
  }

  #certify(objectId: string, digest: Digest, core: Uint8Array): TrustedResponse {
    if (!this.#ready) return refuse('NOT_READY', 'the stored records are not of this component');
    if (objectId !== USIG_OBJECT_ID) return refuse('NO_OBJECT', 'a USIG has one counter only');
    const previous = this.#counter;
    const value = previous + 1;
    if (value >= SAFE_INTEGER_END) return refuse('OVERFLOW', 'the counter is used up');
    const record: UsigRecord = { tcEpoch: this.#key.tcEpoch, counter: value, digest, core };
    if (!this.#environment.persist(encodeUsigRecord(record)))
      return refuse('STORAGE', 'cannot keep a record');
    // From here on the value is used, whatever happens to the answer.
    this.#counter = value;
    this.#recent.push(record);
    if (this.#recent.length > RECENT_DEPTH) this.#recent.shift();
    const authenticator = this.#authenticate(value, digest);
    return { op: 'certify', tcEpoch: this.#key.tcEpoch, previous, value, digest, authenticator };
  }

  #lastCertificates(objectId: string, count: number): TrustedResponse {
    if (objectId !== USIG_OBJECT_ID) return refuse('NO_OBJECT', 'a USIG has one counter only');
    const chosen = count === 0 ? [] : this.#recent.slice(-Math.min(count, RECENT_DEPTH));
    // The same statement under the same key: the same certificate again, never a second one for its value.
    const certificates = chosen.map(({ counter, digest, core }): RecentCertificate => ({
      counter,
      digest,
      authenticator: this.#authenticate(counter, digest),
      core,
    }));
    return { op: 'recent', certificates };
  }

  #renew(): TrustedResponse {
    const key = this.#environment.replaceKey();
    if (key === undefined) return refuse('STORAGE', 'cannot store a new key');
    this.#key = key;
    this.#counter = 0;
    this.#recent = [];
    this.#ready = true;
    return { op: 'renew', identity: this.#identity() };
  }

  #verify(statement: Uint8Array, authenticator: Uint8Array): TrustedResponse {
    if (this.#key.verify === undefined) return refuse('MODE', 'check signatures with the public key');
    const valid = statement.length === STATEMENT_BYTES && this.#key.verify(statement, authenticator);
    return { op: 'verify', valid };
  }

  #exportClientKey(request: Extract<TrustedRequest, { op: 'exportClientKey' }>): TrustedResponse {
    const { clientRoot, hash, check } = this.#environment;
    if (clientRoot === undefined) return refuse('MODE', NO_ROOT);
    const { clientKey, version, signature } = request;
    const signed = digestToBytes(keyQueryDigest(hash, request, request));
    if (check?.(clientKey, signed, signature) !== true)
      return refuse('BAD_AUTH', 'the client did not sign this');
    const { agreementKey } = request;
    const query = { version, agreementKey };
    const envelope = sealClientKey(hmacOver(hash), clientRoot, macClientId(hash, clientKey), query);
    if (envelope === undefined) return refuse('BAD_AUTH', 'no key to which anything can be sealed');
    return { op: 'exportClientKey', envelope };
  }

  #verifyTags(claims: readonly TagClaim[]): TrustedResponse {
    const { clientRoot, hash } = this.#environment;
    if (clientRoot === undefined) return refuse('MODE', NO_ROOT);
    const hmac = hmacOver(hash);
    let last: { readonly name: string; readonly key: Uint8Array } | undefined;
    const valid = claims.map(({ clientId, version, digest, tag }) => {
      const name = `${clientId}/${version}`;
      if (last?.name !== name) last = { name, key: clientMacKeyOf(hmac, clientRoot, clientId, version) };
      return equalBytes(requestTag(hmac, last.key, digest), tag);
    });
    return { op: 'verifyTags', valid };
  }

  #attest(challenge: Digest): TrustedResponse {
    const { suite, tcId, tcEpoch, publicKey } = this.#key;
    const bind = bindDigestOf(this.#environment.hash, { suite, tcId, tcEpoch, publicKey, challenge });
    const { measurement } = this.#environment;
    // 32 bytes are never a statement (136), so this seal can stand for nothing else.
    const authenticator = this.#key.authenticate(digestToBytes(bind));
    const parts = {
      platform: 'none',
      measurement,
      suite,
      tcId,
      tcEpoch,
      publicKey,
      challenge,
      authenticator,
    };
    return { op: 'attest', evidence: encodeEvidence(parts) };
  }
}

function refuse(code: TrustedErrorCode, message: string): TrustedResponse {
  return { op: 'error', code, message };
}

/** A USIG on the given environment; continues after the environment's records. */
export function createUsig(environment: ProgramEnvironment): TrustedProgram {
  return new Usig(environment);
}
