// Built by scripts/build-trusted.mjs. Its SHA-256 is the carrier measurement (trusted/measurements.json).

// src/footprints/group/main-group.ts
import { readFileSync as readFileSync6, statSync as statSync3 } from "node:fs";
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
    const piece2 = String.fromCharCode.apply(void 0, codes);
    text = start === from ? piece2 : text + piece2;
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
function equalBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}
function asciiBytes(text) {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index) & 127;
  return bytes;
}

// src/trusted/contract.ts
var STATEMENT_BYTES = 136;
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
var CERTIFICATES_MAX = 64;
var EXTENSION_BYTES_MAX = 4 * 1024;
var COUNTER_SENTINEL = -1;
var RECENT_DEPTH = 64;
var TAG_CLAIMS_MAX = 256;
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
var Writer = class _Writer {
  #bytes;
  #length = 0;
  /** Whether the buffer is this writer's alone and nobody has got it. */
  #owned = true;
  /** `capacity`: bytes that will probably be needed. */
  constructor(capacity = 256) {
    this.#bytes = (capacity > SPARE_BYTES_MAX ? void 0 : SPARE.pop()) ?? new Uint8Array(Math.max(SPARE_BYTES_MIN, capacity));
  }
  /** A writer that writes into this room as long as it suffices. The room stays the caller's. */
  static over(room) {
    const writer = new _Writer();
    writer.#giveUp(room);
    return writer;
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
      this.#spare();
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
    this.#putU32(this.#room(4), value);
    return this;
  }
  #putU32(at, value) {
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
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
  /** What was written before, from one length up to another, once more. */
  again(from, to) {
    const at = this.#room(to - from);
    this.#bytes.copyWithin(at, from, to);
    return this;
  }
  /** u32 length and the bytes. */
  bytes(bytes) {
    return this.u32(bytes.length).raw(bytes);
  }
  /** u32 length and what is written of an item: the same as `bytes` of it, without making them first. */
  nested(item, write) {
    const at = this.#room(4);
    write(this, item);
    this.#putU32(at, this.#length - at - 4);
    return this;
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
  /**
   * What was written from a former `length` on: a view, never changed any more, even if the writer goes on. As with
   * `finish`, what stands beside it in its buffer is of others.
   */
  since(start) {
    this.#owned = false;
    return this.#bytes.subarray(start, this.#length);
  }
  /**
   * What was written; never changed any more, even if the writer goes on. It need not fill its buffer, and the rest of that
   * holds what writers before have written: whoever uses `.buffer`, or posts it to another thread (which clones the whole
   * buffer), takes a copy first, above all at the border of a trusted component.
   */
  finish() {
    const length = this.#length;
    const isTight = this.#owned && length > SPARE_BYTES_MIN && length * 4 >= this.#bytes.length * 3;
    if (isTight) this.#owned = false;
    const written = isTight ? this.#bytes.subarray(0, length) : this.#bytes.slice(0, length);
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
  /** Gives the buffer to the next writer and goes on with one that is not to be given away. */
  #giveUp(other) {
    this.#spare();
    this.#owned = false;
    this.#bytes = other;
  }
  #spare() {
    if (this.#owned && SPARE.length < SPARE_MAX && this.#bytes.length <= SPARE_BYTES_MAX)
      SPARE.push(this.#bytes);
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
  /** Passes over `count` bytes. */
  skip(count) {
    this.#take(count);
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

// src/core/domain.ts
function domainTag(protocol, kind) {
  return `moiety/${protocol}/${kind}/v1`;
}
function finishDigest(hash6, writer) {
  return hash6.hex === void 0 ? bytesToDigest(writer.finishInto(hash6)) : writer.finishInto(hash6.hex);
}

// src/core/pieces.ts
var piece = new Uint8Array(0);

// src/core/request.ts
var BUNDLE_BYTES_MAX = 64 * 1024;
var OPERATION_BYTES_MAX = BUNDLE_BYTES_MAX - 1024;
var NO_SIGNATURE = new Uint8Array(0);
var REQUESTS_AT = 1 + 32 + 8;
var MAC_REQUESTS_AT = REQUESTS_AT + 4;
var EVIDENCE_BYTES_MAX = 8 * 1024;

// src/trusted/attestation/bundle.ts
var ENDORSEMENTS_MAX = 8;
var FORMAT_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
var FORMAT_NAME_MAX = 32;
function encodeBundleOfEvidence(bundle) {
  return new Writer(512).u8(1).bytes(bundle.possession).list(bundle.endorsements, (writer, { format, body }) => writer.ascii(format).bytes(body)).finish();
}
function decodeBundleOfEvidence(bytes) {
  if (bytes.length > EVIDENCE_BYTES_MAX) return void 0;
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 1) reader.fail();
    const possession = new Uint8Array(reader.bytes(EVIDENCE_BYTES_MAX));
    const endorsements = reader.list(ENDORSEMENTS_MAX, (r) => {
      const format = r.ascii(FORMAT_NAME_MAX);
      if (!FORMAT_NAME.test(format)) r.fail();
      return { format, body: new Uint8Array(r.bytes(EVIDENCE_BYTES_MAX)) };
    });
    return { possession, endorsements };
  });
}

// src/crypto/request-mac.ts
var KEY_ENVELOPE_BYTES = 96;
var ROOT_NAME = "moiety-client-root-v1";
function clientRootOf(hmac2, groupKey, groupId) {
  return hmac2(hmac2(groupId, groupKey), new Writer(32).raw(asciiBytes(ROOT_NAME)).u8(1).finish());
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
var KNOWN_KINDS = new Set(Object.values(STATEMENT_KIND));
var TWO_322 = 2 ** 32;
function suiteOfByte(byte) {
  if (byte === 1) return "hmac-sha256";
  return byte === 2 ? "ed25519" : void 0;
}
function tcIdOf(hash6, source) {
  const writer = new Writer(64).raw(asciiBytes("tc-id-v1")).u8(SUITE_BYTE[source.suite]);
  if (source.suite === "hmac-sha256") writer.raw(source.groupId).u32(source.replica);
  else writer.raw(source.publicKey);
  return bytesToHex(hash6(writer.finish()).subarray(0, 16));
}
function statementKeyOf(hmac2, groupKey, groupId) {
  const extracted = hmac2(groupId, groupKey);
  return hmac2(extracted, new Writer(16).raw(asciiBytes("tcs1-hmac")).u8(1).finish());
}
function bindDigestOf(hash6, parts) {
  const writer = new Writer(128).raw(asciiBytes("tc-bind-v1")).u8(SUITE_BYTE[parts.suite]).hex(parts.tcId).tcEpoch(parts.tcEpoch).u16(parts.publicKey.length / 2).hex(parts.publicKey).digest(parts.challenge);
  return bytesToDigest(hash6(writer.finish()));
}

// src/trusted/frames.ts
var REQUEST_BYTES_MAX = 26 * 1024;
var RESPONSE_BYTES_MAX = RECENT_DEPTH * (CORE_BYTES_MAX + 256) + 256;
var AUTHENTICATOR_BYTES_MAX = 64;
var EVIDENCE_BYTES_MAX2 = 64 * 1024;
var NAME_BYTES_MAX = 32;
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
  exportClientKey: 14,
  verifyTags: 15,
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
function writeMove(writer, move) {
  writeValue(writer.hex(move.objectId), move.value);
}
function writeClaim(writer, claim) {
  writer.digest(claim.clientId).u32(claim.version).digest(claim.digest).raw(claim.tag);
}
function writeClientKeyRequest(writer, request) {
  if (request.op === "verifyTags") {
    writer.list(request.claims, writeClaim);
    return;
  }
  writer.raw(request.clientKey).u32(request.version).digest(request.clusterId);
  writer.u64(request.configurationVersion).raw(request.agreementKey).raw(request.signature);
}
function readVerdicts(reader) {
  const count = reader.u32();
  if (count > TAG_CLAIMS_MAX) reader.fail();
  const bits = reader.failed ? new Uint8Array(0) : reader.raw(Math.ceil(count / 8));
  if (count % 8 !== 0 && bits.at(-1) >> count % 8 !== 0) reader.fail();
  return reader.failed ? [] : Array.from({ length: count }, (_, index) => (bits[index >> 3] >> (index & 7) & 1) === 1);
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
    case "exportClientKey":
    case "verifyTags":
      writeClientKeyRequest(writer, request);
      break;
    default:
      writeObjectRequest(writer, request);
  }
  return writer.finish();
}
function readIdentity(reader) {
  const program = reader.ascii(NAME_BYTES_MAX);
  const measurement = reader.digest();
  const suite = suiteOfByte(reader.u8());
  if (suite === void 0) reader.fail();
  const tcId = bytesToHex(reader.raw(16));
  const tcEpoch = reader.tcEpoch();
  const publicKey = reader.ascii(130);
  if (!/^(?:[0-9a-f]{2})*$/.test(publicKey)) reader.fail();
  const persistent = reader.bool();
  const counter = reader.u64();
  return { program, measurement, suite: suite ?? "ed25519", tcId, tcEpoch, publicKey, persistent, counter };
}
function readRecent(reader) {
  const counter = reader.u64();
  const digest = reader.digest();
  const authenticator = copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX));
  return { counter, digest, authenticator, core: copyOf(reader.bytes(CORE_BYTES_MAX)) };
}
function readTrustedCertificate(reader) {
  const statement = copyOf(reader.raw(STATEMENT_BYTES));
  return { statement, authenticator: copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX)) };
}
function readResponse(reader) {
  switch (reader.u8()) {
    case OP.identify:
      return { op: "identify", identity: readIdentity(reader) };
    case OP.renew:
      return { op: "renew", identity: readIdentity(reader) };
    case OP.certify: {
      const tcEpoch = reader.tcEpoch();
      const previous = reader.u64();
      const value = reader.u64();
      const digest = reader.digest();
      const authenticator = copyOf(reader.bytes(AUTHENTICATOR_BYTES_MAX));
      return { op: "certify", tcEpoch, previous, value, digest, authenticator };
    }
    case OP.recent:
      return { op: "recent", certificates: reader.list(RECENT_DEPTH, readRecent) };
    case OP.verify:
      return { op: "verify", valid: reader.bool() };
    case OP.attest:
      return { op: "attest", evidence: copyOf(reader.bytes(EVIDENCE_BYTES_MAX2)) };
    case OP.certificates:
      return { op: "certificates", certificates: reader.list(CERTIFICATES_MAX, readTrustedCertificate) };
    case OP.done:
      return { op: "done" };
    case OP.exportClientKey:
      return { op: "exportClientKey", envelope: copyOf(reader.raw(KEY_ENVELOPE_BYTES)) };
    case OP.verifyTags:
      return { op: "verifyTags", valid: readVerdicts(reader) };
    case OP.extension: {
      const code = reader.u8();
      return { op: "extension", code, body: copyOf(reader.bytes(EXTENSION_BYTES_MAX)) };
    }
    case OP.error: {
      const code = ERROR_CODES[reader.u8()];
      const message = reader.ascii(MESSAGE_BYTES_MAX);
      if (code !== void 0) return { op: "error", code, message };
      break;
    }
  }
  reader.fail();
  return void 0;
}
function decodeTrustedResponse(bytes) {
  if (bytes.length > RESPONSE_BYTES_MAX) return void 0;
  return decodeWhole(bytes, readResponse);
}

// src/trusted/module.ts
var FLAG_PERSISTENT = 1;
var FLAG_KEEPS_RECORDS = 2;
function keyBlockOf(environment, key) {
  const flags = (environment.persistent ? FLAG_PERSISTENT : 0) | (environment.keepsRecords === false ? 0 : FLAG_KEEPS_RECORDS);
  const publicKey = hexToBytes(key.publicKey);
  return new Writer(160).u8(SUITE_BYTE[key.suite]).u8(flags).u16(0).hex(key.tcId).tcEpoch(key.tcEpoch).raw(digestToBytes(environment.measurement)).raw(key.statementKey ?? new Uint8Array(32)).u16(publicKey.length).raw(publicKey).finish();
}
var ModuleProgram = class {
  #exports;
  #memory;
  #input;
  #inputBytes;
  #output;
  constructor(module, environment) {
    const { WebAssembly: wasm } = globalThis;
    let { key } = environment;
    const view = (at, length) => this.#memory.slice(at, at + length);
    const put = (at, bytes) => {
      this.#memory.set(bytes, at);
      return bytes.length;
    };
    const env = {
      persist: (at, length) => environment.persist(view(at, length)) ? 1 : 0,
      authenticate: (at, length, out) => put(out, key.authenticate(view(at, length))),
      replaceKey: (out) => {
        const next = environment.replaceKey();
        if (next === void 0) return 0;
        key = next;
        return put(out, keyBlockOf(environment, key));
      },
      random: (at, length) => void put(at, environment.random(length)),
      clientRoot: (out) => environment.clientRoot === void 0 ? 0 : put(out, environment.clientRoot),
      now: () => environment.now(),
      check: (publicKey, at, length, authenticator) => environment.check(view(publicKey, 32), view(at, length), view(authenticator, 64)) ? 1 : 0
    };
    const instance = new wasm.Instance(module, { env });
    this.#exports = instance.exports;
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
    this.#input = this.#exports.input();
    this.#inputBytes = this.#exports.inputBytes();
    this.#output = this.#exports.output();
    const started = this.#exports.start(put(this.#input, keyBlockOf(environment, key)));
    assert(started === 1, "a module takes the key block of its footprint");
    for (const record of environment.records) {
      const bytes = record.length > this.#inputBytes ? new Uint8Array(0) : record;
      this.#exports.restore(put(this.#input, bytes));
    }
  }
  handle(request) {
    const fits = request.length <= this.#inputBytes;
    if (fits) this.#memory.set(request, this.#input);
    const length = this.#exports.handle(fits ? request.length : 0);
    return this.#memory.slice(this.#output, this.#output + length);
  }
  image() {
    const length = this.#exports.image?.();
    if (length === void 0 || length === 0) return void 0;
    return this.#memory.slice(this.#output, this.#output + length);
  }
};
function compileModule(bytes) {
  const { WebAssembly: wasm } = globalThis;
  return new wasm.Module(bytes);
}
function startModule(module, environment) {
  return new ModuleProgram(module, environment);
}

// src/footprints/process/channel.ts
var FOLDER_FILES = {
  state: "state",
  program: "program.json",
  lock: "process.lock",
  access: "access",
  pid: "pid",
  socket: "socket",
  log: "log"
};

// src/footprints/process/file-lock.ts
var RETRY_MS = 20;
var BUSY = 5;
var held = [];
function sqlite() {
  return process.getBuiltinModule?.("node:sqlite");
}
function canLockFiles() {
  return sqlite() !== void 0;
}
function tryLock(path) {
  const { DatabaseSync } = sqlite();
  const file = new DatabaseSync(path);
  try {
    file.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    file.close();
    if (error.errcode === BUSY) return false;
    throw error;
  }
  held.push(file);
  return true;
}
async function takeFileLock(path, patienceMs) {
  const deadline = Date.now() + patienceMs;
  for (; ; ) {
    if (tryLock(path)) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

// src/footprints/process/lock.ts
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
var RETRY_MS2 = 20;
function lockName(folder, token) {
  const { dev, ino } = statSync(folder, { bigint: true });
  const digest = createHash("sha256").update(token).update(`${dev}:${ino}`).digest("hex");
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
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS2));
  }
}

// src/footprints/process/claim-folder.ts
var PATIENCE_MS = 2e3;
async function claimFolder(token) {
  if (canLockFiles() && !await takeFileLock(FOLDER_FILES.lock, PATIENCE_MS)) return false;
  return takeLock(".", token, PATIENCE_MS);
}

// src/footprints/process/environment.ts
import { createPrivateKey, createPublicKey, hash as hash2, randomBytes, sign, verify } from "node:crypto";

// src/footprints/group/group-key.ts
import { hash, createHmac } from "node:crypto";
import { existsSync, readFileSync as readFileSync2 } from "node:fs";
var GROUP_FILE = "group";
var POLICY_BYTES_MAX = 64 * 1024;
var USE_BYTE = { statements: 1, requests: 2 };
var sha256 = (bytes) => hash("sha256", bytes, "buffer");
var hmac = (key, message) => createHmac("sha256", key).update(message).digest();
function encodeGroupKey(group) {
  return new Writer(512).u8(USE_BYTE[group.use]).raw(group.key).raw(group.id).u32(group.replica).bytes(new TextEncoder().encode(group.policy)).raw(group.envelopeSecret).finish();
}
function decodeGroupKey(bytes) {
  return decodeWhole(bytes, (reader) => {
    const first = reader.u8();
    if (first !== USE_BYTE.statements && first !== USE_BYTE.requests) reader.fail();
    const use = first === USE_BYTE.requests ? "requests" : "statements";
    const key = new Uint8Array(reader.raw(32));
    const id = new Uint8Array(reader.raw(16));
    const replica = reader.u32();
    const policy = new TextDecoder().decode(reader.bytes(POLICY_BYTES_MAX));
    return { use, key, id, replica, policy, envelopeSecret: new Uint8Array(reader.raw(32)) };
  });
}
function readGroupFile() {
  if (!existsSync(GROUP_FILE)) return void 0;
  const group = decodeGroupKey(readFileSync2(GROUP_FILE));
  if (group === void 0)
    throw new Error(
      "the group key of the trusted component is damaged; put back its file 'group', or join anew"
    );
  return group;
}
function groupClientRoot(group) {
  return clientRootOf(hmac, group.key, group.id);
}
function groupProgramKey(group, tcEpoch) {
  const statementKey = statementKeyOf(hmac, group.key, group.id);
  return {
    suite: "hmac-sha256",
    tcId: tcIdOf(sha256, { suite: "hmac-sha256", groupId: group.id, replica: group.replica }),
    tcEpoch,
    publicKey: "",
    statementKey,
    authenticate: (bytes) => hmac(statementKey, bytes)
  };
}

// src/footprints/process/environment.ts
var PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
var PUBLIC_KEY_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
var sha2562 = (bytes) => hash2("sha256", bytes, "buffer");
function checkSignature(publicKey, bytes, authenticator) {
  try {
    const der = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
    return verify(null, bytes, createPublicKey({ key: der, format: "der", type: "spki" }), authenticator);
  } catch {
    return false;
  }
}
function programKeyOf(stored) {
  const der = Buffer.concat([PRIVATE_KEY_PREFIX, stored.seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const publicKey = spki.subarray(-32);
  return {
    suite: "ed25519",
    tcId: tcIdOf(sha2562, { suite: "ed25519", publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => sign(null, bytes, privateKey)
  };
}
var programServices = {
  hash: sha2562,
  random: (length) => randomBytes(length),
  // Since the machine was started: nobody but root can turn it.
  now: () => Number(process.hrtime.bigint() / 1000000n),
  check: checkSignature
};
function createEnvironment(log, durability, measurement) {
  const group = readGroupFile();
  const keyOf = (stored) => group?.use !== "statements" ? programKeyOf(stored) : groupProgramKey(group, bytesToTcEpoch(stored.tcEpoch));
  return {
    ...programServices,
    measurement,
    ...group === void 0 ? {} : { clientRoot: groupClientRoot(group) },
    persistent: durability !== "memory",
    key: keyOf(log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => keyOf(log.renew())
  };
}

// src/footprints/process/program-file.ts
import { hash as hash3 } from "node:crypto";
import { existsSync as existsSync2, readFileSync as readFileSync3 } from "node:fs";

// src/footprints/durable-file.ts
import { closeSync as closeSync2, fsyncSync, openSync as openSync2, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
function writeWhole(path, content) {
  const aside = `${path}.new`;
  const file = openSync2(aside, "w", 384);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync2(file);
  }
  renameSync(aside, path);
  const folder = openSync2(dirname(path), "r");
  fsyncSync(folder);
  closeSync2(folder);
}

// src/footprints/process/program-file.ts
var FIRST_PROGRAM = "usig";
var NAME = /^[a-z][a-z0-9-]{0,31}$/;
function loadModule(modules, program, expected) {
  const file = new URL(`${program}.wasm`, modules);
  if (!NAME.test(program) || !existsSync2(file))
    throw new Error(`there is no trusted program "${program}" in this installation`);
  const bytes = readFileSync3(file);
  const measurement = bytesToDigest(hash3("sha256", bytes, "buffer"));
  if (expected !== void 0 && measurement !== expected)
    throw new Error(
      `the trusted program "${program}" is not the one that this component was made for: its module has the measurement ${measurement}, expected ${String(expected)}; install the version of before, or give the replica a new component and re-admit it by RECOVER`
    );
  return { program, measurement, module: compileModule(bytes) };
}
function writeProgramFile({ program, measurement }) {
  writeWhole(FOLDER_FILES.program, `${JSON.stringify({ program, measurement })}
`);
}
function moduleOfFolder(modules) {
  if (!existsSync2(FOLDER_FILES.program)) {
    const first = loadModule(modules, FIRST_PROGRAM);
    writeProgramFile(first);
    return first;
  }
  let expected;
  try {
    expected = JSON.parse(readFileSync3(FOLDER_FILES.program, "utf8"));
  } catch {
    throw new Error(`${FOLDER_FILES.program} of the trusted component is damaged`);
  }
  return loadModule(modules, String(expected.program), String(expected.measurement));
}

// src/footprints/process/state-log.ts
import { hash as hash4, randomBytes as randomBytes2 } from "node:crypto";
import {
  closeSync as closeSync3,
  fdatasyncSync,
  fstatSync,
  fsyncSync as fsyncSync2,
  openSync as openSync3,
  readFileSync as readFileSync4,
  renameSync as renameSync2,
  statSync as statSync2,
  writeSync as writeSync2
} from "node:fs";
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
  return hash4("sha256", bytes, "buffer").subarray(0, CHECK_BYTES);
}
function freshKey() {
  return { tcEpoch: randomBytes2(8), seed: randomBytes2(32) };
}
function currentBootId() {
  try {
    return checkOf(readFileSync4("/proc/sys/kernel/random/boot_id"));
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
var Ownership = class {
  #path;
  #number;
  /** Takes the folder over from whoever had it. */
  constructor(folder) {
    this.#path = join2(folder, "owner");
    const file = openSync3(`${this.#path}.new`, "w", 384);
    this.#number = fstatSync(file, { bigint: true }).ino;
    renameSync2(`${this.#path}.new`, this.#path);
  }
  /** Throws StateDamage once another process has taken the folder over, or the folder is another one. */
  assert() {
    if (statSync2(this.#path, { bigint: true, throwIfNoEntry: false })?.ino === this.#number) return;
    throw new StateDamage(
      "another process has taken this trusted component's folder over, or the folder was put back from a copy; the older process ends here, so that no value is given twice; never remove the lock of a component that runs"
    );
  }
};
var StateLog = class _StateLog {
  #folder;
  #durability;
  #keep;
  #owner;
  #key;
  /** Before `begin` all records of the file, later the last `keep`. */
  #kept;
  #image = () => void 0;
  #pending = [];
  #file = -1;
  #at = 0;
  #end = 0;
  /** Index of the next record in this file; all before it are durable once `flush` returned. */
  #index = 0;
  #link = Buffer.alloc(CHECK_BYTES);
  constructor(folder, durability, keep, owner, key, kept) {
    this.#folder = folder;
    this.#durability = durability;
    this.#keep = keep;
    this.#owner = owner;
    this.#key = key;
    this.#kept = kept;
  }
  /** Writes the state of a new component; nothing was ever certified under its key. */
  static create(folder) {
    const log = new _StateLog(folder, "fsync", 1, new Ownership(folder), freshKey(), []);
    log.#replaceFile("fsync");
    closeSync3(log.#file);
  }
  /**
   * Reads the state in `folder`. Throws StateDamage if it is damaged. If values may be missing at its end (written
   * without sync and not closed in order), the key is renewed first. `begin` must come before the first `append`.
   */
  static open(folder, durability, keep) {
    const owner = new Ownership(folder);
    const file = readFileSync4(join2(folder, "state"));
    const header = decodeHeader(file);
    if (header === void 0)
      throw new StateDamage(
        "the header of the trusted component's state is damaged: its key is lost; the replica must be given a new component and be replaced by reconfiguration or RECOVER"
      );
    const records = readRecords(file);
    const bootId = currentBootId();
    const lostWithSystem = header.written === "os" && (bootId.every((byte) => byte === 0) || !bootId.equals(header.bootId));
    const mayLack = header.written === "memory" || lostWithSystem;
    const log = new _StateLog(folder, durability, keep, owner, header, records);
    if (mayLack) log.renew();
    return log;
  }
  /** Starts a file for new records; the program has taken those of before, and `image` is what it makes of them. */
  begin(image = () => void 0) {
    this.#image = image;
    this.#replaceFile(this.#durability);
  }
  /** The key in force. */
  get key() {
    return this.#key;
  }
  /** Before `begin`: all records of the file; later: the last ones. Oldest first. */
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
    if (this.#at + group.length > this.#end) {
      this.#replaceFile(this.#durability);
    } else {
      writeAll(this.#file, group, this.#at);
      this.#at += group.length;
      if (this.#durability === "fsync") fdatasyncSync(this.#file);
    }
    this.#owner.assert();
  }
  /** Destroys the old key and starts an empty log under a new one; durable when it returns. */
  renew() {
    this.#pending = [];
    const oldFile = openSync3(join2(this.#folder, "state"), "r+");
    this.#key = freshKey();
    this.#kept = [];
    this.#replaceFile(this.#durability);
    writeAll(oldFile, Buffer.alloc(HEADER_BYTES), 0);
    fsyncSync2(oldFile);
    closeSync3(oldFile);
    return this.#key;
  }
  /** Closes in order: everything is durable afterwards, in every mode. */
  close() {
    this.flush();
    if (this.#durability !== "fsync") this.#replaceFile("fsync");
    closeSync3(this.#file);
  }
  #nextRecord(payload, synced) {
    const record = encodeRecord(payload, { index: this.#index, synced, link: this.#link });
    const end = 40 + payload.length;
    this.#link = record.subarray(end, end + CHECK_BYTES);
    this.#index += 1;
    return record;
  }
  /** Writes a new file with the image or the kept records and puts it in the place of the old one. */
  #replaceFile(written) {
    this.#owner.assert();
    this.#kept = this.#kept.slice(-this.#keep);
    const image = this.#kept.length === 0 ? void 0 : this.#image();
    const first = image === void 0 ? this.#kept : [image];
    const header = encodeHeader({ ...this.#key, written, bootId: currentBootId() });
    this.#index = 0;
    this.#link = header.subarray(HEADER_BYTES - CHECK_BYTES);
    const content = Buffer.concat([
      header,
      ...first.map((payload) => this.#nextRecord(payload, this.#index))
    ]);
    this.#at = content.length;
    this.#end = Math.max(FILE_BYTES, content.length + FILE_BYTES / 2);
    const aside = join2(this.#folder, "state.new");
    const file = openSync3(aside, "w", 384);
    writeAll(file, content, 0);
    writeAll(file, Buffer.alloc(this.#end - this.#at), this.#at);
    fsyncSync2(file);
    renameSync2(aside, join2(this.#folder, "state"));
    const folder = openSync3(this.#folder, "r");
    fsyncSync2(folder);
    closeSync3(folder);
    if (this.#file >= 0) closeSync3(this.#file);
    this.#file = file;
  }
};

// src/footprints/group/ceremony.ts
import {
  createCipheriv,
  createDecipheriv,
  createHmac as createHmac2,
  createPrivateKey as createPrivateKey2,
  createPublicKey as createPublicKey2,
  diffieHellman,
  hash as hash5,
  randomBytes as randomBytes3
} from "node:crypto";
import { existsSync as existsSync3, readFileSync as readFileSync5, rmSync } from "node:fs";

// src/trusted/evidence.ts
function decodeEvidence(bytes) {
  return decodeWhole(bytes, (reader) => {
    const platform = reader.ascii(32);
    const measurement = reader.digest();
    const suite = suiteOfByte(reader.u8());
    if (suite === void 0) reader.fail();
    const tcId = bytesToHex(reader.raw(16));
    const tcEpoch = reader.tcEpoch();
    const publicKey = reader.ascii(130);
    if (!/^(?:[0-9a-f]{2})*$/.test(publicKey)) reader.fail();
    const challenge = reader.digest();
    const authenticator = new Uint8Array(reader.bytes(64));
    return {
      platform,
      measurement,
      suite: suite ?? "ed25519",
      tcId,
      tcEpoch,
      publicKey,
      challenge,
      authenticator
    };
  });
}

// src/trusted/attestation/verdict.ts
function checkOf2(check, passed, found, expected, advice) {
  return { check, passed, found, expected, advice: passed ? "" : advice };
}
function verdictOf(checks) {
  return { accepted: checks.length > 0 && checks.every(({ passed }) => passed), checks };
}
function verdictLines(verdict) {
  return verdict.checks.flatMap(
    ({ check, passed, found, expected, advice }) => passed ? [`passed  ${check}: ${found}`] : [`FAILED  ${check}: found ${found}, expected ${expected}`, `        ${advice}`]
  );
}

// src/trusted/attestation/operator.ts
var OPERATOR_FORMAT = "operator";
var KEY_BYTES = 32;
var FOOTPRINT_BYTES_MAX = 32;
function operatorStatementBytes(statement) {
  return new Writer(256).ascii(domainTag("attestation", "OPERATOR")).hex(statement.root).digest(statement.measurement).digest(statement.carrier).ascii(statement.footprint).u32(statement.version).digest(statement.bind).u64(statement.notBefore).u64(statement.notAfter).finish();
}
function decode(body) {
  return decodeWhole(body, (reader) => {
    if (reader.ascii(64) !== domainTag("attestation", "OPERATOR")) reader.fail();
    const root = Array.from(reader.raw(KEY_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const measurement = reader.digest();
    const carrier = reader.digest();
    const footprint = reader.ascii(FOOTPRINT_BYTES_MAX);
    const version = reader.u32();
    const bind = reader.digest();
    const notBefore = reader.u64();
    const notAfter = reader.u64();
    const signature = new Uint8Array(reader.raw(64));
    return {
      statement: { root, measurement, carrier, footprint, version, bind, notBefore, notAfter },
      signature
    };
  });
}
var day = (ms) => `${ms} ms since 1970`;
function rootChecks({ statement, signature }, { roots, crypto: crypto2 }) {
  const root = roots.find(({ key }) => key === statement.root);
  const known = checkOf2(
    "operator root",
    root !== void 0,
    statement.root,
    roots.length === 0 ? "a root of format operator in the policy" : roots.map(({ key }) => key).join(" or "),
    'The policy does not know this operator. If you trust it, add its key to "roots"; else ask your own operator to endorse the component.'
  );
  if (root === void 0) return [known];
  const holds = crypto2.verifyEd25519(hexToBytes(root.key), operatorStatementBytes(statement), signature);
  return [
    known,
    checkOf2(
      "operator signature",
      holds,
      holds ? `holds under ${root.name}` : "a signature that does not verify",
      `the signature of ${root.name}`,
      "The endorsement was changed after it was signed, or somebody else made it. Have it made again."
    ),
    checkOf2(
      "version",
      statement.version >= root.minimumVersion,
      String(statement.version),
      `at least ${root.minimumVersion}`,
      "The component runs a release that is too old. Upgrade it and have it endorsed again."
    )
  ];
}
function contentChecks({ statement }, context) {
  const { evidence, bind, footprint, footprintName, timeMs } = context;
  const checks = [
    checkOf2(
      "endorsed program",
      statement.measurement === evidence.measurement,
      statement.measurement,
      evidence.measurement,
      "The operator endorsed another program than the component says it is. One of the two changed: measure the .wasm file, put the released one back, or have the new one endorsed."
    ),
    checkOf2(
      "endorsed key",
      statement.bind === bind,
      statement.bind,
      bind,
      "The endorsement is about another key, tcEpoch or challenge: it belongs to another component or to an earlier attestation. Have this component endorsed."
    ),
    checkOf2(
      "endorsed footprint",
      statement.footprint === footprintName,
      statement.footprint,
      footprintName,
      "The component runs on another footprint than the operator endorsed. Correct the claim or have it endorsed again."
    )
  ];
  const carriers = footprint?.carriers ?? [];
  if (carriers.length > 0)
    checks.push(
      checkOf2(
        "carrier",
        carriers.includes(statement.carrier),
        statement.carrier === ZERO_DIGEST ? "no carrier named" : statement.carrier,
        carriers.join(" or "),
        "What carries the program is not what the policy allows: it was changed or is another build. Install the released one and have it endorsed again, or allow its measurement in the policy."
      )
    );
  if (timeMs !== void 0)
    checks.push(
      checkOf2(
        "validity",
        timeMs >= statement.notBefore && timeMs <= statement.notAfter,
        `judged at ${day(timeMs)}`,
        `from ${day(statement.notBefore)} to ${day(statement.notAfter)}`,
        "The endorsement is not valid at this time. Check the clock of both machines, or have it made again."
      )
    );
  return checks;
}
var operatorFormat = {
  name: OPERATOR_FORMAT,
  verify: (body, context) => {
    const signed = decode(body);
    if (signed === void 0)
      return [
        checkOf2(
          "operator endorsement",
          false,
          `${body.length} bytes that are none`,
          "a statement with its signature",
          "The endorsement is damaged. Have it made again."
        )
      ];
    return [...rootChecks(signed, context), ...contentChecks(signed, context)];
  }
};

// src/trusted/attestation/tpm-attest.ts
var MAGIC = 4283712327;
var TYPE_NV = 32788;
var TYPE_QUOTE = 32792;
var ALGORITHM = { sha256: 11, none: 16, ecdsa: 24, ecc: 35 };
var CURVE_P256 = 3;
var NAME_BYTES_MAX2 = 34;
var DATA_BYTES_MAX = 64;
var DIGEST_BYTES = 32;
var CONTENT_BYTES_MAX = 1024;
var ATTESTATION_KEY_NEEDS = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18;
var ATTESTATION_KEY_MUST_NOT = 1 << 17;
var NV_TYPE_MASK = 15 << 4;
var NV_COUNTER = 1 << 4;
var NV_EXTEND = 4 << 4;
var NV_WRITTEN = 1 << 29;
var NV_IRREMOVABLE = 1 << 30 | 1 << 10;
var NV_VOLATILE = 1 << 26 | 1 << 27;
function sized(reader, max) {
  const length = reader.u16();
  if (length > max) reader.fail();
  return new Uint8Array(reader.raw(length > max ? 0 : length));
}
function readQuote(reader) {
  if (reader.u32() !== 1 || reader.u16() !== ALGORITHM.sha256 || reader.u8() !== 3) reader.fail();
  const pcrs = reader.u8() | reader.u8() << 8 | reader.u8() << 16;
  if (reader.u16() !== DIGEST_BYTES) reader.fail();
  return { kind: "quote", pcrs, pcrDigest: reader.digest() };
}
function readNv(reader) {
  const name = sized(reader, NAME_BYTES_MAX2);
  const offset = reader.u16();
  return { kind: "nv", name, offset, bytes: sized(reader, CONTENT_BYTES_MAX) };
}
function decodeTpmAttest(bytes) {
  return decodeWhole(bytes, (reader) => {
    if (reader.u32() !== MAGIC) reader.fail();
    const type = reader.u16();
    sized(reader, NAME_BYTES_MAX2);
    const data = sized(reader, DATA_BYTES_MAX);
    reader.raw(8 + 4 + 4 + 1 + 8);
    if (type !== TYPE_QUOTE && type !== TYPE_NV) reader.fail();
    return { data, content: type === TYPE_QUOTE ? readQuote(reader) : readNv(reader) };
  });
}
function attestationKeyOf(area) {
  const reader = new Reader(area);
  const type = reader.u16();
  const nameAlgorithm = reader.u16();
  const attributes = reader.u32();
  sized(reader, DIGEST_BYTES);
  if (type !== ALGORITHM.ecc || nameAlgorithm !== ALGORITHM.sha256) return "no ECC key named by SHA-256";
  const scheme = [reader.u16(), reader.u16(), reader.u16(), reader.u16(), reader.u16()].join();
  const x = sized(reader, DIGEST_BYTES);
  const y = sized(reader, DIGEST_BYTES);
  const wanted = [ALGORITHM.none, ALGORITHM.ecdsa, ALGORITHM.sha256, CURVE_P256, ALGORITHM.none].join();
  if (!reader.done() || scheme !== wanted) return "no ECDSA key on P-256 with SHA-256";
  if ((attributes & ATTESTATION_KEY_NEEDS) !== ATTESTATION_KEY_NEEDS)
    return "a key that may leave the TPM or may sign what is not from it";
  if ((attributes & ATTESTATION_KEY_MUST_NOT) !== 0) return "a key that also decrypts";
  const publicKey = new Uint8Array(65);
  publicKey[0] = 4;
  publicKey.set(x, 33 - x.length);
  publicKey.set(y, 65 - y.length);
  return { publicKey };
}
function nvNameOf(hash6, area) {
  return new Writer(64).u16(ALGORITHM.sha256).raw(hash6(area)).finish();
}
function isOneWayIndex(area, type) {
  const reader = new Reader(area);
  reader.u32();
  const algorithm = reader.u16();
  const attributes = reader.u32();
  const policy = sized(reader, DIGEST_BYTES);
  const dataBytes = reader.u16();
  const [bits, length] = type === "counter" ? [NV_COUNTER, 8] : [NV_EXTEND, DIGEST_BYTES];
  const stays = (attributes & NV_IRREMOVABLE) === NV_IRREMOVABLE && policy.length === 0;
  return reader.done() && algorithm === ALGORITHM.sha256 && (attributes & NV_TYPE_MASK) === bits && (attributes & NV_WRITTEN) !== 0 && (attributes & NV_VOLATILE) === 0 && (type === "counter" || stays) && dataBytes === length;
}
function tpmEpochOf(hash6, { counterName, born, publicKey }) {
  const writer = new Writer(160).ascii(domainTag("tpm", "EPOCH"));
  writer.bytes(counterName).u64(born).bytes(publicKey);
  return bytesToTcEpoch(hash6(writer.finish()).subarray(0, 8));
}
function tpmQualifyingData(hash6, { bind, measurement, born, run }) {
  const writer = new Writer(160).ascii(domainTag("tpm", "QUOTE")).digest(bind).digest(measurement).u64(born).u64(run);
  return new Uint8Array(hash6(writer.finish()));
}
function shown(bytes) {
  const text = bytesToHex(bytes);
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}

// src/trusted/attestation/tpm-quote.ts
var TPM_FORMAT = "tpm";
var AREA_BYTES_MAX = 256;
var ATTEST_BYTES_MAX = 1024;
var SIGNATURE_BYTES = 64;
var BOOT_PCRS = 1023;
function keyCertificateBytes(keyArea) {
  return new Writer(192).ascii(domainTag("attestation", "TPM-KEY")).bytes(keyArea).finish();
}
function readSigned(reader) {
  const attest2 = new Uint8Array(reader.bytes(ATTEST_BYTES_MAX));
  return { attest: attest2, signature: new Uint8Array(reader.raw(SIGNATURE_BYTES)) };
}
function decodeTpmEndorsement(bytes) {
  return decodeWhole(bytes, (reader) => {
    const keyArea = new Uint8Array(reader.bytes(AREA_BYTES_MAX));
    const certificate = reader.option((r) => {
      const root = bytesToHex(r.raw(32));
      return { root, signature: new Uint8Array(r.raw(SIGNATURE_BYTES)) };
    });
    const counterArea = new Uint8Array(reader.bytes(AREA_BYTES_MAX));
    const born = reader.u64();
    const run = reader.u64();
    const counter = readSigned(reader);
    const quote = readSigned(reader);
    const all = { keyArea, counterArea, born, run, counter, quote };
    return certificate === void 0 ? all : { ...all, certificate };
  });
}
function keyChecks({ keyArea, certificate }, { roots, crypto: crypto2 }) {
  const key = attestationKeyOf(keyArea);
  const digest = bytesToHex(crypto2.hash(keyArea));
  const root = roots.find((one) => one.key === (certificate?.root ?? digest));
  const certified = root !== void 0 && (certificate === void 0 || crypto2.verifyEd25519(hexToBytes(root.key), keyCertificateBytes(keyArea), certificate.signature));
  const wanted = roots.length === 0 ? "a root of format tpm in the policy" : roots.map((one) => one.key).join(" or ");
  return [
    checkOf2(
      "tpm key",
      typeof key !== "string",
      typeof key === "string" ? key : `attestation key ${digest}`,
      "a restricted ECDSA P-256 signing key that was made in the TPM and stays there",
      "This key proves nothing about a TPM. Make the component anew on the footprint tpm."
    ),
    checkOf2(
      "tpm root",
      root !== void 0,
      certificate?.root ?? `no certificate; key ${digest}`,
      wanted,
      "Nobody whom the policy knows vouches for the attestation key. Certify it after a credential activation, or pin its digest as a root of format tpm."
    ),
    checkOf2(
      "tpm certificate",
      certified,
      certified ? `holds under ${root.name}` : "a certificate that does not verify",
      "the signature of a known root over the public area of the attestation key",
      "The certificate is of another attestation key, or was changed. Have this key certified."
    )
  ];
}
function attestOf(name, signed, endorsement, context) {
  const { crypto: crypto2, bind, evidence } = context;
  const key = attestationKeyOf(endorsement.keyArea);
  const attest2 = decodeTpmAttest(signed.attest);
  const holds = typeof key !== "string" && (crypto2.verifyP256?.(key.publicKey, signed.attest, signed.signature) ?? false);
  const { born, run } = endorsement;
  const data = tpmQualifyingData(crypto2.hash, { bind, measurement: evidence.measurement, born, run });
  const isFresh = attest2 !== void 0 && equalBytes(attest2.data, data);
  const checks = [
    checkOf2(
      `${name} signature`,
      holds && attest2 !== void 0,
      holds ? "holds under the attestation key" : "a signature that does not verify",
      "the signature of the attestation key over bytes that a TPM made",
      "The bytes were changed, or another TPM made them. Have the component endorsed again."
    ),
    checkOf2(
      `${name} occasion`,
      isFresh,
      attest2 === void 0 ? "no attestation" : shown(attest2.data),
      shown(data),
      "The TPM said this for another key, challenge, program or start: it is old or belongs to another component. Have the component endorsed for this occasion."
    )
  ];
  return { checks, attest: attest2 };
}
function counterChecks(endorsement, context) {
  const { counterArea, born, run, counter } = endorsement;
  const { crypto: crypto2, evidence } = context;
  const { checks, attest: attest2 } = attestOf("tpm counter", counter, endorsement, context);
  const content = attest2?.content;
  const name = nvNameOf(crypto2.hash, counterArea);
  const isCounter = isOneWayIndex(counterArea, "counter") && content?.kind === "nv" && content.offset === 0 && equalBytes(content.name, name);
  const reader = new Reader(content?.kind === "nv" ? content.bytes : new Uint8Array(0));
  const value = reader.u64();
  const isNewest = reader.done() && value === run;
  const publicKey = hexToBytes(evidence.publicKey) ?? new Uint8Array(0);
  const tcEpoch = tpmEpochOf(crypto2.hash, { counterName: name, born, publicKey });
  return [
    ...checks,
    checkOf2(
      "tpm index",
      isCounter,
      content?.kind === "nv" ? `index ${shown(content.name)}` : "no word about an NV index",
      "a counter index that was written, survives a restart and is the one of the tcEpoch",
      "The index is of another kind (it could be set back) or another one. Make the component anew on the footprint tpm."
    ),
    checkOf2(
      "tpm newest start",
      isNewest,
      `the counter stands at ${value}`,
      String(run),
      "A newer start of this component, or of a copy of its folder, was counted by the TPM. Find it and stop it; only the newest one may be registered."
    ),
    checkOf2(
      "tpm tcEpoch",
      evidence.tcEpoch === tcEpoch && born <= run,
      evidence.tcEpoch,
      `${tcEpoch} (made by start ${born})`,
      "The tcEpoch does not follow from the counter and the key. Make the component anew on the footprint tpm."
    )
  ];
}
function platformChecks(endorsement, context) {
  const { checks, attest: attest2 } = attestOf("tpm quote", endorsement.quote, endorsement, context);
  const content = attest2?.content;
  const isQuote = content?.kind === "quote";
  const isOfBoot = isQuote && content.pcrs === BOOT_PCRS;
  const carriers = context.footprint?.carriers ?? [];
  const found = isQuote ? content.pcrDigest : "no quote";
  return [
    ...checks,
    checkOf2(
      "tpm platform",
      isOfBoot && (carriers.length === 0 || carriers.includes(content.pcrDigest)),
      isQuote ? `${found} over PCRs by mask 0x${content.pcrs.toString(16)}` : found,
      `${carriers.length === 0 ? "any values (the policy names none)" : carriers.join(" or ")}, over PCRs 0 to 9`,
      'The machine did not boot what the policy allows. Boot the released image, or add the digest of its PCRs to "carriers" of the footprint tpm if you meant the change.'
    )
  ];
}
var tpmFormat = {
  name: TPM_FORMAT,
  verify: (body, context) => {
    const endorsement = decodeTpmEndorsement(body);
    if (endorsement === void 0)
      return [
        checkOf2(
          "tpm endorsement",
          false,
          `${body.length} bytes that are none`,
          "attestation key, counter and quote",
          "The endorsement is damaged. Have it made again."
        )
      ];
    return [
      ...keyChecks(endorsement, context),
      ...counterChecks(endorsement, context),
      ...platformChecks(endorsement, context)
    ];
  }
};

// src/trusted/attestation/formats.ts
var EVIDENCE_FORMATS = [operatorFormat, tpmFormat];

// src/trusted/attestation/judge.ts
function possessionHolds({ crypto: crypto2 }, evidence, bind) {
  const { suite, publicKey, authenticator } = evidence;
  const covered = digestToBytes(bind);
  if (suite === "hmac-sha256") return crypto2.verifyMac?.(covered, authenticator) ?? false;
  const key = hexToBytes(publicKey);
  return key?.length === 32 && crypto2.verifyEd25519(key, covered, authenticator);
}
function nameFollowsFromKey({ crypto: crypto2 }, { suite, tcId, publicKey }) {
  if (suite === "hmac-sha256") return publicKey === "";
  const key = hexToBytes(publicKey);
  return key?.length === 32 && tcIdOf(crypto2.hash, { suite: "ed25519", publicKey: key }) === tcId;
}
function possessionChecks(parts, evidence, bind) {
  const holds = possessionHolds(parts, evidence, bind);
  return [
    checkOf2(
      "challenge",
      evidence.challenge === parts.challenge,
      evidence.challenge,
      parts.challenge,
      "The evidence answers another question: it is old, or it was made for another replica, cluster or nonce. Ask the component again with the challenge of this occasion."
    ),
    checkOf2(
      "name",
      nameFollowsFromKey(parts, evidence),
      evidence.tcId,
      "the tcId that follows from the public key",
      "Key and name of the component do not belong together: the evidence was put together by hand. Ask the component again."
    ),
    checkOf2(
      "possession",
      holds,
      holds ? "the component sealed the challenge with its key" : "a seal that does not hold",
      "the seal of the component over key and challenge",
      "Whoever made this evidence does not hold the key, or the evidence was changed on its way. Ask the component itself again."
    )
  ];
}
function componentChecks({ expected }, evidence) {
  if (expected === void 0) return [];
  const same = evidence.suite === expected.suite && evidence.tcId === expected.tcId && evidence.tcEpoch === expected.tcEpoch && evidence.publicKey === expected.publicKey;
  const nameOf = (one) => `tcId ${one.tcId}, tcEpoch ${one.tcEpoch}, key ${one.publicKey === "" ? "(none)" : one.publicKey} (${one.suite})`;
  return [
    checkOf2(
      "component",
      same,
      nameOf(evidence),
      nameOf(expected),
      "The evidence is about another component than the registration. Register the component that made the evidence, or ask the registered one."
    ),
    checkOf2(
      "claimed program",
      evidence.measurement === expected.measurement,
      evidence.measurement,
      expected.measurement,
      "Registration and evidence name different programs. Make both again from the component that runs now."
    )
  ];
}
function policyChecks({ policy, footprint }, evidence) {
  if (policy === void 0) return [];
  const program = policy.programs.find(({ measurements }) => measurements.includes(evidence.measurement));
  const allowed = policy.programs.flatMap(
    ({ name, measurements }) => measurements.map((measurement) => `${measurement} (${name})`)
  );
  const place = policy.footprints.find(({ name }) => name === footprint);
  return [
    checkOf2(
      "program",
      program !== void 0,
      program === void 0 ? evidence.measurement : `${evidence.measurement} (${program.name})`,
      allowed.join(" or "),
      'The component runs a program that the policy does not allow: its file was changed, or it is another release. Put the released file back and start the component again, or add the measurement to "programs" if you meant it.'
    ),
    checkOf2(
      "footprint",
      place !== void 0,
      footprint,
      policy.footprints.map(({ name }) => name).join(" or "),
      "The policy does not allow components on this footprint. Move the component, or add the footprint to the policy."
    )
  ];
}
function endorsementChecks(parts, bundle, evidence, bind) {
  const { policy, crypto: crypto2, footprint: footprintName, timeMs } = parts;
  if (policy === void 0) return [];
  const footprint = policy.footprints.find(({ name }) => name === footprintName);
  const checks = bundle.endorsements.flatMap(({ format, body }) => {
    const plugin = EVIDENCE_FORMATS.find(({ name }) => name === format);
    if (plugin === void 0)
      return [
        checkOf2(
          "format",
          false,
          format,
          EVIDENCE_FORMATS.map(({ name }) => name).join(" or "),
          "This release cannot read that kind of endorsement. Leave it out, or use a release that has the format."
        )
      ];
    const context = {
      crypto: crypto2,
      evidence,
      bind,
      program: policy.programs.find(({ measurements }) => measurements.includes(evidence.measurement)),
      footprint,
      footprintName,
      roots: policy.roots.filter((root) => root.format === format),
      timeMs
    };
    return plugin.verify(body, context);
  });
  const given = new Set(bundle.endorsements.map(({ format }) => format));
  const needed = footprint?.endorsedBy ?? [];
  const shown2 = given.size === 0 ? "none" : [...given].join(" and ");
  return [
    ...checks,
    checkOf2(
      "endorsement",
      footprint !== void 0 && needed.every((format) => given.has(format)),
      shown2,
      needed.length === 0 ? "nothing more than possession of the key" : `an endorsement of ${needed.join(" and of ")}`,
      `On the footprint ${footprintName} the word of the component is not enough. Have it endorsed (for an operator: trusted endorse) over ${bind}.`
    )
  ];
}
function judgeEvidence(bytes, parts) {
  const bundle = decodeBundleOfEvidence(bytes);
  const evidence = bundle === void 0 ? void 0 : decodeEvidence(bundle.possession);
  if (bundle === void 0 || evidence === void 0) {
    return verdictOf([
      checkOf2(
        "bundle",
        false,
        `${bytes.length} bytes that are no evidence bundle`,
        "a canonical evidence bundle",
        "There is no evidence, or it was damaged. Ask the component again."
      )
    ]);
  }
  const bind = bindDigestOf(parts.crypto.hash, evidence);
  return verdictOf([
    ...possessionChecks(parts, evidence, bind),
    ...componentChecks(parts, evidence),
    ...policyChecks(parts, evidence),
    ...endorsementChecks(parts, bundle, evidence, bind)
  ]);
}

// src/trusted/attestation/group-key.ts
var KEY_BYTES2 = 32;
var TAG_BYTES = 16;
var GROUP_ID_BYTES = 16;
var FOOTPRINT_BYTES_MAX2 = 32;
var SIGNATURE_BYTES2 = 64;
function keyOfferBytes(offer, possession) {
  return new Writer(512).ascii(domainTag("attestation", "GROUP-KEY-OFFER")).raw(offer.groupId).raw(offer.envelopeKey).digest(offer.policy).ascii(offer.footprint).bytes(possession).finish();
}
function groupKeyChallenge(hash6, groupId, envelopeKey) {
  const writer = new Writer(128).ascii(domainTag("attestation", "GROUP-KEY"));
  return finishDigest(hash6, writer.bytes(groupId).bytes(envelopeKey));
}
function encodeKeyOffer(offer) {
  return new Writer(1024).u8(2).raw(offer.groupId).raw(offer.envelopeKey).digest(offer.policy).raw(offer.signature).ascii(offer.footprint).bytes(offer.evidence).finish();
}
function decodeKeyOffer(bytes) {
  return decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 2) reader.fail();
    const groupId = new Uint8Array(reader.raw(GROUP_ID_BYTES));
    const envelopeKey = new Uint8Array(reader.raw(KEY_BYTES2));
    const policy = reader.digest();
    const signature = new Uint8Array(reader.raw(SIGNATURE_BYTES2));
    const footprint = reader.ascii(FOOTPRINT_BYTES_MAX2);
    const evidence = new Uint8Array(reader.bytes(EVIDENCE_BYTES_MAX));
    return { groupId, envelopeKey, policy, signature, footprint, evidence };
  });
}
function offerChecks(offer, own, verifyEd25519) {
  const possession = decodeBundleOfEvidence(offer.evidence)?.possession ?? new Uint8Array(0);
  const key = hexToBytes(decodeEvidence(possession)?.publicKey ?? "");
  const holds = key?.length === KEY_BYTES2 && verifyEd25519(key, keyOfferBytes(offer, possession), offer.signature);
  return [
    checkOf2(
      "offer",
      holds,
      holds ? "made by the component itself" : "a signature that does not verify",
      "the signature of the component over its offer",
      "The host had its component attest for an envelope key that is not the component's, or the offer was changed. Have the component make its offer itself."
    ),
    checkOf2(
      "group policy",
      offer.policy === own.digest,
      offer.policy,
      own.digest,
      "That component would hand the key on by another policy. All members of a group need the same policy file, byte by byte: make the group, or the request, again with it."
    )
  ];
}
function judgeKeyOffer(bytes, groupId, own, crypto2) {
  const offer = decodeKeyOffer(bytes);
  if (offer === void 0) return { verdict: void 0, accepted: void 0 };
  const { hash: hash6, verifyEd25519, verifyP256 } = crypto2;
  const judged = judgeEvidence(offer.evidence, {
    crypto: { hash: hash6, verifyEd25519, ...verifyP256 === void 0 ? {} : { verifyP256 } },
    // Of the expected group: an offer for another one answers another challenge.
    challenge: groupKeyChallenge(hash6, groupId, offer.envelopeKey),
    footprint: offer.footprint,
    policy: own.policy
  });
  const verdict = verdictOf([...judged.checks, ...offerChecks(offer, own, verifyEd25519)]);
  const digest = bytesToDigest(hash6(bytes));
  return { verdict, accepted: verdict.accepted ? { offer, digest } : void 0 };
}
function bindingOf(holder, joiner, oneTimeKey) {
  return new Writer(256).ascii(domainTag("attestation", "GROUP-KEY-ENVELOPE")).raw(joiner.offer.groupId).digest(holder.digest).digest(joiner.digest).raw(oneTimeKey).finish();
}
function envelopeSecret(hmac2, shared, binding) {
  const material = new Uint8Array(KEY_BYTES2 * shared.length);
  shared.forEach((part, index) => material.set(part, KEY_BYTES2 * index));
  const extracted = hmac2(new Uint8Array(KEY_BYTES2), material);
  const info = new Uint8Array(binding.length + 1);
  info.set(binding);
  info[binding.length] = 1;
  const secret = hmac2(extracted, info);
  material.fill(0);
  return secret;
}
function sealGroupKey(holder, joiner, crypto2) {
  if (bytesToDigest(holder.own.offer.groupId) !== bytesToDigest(joiner.offer.groupId)) return void 0;
  const oneTimeKey = crypto2.x25519PublicKey(holder.oneTimeSecret);
  const once = crypto2.x25519(holder.oneTimeSecret, joiner.offer.envelopeKey);
  const pair = crypto2.x25519(holder.secret, joiner.offer.envelopeKey);
  if (once === void 0 || pair === void 0) return void 0;
  const binding = bindingOf(holder.own, joiner, oneTimeKey);
  const secret = envelopeSecret(crypto2.hmac, [once, pair], binding);
  const sealed = crypto2.seal(secret, holder.groupKey, binding);
  for (const part of [once, pair, secret]) part.fill(0);
  return new Writer(128).raw(oneTimeKey).raw(sealed).finish();
}
function openGroupKey(envelope, joiner, holder, crypto2) {
  if (envelope.length !== 2 * KEY_BYTES2 + TAG_BYTES) return void 0;
  const oneTimeKey = envelope.slice(0, KEY_BYTES2);
  const once = crypto2.x25519(joiner.secret, oneTimeKey);
  const pair = crypto2.x25519(joiner.secret, holder.offer.envelopeKey);
  if (once === void 0 || pair === void 0) return void 0;
  const binding = bindingOf(holder, joiner.own, oneTimeKey);
  const secret = envelopeSecret(crypto2.hmac, [once, pair], binding);
  const groupKey = crypto2.open(secret, envelope.slice(KEY_BYTES2), binding);
  for (const part of [once, pair, secret]) part.fill(0);
  return groupKey;
}

// src/footprints/group/ceremony.ts
var JOINING_FILE = "joining";
var FOOTPRINT = "process";
var PUBLIC_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
var PRIVATE_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
var TAG_BYTES2 = 16;
var OFFER_BYTES_MAX = 16 * 1024;
var NO_KEY = new Uint8Array(32);
var CeremonyRefusal = class extends Error {
  name = "CeremonyRefusal";
};
var policyDigestOf = (policy) => bytesToDigest(crypto.hash(new TextEncoder().encode(policy)));
var privateKeyOf = (secret) => createPrivateKey2({ key: Buffer.concat([PRIVATE_PREFIX, secret]), format: "der", type: "pkcs8" });
var publicKeyOf = (raw) => createPublicKey2({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: "der", type: "spki" });
var cipherSettings = ["chacha20-poly1305", Buffer.alloc(12), { authTagLength: TAG_BYTES2 }];
var crypto = {
  hash: (bytes) => hash5("sha256", bytes, "buffer"),
  hmac: (key, bytes) => createHmac2("sha256", key).update(bytes).digest(),
  verifyEd25519: checkSignature,
  x25519PublicKey: (secret) => new Uint8Array(
    createPublicKey2(privateKeyOf(secret)).export({ format: "der", type: "spki" }).subarray(-32)
  ),
  x25519: (secret, publicKey) => {
    try {
      return new Uint8Array(
        diffieHellman({ privateKey: privateKeyOf(secret), publicKey: publicKeyOf(publicKey) })
      );
    } catch {
      return void 0;
    }
  },
  seal: (key, plain, associated) => {
    const [name, nonce, settings] = cipherSettings;
    const cipher = createCipheriv(name, key, nonce, settings).setAAD(associated, {
      plaintextLength: plain.length
    });
    return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
  },
  open: (key, sealed, associated) => {
    const end = sealed.length - TAG_BYTES2;
    const [name, nonce, settings] = cipherSettings;
    try {
      const decipher = createDecipheriv(name, key, nonce, settings).setAAD(associated, { plaintextLength: end }).setAuthTag(sealed.subarray(end));
      return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]));
    } catch {
      return void 0;
    }
  }
};
function decodeGrant(bytes) {
  return decodeWhole(bytes, (reader) => ({
    holder: new Uint8Array(reader.bytes(OFFER_BYTES_MAX)),
    joiner: new Uint8Array(reader.bytes(OFFER_BYTES_MAX)),
    envelope: new Uint8Array(reader.bytes(256))
  }));
}
function assertNoGroup() {
  if (existsSync3(GROUP_FILE))
    throw new CeremonyRefusal("this component belongs to a group already; make a new one for another group");
}
function offerOf(group, attest2) {
  const envelopeKey = crypto.x25519PublicKey(group.envelopeSecret);
  const policy = policyDigestOf(group.policy);
  const content = { groupId: group.id, envelopeKey, footprint: FOOTPRINT, policy };
  const challenge = groupKeyChallenge(crypto.hash, group.id, envelopeKey);
  const word = attest2(challenge, (possession) => keyOfferBytes(content, possession));
  return encodeKeyOffer({ ...content, ...word });
}
function accept(bytes, group, whose) {
  const policy = JSON.parse(group.policy);
  const own = { policy, digest: policyDigestOf(group.policy) };
  const { verdict, accepted } = judgeKeyOffer(bytes, group.id, own, crypto);
  if (accepted !== void 0) return accepted;
  const why = verdict === void 0 ? "it is no offer" : `
${verdictLines(verdict).join("\n")}`;
  throw new CeremonyRefusal(`the offer of ${whose} is refused: ${why}`);
}
function isOwn(offer, group) {
  return equalBytes(offer.offer.envelopeKey, crypto.x25519PublicKey(group.envelopeSecret));
}
function makeGroup(replica, policy, use, attest2) {
  assertNoGroup();
  const parts = { use, replica, policy, envelopeSecret: new Uint8Array(randomBytes3(32)) };
  const group = { key: new Uint8Array(randomBytes3(32)), id: new Uint8Array(randomBytes3(16)), ...parts };
  const offer = offerOf(group, attest2);
  writeWhole(GROUP_FILE, encodeGroupKey(group));
  return offer;
}
function requestGroup(replica, policy, use, holderOffer, attest2) {
  assertNoGroup();
  const groupId = decodeKeyOffer(holderOffer)?.groupId;
  if (groupId === void 0) throw new CeremonyRefusal("that is no offer of a member of a group");
  const group = {
    use,
    key: NO_KEY,
    id: groupId,
    replica,
    policy,
    envelopeSecret: new Uint8Array(randomBytes3(32))
  };
  const offer = offerOf(group, attest2);
  writeWhole(JOINING_FILE, encodeGroupKey(group));
  return offer;
}
function grantGroup(holderOffer, joinerOffer) {
  const group = readGroupFile();
  if (group === void 0) throw new CeremonyRefusal("this component has no group key to give: ask a member");
  const own = accept(holderOffer, group, "this component");
  if (!isOwn(own, group)) throw new CeremonyRefusal("the first offer is not the one of this component");
  const joiner = accept(joinerOffer, group, "the newcomer");
  const holder = {
    own,
    secret: group.envelopeSecret,
    oneTimeSecret: new Uint8Array(randomBytes3(32)),
    groupKey: group.key
  };
  const envelope = sealGroupKey(holder, joiner, crypto);
  if (envelope === void 0) throw new CeremonyRefusal("the envelope key of the newcomer is not usable");
  return new Writer(2048).bytes(holderOffer).bytes(joinerOffer).bytes(envelope).finish();
}
function installGroup(bytes) {
  assertNoGroup();
  if (!existsSync3(JOINING_FILE))
    throw new CeremonyRefusal("this component did not ask to join a group: begin with a request");
  const group = decodeGroupKey(readFileSync5(JOINING_FILE));
  const grant = decodeGrant(bytes);
  if (group === void 0 || grant === void 0)
    throw new CeremonyRefusal("that is no grant of a group key");
  const holder = accept(grant.holder, group, "the member");
  const own = accept(grant.joiner, group, "this component");
  const joiner = { own, secret: group.envelopeSecret };
  const key = isOwn(own, group) ? openGroupKey(grant.envelope, joiner, holder, crypto) : void 0;
  if (key === void 0)
    throw new CeremonyRefusal("the grant is not for this component, or it was changed on its way");
  writeWhole(GROUP_FILE, encodeGroupKey({ ...group, key }));
  rmSync(JOINING_FILE);
}

// src/footprints/group/main-group.ts
var MODULES = new URL("./", import.meta.url);
var REPLICAS_END = 1024;
function attest(challenge, offerOf2) {
  const found = moduleOfFolder(MODULES);
  const log = StateLog.open(".", "fsync", RECENT_DEPTH);
  const program = startModule(found.module, createEnvironment(log, "fsync", found.measurement));
  log.begin(() => program.image?.());
  const answer = decodeTrustedResponse(program.handle(encodeTrustedRequest({ op: "attest", challenge })));
  const key = programKeyOf(log.key);
  log.close();
  if (answer?.op !== "attest") throw new CeremonyRefusal("the program of this component gives no evidence");
  const signature = new Uint8Array(key.authenticate(offerOf2(answer.evidence)));
  return { evidence: encodeBundleOfEvidence({ possession: answer.evidence, endorsements: [] }), signature };
}
function bytesOf(line) {
  const bytes = hexToBytes(line ?? "");
  if (bytes === void 0 || bytes.length === 0) throw new CeremonyRefusal("the input is not hexadecimal");
  return bytes;
}
function perform(step, replica, use, input) {
  const [first = "", ...others] = input.split("\n");
  const rest = others.join("\n");
  switch (step) {
    case "new":
      return bytesToHex(makeGroup(replica, input, use, attest));
    case "request":
      return bytesToHex(requestGroup(replica, rest, use, bytesOf(first), attest));
    case "grant":
      return bytesToHex(grantGroup(bytesOf(first), bytesOf(rest)));
    case "install":
      installGroup(bytesOf(first));
      return "done";
    default:
      throw new CeremonyRefusal("--step is new, request, grant or install");
  }
}
async function main() {
  process.umask(63);
  const { values } = parseArgs({
    options: {
      folder: { type: "string" },
      step: { type: "string", default: "" },
      replica: { type: "string", default: "0" },
      use: { type: "string", default: "statements" }
    }
  });
  const { folder, step, use } = values;
  const replica = Number(values.replica);
  if (folder === void 0 || statSync3(folder, { throwIfNoEntry: false }) === void 0)
    throw new CeremonyRefusal("--folder names the folder of a trusted process");
  if (!Number.isSafeInteger(replica) || replica < 0 || replica >= REPLICAS_END)
    throw new CeremonyRefusal(`--replica is a number from 0 to ${REPLICAS_END - 1}`);
  if (use !== "statements" && use !== "requests")
    throw new CeremonyRefusal("--use is statements or requests");
  const input = readFileSync6(0, "utf8").trimEnd();
  process.chdir(folder);
  if (!await claimFolder(readFileSync6(FOLDER_FILES.access)))
    throw new CeremonyRefusal("a process serves this component: stop it first");
  process.stdout.write(`${perform(step, replica, use, input)}
`, () => process.exit(0));
}
main().catch((error) => {
  const text = error instanceof Error ? error.message : String(error);
  process.stdout.write(`refused: ${text}
`, () => process.exit(1));
});
