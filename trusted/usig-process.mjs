// Built by scripts/build-trusted.mjs. Its SHA-256 is its measurement (trusted/measurements.json).

// src/footprints/process/main.ts
import { createHash as createHash4, randomBytes as randomBytes2 } from "node:crypto";
import {
  chmodSync,
  closeSync as closeSync3,
  existsSync,
  fsyncSync as fsyncSync2,
  mkdirSync,
  openSync as openSync3,
  readdirSync,
  readFileSync as readFileSync3,
  rmSync,
  statSync as statSync2,
  writeFileSync
} from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// src/core/bytes.ts
var HEX_CODES = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
var HEX_VALUES = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) HEX_VALUES[HEX_CODES[value]] = value;
var PIECE_BYTES = 32;
var PIECES = Array.from(
  { length: PIECE_BYTES + 1 },
  (_, size) => new Array(2 * size).fill(0)
);
function bytesToHex(bytes) {
  return partToHex(bytes, 0, bytes.length);
}
function partToHex(bytes, from, to) {
  let text = "";
  for (let start = from; start < to; start += PIECE_BYTES) {
    const size = Math.min(PIECE_BYTES, to - start);
    const codes = PIECES[size];
    for (let index = 0; index < size; index += 1) {
      const byte = bytes[start + index];
      codes[2 * index] = HEX_CODES[byte >>> 4];
      codes[2 * index + 1] = HEX_CODES[byte & 15];
    }
    const piece = String.fromCharCode.apply(void 0, codes);
    text = start === from ? piece : text + piece;
  }
  return text;
}
function putHex(out, at, text) {
  const { length } = text;
  if (length % 2 !== 0) return false;
  for (let index = 0; index < length; index += 2) {
    const first = text.charCodeAt(index);
    const second = text.charCodeAt(index + 1);
    if ((first | second) > 255) return false;
    const value = HEX_VALUES[first] << 4 | HEX_VALUES[second];
    if (value < 0) return false;
    out[at + (index >>> 1)] = value;
  }
  return true;
}
function hexToBytes(text) {
  if (text.length % 2 !== 0) return void 0;
  const bytes = new Uint8Array(text.length / 2);
  return putHex(bytes, 0, text) ? bytes : void 0;
}
function bytesToDigest(bytes) {
  return bytesToHex(bytes);
}
function digestToBytes(digest) {
  return hexToBytes(digest);
}
function bytesToTcEpoch(bytes) {
  return bytesToHex(bytes);
}
function asciiBytes(text) {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index) & 127;
  return bytes;
}

// src/trusted/contract.ts
var STATEMENT_BYTES = 136;
var USIG_OBJECT_ID = "0101000000000000";
var STATEMENT_KIND = {
  advance: 1,
  status: 2,
  advanceNoPrevious: 3,
  plain: 4,
  logEntry: 5,
  logGap: 6,
  logUnassigned: 7,
  logForgotten: 8,
  logEnd: 9,
  ordered: 10,
  wait: 11,
  shareSet: 12,
  shareOpen: 13,
  closed: 14
};
var OBJECT_MODE = { step: 1, jump: 2, strict: 3 };
var MOVES_MAX = 16;
var EXTENSION_BYTES_MAX = 4 * 1024;
var COUNTER_SENTINEL = -1;
var RECENT_DEPTH = 64;
var CORE_BYTES_MAX = 4 * 1024;

// src/core/types.ts
var ZERO_DIGEST = "0".repeat(64);
var SAFE_INTEGER_END = 2 ** 53;

// src/core/codec.ts
var EMPTY = new Uint8Array(0);
var TWO_32 = 2 ** 32;
var SPARE = [];
var SPARE_MAX = 8;
var SPARE_BYTES_MIN = 4096;
var SPARE_BYTES_MAX = 64 * 1024;
var Writer = class {
  #bytes;
  #length = 0;
  /** Whether the buffer is this writer's alone and nobody has got it. */
  #owned = true;
  /** `capacity`: bytes that will probably be needed. */
  constructor(capacity = 256) {
    this.#bytes = SPARE.pop() ?? new Uint8Array(Math.max(SPARE_BYTES_MIN, capacity));
  }
  /** Bytes written so far. */
  get length() {
    return this.#length;
  }
  #room(count) {
    const at = this.#length;
    const end = at + count;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#owned = true;
    }
    this.#length = end;
    return at;
  }
  u8(value) {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }
  u16(value) {
    const at = this.#room(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }
  u32(value) {
    const at = this.#room(4);
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    return this;
  }
  /** Safe integer >= 0 as eight bytes. */
  u64(value) {
    return this.u32(Math.floor(value / TWO_32)).u32(value >>> 0);
  }
  bool(value) {
    return this.u8(value ? 1 : 0);
  }
  /** Bytes without a length: for fields of fixed size. */
  raw(bytes) {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }
  /** u32 length and the bytes. */
  bytes(bytes) {
    return this.u32(bytes.length).raw(bytes);
  }
  /** u32 length and UTF-16 code units below 128; for names and tags only. */
  ascii(text) {
    this.u32(text.length);
    const at = this.#room(text.length);
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index) & 127;
    return this;
  }
  /** 32 bytes. */
  digest(digest) {
    return this.hex(digest);
  }
  /** 8 bytes. */
  tcEpoch(epoch) {
    return this.hex(epoch);
  }
  /** The bytes of a hexadecimal string of a length that the reader knows. */
  hex(text) {
    const at = this.#room(text.length >>> 1);
    if (!putHex(this.#bytes, at, text)) throw new TypeError("not hexadecimal");
    return this;
  }
  /** u32 count and the items. */
  list(items, write) {
    this.u32(items.length);
    for (const item of items) write(this, item);
    return this;
  }
  /** A presence byte and, if there is one, the item. */
  option(item, write) {
    this.bool(item !== void 0);
    if (item !== void 0) write(this, item);
    return this;
  }
  /** What was written; never changed any more, even if the writer goes on. */
  finish() {
    const written = this.#bytes.slice(0, this.#length);
    this.#giveUp(written);
    return written;
  }
  /** What `use` makes of the bytes that were written, without a copy of them: it must not keep them. */
  finishInto(use) {
    const result = use(this.#bytes.subarray(0, this.#length));
    this.#giveUp(EMPTY);
    this.#length = 0;
    return result;
  }
  /** Gives the buffer to the next writer. What follows goes into a new one, since `rest` has no room. */
  #giveUp(rest) {
    if (this.#owned && SPARE.length < SPARE_MAX && this.#bytes.length <= SPARE_BYTES_MAX)
      SPARE.push(this.#bytes);
    this.#owned = false;
    this.#bytes = rest;
  }
};
var EMPTY_LIST = new Writer().u32(0).finish();
var Reader = class {
  #bytes;
  #at;
  #end;
  #failed = false;
  constructor(bytes) {
    const { buffer, byteOffset, length } = bytes;
    this.#bytes = bytes.constructor === Uint8Array ? bytes : new Uint8Array(buffer, byteOffset, length);
    this.#at = 0;
    this.#end = bytes.length;
  }
  /** True once anything was wrong. */
  get failed() {
    return this.#failed;
  }
  /** Offset of the next byte: with `since` it gives back the exact bytes of what was read. */
  get position() {
    return this.#at;
  }
  /** Bytes that are left. */
  get remaining() {
    return this.#end - this.#at;
  }
  /** Makes the reader fail: for decoders that find a value which is well-formed but not allowed. */
  fail() {
    this.#failed = true;
    this.#at = this.#end;
  }
  /** True if nothing was wrong and no byte is left. */
  done() {
    return !this.#failed && this.#at === this.#end;
  }
  /** The bytes read since `start` (a former `position`); a view, not a copy. */
  since(start) {
    return this.#failed ? EMPTY : this.#bytes.subarray(start, this.#at);
  }
  #take(count) {
    const at = this.#at;
    if (this.#failed || count > this.#end - at) {
      this.fail();
      return -1;
    }
    this.#at = at + count;
    return at;
  }
  /** The next byte without taking it; 0 at the end. For decoders that choose by a first byte. */
  peek() {
    return this.#at < this.#end ? this.#bytes[this.#at] : 0;
  }
  u8() {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#bytes[at];
  }
  u16() {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#bytes[at] * 256 + this.#bytes[at + 1];
  }
  u32() {
    const at = this.#take(4);
    if (at < 0) return 0;
    const bytes = this.#bytes;
    return bytes[at] * 16777216 + (bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]);
  }
  /** Eight bytes below 2^53 (decision E2); anything larger fails. */
  u64() {
    const value = this.u32() * TWO_32 + this.u32();
    if (value >= SAFE_INTEGER_END) {
      this.fail();
      return 0;
    }
    return value;
  }
  bool() {
    const value = this.u8();
    if (value > 1) this.fail();
    return value === 1;
  }
  /** `count` bytes; a view, not a copy. */
  raw(count) {
    const at = this.#take(count);
    return at < 0 ? EMPTY : this.#bytes.subarray(at, at + count);
  }
  /** Length-prefixed bytes of at most `max`; a view, not a copy. */
  bytes(max) {
    const length = this.u32();
    if (length > max) {
      this.fail();
      return EMPTY;
    }
    return this.raw(length);
  }
  ascii(max) {
    let text = "";
    for (const code of this.bytes(max)) {
      if (code > 127) this.fail();
      text += String.fromCharCode(code);
    }
    return text;
  }
  digest() {
    const at = this.#take(32);
    return at < 0 ? ZERO_DIGEST : partToHex(this.#bytes, at, at + 32);
  }
  tcEpoch() {
    const at = this.#take(8);
    return at < 0 ? "0000000000000000" : partToHex(this.#bytes, at, at + 8);
  }
  /** At most `max` items. Memory is bounded by the bytes that are really there, not by the claimed count. */
  list(max, read) {
    const count = this.u32();
    const items = [];
    if (count > max) {
      this.fail();
      return items;
    }
    for (let index = 0; index < count && !this.#failed; index += 1) items.push(read(this));
    return items;
  }
  option(read) {
    return this.bool() ? read(this) : void 0;
  }
};
function decodeWhole(bytes, read) {
  const reader = new Reader(bytes);
  const value = read(reader);
  return reader.done() ? value : void 0;
}

// src/core/assert.ts
var AssertionFailure = class extends Error {
  name = "AssertionFailure";
};
function assert(condition, claim) {
  if (!condition) throw new AssertionFailure(claim);
}

// src/trusted/statement.ts
var SUITE_BYTE = { "hmac-sha256": 1, ed25519: 2 };
var ZERO_NONCE = "0".repeat(32);
var OFFSET = {
  kind: 4,
  suite: 5,
  flags: 6,
  tcId: 8,
  tcEpoch: 24,
  objectId: 32,
  previous: 40,
  value: 48,
  digest: 56,
  aux: 88,
  nonce: 120
};
var KNOWN_KINDS = new Set(Object.values(STATEMENT_KIND));
var TWO_322 = 2 ** 32;
function putHex2(bytes, at, text, length) {
  const value = hexToBytes(text);
  assert(value !== void 0 && value.length === length, `statement field of ${length} bytes`);
  bytes.set(value, at);
}
function putInteger(bytes, at, value) {
  if (value === COUNTER_SENTINEL) {
    bytes.fill(255, at, at + 8);
    return;
  }
  assert(value >= 0 && value < SAFE_INTEGER_END && Number.isInteger(value), "counter is a safe integer");
  const high = Math.floor(value / TWO_322);
  const low = value >>> 0;
  for (let index = 0; index < 4; index += 1) {
    bytes[at + index] = high >>> 24 - 8 * index;
    bytes[at + 4 + index] = low >>> 24 - 8 * index;
  }
}
function encodeStatement(statement) {
  const bytes = new Uint8Array(STATEMENT_BYTES);
  bytes.set([84, 67, 83, 49, statement.kind, SUITE_BYTE[statement.suite], statement.flags, 0]);
  putHex2(bytes, OFFSET.tcId, statement.tcId, 16);
  putHex2(bytes, OFFSET.tcEpoch, statement.tcEpoch, 8);
  putHex2(bytes, OFFSET.objectId, statement.objectId, 8);
  putInteger(bytes, OFFSET.previous, statement.previous);
  putInteger(bytes, OFFSET.value, statement.value);
  putHex2(bytes, OFFSET.digest, statement.digest, 32);
  if (statement.aux !== void 0) putHex2(bytes, OFFSET.aux, statement.aux, 32);
  if (statement.nonce !== void 0) putHex2(bytes, OFFSET.nonce, statement.nonce, 16);
  return bytes;
}
function statementForUi(parts) {
  const { tcId, suite, tcEpoch, counter, digest } = parts;
  return encodeStatement({
    kind: STATEMENT_KIND.advance,
    suite,
    flags: 0,
    tcId,
    tcEpoch,
    objectId: USIG_OBJECT_ID,
    previous: counter - 1,
    value: counter,
    digest
  });
}
function tcIdOf(hash, source) {
  const writer = new Writer(64).raw(asciiBytes("tc-id-v1")).u8(SUITE_BYTE[source.suite]);
  if (source.suite === "hmac-sha256") writer.raw(source.groupId).u32(source.replica);
  else writer.raw(source.publicKey);
  return bytesToHex(hash(writer.finish()).subarray(0, 16));
}
function bindDigestOf(hash, parts) {
  const writer = new Writer(128).raw(asciiBytes("tc-bind-v1")).u8(SUITE_BYTE[parts.suite]).hex(parts.tcId).tcEpoch(parts.tcEpoch).u16(parts.publicKey.length / 2).hex(parts.publicKey).digest(parts.challenge);
  return bytesToDigest(hash(writer.finish()));
}

// src/trusted/frames.ts
var REQUEST_BYTES_MAX = CORE_BYTES_MAX + 256;
var RESPONSE_BYTES_MAX = RECENT_DEPTH * (CORE_BYTES_MAX + 256) + 256;
var AUTHENTICATOR_BYTES_MAX = 64;
var EVIDENCE_BYTES_MAX = 64 * 1024;
var MESSAGE_BYTES_MAX = 256;
var OP = {
  identify: 1,
  certify: 2,
  recent: 3,
  renew: 4,
  verify: 5,
  attest: 6,
  create: 7,
  advance: 8,
  status: 9,
  close: 10,
  plain: 11,
  advanceMany: 12,
  replay: 13,
  append: 20,
  advanceLog: 21,
  lookup: 22,
  end: 23,
  truncate: 24,
  extension: 64,
  certificates: 128,
  done: 129,
  error: 255
};
var MODES = Object.keys(OBJECT_MODE);
var NONCE_BYTES = 16;
var ERROR_CODES = [
  "NO_OBJECT",
  "EXISTS",
  "MODE",
  "NOT_MONOTONIC",
  "CLOSED",
  "OVERFLOW",
  "QUOTA",
  "NOT_READY",
  "BAD_AUTH",
  "BAD_REQUEST",
  "STORAGE"
];
function copyOf(view) {
  return new Uint8Array(view);
}
function writeValue(writer, value) {
  return value === COUNTER_SENTINEL ? writer.u32(4294967295).u32(4294967295) : writer.u64(value);
}
function readValue(reader) {
  const high = reader.u32();
  const low = reader.u32();
  if (high === 4294967295 && low === 4294967295) return COUNTER_SENTINEL;
  if (high >= 2 ** 21) reader.fail();
  return high * 2 ** 32 + low;
}
function writeMove(writer, move) {
  writeValue(writer.hex(move.objectId), move.value);
}
function readMove(reader) {
  return { objectId: bytesToHex(reader.raw(8)), value: readValue(reader) };
}
function writeObjectRequest(writer, request) {
  switch (request.op) {
    case "create":
      writer.hex(request.objectId).u8(OBJECT_MODE[request.mode]);
      break;
    case "advance":
      writeValue(writer.hex(request.objectId), request.value).bool(request.independent).digest(request.digest);
      break;
    case "status":
      writer.hex(request.objectId).hex(request.nonce).digest(request.digest);
      break;
    case "close":
      writer.hex(request.objectId).digest(request.digest);
      break;
    case "plain":
      writer.digest(request.digest);
      break;
    case "advanceMany":
      writer.list(request.moves, writeMove).digest(request.digest);
      break;
    case "replay":
      writer.hex(request.objectId).u32(request.count);
      break;
    case "append":
      writer.hex(request.objectId).digest(request.entry);
      break;
    case "advanceLog":
      writer.hex(request.objectId).u64(request.slot).digest(request.base).digest(request.entry);
      break;
    case "lookup":
      writer.hex(request.objectId).u64(request.slot).hex(request.nonce);
      break;
    case "end":
      writer.hex(request.objectId).hex(request.nonce);
      break;
    case "truncate":
      writer.hex(request.objectId).u64(request.slot);
      break;
    case "extension":
      writer.u8(request.code).bytes(request.body);
      break;
  }
}
function readObjectRequest(op, reader) {
  const objectId = () => bytesToHex(reader.raw(8));
  const nonce = () => bytesToHex(reader.raw(NONCE_BYTES));
  switch (op) {
    case OP.create: {
      const id = objectId();
      const mode = MODES[reader.u8() - 1];
      if (mode !== void 0) return { op: "create", objectId: id, mode };
      break;
    }
    case OP.advance: {
      const id = objectId();
      const value = readValue(reader);
      const independent = reader.bool();
      return { op: "advance", objectId: id, value, independent, digest: reader.digest() };
    }
    case OP.status:
      return { op: "status", objectId: objectId(), nonce: nonce(), digest: reader.digest() };
    case OP.close:
      return { op: "close", objectId: objectId(), digest: reader.digest() };
    case OP.plain:
      return { op: "plain", digest: reader.digest() };
    case OP.advanceMany:
      return { op: "advanceMany", moves: reader.list(MOVES_MAX, readMove), digest: reader.digest() };
    case OP.replay:
      return { op: "replay", objectId: objectId(), count: reader.u32() };
    case OP.append:
      return { op: "append", objectId: objectId(), entry: reader.digest() };
    case OP.advanceLog: {
      const id = objectId();
      const slot = reader.u64();
      return { op: "advanceLog", objectId: id, slot, base: reader.digest(), entry: reader.digest() };
    }
    case OP.lookup:
      return { op: "lookup", objectId: objectId(), slot: reader.u64(), nonce: nonce() };
    case OP.end:
      return { op: "end", objectId: objectId(), nonce: nonce() };
    case OP.truncate:
      return { op: "truncate", objectId: objectId(), slot: reader.u64() };
    case OP.extension: {
      const code = reader.u8();
      return { op: "extension", code, body: copyOf(reader.bytes(EXTENSION_BYTES_MAX)) };
    }
  }
  reader.fail();
  return void 0;
}
function encodeTrustedRequest(request) {
  const writer = new Writer(request.op === "certify" ? 48 + request.core.length : 256).u8(OP[request.op]);
  switch (request.op) {
    case "identify":
    case "renew":
      break;
    case "certify":
      writer.hex(request.objectId).digest(request.digest).bytes(request.core);
      break;
    case "recent":
      writer.hex(request.objectId).u32(request.count);
      break;
    case "verify":
      writer.bytes(request.statement).bytes(request.authenticator);
      break;
    case "attest":
      writer.digest(request.challenge);
      break;
    default:
      writeObjectRequest(writer, request);
  }
  return writer.finish();
}
function readRequest(reader) {
  const op = reader.u8();
  switch (op) {
    case OP.identify:
      return { op: "identify" };
    case OP.certify: {
      const objectId = bytesToHex(reader.raw(8));
      const digest = reader.digest();
      return { op: "certify", objectId, digest, core: copyOf(reader.bytes(CORE_BYTES_MAX)) };
    }
    case OP.recent: {
      const objectId = bytesToHex(reader.raw(8));
      return { op: "recent", objectId, count: reader.u32() };
    }
    case OP.renew:
      return { op: "renew" };
    case OP.verify: {
      const statement = copyOf(reader.bytes(STATEMENT_BYTES));
      return { op: "verify", statement, authenticator: copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX)) };
    }
    case OP.attest:
      return { op: "attest", challenge: reader.digest() };
    default:
      return readObjectRequest(op, reader);
  }
}
function decodeTrustedRequest(bytes) {
  if (bytes.length > REQUEST_BYTES_MAX) return void 0;
  return decodeWhole(bytes, readRequest);
}
function writeIdentity(writer, identity) {
  writer.ascii(identity.program).digest(identity.measurement).u8(SUITE_BYTE[identity.suite]);
  writer.hex(identity.tcId).tcEpoch(identity.tcEpoch).ascii(identity.publicKey);
  writer.bool(identity.persistent).u64(identity.counter);
}
function writeRecent(writer, certificate) {
  writer.u64(certificate.counter).digest(certificate.digest).bytes(certificate.authenticator);
  writer.bytes(certificate.core);
}
function writeTrustedCertificate(writer, certificate) {
  writer.raw(certificate.statement).bytes(certificate.authenticator);
}
function encodeTrustedResponse(response) {
  const writer = new Writer(256).u8(OP[response.op]);
  switch (response.op) {
    case "identify":
    case "renew":
      writeIdentity(writer, response.identity);
      break;
    case "certify":
      writer.tcEpoch(response.tcEpoch).u64(response.previous).u64(response.value).digest(response.digest);
      writer.bytes(response.authenticator);
      break;
    case "recent":
      writer.list(response.certificates, writeRecent);
      break;
    case "verify":
      writer.bool(response.valid);
      break;
    case "attest":
      writer.bytes(response.evidence);
      break;
    case "certificates":
      writer.list(response.certificates, writeTrustedCertificate);
      break;
    case "done":
      break;
    case "extension":
      writer.u8(response.code).bytes(response.body);
      break;
    case "error":
      writer.u8(ERROR_CODES.indexOf(response.code)).ascii(response.message.slice(0, MESSAGE_BYTES_MAX));
      break;
  }
  return writer.finish();
}

// src/trusted/evidence.ts
function encodeEvidence(evidence) {
  return new Writer(256).ascii(evidence.platform).digest(evidence.measurement).u8(SUITE_BYTE[evidence.suite]).hex(evidence.tcId).tcEpoch(evidence.tcEpoch).ascii(evidence.publicKey).digest(evidence.challenge).bytes(evidence.authenticator).finish();
}

// src/trusted/programs/usig/program.ts
var USIG_PROGRAM = "usig";
var NOT_CANONICAL = "not a canonical TCS1 request";
function encodeUsigRecord(record) {
  return new Writer(52 + record.core.length).tcEpoch(record.tcEpoch).u64(record.counter).digest(record.digest).bytes(record.core).finish();
}
function decodeUsigRecord(bytes) {
  return decodeWhole(bytes, (reader) => {
    const tcEpoch = reader.tcEpoch();
    const counter = reader.u64();
    const digest = reader.digest();
    return { tcEpoch, counter, digest, core: new Uint8Array(reader.bytes(CORE_BYTES_MAX)) };
  });
}
function restoreRecords(environment) {
  const restored = [];
  for (const bytes of environment.records) {
    const record = decodeUsigRecord(bytes);
    const last = restored.at(-1);
    if (record === void 0 || record.tcEpoch !== environment.key.tcEpoch) return void 0;
    if (last !== void 0 && record.counter !== last.counter + 1) return void 0;
    restored.push(record);
  }
  const complete = restored.length === 0 || restored[0].counter === 1 || restored.length >= RECENT_DEPTH;
  return complete ? restored.slice(-RECENT_DEPTH) : void 0;
}
var Usig = class {
  #environment;
  #key;
  #counter = 0;
  /** Ascending by counter, at most RECENT_DEPTH; the last one has the value of the counter. */
  #recent;
  /** False if the records it was started with are not its own: then it only says who it is and can be renewed. */
  #ready;
  constructor(environment) {
    this.#environment = environment;
    this.#key = environment.key;
    const restored = restoreRecords(environment);
    this.#ready = restored !== void 0;
    this.#recent = restored ?? [];
    this.#counter = this.#recent.at(-1)?.counter ?? 0;
  }
  handle(bytes) {
    const request = decodeTrustedRequest(bytes);
    const response = request === void 0 ? refuse("BAD_REQUEST", NOT_CANONICAL) : this.#answer(request);
    return encodeTrustedResponse(response);
  }
  #answer(request) {
    switch (request.op) {
      case "identify":
        return { op: "identify", identity: this.#identity() };
      case "certify":
        return this.#certify(request.objectId, request.digest, request.core);
      case "recent":
        return this.#lastCertificates(request.objectId, request.count);
      case "renew":
        return this.#renew();
      case "verify":
        return this.#verify(request.statement, request.authenticator);
      case "attest":
        return this.#attest(request.challenge);
      default:
        return refuse("BAD_REQUEST", NOT_CANONICAL);
    }
  }
  #identity() {
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
      counter: this.#counter
    };
  }
  #authenticate(counter, digest) {
    const { tcId, suite, tcEpoch } = this.#key;
    return this.#key.authenticate(statementForUi({ tcId, suite, tcEpoch, counter, digest }));
  }
  #certify(objectId, digest, core) {
    if (!this.#ready) return refuse("NOT_READY", "the stored records are not of this component");
    if (objectId !== USIG_OBJECT_ID) return refuse("NO_OBJECT", "a USIG has one counter only");
    const previous = this.#counter;
    const value = previous + 1;
    if (value >= SAFE_INTEGER_END) return refuse("OVERFLOW", "the counter is used up");
    const record = { tcEpoch: this.#key.tcEpoch, counter: value, digest, core };
    if (!this.#environment.persist(encodeUsigRecord(record)))
      return refuse("STORAGE", "cannot keep a record");
    this.#counter = value;
    this.#recent.push(record);
    if (this.#recent.length > RECENT_DEPTH) this.#recent.shift();
    const authenticator = this.#authenticate(value, digest);
    return { op: "certify", tcEpoch: this.#key.tcEpoch, previous, value, digest, authenticator };
  }
  #lastCertificates(objectId, count) {
    if (objectId !== USIG_OBJECT_ID) return refuse("NO_OBJECT", "a USIG has one counter only");
    const chosen = count === 0 ? [] : this.#recent.slice(-Math.min(count, RECENT_DEPTH));
    const certificates = chosen.map(({ counter, digest, core }) => ({
      counter,
      digest,
      authenticator: this.#authenticate(counter, digest),
      core
    }));
    return { op: "recent", certificates };
  }
  #renew() {
    const key = this.#environment.replaceKey();
    if (key === void 0) return refuse("STORAGE", "cannot store a new key");
    this.#key = key;
    this.#counter = 0;
    this.#recent = [];
    this.#ready = true;
    return { op: "renew", identity: this.#identity() };
  }
  #verify(statement, authenticator) {
    if (this.#key.verify === void 0) return refuse("MODE", "check signatures with the public key");
    const valid = statement.length === STATEMENT_BYTES && this.#key.verify(statement, authenticator);
    return { op: "verify", valid };
  }
  #attest(challenge) {
    const { suite, tcId, tcEpoch, publicKey } = this.#key;
    const bind = bindDigestOf(this.#environment.hash, { suite, tcId, tcEpoch, publicKey, challenge });
    const { measurement } = this.#environment;
    const authenticator = this.#key.authenticate(digestToBytes(bind));
    const parts = {
      platform: "none",
      measurement,
      suite,
      tcId,
      tcEpoch,
      publicKey,
      challenge,
      authenticator
    };
    return { op: "attest", evidence: encodeEvidence(parts) };
  }
};
function refuse(code, message) {
  return { op: "error", code, message };
}
function createUsig(environment) {
  return new Usig(environment);
}

// src/footprints/process/channel.ts
var FOLDER_FILES = {
  state: "state",
  access: "access",
  pid: "pid",
  socket: "socket",
  log: "log"
};
var TOKEN_BYTES = 32;
var CHANNEL_ID = 0;
var CHANNEL_VERSION = 1;
var CHANNEL_KIND = { greeting: 1, welcome: 2, refusal: 3, stop: 4 };
var HEAD_BYTES = 8;
function encodeFrame(id, body) {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32BE(4 + body.length, 0);
  frame.writeUInt32BE(id, 4);
  frame.set(body, HEAD_BYTES);
  return frame;
}
var FrameReader = class {
  #bodyBytesMax;
  #chunks = Buffer.alloc(0);
  #broken = false;
  constructor(bodyBytesMax) {
    this.#bodyBytesMax = bodyBytesMax;
  }
  /** True once a frame was too long or too short: the stream cannot be read any further. */
  get broken() {
    return this.#broken;
  }
  /** Takes what was read. */
  push(chunk) {
    this.#chunks = this.#chunks.length === 0 ? chunk : Buffer.concat([this.#chunks, chunk]);
  }
  /** The next complete frame; undefined if there is none yet. */
  next() {
    const bytes = this.#chunks;
    if (this.#broken || bytes.length < 4) return void 0;
    const length = bytes.readUInt32BE(0);
    if (length < 4 || length > 4 + this.#bodyBytesMax) {
      this.#broken = true;
      return void 0;
    }
    if (bytes.length < 4 + length) return void 0;
    this.#chunks = bytes.subarray(4 + length);
    return { id: bytes.readUInt32BE(4), body: bytes.subarray(HEAD_BYTES, 4 + length) };
  }
};

// src/footprints/process/environment.ts
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
var PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
var sha256 = (bytes) => createHash("sha256").update(bytes).digest();
function programKeyOf(stored) {
  const der = Buffer.concat([PRIVATE_KEY_PREFIX, stored.seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const publicKey = spki.subarray(-32);
  return {
    suite: "ed25519",
    tcId: tcIdOf(sha256, { suite: "ed25519", publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => sign(null, bytes, privateKey)
  };
}
function createEnvironment(log, durability, measurement) {
  return {
    measurement,
    persistent: durability !== "memory",
    hash: sha256,
    key: programKeyOf(log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => programKeyOf(log.renew())
  };
}

// src/footprints/process/lock.ts
import { createHash as createHash2 } from "node:crypto";
import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
var RETRY_MS = 20;
function lockName(folder, token) {
  const { dev, ino } = statSync(folder, { bigint: true });
  const digest = createHash2("sha256").update(token).update(`${dev}:${ino}`).digest("hex");
  return `\0moiety-tc-${digest.slice(0, 40)}`;
}
function bindName(name) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true)).unref();
  });
}
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
function takeFile(path) {
  try {
    const file = openSync(path, "wx", 384);
    writeSync(file, `${process.pid}
`);
    closeSync(file);
    process.once("exit", () => unlinkSync(path));
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const holder = Number.parseInt(readFileSync(path, "utf8"), 10);
  if (!Number.isInteger(holder) || !isAlive(holder)) unlinkSync(path);
  return false;
}
async function takeLock(folder, token, patienceMs) {
  const deadline = Date.now() + patienceMs;
  const name = lockName(folder, token);
  for (; ; ) {
    const taken = process.platform === "linux" ? await bindName(name) : takeFile(join(folder, "lock"));
    if (taken) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

// src/footprints/process/server.ts
import { timingSafeEqual } from "node:crypto";
import { createServer as createServer2 } from "node:net";
var GREETING_TIMEOUT_MS = 2e3;
var STRANGERS_MAX = 8;
var GROUP_REQUESTS_MAX = 64;
var GROUP_ANSWER_BYTES = 512 * 1024;
function refusal(reason) {
  return encodeFrame(CHANNEL_ID, Buffer.concat([Buffer.from([CHANNEL_KIND.refusal]), Buffer.from(reason)]));
}
var Caller = class {
  #socket;
  #reader;
  #options;
  #scheduled = false;
  #full = false;
  constructor(socket, reader, options) {
    this.#socket = socket;
    this.#reader = reader;
    this.#options = options;
    socket.on("drain", () => {
      this.#full = false;
      this.pump();
    });
  }
  take(chunk) {
    this.#reader.push(chunk);
    if (!this.#scheduled && !this.#full) this.pump();
  }
  /** Answers one group; goes on with the rest when others had their turn and the answers could leave. */
  pump() {
    this.#scheduled = false;
    if (this.#socket.destroyed) return;
    try {
      this.#answerGroup();
    } catch (error) {
      this.#options.onFatal(error);
      return;
    }
    if (this.#reader.broken) this.#socket.destroy();
  }
  #answerGroup() {
    const answers = [];
    let bytes = 0;
    let stop = false;
    let exhausted = false;
    while (answers.length < GROUP_REQUESTS_MAX && bytes < GROUP_ANSWER_BYTES && !stop) {
      const frame = this.#reader.next();
      if (frame === void 0) {
        exhausted = true;
        break;
      }
      if (frame.id === CHANNEL_ID) {
        stop = frame.body.length === 1 && frame.body[0] === CHANNEL_KIND.stop;
        continue;
      }
      const answer = encodeFrame(frame.id, this.#options.program.handle(frame.body));
      answers.push(answer);
      bytes += answer.length;
    }
    this.#options.flush();
    if (answers.length > 0) this.#full = !this.#socket.write(Buffer.concat(answers));
    if (stop) {
      this.#options.onStop();
      return;
    }
    if (exhausted && !this.#full) this.#socket.resume();
    else this.#socket.pause();
    if (!exhausted && !this.#full) {
      this.#scheduled = true;
      setImmediate(() => this.pump());
    }
  }
};
function serveProgram(path, options) {
  let pinned;
  let strangers = 0;
  const admit = (socket, reader) => {
    pinned?.destroy();
    pinned = socket;
    socket.setTimeout(0);
    options.onCaller(true);
    const welcome = Buffer.alloc(7);
    welcome.set([CHANNEL_KIND.welcome, CHANNEL_VERSION, options.durability]);
    welcome.writeUInt32BE(process.pid, 3);
    socket.write(encodeFrame(CHANNEL_ID, welcome));
    return new Caller(socket, reader, options);
  };
  const onConnection = (socket) => {
    const reader = new FrameReader(REQUEST_BYTES_MAX);
    let caller;
    let refused = false;
    if (strangers >= STRANGERS_MAX) {
      socket.destroy();
      return;
    }
    strangers += 1;
    socket.setTimeout(GREETING_TIMEOUT_MS, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (caller === void 0) strangers -= 1;
      if (pinned !== socket) return;
      pinned = void 0;
      options.onCaller(false);
    });
    socket.on("data", (chunk) => {
      if (refused) return;
      if (caller !== void 0) {
        caller.take(chunk);
        return;
      }
      reader.push(chunk);
      const greeting = reader.next();
      if (greeting === void 0) {
        if (reader.broken) socket.destroy();
        return;
      }
      if (!isGreeting(greeting.id, greeting.body, options.token)) {
        refused = true;
        socket.end(refusal("wrong access token"), () => socket.destroy());
        return;
      }
      strangers -= 1;
      caller = admit(socket, reader);
      caller.pump();
    });
  };
  return new Promise((resolve, reject) => {
    const server = createServer2(onConnection);
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}
function isGreeting(id, body, token) {
  if (id !== CHANNEL_ID || body.length !== 2 + TOKEN_BYTES) return false;
  if (body[0] !== CHANNEL_KIND.greeting || body[1] !== CHANNEL_VERSION) return false;
  return timingSafeEqual(body.subarray(2), token);
}

// src/footprints/process/state-log.ts
import { createHash as createHash3, randomBytes } from "node:crypto";
import { closeSync as closeSync2, fdatasyncSync, fsyncSync, openSync as openSync2, readFileSync as readFileSync2, renameSync, writeSync as writeSync2 } from "node:fs";
import { join as join2 } from "node:path";
var DURABILITIES = ["fsync", "os", "memory"];
var StateDamage = class extends Error {
  name = "StateDamage";
};
var FILE_BYTES = 4 * 1024 * 1024;
var HEADER_BYTES = 128;
var HEADER_MAGIC = Buffer.from("MTCSTAT1");
var RECORD_MAGIC = 1413698097;
var RECORD_OVERHEAD = 56;
var CHECK_BYTES = 16;
function checkOf(bytes) {
  return createHash3("sha256").update(bytes).digest().subarray(0, CHECK_BYTES);
}
function freshKey() {
  return { tcEpoch: randomBytes(8), seed: randomBytes(32) };
}
function currentBootId() {
  try {
    return checkOf(readFileSync2("/proc/sys/kernel/random/boot_id"));
  } catch {
    return Buffer.alloc(16);
  }
}
function writeAll(file, bytes, at) {
  let done = 0;
  while (done < bytes.length) done += writeSync2(file, bytes, done, bytes.length - done, at + done);
}
function encodeHeader(header) {
  const bytes = Buffer.alloc(HEADER_BYTES);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.set(header.tcEpoch, 8);
  bytes.set(header.seed, 16);
  bytes.writeUInt8(DURABILITIES.indexOf(header.written), 48);
  bytes.set(header.bootId, 49);
  checkOf(bytes.subarray(0, HEADER_BYTES - CHECK_BYTES)).copy(bytes, HEADER_BYTES - CHECK_BYTES);
  return bytes;
}
function decodeHeader(file) {
  if (file.length < HEADER_BYTES || !file.subarray(0, 8).equals(HEADER_MAGIC)) return void 0;
  const check = file.subarray(HEADER_BYTES - CHECK_BYTES, HEADER_BYTES);
  if (!checkOf(file.subarray(0, HEADER_BYTES - CHECK_BYTES)).equals(check)) return void 0;
  const written = DURABILITIES[file.readUInt8(48)];
  if (written === void 0) return void 0;
  return {
    tcEpoch: Buffer.from(file.subarray(8, 16)),
    seed: Buffer.from(file.subarray(16, 48)),
    written,
    bootId: Buffer.from(file.subarray(49, 65))
  };
}
function alignedBytes(payloadBytes) {
  return RECORD_OVERHEAD + payloadBytes + 7 & ~7;
}
function encodeRecord(payload, place) {
  const bytes = Buffer.alloc(alignedBytes(payload.length));
  bytes.writeUInt32BE(RECORD_MAGIC, 0);
  bytes.writeUInt32BE(payload.length, 4);
  bytes.writeBigUInt64BE(BigInt(place.index), 8);
  bytes.writeBigUInt64BE(BigInt(place.synced), 16);
  place.link.copy(bytes, 24);
  bytes.set(payload, 40);
  const end = 40 + payload.length;
  checkOf(bytes.subarray(0, end)).copy(bytes, end);
  return bytes;
}
function readRecord(file, at) {
  if (at + RECORD_OVERHEAD > file.length || file.readUInt32BE(at) !== RECORD_MAGIC) return void 0;
  const length = file.readUInt32BE(at + 4);
  const end = at + 40 + length;
  if (end + CHECK_BYTES > file.length) return void 0;
  const check = file.subarray(end, end + CHECK_BYTES);
  if (!checkOf(file.subarray(at, end)).equals(check)) return void 0;
  return {
    end: at + alignedBytes(length),
    index: Number(file.readBigUInt64BE(at + 8)),
    syncedBefore: Number(file.readBigUInt64BE(at + 16)),
    link: file.subarray(at + 24, at + 40),
    check,
    payload: file.subarray(at + 40, end)
  };
}
function readRecords(file) {
  const payloads = [];
  let at = HEADER_BYTES;
  let index = 0;
  let link = file.subarray(HEADER_BYTES - CHECK_BYTES, HEADER_BYTES);
  for (; ; ) {
    const record = readRecord(file, at);
    if (record === void 0 || record.index !== index || !record.link.equals(link)) break;
    payloads.push(Buffer.from(record.payload));
    ({ end: at, check: link } = record);
    index += 1;
  }
  for (let spot = at; spot + RECORD_OVERHEAD <= file.length; spot += 8) {
    const later = readRecord(file, spot);
    if (later !== void 0 && later.syncedBefore > index)
      throw new StateDamage(
        `record ${index} of the trusted component's state is damaged, records after it are not; check the disk; the replica must be given a new component (renew) and re-admitted by RECOVER`
      );
  }
  return payloads;
}
var StateLog = class _StateLog {
  #folder;
  #durability;
  #keep;
  #key;
  /** The last `keep` records: all that the program needs to go on. */
  #kept;
  #pending = [];
  #file = -1;
  #at = 0;
  /** Index of the next record in this file; all before it are durable once `flush` returned. */
  #index = 0;
  #link = Buffer.alloc(CHECK_BYTES);
  constructor(folder, durability, keep, key, kept) {
    this.#folder = folder;
    this.#durability = durability;
    this.#keep = keep;
    this.#key = key;
    this.#kept = kept;
  }
  /** Writes the state of a new component; nothing was ever certified under its key. */
  static create(folder) {
    const log = new _StateLog(folder, "fsync", 1, freshKey(), []);
    log.#replaceFile("fsync");
    closeSync2(log.#file);
  }
  /**
   * Opens the state in `folder`. Throws StateDamage if it is damaged. If values may be missing at its end (written
   * without sync and not closed in order), the key is renewed first.
   */
  static open(folder, durability, keep) {
    const file = readFileSync2(join2(folder, "state"));
    const header = decodeHeader(file);
    if (header === void 0)
      throw new StateDamage(
        "the header of the trusted component's state is damaged: its key is lost; the replica must be given a new component and be replaced by reconfiguration or RECOVER"
      );
    const records = readRecords(file);
    const bootId = currentBootId();
    const lostWithSystem = header.written === "os" && (bootId.every((byte) => byte === 0) || !bootId.equals(header.bootId));
    const mayLack = header.written === "memory" || lostWithSystem;
    const log = new _StateLog(folder, durability, keep, header, records.slice(-keep));
    if (mayLack) log.renew();
    else log.#replaceFile(durability);
    return log;
  }
  /** The key in force. */
  get key() {
    return this.#key;
  }
  /** The last records, oldest first. */
  get records() {
    return this.#kept;
  }
  /** Takes a record; it is kept as the mode says once `flush` returns. */
  append(payload) {
    this.#pending.push(payload);
    this.#kept.push(payload);
    if (this.#kept.length > 2 * this.#keep) this.#kept = this.#kept.slice(-this.#keep);
  }
  /** Makes everything appended durable: one write and one sync for all of it. */
  flush() {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    if (this.#durability === "memory") return;
    const synced = this.#index;
    const parts = pending.map((payload) => this.#nextRecord(payload, synced));
    const group = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (this.#at + group.length > FILE_BYTES) {
      this.#replaceFile(this.#durability);
      return;
    }
    writeAll(this.#file, group, this.#at);
    this.#at += group.length;
    if (this.#durability === "fsync") fdatasyncSync(this.#file);
  }
  /** Destroys the old key and starts an empty log under a new one; durable when it returns. */
  renew() {
    this.flush();
    const oldFile = openSync2(join2(this.#folder, "state"), "r+");
    this.#key = freshKey();
    this.#kept = [];
    this.#replaceFile(this.#durability);
    writeAll(oldFile, Buffer.alloc(HEADER_BYTES), 0);
    fsyncSync(oldFile);
    closeSync2(oldFile);
    return this.#key;
  }
  /** Closes in order: everything is durable afterwards, in every mode. */
  close() {
    this.flush();
    if (this.#durability !== "fsync") this.#replaceFile("fsync");
    closeSync2(this.#file);
  }
  #nextRecord(payload, synced) {
    const record = encodeRecord(payload, { index: this.#index, synced, link: this.#link });
    const end = 40 + payload.length;
    this.#link = record.subarray(end, end + CHECK_BYTES);
    this.#index += 1;
    return record;
  }
  /** Writes a new file with the kept records and puts it in the place of the old one. */
  #replaceFile(written) {
    this.#kept = this.#kept.slice(-this.#keep);
    const header = encodeHeader({ ...this.#key, written, bootId: currentBootId() });
    const content = Buffer.alloc(FILE_BYTES);
    header.copy(content, 0);
    this.#index = 0;
    this.#link = header.subarray(HEADER_BYTES - CHECK_BYTES);
    let at = HEADER_BYTES;
    for (const payload of this.#kept) at += this.#nextRecord(payload, this.#index).copy(content, at);
    const aside = join2(this.#folder, "state.new");
    const file = openSync2(aside, "w", 384);
    writeAll(file, content, 0);
    fsyncSync(file);
    renameSync(aside, join2(this.#folder, "state"));
    const folder = openSync2(this.#folder, "r");
    fsyncSync(folder);
    closeSync2(folder);
    if (this.#file >= 0) closeSync2(this.#file);
    this.#file = file;
    this.#at = at;
  }
};

// src/footprints/process/main.ts
var LOCK_PATIENCE_MS = 2e3;
var FOLDER_CHECK_MS = 5e3;
var LINGER_MS = 10 * 6e4;
var Refusal = class extends Error {
  name = "Refusal";
};
function measureSelf() {
  const bytes = readFileSync3(fileURLToPath(import.meta.url));
  return bytesToDigest(createHash4("sha256").update(bytes).digest());
}
function assertPrivate(folder) {
  if (!existsSync(folder))
    throw new Refusal(`there is no folder ${folder}; make the component with --create`);
  const { mode, uid } = statSync2(folder);
  if ((mode & 63) !== 0) throw new Refusal(`${folder} is open to others; run: chmod 700 ${folder}`);
  if (process.getuid !== void 0 && uid !== process.getuid())
    throw new Refusal(`${folder} belongs to another user`);
}
function create(folder) {
  mkdirSync(folder, { recursive: true, mode: 448 });
  chmodSync(folder, 448);
  if (readdirSync(folder).length > 0)
    throw new Refusal(`${folder} is not empty; a trusted component is never overwritten`);
  process.chdir(folder);
  const access = openSync3(FOLDER_FILES.access, "wx", 384);
  writeFileSync(access, randomBytes2(TOKEN_BYTES));
  fsyncSync2(access);
  closeSync3(access);
  StateLog.create(".");
  const log = StateLog.open(".", "fsync", RECENT_DEPTH);
  const program = createUsig(createEnvironment(log, "fsync", measureSelf()));
  process.stdout.write(`${bytesToHex(program.handle(encodeTrustedRequest({ op: "identify" })))}
`);
  log.close();
}
function readToken() {
  const token = readFileSync3(FOLDER_FILES.access);
  if (token.length !== TOKEN_BYTES) throw new Refusal("the access token is damaged; make it anew (32 bytes)");
  return token;
}
function explain(error) {
  const { code, message } = error;
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
    return `no space for the trusted component's state (${message}); nothing is lost: make room and start again`;
  return error instanceof Error ? message : String(error);
}
function say(text) {
  process.stderr.write(`${(/* @__PURE__ */ new Date()).toISOString()} ${text}
`);
}
async function serve(folder, durability, lingerMs) {
  assertPrivate(folder);
  process.chdir(folder);
  const token = readToken();
  if (!await takeLock(".", token, LOCK_PATIENCE_MS))
    throw new Refusal("another process serves this trusted component already");
  const log = StateLog.open(".", durability, RECENT_DEPTH);
  const program = createUsig(createEnvironment(log, durability, measureSelf()));
  rmSync(FOLDER_FILES.socket, { force: true });
  const stop = (reason) => {
    log.close();
    rmSync(FOLDER_FILES.socket, { force: true });
    rmSync(FOLDER_FILES.pid, { force: true });
    say(`stopped: ${reason}`);
    process.exit(0);
  };
  const fail = (error) => {
    say(`ended without answering: ${explain(error)}`);
    process.exit(1);
  };
  let lonely;
  const onCaller = (present) => {
    clearTimeout(lonely);
    if (!present && lingerMs > 0) lonely = setTimeout(() => stop("nobody called"), lingerMs);
  };
  await serveProgram(FOLDER_FILES.socket, {
    program,
    token,
    durability: DURABILITIES.indexOf(durability),
    flush: () => log.flush(),
    onStop: () => stop("asked by the caller"),
    onFatal: fail,
    onCaller
  });
  onCaller(false);
  writeFileSync(FOLDER_FILES.pid, `${process.pid}
`, { mode: 384 });
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => void 0);
  process.on("SIGHUP", () => void 0);
  setInterval(() => {
    if (!existsSync(FOLDER_FILES.access)) process.exit(0);
  }, FOLDER_CHECK_MS);
  say(`serving, pid ${process.pid}, durability ${durability}`);
  process.stdout.write("ready\n");
}
async function main() {
  process.umask(63);
  const { values } = parseArgs({
    options: {
      folder: { type: "string" },
      create: { type: "boolean", default: false },
      durability: { type: "string", default: "fsync" },
      "linger-ms": { type: "string", default: String(LINGER_MS) }
    }
  });
  const { folder, durability: mode } = values;
  if (folder === void 0) throw new Refusal("--folder is missing");
  const durability = DURABILITIES.find((known) => known === mode);
  if (durability === void 0) throw new Refusal("--durability is fsync, os or memory");
  const lingerMs = Number(values["linger-ms"]);
  if (!Number.isSafeInteger(lingerMs) || lingerMs < 0 || lingerMs > 2 ** 31 - 1)
    throw new Refusal("--linger-ms is a number of milliseconds, 0 for ever");
  if (values.create) create(folder);
  else await serve(folder, durability, lingerMs);
}
main().catch((error) => {
  const text = explain(error);
  process.stdout.write(`refused: ${text}
`);
  say(`refused: ${text}`);
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 50).unref();
});
