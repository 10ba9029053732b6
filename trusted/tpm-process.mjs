// Built by scripts/build-trusted.mjs. Its SHA-256 is the carrier measurement (trusted/measurements.json).

// src/footprints/tpm/main-tpm.ts
import { randomBytes as randomBytes4 } from "node:crypto";
import { existsSync as existsSync4, readFileSync as readFileSync7 } from "node:fs";

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

// src/trusted/attestation/tpm-attest.ts
var ALGORITHM = { sha256: 11, none: 16, ecdsa: 24, ecc: 35 };
var ATTESTATION_KEY_NEEDS = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18;
var ATTESTATION_KEY_MUST_NOT = 1 << 17;
var NV_TYPE_MASK = 15 << 4;
var NV_COUNTER = 1 << 4;
var NV_EXTEND = 4 << 4;
var NV_WRITTEN = 1 << 29;
var NV_IRREMOVABLE = 1 << 30 | 1 << 10;
var NV_VOLATILE = 1 << 26 | 1 << 27;
function nvNameOf(hash4, area) {
  return new Writer(64).u16(ALGORITHM.sha256).raw(hash4(area)).finish();
}
function tpmEpochOf(hash4, { counterName, born, publicKey }) {
  const writer = new Writer(160).ascii(domainTag("tpm", "EPOCH"));
  writer.bytes(counterName).u64(born).bytes(publicKey);
  return bytesToTcEpoch(hash4(writer.finish()).subarray(0, 8));
}
function tpmQualifyingData(hash4, { bind, measurement, born, run }) {
  const writer = new Writer(160).ascii(domainTag("tpm", "QUOTE")).digest(bind).digest(measurement).u64(born).u64(run);
  return new Uint8Array(hash4(writer.finish()));
}

// src/trusted/attestation/tpm-quote.ts
var ENDORSE_CODE = 224;
function writeSigned(writer, { attest, signature }) {
  writer.bytes(attest).raw(signature);
}
function encodeTpmEndorsement(endorsement) {
  const writer = new Writer(768).bytes(endorsement.keyArea);
  writer.option(endorsement.certificate, (w, { root, signature }) => w.hex(root).raw(signature));
  writer.bytes(endorsement.counterArea).u64(endorsement.born).u64(endorsement.run);
  writeSigned(writer, endorsement.counter);
  writeSigned(writer, endorsement.quote);
  return writer.finish();
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
var MOVES_MAX = 16;
var EXTENSION_BYTES_MAX = 4 * 1024;
var COUNTER_SENTINEL = -1;
var RECENT_DEPTH = 64;
var TAG_CLAIMS_MAX = 256;
var CORE_BYTES_MAX = 4 * 1024;

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
function tcIdOf(hash4, source) {
  const writer = new Writer(64).raw(asciiBytes("tc-id-v1")).u8(SUITE_BYTE[source.suite]);
  if (source.suite === "hmac-sha256") writer.raw(source.groupId).u32(source.replica);
  else writer.raw(source.publicKey);
  return bytesToHex(hash4(writer.finish()).subarray(0, 16));
}
function bindDigestOf(hash4, parts) {
  const writer = new Writer(128).raw(asciiBytes("tc-bind-v1")).u8(SUITE_BYTE[parts.suite]).hex(parts.tcId).tcEpoch(parts.tcEpoch).u16(parts.publicKey.length / 2).hex(parts.publicKey).digest(parts.challenge);
  return bytesToDigest(hash4(writer.finish()));
}

// src/trusted/frames.ts
var REQUEST_BYTES_MAX = 26 * 1024;
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
function writeClaim(writer, claim) {
  writer.digest(claim.clientId).u32(claim.version).digest(claim.digest).raw(claim.tag);
}
function readClaim(reader) {
  const clientId = reader.digest();
  const version = reader.u32();
  return { clientId, version, digest: reader.digest(), tag: copyOf(reader.raw(32)) };
}
function writeClientKeyRequest(writer, request) {
  if (request.op === "verifyTags") {
    writer.list(request.claims, writeClaim);
    return;
  }
  writer.raw(request.clientKey).u32(request.version).digest(request.clusterId);
  writer.u64(request.configurationVersion).raw(request.agreementKey).raw(request.signature);
}
function readKeyExport(reader) {
  const clientKey = copyOf(reader.raw(32));
  const version = reader.u32();
  const clusterId = reader.digest();
  const configurationVersion = reader.u64();
  const agreementKey = copyOf(reader.raw(32));
  const signature = copyOf(reader.raw(64));
  return { op: "exportClientKey", clientKey, version, clusterId, configurationVersion, agreementKey, signature };
}
function readTagClaims(reader) {
  const claims = reader.list(TAG_CLAIMS_MAX, readClaim);
  if (claims.length === 0) reader.fail();
  return { op: "verifyTags", claims };
}
function writeVerdicts(writer, valid) {
  const bits = new Uint8Array(Math.ceil(valid.length / 8));
  valid.forEach((one, index) => bits[index >> 3] |= one ? 1 << (index & 7) : 0);
  writer.u32(valid.length).raw(bits);
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
    case "exportClientKey":
    case "verifyTags":
      writeClientKeyRequest(writer, request);
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
    case OP.exportClientKey:
      return readKeyExport(reader);
    case OP.verifyTags:
      return readTagClaims(reader);
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
    case "exportClientKey":
      writer.raw(response.envelope);
      break;
    case "verifyTags":
      writeVerdicts(writer, response.valid);
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

// src/footprints/durable-file.ts
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
function writeWhole(path, content) {
  const aside = `${path}.new`;
  const file = openSync(aside, "w", 384);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

// src/footprints/process/carrier.ts
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync as existsSync2, mkdirSync, readFileSync as readFileSync4, rmSync as rmSync2, statSync as statSync2, writeFileSync as writeFileSync3 } from "node:fs";
import { parseArgs } from "node:util";

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
var TOKEN_BYTES = 32;
var CHANNEL_ID = 0;
var CHANNEL_VERSION = 1;
var CHANNEL_KIND = { greeting: 1, welcome: 2, refusal: 3, stop: 4 };
var HARDENINGS = ["none", "bubblewrap"];
var HEAD_BYTES = 8;
function encodeWelcome({ durability, hardening, pid }) {
  const body = Buffer.alloc(8);
  body.set([CHANNEL_KIND.welcome, CHANNEL_VERSION, durability]);
  body.writeUInt32BE(pid, 3);
  body[7] = HARDENINGS.indexOf(hardening);
  return body;
}
function encodeFrame(id, body) {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32BE(4 + body.length, 0);
  frame.writeUInt32BE(id, 4);
  frame.set(body, HEAD_BYTES);
  return frame;
}
var FrameReader = class {
  #bodyBytesMax;
  #bytes = Buffer.alloc(0);
  #at = 0;
  #broken = false;
  constructor(bodyBytesMax) {
    this.#bodyBytesMax = bodyBytesMax;
  }
  /** True once a frame was too long or too short: the stream cannot be read any further. */
  get broken() {
    return this.#broken;
  }
  /** Whether a frame has begun to come and has not ended. */
  get isPartial() {
    return this.#at < this.#bytes.length;
  }
  /** Takes what was read. */
  push(chunk) {
    const left = this.#bytes.length - this.#at;
    this.#bytes = left === 0 ? chunk : Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
  }
  /** The next complete frame; undefined if there is none yet. */
  next() {
    const bytes = this.#bytes;
    const at = this.#at;
    const left = bytes.length - at;
    if (this.#broken || left < 4) return void 0;
    const length = bytes.readUInt32BE(at);
    if (length < 4 || length > 4 + this.#bodyBytesMax) {
      this.#broken = true;
      return void 0;
    }
    if (left < 4 + length) return void 0;
    this.#at = at + 4 + length;
    return { id: bytes.readUInt32BE(at + 4), body: bytes.subarray(at + HEAD_BYTES, this.#at) };
  }
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
    await new Promise((resolve2) => setTimeout(resolve2, RETRY_MS));
  }
}

// src/footprints/process/lock.ts
import { createHash } from "node:crypto";
import { closeSync as closeSync2, openSync as openSync2, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
var RETRY_MS2 = 20;
function lockName(folder, token) {
  const { dev, ino } = statSync(folder, { bigint: true });
  const digest = createHash("sha256").update(token).update(`${dev}:${ino}`).digest("hex");
  return `\0moiety-tc-${digest.slice(0, 40)}`;
}
function bindName(name) {
  return new Promise((resolve2, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") resolve2(false);
      else reject(error);
    });
    server.listen(name, () => resolve2(true)).unref();
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
    const file = openSync2(path, "wx", 384);
    writeSync(file, `${process.pid}
`);
    closeSync2(file);
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
    await new Promise((resolve2) => setTimeout(resolve2, RETRY_MS2));
  }
}

// src/footprints/process/claim-folder.ts
var PATIENCE_MS = 2e3;
async function claimFolder(token) {
  if (canLockFiles() && !await takeFileLock(FOLDER_FILES.lock, PATIENCE_MS)) return false;
  return takeLock(".", token, PATIENCE_MS);
}

// src/footprints/process/program-file.ts
import { hash } from "node:crypto";
import { existsSync, readFileSync as readFileSync2 } from "node:fs";
var FIRST_PROGRAM = "usig";
var NAME = /^[a-z][a-z0-9-]{0,31}$/;
function loadModule(modules, program, expected) {
  const file = new URL(`${program}.wasm`, modules);
  if (!NAME.test(program) || !existsSync(file))
    throw new Error(`there is no trusted program "${program}" in this installation`);
  const bytes = readFileSync2(file);
  const measurement = bytesToDigest(hash("sha256", bytes, "buffer"));
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
  if (!existsSync(FOLDER_FILES.program)) {
    const first = loadModule(modules, FIRST_PROGRAM);
    writeProgramFile(first);
    return first;
  }
  let expected;
  try {
    expected = JSON.parse(readFileSync2(FOLDER_FILES.program, "utf8"));
  } catch {
    throw new Error(`${FOLDER_FILES.program} of the trusted component is damaged`);
  }
  return loadModule(modules, String(expected.program), String(expected.measurement));
}

// src/footprints/process/own-socket.ts
import { lstatSync } from "node:fs";
function nodeOf(path) {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found === void 0 ? void 0 : `${found.dev}:${found.ino}`;
}
function watchSocket(path) {
  const own = nodeOf(path);
  return () => {
    const now = nodeOf(path);
    if (now === void 0) return "gone";
    return now === own ? "own" : "other";
  };
}

// src/footprints/process/seal.ts
import { spawnSync } from "node:child_process";
import { readFileSync as readFileSync3, rmSync, writeFileSync as writeFileSync2 } from "node:fs";

// src/footprints/process/seccomp.ts
var AUDIT_ARCH_X86_64 = 3221225534;
var X32_BIT = 1073741824;
var RETURN = { allow: 2147418112, refuse: 327681, unknown: 327718, kill: 2147483648 };
var LOAD = 32;
var JUMP_EQUAL = 21;
var JUMP_NOT_BELOW = 53;
var AND = 84;
var RET = 6;
var NUMBER_AT = 0;
var ARCH_AT = 4;
var ARGUMENTS_AT = 16;
var Assembler = class {
  #bytes = [];
  emit(code, value, whenTrue = 0, whenFalse = 0) {
    const word = [value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24];
    this.#bytes.push(code & 255, code >>> 8, whenTrue, whenFalse, ...word);
    return this;
  }
  /** The call is `call`: what `then` emits follows; else it is skipped. `then` ends with a return. */
  onCall(call, then) {
    this.emit(JUMP_EQUAL, call, 0, then.length);
    this.#bytes.push(...then.#bytes);
    return this;
  }
  /** In instructions. */
  get length() {
    return this.#bytes.length / 8;
  }
  finish() {
    return Uint8Array.from(this.#bytes);
  }
};
function conditional({ argument, equals = [], bits }) {
  const code = new Assembler().emit(LOAD, ARGUMENTS_AT + 8 * argument);
  for (const value of equals) code.emit(JUMP_EQUAL, value, 0, 1).emit(RET, RETURN.allow);
  if (bits !== void 0) code.emit(AND, bits).emit(JUMP_EQUAL, bits, 0, 1).emit(RET, RETURN.allow);
  return code.emit(RET, RETURN.refuse);
}
function assembleFilter({ allowed, refused }) {
  const code = new Assembler().emit(LOAD, ARCH_AT).emit(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1, 0).emit(RET, RETURN.kill).emit(LOAD, NUMBER_AT).emit(JUMP_NOT_BELOW, X32_BIT, 0, 1).emit(RET, RETURN.kill);
  for (const { call, when } of allowed)
    code.onCall(call, when === void 0 ? new Assembler().emit(RET, RETURN.allow) : conditional(when));
  for (const call of refused) code.onCall(call, new Assembler().emit(RET, RETURN.refuse));
  return code.emit(RET, RETURN.unknown).finish();
}

// src/footprints/process/system-calls.ts
var CALLS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  stat: 4,
  fstat: 5,
  lstat: 6,
  poll: 7,
  lseek: 8,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  pread64: 17,
  pwrite64: 18,
  readv: 19,
  writev: 20,
  access: 21,
  sched_yield: 24,
  mremap: 25,
  mincore: 27,
  madvise: 28,
  dup: 32,
  nanosleep: 35,
  getpid: 39,
  accept: 43,
  shutdown: 48,
  getsockname: 51,
  getpeername: 52,
  setsockopt: 54,
  getsockopt: 55,
  exit: 60,
  uname: 63,
  fcntl: 72,
  fsync: 74,
  fdatasync: 75,
  truncate: 76,
  ftruncate: 77,
  getdents: 78,
  getcwd: 79,
  chdir: 80,
  rename: 82,
  mkdir: 83,
  unlink: 87,
  readlink: 89,
  chmod: 90,
  fchmod: 91,
  umask: 95,
  gettimeofday: 96,
  getrlimit: 97,
  getrusage: 98,
  sysinfo: 99,
  getuid: 102,
  getgid: 104,
  geteuid: 107,
  getegid: 108,
  sigaltstack: 131,
  sched_getparam: 143,
  sched_getscheduler: 145,
  gettid: 186,
  futex: 202,
  time: 201,
  sched_getaffinity: 204,
  getdents64: 217,
  set_tid_address: 218,
  restart_syscall: 219,
  clock_gettime: 228,
  clock_getres: 229,
  clock_nanosleep: 230,
  exit_group: 231,
  epoll_wait: 232,
  epoll_ctl: 233,
  tgkill: 234,
  openat: 257,
  newfstatat: 262,
  unlinkat: 263,
  renameat: 264,
  fchmodat: 268,
  faccessat: 269,
  ppoll: 271,
  set_robust_list: 273,
  epoll_pwait: 281,
  fallocate: 285,
  accept4: 288,
  eventfd2: 290,
  epoll_create1: 291,
  dup3: 292,
  pipe2: 293,
  getcpu: 309,
  renameat2: 316,
  getrandom: 318,
  membarrier: 324,
  pkey_mprotect: 329,
  pkey_alloc: 330,
  pkey_free: 331,
  statx: 332,
  rseq: 334,
  epoll_pwait2: 441,
  faccessat2: 439
};
var IOCTL = 16;
var CLONE = 56;
var PRCTL = 157;
var PRLIMIT = 302;
var CLONE_THREAD = 65536;
var IOCTLS = [21537, 21585, 21584, 21505];
var PRCTLS = [15, 16, 1398164801];
var STEADY = [
  ...Object.values(CALLS).map((call) => ({ call })),
  { call: IOCTL, when: { argument: 1, equals: IOCTLS } },
  // Threads, but no other processes.
  { call: CLONE, when: { argument: 0, bits: CLONE_THREAD } }
];
var REFUSED = {
  kill: 62,
  fork: 57,
  vfork: 58,
  execveat: 322,
  socketpair: 53,
  sendto: 44,
  sendmsg: 46,
  recvmsg: 47,
  ptrace: 101,
  setuid: 105,
  setgid: 106,
  personality: 135,
  pivot_root: 155,
  chroot: 161,
  mount: 165,
  umount2: 166,
  init_module: 175,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  unshare: 272,
  perf_event_open: 298,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  finit_module: 313,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  pidfd_open: 434,
  pidfd_getfd: 438
};
var EXECVE = 59;
var SOCKET = 41;
var CONNECT = 42;
var BIND = 49;
var LISTEN = 50;
var MLOCKALL = 151;
var SECCOMP = 317;
var AF_UNIX = 1;
var UNIX_SOCKET = { call: SOCKET, when: { argument: 0, equals: [AF_UNIX] } };
function steadyFilter({ connects = false } = {}) {
  return assembleFilter({
    allowed: [
      ...STEADY,
      { call: PRCTL, when: { argument: 0, equals: PRCTLS } },
      ...connects ? [UNIX_SOCKET, { call: CONNECT }] : []
    ],
    refused: [
      ...Object.values(REFUSED),
      ...connects ? [] : [SOCKET, CONNECT],
      ...[EXECVE, BIND, LISTEN, PRLIMIT, MLOCKALL, SECCOMP]
    ]
  });
}
var SEAL_CALLS = { prctl: PRCTL, prlimit64: PRLIMIT, mlockall: MLOCKALL, seccomp: SECCOMP };

// src/footprints/process/seal-library.ts
var HEADER_BYTES = 64;
var SEGMENT_BYTES = 56;
var SEGMENTS = 4;
var CODE_AT = HEADER_BYTES + SEGMENTS * SEGMENT_BYTES;
var DATA_AT = 4096;
var ENTRY_BYTES = 56;
var DYNAMIC_ENTRIES = 11;
var RELOCATION_BYTES = 24;
var INSTRUCTION_BYTES = 8;
var R_X86_64_RELATIVE = 8;
function machineCode(tableAt) {
  const distance = tableAt - (CODE_AT + 8);
  const address = [distance & 255, distance >>> 8 & 255, distance >>> 16 & 255, distance >>> 24];
  return Uint8Array.of(
    ...[83],
    ...[72, 141, 29, ...address],
    ...[72, 139, 3],
    ...[72, 133, 192],
    ...[120, 49],
    ...[72, 139, 123, 8],
    ...[72, 139, 115, 16],
    ...[72, 139, 83, 24],
    ...[76, 139, 83, 32],
    ...[76, 139, 67, 40],
    ...[15, 5],
    ...[72, 133, 192],
    ...[116, 16],
    ...[131, 123, 48, 0],
    ...[116, 10],
    ...[139, 123, 48],
    ...[184, 231, 0, 0, 0],
    ...[15, 5],
    ...[72, 131, 195, ENTRY_BYTES],
    ...[235, 199],
    ...[91, 195]
    // done: pop rbx; ret
  );
}
var Section = class {
  #parts = [];
  at;
  constructor(at) {
    this.at = at;
  }
  /** Adds bytes and tells where they are; the next ones begin at a multiple of eight. */
  add(bytes) {
    const at = this.at;
    const padded = new Uint8Array(bytes.length + 7 & ~7);
    padded.set(bytes);
    this.#parts.push(padded);
    this.at += padded.length;
    return at;
  }
  finish() {
    return Buffer.concat(this.#parts);
  }
};
function words(...values) {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => bytes.writeBigInt64LE(BigInt(value), index * 8));
  return bytes;
}
function segment(kind, flags, at, length, align) {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(flags, 4);
  return Buffer.concat([head, words(at, at, at, length, length, align)]);
}
function fileHeader() {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set([127, 69, 76, 70, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(HEADER_BYTES), 32);
  header.writeUInt16LE(HEADER_BYTES, 52);
  header.writeUInt16LE(SEGMENT_BYTES, 54);
  header.writeUInt16LE(SEGMENTS, 56);
  header.writeUInt16LE(64, 58);
  return header;
}
function callingLibrary(calls) {
  const dynamicBytes = DYNAMIC_ENTRIES * 16;
  const tableAt = DATA_AT + dynamicBytes;
  const rest = new Section(tableAt + calls.length * ENTRY_BYTES + 8);
  const relocations = [];
  const pointer = (from, to) => {
    relocations.push(words(from, R_X86_64_RELATIVE, to));
    return to;
  };
  const table = calls.map(({ call, arguments: given, exitCode }, index) => {
    const entryAt = tableAt + index * ENTRY_BYTES;
    const slots = [0, 1, 2, 3, 4].map((slot) => {
      const argument = given[slot] ?? 0;
      if (typeof argument === "number") return argument;
      if (argument instanceof Uint8Array) return pointer(entryAt + 8 + 8 * slot, rest.add(argument));
      const filterAt = rest.add(argument.filter);
      const headAt = rest.add(words(argument.filter.length / INSTRUCTION_BYTES, filterAt));
      pointer(headAt + 8, filterAt);
      return pointer(entryAt + 8 + 8 * slot, headAt);
    });
    return words(call, ...slots, exitCode);
  });
  const initAt = rest.add(words(CODE_AT));
  pointer(initAt, CODE_AT);
  const stringsAt = rest.add(new Uint8Array(1));
  const symbolsAt = rest.add(new Uint8Array(24));
  const hashAt = rest.add(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  const relocationsAt = rest.add(Buffer.concat(relocations));
  const dynamic = words(
    ...[4, hashAt, 5, stringsAt, 6, symbolsAt, 10, 1, 11, 24],
    ...[7, relocationsAt, 8, relocations.length * RELOCATION_BYTES, 9, RELOCATION_BYTES],
    ...[25, initAt, 27, 8, 0, 0]
  );
  const data = Buffer.concat([dynamic, ...table, words(-1), rest.finish()]);
  const code = machineCode(tableAt);
  const head = Buffer.concat([
    fileHeader(),
    segment(1, 5, 0, CODE_AT + code.length, 4096),
    segment(1, 6, DATA_AT, data.length, 4096),
    segment(2, 6, DATA_AT, dynamicBytes, 8),
    segment(1685382481, 6, 0, 0, 16),
    code
  ]);
  return Buffer.concat([head, Buffer.alloc(DATA_AT - head.length), data]);
}
var PR_SET_DUMPABLE = 4;
var PR_SET_NO_NEW_PRIVS = 38;
var RLIMIT_CORE = 4;
var RLIMIT_NOFILE = 7;
var OPEN_FILES_MAX = 128;
var MCL_ALL_ON_FAULT = 7;
var SECCOMP_SET_MODE_FILTER = 1;
var SECCOMP_FILTER_FLAG_TSYNC = 1;
function sealLibrary(needs = {}) {
  const { prctl, prlimit64, mlockall, seccomp } = SEAL_CALLS;
  return callingLibrary([
    { call: prctl, arguments: [PR_SET_NO_NEW_PRIVS, 1], exitCode: 71 },
    { call: prctl, arguments: [PR_SET_DUMPABLE, 0], exitCode: 72 },
    { call: prlimit64, arguments: [0, RLIMIT_CORE, words(0, 0)], exitCode: 73 },
    { call: prlimit64, arguments: [0, RLIMIT_NOFILE, words(OPEN_FILES_MAX, OPEN_FILES_MAX)], exitCode: 0 },
    { call: mlockall, arguments: [MCL_ALL_ON_FAULT], exitCode: 0 },
    {
      call: seccomp,
      arguments: [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, { filter: steadyFilter(needs) }],
      exitCode: 74
    }
  ]);
}

// src/footprints/process/seal.ts
var LIBRARY = "/moiety/private/seal.node";
function outerPid(hardening) {
  if (hardening === "none") return process.pid;
  const pid = Number.parseInt(readFileSync3(0, "latin1"), 10);
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error("it was not told its process id");
  return pid;
}
function sealProcess(needs = {}) {
  writeFileSync2(LIBRARY, sealLibrary(needs), { mode: 448 });
  try {
    process.dlopen({ exports: {} }, LIBRARY);
  } catch {
  }
  rmSync(LIBRARY);
  const { error } = spawnSync(process.execPath, [], { stdio: "ignore" });
  if (error?.code !== "EPERM")
    throw new Error("the trusted process could not be sealed");
}

// src/footprints/process/server.ts
import { timingSafeEqual } from "node:crypto";
import { createServer as createServer2 } from "node:net";
var GREETING_TIMEOUT_MS = 2e4;
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
  /** Something is answered later; what comes after it waits, as answers keep their order. */
  #waits = false;
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
    if (this.#socket.destroyed || this.#waits) return;
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
      const later = this.#options.answerLater?.(frame.body);
      if (later !== void 0) {
        this.#waits = true;
        void this.#answerWhenThere(frame.id, later);
        break;
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
    if (!exhausted && !this.#full && !this.#waits) {
      this.#scheduled = true;
      setImmediate(() => this.pump());
    }
  }
  async #answerWhenThere(id, later) {
    try {
      const answer = await later;
      if (!this.#socket.destroyed) this.#socket.write(encodeFrame(id, answer));
    } catch (error) {
      this.#options.onFatal(error);
    }
    this.#waits = false;
    this.pump();
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
    socket.write(encodeFrame(CHANNEL_ID, encodeWelcome(options.welcome)));
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
  return new Promise((resolve2, reject) => {
    const server = createServer2(onConnection);
    server.once("error", reject);
    server.listen(path, () => resolve2(server));
  });
}
function isGreeting(id, body, token) {
  if (id !== CHANNEL_ID || body.length !== 2 + TOKEN_BYTES) return false;
  if (body[0] !== CHANNEL_KIND.greeting || body[1] !== CHANNEL_VERSION) return false;
  return timingSafeEqual(body.subarray(2), token);
}

// src/footprints/process/state-log.ts
var DURABILITIES = ["fsync", "os", "memory"];
var FILE_BYTES = 4 * 1024 * 1024;
var HEADER_MAGIC = Buffer.from("MTCSTAT1");

// src/footprints/process/carrier.ts
var FOLDER_CHECK_MS = 1e3;
var LINGER_MS = 10 * 6e4;
var CarrierRefusal = class extends Error {
  name = "CarrierRefusal";
};
var MODULES = new URL("./", import.meta.url);
var ENDING = encodeTrustedResponse({ op: "error", code: "NOT_READY", message: "the component is ending" });
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
function enter(folder) {
  if (!existsSync2(folder)) throw new CarrierRefusal(`there is no folder ${folder}; make the component first`);
  const { mode, uid } = statSync2(folder);
  if ((mode & 63) !== 0) throw new CarrierRefusal(`${folder} is open to others; run: chmod 700 ${folder}`);
  if (process.getuid !== void 0 && uid !== process.getuid())
    throw new CarrierRefusal(`${folder} belongs to another user`);
  process.chdir(folder);
}
async function create(carrier, folder, name, argument) {
  const found = loadModule(MODULES, name);
  mkdirSync(folder, { recursive: true, mode: 448 });
  chmodSync(folder, 448);
  if (existsSync2(`${folder}/${FOLDER_FILES.access}`))
    throw new CarrierRefusal(`${folder} is not empty; a trusted component is never overwritten`);
  process.chdir(folder);
  const component = await carrier.create(found, argument);
  writeProgramFile(found);
  const identity = component.program.handle(encodeTrustedRequest({ op: "identify" }));
  component.flush();
  component.close();
  writeWhole(FOLDER_FILES.access, randomBytes(TOKEN_BYTES));
  process.stdout.write(`${bytesToHex(identity)}
`);
}
async function serve(carrier, options) {
  const { folder, durability, lingerMs, hardening, connects } = options;
  const pid = outerPid(hardening);
  enter(folder);
  const token = readFileSync4(FOLDER_FILES.access);
  if (token.length !== TOKEN_BYTES)
    throw new CarrierRefusal("the access token is damaged; make it anew (32 bytes)");
  if (!await claimFolder(token))
    throw new CarrierRefusal("another process serves this trusted component already");
  const found = moduleOfFolder(MODULES);
  const component = await carrier.open(found, durability);
  rmSync2(FOLDER_FILES.socket, { force: true });
  const fail = (error) => {
    say(`ended without answering: ${explain(error)}`);
    process.exit(1);
  };
  let socketIs = () => "gone";
  let ends = false;
  const stop = (reason) => {
    if (ends) return;
    ends = true;
    try {
      const isOwner = socketIs() !== "other";
      if (isOwner) rmSync2(FOLDER_FILES.socket, { force: true });
      component.close();
      if (isOwner) rmSync2(FOLDER_FILES.pid, { force: true });
    } catch (error) {
      fail(error);
    }
    say(`stopped: ${reason}`);
    process.exit(0);
  };
  let lonely;
  const onCaller = (present) => {
    clearTimeout(lonely);
    if (!present && lingerMs > 0) lonely = setTimeout(() => stop("nobody called"), lingerMs);
  };
  const { program, answerLater } = component;
  await serveProgram(FOLDER_FILES.socket, {
    program: { handle: (request) => ends ? ENDING : program.handle(request) },
    ...answerLater === void 0 ? {} : { answerLater },
    token,
    welcome: { durability: DURABILITIES.indexOf(durability), hardening, pid },
    flush: () => component.flush(),
    onStop: () => stop("asked by the caller"),
    onFatal: fail,
    onCaller
  });
  socketIs = watchSocket(FOLDER_FILES.socket);
  onCaller(false);
  writeFileSync3(FOLDER_FILES.pid, `${pid}
`, { mode: 384 });
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => void 0);
  process.on("SIGHUP", () => void 0);
  setInterval(() => {
    if (!existsSync2(FOLDER_FILES.access)) process.exit(0);
    const state = ends ? "own" : socketIs();
    if (state === "other") fail(new CarrierRefusal("the socket in the folder is of another process"));
    if (state === "gone") stop("its socket was deleted");
  }, FOLDER_CHECK_MS);
  if (hardening === "bubblewrap") sealProcess({ connects });
  say(`serving ${found.program}, pid ${pid}, durability ${durability}, hardening ${hardening}`);
  process.stdout.write("ready\n");
}
async function runCarrier(carrier) {
  process.umask(63);
  const { values } = parseArgs({
    options: {
      folder: { type: "string" },
      create: { type: "boolean", default: false },
      program: { type: "string", default: FIRST_PROGRAM },
      argument: { type: "string", default: "" },
      durability: { type: "string", default: "fsync" },
      hardening: { type: "string", default: "none" },
      connects: { type: "boolean", default: false },
      "linger-ms": { type: "string", default: String(LINGER_MS) }
    }
  });
  try {
    const { folder } = values;
    const lingerMs = Number(values["linger-ms"]);
    const hardening = HARDENINGS.find((known) => known === values.hardening);
    if (hardening === void 0) throw new CarrierRefusal("--hardening says what this process runs in");
    if (folder === void 0) throw new CarrierRefusal("--folder is missing");
    if (!Number.isSafeInteger(lingerMs) || lingerMs < 0 || lingerMs > 2 ** 31 - 1)
      throw new CarrierRefusal("--linger-ms is a number of milliseconds, 0 for ever");
    if (values.create) await create(carrier, folder, values.program, values.argument);
    else {
      const { connects } = values;
      const durability = DURABILITIES.find((known) => known === values.durability);
      if (durability === void 0) throw new CarrierRefusal("--durability is fsync, os or memory");
      await serve(carrier, { folder, durability, lingerMs, hardening, connects });
    }
  } catch (error) {
    const text = explain(error);
    process.stdout.write(`refused: ${text}
`);
    say(`refused: ${text}`);
    process.exitCode = 1;
    setTimeout(() => process.exit(1), 50).unref();
  }
}

// src/footprints/process/environment.ts
import { createPrivateKey, createPublicKey, hash as hash2, randomBytes as randomBytes2, sign, verify } from "node:crypto";

// src/footprints/group/group-key.ts
var POLICY_BYTES_MAX = 64 * 1024;

// src/footprints/process/environment.ts
var PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
var PUBLIC_KEY_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
var sha256 = (bytes) => hash2("sha256", bytes, "buffer");
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
    tcId: tcIdOf(sha256, { suite: "ed25519", publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => sign(null, bytes, privateKey)
  };
}
var programServices = {
  hash: sha256,
  random: (length) => randomBytes2(length),
  // Since the machine was started: nobody but root can turn it.
  now: () => Number(process.hrtime.bigint() / 1000000n),
  check: checkSignature
};

// src/footprints/tpm/anchor.ts
import { createCipheriv, createDecipheriv, createHash as createHash2, randomBytes as randomBytes3, randomInt } from "node:crypto";

// src/footprints/tpm/commands.ts
var TPM_HEADER_BYTES = 10;
var TPM_MESSAGE_BYTES_MAX = 4096;
var TAG_PLAIN = 32769;
var TAG_SESSIONS = 32770;
var COMMAND = {
  nvUndefineSpace: 290,
  createPrimary: 305,
  nvDefineSpace: 298,
  nvIncrement: 308,
  nvExtend: 310,
  nvWrite: 311,
  startup: 324,
  activateCredential: 327,
  policyNv: 329,
  policySecret: 337,
  create: 339,
  nvRead: 334,
  load: 343,
  quote: 344,
  unseal: 350,
  flushContext: 357,
  makeCredential: 360,
  nvReadPublic: 361,
  readPublic: 371,
  startAuthSession: 374,
  getCapability: 378,
  getRandom: 379,
  pcrRead: 382,
  pcrExtend: 386,
  nvCertify: 388,
  policyGetDigest: 393
};
var HANDLE = {
  owner: 1073741825,
  none: 1073741831,
  password: 1073741833,
  endorsement: 1073741835,
  platform: 1073741836,
  /** Objects and sessions that take a place in the TPM. */
  transientFirst: 2147483648,
  sessionFirst: 33554432,
  /** First handle of NV indices that an owner may define for own use. */
  nvFirst: 25165824
};
var ALGORITHM2 = {
  aes: 6,
  keyedHash: 8,
  sha256: 11,
  none: 16,
  ecdsa: 24,
  ecc: 35,
  cfb: 67
};
var CURVE_P256 = 3;
var OBJECT = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  noDictionaryAttack: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18
};
var NV_ATTRIBUTE = {
  ownerWrite: 1 << 1,
  authWrite: 1 << 2,
  /** Can be removed only by its policy; never, if that is empty. Such an index is the platform's. */
  policyDelete: 1 << 10,
  platformCreate: 1 << 30,
  /** Type bits: 0 ordinary. */
  counter: 1 << 4,
  extend: 4 << 4,
  ownerRead: 1 << 17,
  authRead: 1 << 18,
  noDictionaryAttack: 1 << 25,
  /** Set by the TPM at the first write. */
  written: 1 << 29
};
var EMPTY2 = new Uint8Array(0);
var NO_PASSWORD = { password: EMPTY2 };
function sized(writer, bytes) {
  return writer.u16(bytes.length).raw(bytes);
}
function readSized(reader, max) {
  const length = reader.u16();
  if (length > max) reader.fail();
  return new Uint8Array(reader.raw(length > max ? 0 : length));
}
function writeAuths(auths) {
  const writer = new Writer();
  for (const auth of auths) {
    const isSession = "session" in auth;
    writer.u32(isSession ? auth.session : HANDLE.password).u16(0).u8(1);
    sized(writer, isSession ? EMPTY2 : auth.password);
  }
  return writer.finish();
}
function encodeCommand(command) {
  const { code, handles = [], auths = [], parameters = EMPTY2 } = command;
  const body = new Writer();
  for (const handle of handles) body.u32(handle);
  if (auths.length > 0) body.bytes(writeAuths(auths));
  const rest = body.raw(parameters).finish();
  return new Writer().u16(auths.length > 0 ? TAG_SESSIONS : TAG_PLAIN).u32(TPM_HEADER_BYTES + rest.length).u32(code).raw(rest).finish();
}
function decodeAnswer(command, bytes) {
  if (bytes.length > TPM_MESSAGE_BYTES_MAX) return void 0;
  const reader = new Reader(bytes);
  const tag = reader.u16();
  const size = reader.u32();
  const code = reader.u32();
  if (reader.failed || size !== bytes.length) return void 0;
  if (code !== 0) return reader.done() ? { code, handle: 0, parameters: EMPTY2 } : void 0;
  const handle = command.answersHandle === true ? reader.u32() : 0;
  const sessions = command.auths?.length ?? 0;
  if (tag !== (sessions > 0 ? TAG_SESSIONS : TAG_PLAIN)) return void 0;
  const length = sessions > 0 ? reader.u32() : reader.remaining;
  const parameters = new Uint8Array(reader.raw(length));
  for (let index = 0; index < sessions; index += 1) {
    readSized(reader, 64);
    reader.u8();
    readSized(reader, 64);
  }
  return reader.done() ? { code, handle, parameters } : void 0;
}
function eccPublic(attributes, policy, middle, unique) {
  const writer = new Writer().u16(ALGORITHM2.ecc).u16(ALGORITHM2.sha256).u32(attributes);
  sized(writer, policy).raw(middle).u16(CURVE_P256).u16(ALGORITHM2.none);
  sized(writer, unique);
  return sized(writer, unique).finish();
}
var STORAGE_MIDDLE = new Writer().u16(ALGORITHM2.aes).u16(128).u16(ALGORITHM2.cfb).u16(ALGORITHM2.none).finish();
var SIGN_MIDDLE = new Writer().u16(ALGORITHM2.none).u16(ALGORITHM2.ecdsa).u16(ALGORITHM2.sha256).finish();
var EK_POLICY = Buffer.from("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa", "hex");
var STORED = OBJECT.fixedTpm | OBJECT.fixedParent;
var MADE_INSIDE = STORED | OBJECT.sensitiveDataOrigin;
var TEMPLATE = {
  /** Storage root: parent of everything that is kept outside of the TPM. */
  storageRoot: eccPublic(
    MADE_INSIDE | OBJECT.userWithAuth | OBJECT.noDictionaryAttack | OBJECT.restricted | OBJECT.decrypt,
    EMPTY2,
    STORAGE_MIDDLE,
    EMPTY2
  ),
  /** Attestation key: restricted, so it signs only what the TPM itself made. */
  attestation: eccPublic(
    MADE_INSIDE | OBJECT.userWithAuth | OBJECT.restricted | OBJECT.sign,
    EMPTY2,
    SIGN_MIDDLE,
    EMPTY2
  ),
  /** Endorsement key by the TCG's ECC P-256 profile: the one that a vendor's certificate names. */
  endorsement: eccPublic(
    MADE_INSIDE | OBJECT.adminWithPolicy | OBJECT.restricted | OBJECT.decrypt,
    EK_POLICY,
    STORAGE_MIDDLE,
    new Uint8Array(32)
  )
};
function sealedTemplate(policy) {
  const writer = new Writer().u16(ALGORITHM2.keyedHash).u16(ALGORITHM2.sha256);
  writer.u32(STORED | OBJECT.noDictionaryAttack);
  return sized(writer, policy).u16(ALGORITHM2.none).u16(0).finish();
}
function encodeNvPublic({ index, attributes, policy, dataBytes }) {
  const writer = new Writer().u32(index).u16(ALGORITHM2.sha256).u32(attributes);
  return sized(writer, policy).u16(dataBytes).finish();
}
function decodeNvPublic(bytes) {
  const reader = new Reader(bytes);
  const index = reader.u32();
  const algorithm = reader.u16();
  const attributes = reader.u32();
  const policy = readSized(reader, 32);
  const dataBytes = reader.u16();
  return reader.done() && algorithm === ALGORITHM2.sha256 ? { index, attributes, policy, dataBytes } : void 0;
}
function pcrSelection(pcrs) {
  const select = new Uint8Array(3);
  for (const pcr of pcrs) select[pcr >> 3] |= 1 << (pcr & 7);
  return new Writer().u32(1).u16(ALGORITHM2.sha256).u8(3).raw(select).finish();
}
var FORMAT_ONE = 128;
var RESPONSE = {
  initialize: 256,
  policy: 294,
  nvAuthorization: 329,
  nvUninitialized: 330,
  nvSpace: 331,
  nvDefined: 332,
  lockout: 2337,
  nvRate: 2336,
  retry: 2338,
  yielded: 2312,
  testing: 2314,
  authFail: 142,
  badAuth: 162,
  policyFail: 157,
  handle: 139,
  integrity: 159
};
function responseKind(code) {
  return (code & FORMAT_ONE) === 0 ? code : code & 191;
}
var WORDS = {
  [RESPONSE.policy]: "the policy does not hold now",
  [RESPONSE.policyFail]: "the policy of the object was not met",
  [RESPONSE.nvAuthorization]: "the index may not be used in this way",
  [RESPONSE.nvUninitialized]: "the index was never written",
  [RESPONSE.nvSpace]: "there is no room for another index",
  [RESPONSE.nvDefined]: "the index exists already",
  [RESPONSE.lockout]: "the TPM is locked after wrong passwords; its owner can reset it",
  [RESPONSE.nvRate]: "the TPM limits the rate of writes",
  [RESPONSE.authFail]: "wrong password",
  [RESPONSE.badAuth]: "wrong password of the hierarchy or object",
  [RESPONSE.handle]: "there is no such object or index",
  [RESPONSE.integrity]: "the object is of another TPM or was damaged"
};
function responseWords(code) {
  const hex = `0x${code.toString(16)}`;
  const words2 = WORDS[responseKind(code)];
  return words2 === void 0 ? `code ${hex}` : `${words2} (${hex})`;
}

// src/footprints/tpm/transport.ts
import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { connect } from "node:net";
var TPM_DEVICE = "/dev/tpmrm0";
var CONNECT_TIMEOUT_MS = 5e3;
var ANSWER_TIMEOUT_MS = 6e4;
var TpmUnreachable = class extends Error {
  name = "TpmUnreachable";
};
function claimedLength(bytes) {
  if (bytes.length < TPM_HEADER_BYTES) return void 0;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
  if (length < TPM_HEADER_BYTES || length > TPM_MESSAGE_BYTES_MAX)
    throw new TpmUnreachable(`the TPM answers with a frame of ${length} bytes`);
  return length;
}
var DeviceTransport = class {
  #file;
  constructor(file) {
    this.#file = file;
  }
  async exchange(command) {
    try {
      await this.#file.write(command);
      const answer = new Uint8Array(TPM_MESSAGE_BYTES_MAX);
      const { bytesRead } = await this.#file.read(answer, 0, answer.length, null);
      return answer.slice(0, bytesRead);
    } catch (error) {
      throw new TpmUnreachable(`the TPM device does not work: ${error.message}`);
    }
  }
  close() {
    return this.#file.close();
  }
};
var SocketTransport = class {
  #socket;
  #received = Buffer.alloc(0);
  #lost;
  #waiting;
  constructor(socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", (error) => this.#lose(`the TPM's socket fails: ${error.message}`));
    socket.on("close", () => this.#lose("the TPM closed its socket"));
  }
  exchange(command) {
    return new Promise((done, fail) => {
      if (this.#lost !== void 0) return fail(this.#lost);
      const timer = setTimeout(() => this.#lose("the TPM does not answer"), ANSWER_TIMEOUT_MS);
      const settled = (then) => {
        return (value) => {
          clearTimeout(timer);
          this.#waiting = void 0;
          then(value);
        };
      };
      this.#waiting = { done: settled(done), fail: settled(fail) };
      this.#socket.write(command);
    });
  }
  close() {
    this.#lose("closed by this process");
    return Promise.resolve();
  }
  #take(chunk) {
    if (this.#waiting === void 0) return this.#lose("the TPM talks without being asked");
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      const length = claimedLength(this.#received);
      if (length === void 0 || this.#received.length < length) return;
      if (this.#received.length > length) throw new TpmUnreachable("the TPM answers more than one frame");
      const frame = new Uint8Array(this.#received);
      this.#received = Buffer.alloc(0);
      this.#waiting.done(frame);
    } catch (error) {
      this.#lose(error.message);
    }
  }
  #lose(reason) {
    this.#lost ??= new TpmUnreachable(reason);
    this.#socket.destroy();
    this.#waiting?.fail(this.#lost);
  }
};
function openSocket(target) {
  const place = "path" in target ? target.path : `${target.host}:${target.port}`;
  return new Promise((done, fail) => {
    const socket = connect(target);
    const refuse = (reason) => {
      clearTimeout(timer);
      socket.destroy();
      fail(new TpmUnreachable(`no TPM answers at ${place}: ${reason}`));
    };
    const timer = setTimeout(() => refuse("no connection in time"), CONNECT_TIMEOUT_MS);
    socket.once("error", (error) => refuse(error.message));
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      done(new SocketTransport(socket));
    });
  });
}
async function openTransport(place) {
  const tcp = /^tcp:(.+):(\d{1,5})$/.exec(place);
  if (tcp !== null) return openSocket({ host: tcp[1], port: Number(tcp[2]) });
  let kind;
  try {
    kind = await stat(place);
  } catch {
    throw new TpmUnreachable(`there is no TPM at ${place}`);
  }
  if (kind.isSocket()) return openSocket({ path: place });
  if (!kind.isCharacterDevice()) throw new TpmUnreachable(`${place} is neither a TPM device nor a socket`);
  try {
    return new DeviceTransport(await open(place, constants.O_RDWR));
  } catch (error) {
    throw new TpmUnreachable(
      `${place} cannot be opened (${error.message}): this user must be in the group that owns it`
    );
  }
}

// src/footprints/tpm/driver.ts
var RETRIES_MAX = 10;
var RETRY_MS3 = 2;
var SIZED_MAX = 1024;
var EMPTY3 = new Uint8Array(0);
var SHA256_BYTES = 32;
var COUNTER_BYTES = 8;
var SESSION_POLICY = 1;
var SESSION_TRIAL = 3;
var COMPARE_EQUAL = 0;
var CAPABILITY_HANDLES = 1;
var HANDLES_MAX = 64;
var TpmRefusal = class extends Error {
  name = "TpmRefusal";
  /** Without the number of the parameter that it is about; see `RESPONSE`. */
  kind;
  constructor(what, code) {
    super(`the TPM refuses ${what}: ${responseWords(code)}`);
    this.kind = responseKind(code);
  }
};
function answerOf(what, parameters, read) {
  const reader = new Reader(parameters);
  const value = read(reader);
  if (!reader.done()) throw new TpmUnreachable(`the TPM answers ${what} by bytes that are no such answer`);
  return value;
}
function scalar(bytes) {
  const value = new Uint8Array(SHA256_BYTES);
  value.set(bytes, SHA256_BYTES - bytes.length);
  return value;
}
function readAttestation(reader) {
  const attest = readSized(reader, SIZED_MAX);
  if (reader.u16() !== ALGORITHM2.ecdsa || reader.u16() !== ALGORITHM2.sha256) reader.fail();
  const r = scalar(readSized(reader, SHA256_BYTES));
  const s = scalar(readSized(reader, SHA256_BYTES));
  return { attest, signature: Buffer.concat([r, s]) };
}
var Tpm = class _Tpm {
  #transport;
  #retryMs;
  #last = Promise.resolve();
  /** The last use of the storage root: places for objects are so few that uses do not overlap. */
  #lastUse = Promise.resolve();
  /** `retryMs`: pause before what the TPM wants again is sent again, the first time. */
  constructor(transport, retryMs = RETRY_MS3) {
    this.#transport = transport;
    this.#retryMs = retryMs;
  }
  /** Opens the TPM at a place and makes sure that it was started. Rejects with TpmUnreachable or TpmRefusal. */
  static async open(place) {
    const tpm = new _Tpm(await openTransport(place));
    try {
      await tpm.startup();
      await tpm.#flushLeftovers();
      return tpm;
    } catch (error) {
      await tpm.close();
      throw error;
    }
  }
  /** Gives the TPM up once what was asked is answered. */
  async close() {
    await this.#last.catch(() => void 0);
    await this.#transport.close();
  }
  /** Starts the TPM unless the firmware or kernel did. */
  async startup() {
    const parameters = new Writer().u16(0).finish();
    await this.#ask("Startup", { code: COMMAND.startup, parameters }).catch((error) => {
      if (!(error instanceof TpmRefusal) || error.kind !== RESPONSE.initialize) throw error;
    });
  }
  /**
   * Gives back the places of objects and sessions that a process left when it was killed. Without a resource manager
   * they would stay until the TPM is reset; such a TPM serves one caller at a time, so nobody else uses them.
   */
  async #flushLeftovers() {
    for (const first of [HANDLE.transientFirst, HANDLE.sessionFirst]) {
      const parameters = new Writer().u32(CAPABILITY_HANDLES).u32(first).u32(HANDLES_MAX).finish();
      const answer = await this.#ask("GetCapability", { code: COMMAND.getCapability, parameters });
      const handles = answerOf("GetCapability", answer.parameters, (reader) => {
        reader.bool();
        if (reader.u32() !== CAPABILITY_HANDLES) reader.fail();
        return reader.list(HANDLES_MAX, (r) => r.u32());
      });
      for (const handle of handles) await this.#lend(handle, () => Promise.resolve());
    }
  }
  /** Bytes of the TPM's random generator. */
  async random(length) {
    const parts = [];
    for (let left = length; left > 0; left -= parts.at(-1).length) {
      const parameters = new Writer().u16(Math.min(left, SHA256_BYTES)).finish();
      const answer = await this.#ask("GetRandom", { code: COMMAND.getRandom, parameters });
      const part = answerOf("GetRandom", answer.parameters, (reader) => readSized(reader, SHA256_BYTES));
      if (part.length === 0) throw new TpmUnreachable("the TPM has no randomness");
      parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  }
  /** Makes the storage root key, which is the same each time, lends it and gives its place back. */
  async withStorageRoot(use) {
    const result = this.#lastUse.then(() => this.#withPrimary(HANDLE.owner, TEMPLATE.storageRoot, use));
    this.#lastUse = result.catch(() => void 0);
    return result;
  }
  /** As `withStorageRoot` with the endorsement key of the TCG's ECC P-256 profile. */
  async withEndorsementKey(use) {
    return this.#withPrimary(HANDLE.endorsement, TEMPLATE.endorsement, use);
  }
  /** Makes an attestation key under a parent; only this TPM can load it. */
  createAttestationKey(parent, password) {
    return this.#create(parent, { password, data: EMPTY3, template: TEMPLATE.attestation });
  }
  /** Seals at most 128 bytes under a policy. */
  seal(parent, data, policy) {
    return this.#create(parent, { password: EMPTY3, data, template: sealedTemplate(policy) });
  }
  /** Loads an object, lends it and gives its place back. */
  async withObject(parent, blob, use) {
    const writer = sized(new Writer(), blob.privateArea);
    const parameters = sized(writer, blob.publicArea).finish();
    const command = { code: COMMAND.load, handles: [parent], auths: [NO_PASSWORD], parameters };
    const { handle } = await this.#ask("Load", { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }
  /** Opens sealed data in a policy session whose policy was met. */
  async unseal(object, session) {
    const command = { code: COMMAND.unseal, handles: [object], auths: [{ session }] };
    const { parameters } = await this.#ask("Unseal", command);
    return answerOf("Unseal", parameters, (reader) => readSized(reader, SIZED_MAX));
  }
  /** Public area of a loaded object. */
  async readPublic(object) {
    const { parameters } = await this.#ask("ReadPublic", { code: COMMAND.readPublic, handles: [object] });
    return answerOf("ReadPublic", parameters, (reader) => {
      const area = readSized(reader, SIZED_MAX);
      readSized(reader, SIZED_MAX);
      readSized(reader, SIZED_MAX);
      return area;
    });
  }
  /** Makes an NV index in the hierarchy that its attributes name (whose password must be empty). */
  async nvDefine(area, password) {
    const isPlatform = (area.attributes & NV_ATTRIBUTE.platformCreate) !== 0;
    const handles = [isPlatform ? HANDLE.platform : HANDLE.owner];
    const writer = sized(new Writer(), password);
    const parameters = sized(writer, encodeNvPublic(area)).finish();
    const command = {
      code: COMMAND.nvDefineSpace,
      handles,
      auths: [NO_PASSWORD],
      parameters
    };
    await this.#ask("to define an NV index", command);
  }
  /** Removes an NV index. A counter that is made later starts above every counter that the TPM ever had. */
  async nvUndefine(index) {
    const command = { code: COMMAND.nvUndefineSpace, handles: [HANDLE.owner, index], auths: [NO_PASSWORD] };
    await this.#ask("to remove an NV index", command);
  }
  /** Public area of an NV index; undefined if there is none. */
  async nvPublic(index) {
    try {
      const { parameters } = await this.#ask("NV_ReadPublic", {
        code: COMMAND.nvReadPublic,
        handles: [index]
      });
      return answerOf("NV_ReadPublic", parameters, (reader) => {
        const area = decodeNvPublic(readSized(reader, SIZED_MAX));
        readSized(reader, SIZED_MAX);
        if (area === void 0) reader.fail();
        return area;
      });
    } catch (error) {
      if (error instanceof TpmRefusal && error.kind === RESPONSE.handle) return void 0;
      throw error;
    }
  }
  async nvIncrement(nv) {
    await this.#ask("to count", this.#nvCommand(COMMAND.nvIncrement, nv, EMPTY3));
  }
  /** Content of an EXTEND index becomes SHA-256(content | data). */
  async nvExtend(nv, data) {
    await this.#ask("to extend", this.#nvCommand(COMMAND.nvExtend, nv, sized(new Writer(), data).finish()));
  }
  async nvRead(nv, length) {
    const parameters = new Writer().u16(length).u16(0).finish();
    const answer = await this.#ask("to read an NV index", this.#nvCommand(COMMAND.nvRead, nv, parameters));
    return answerOf("NV_Read", answer.parameters, (reader) => {
      const data = readSized(reader, SIZED_MAX);
      if (data.length !== length) reader.fail();
      return data;
    });
  }
  /** Value of a counter. */
  async nvCounter(nv) {
    return answerOf("NV_Read", await this.nvRead(nv, COUNTER_BYTES), (reader) => reader.u64());
  }
  /** The TPM's word for the content of an index, over the caller's data (at most 64 bytes). */
  async nvCertify(key, nv, data, length) {
    const parameters = sized(new Writer(), data).u16(ALGORITHM2.none).u16(length).u16(0).finish();
    const { parameters: answer } = await this.#ask("NV_Certify", {
      code: COMMAND.nvCertify,
      handles: [key.handle, nv.index, nv.index],
      auths: [{ password: key.password }, { password: nv.password }],
      parameters
    });
    return answerOf("NV_Certify", answer, readAttestation);
  }
  /** The TPM's word for SHA-256 PCRs, over the caller's data (at most 64 bytes). */
  async quote(key, data, pcrs) {
    const parameters = sized(new Writer(), data).u16(ALGORITHM2.none).raw(pcrSelection(pcrs)).finish();
    const auths = [{ password: key.password }];
    const command = { code: COMMAND.quote, handles: [key.handle], auths, parameters };
    return answerOf("Quote", (await this.#ask("Quote", command)).parameters, readAttestation);
  }
  /** Extends a SHA-256 PCR by a digest. */
  async pcrExtend(pcr, digest) {
    const parameters = new Writer().u32(1).u16(ALGORITHM2.sha256).raw(digest).finish();
    await this.#ask("PCR_Extend", {
      code: COMMAND.pcrExtend,
      handles: [pcr],
      auths: [NO_PASSWORD],
      parameters
    });
  }
  /** Value of a SHA-256 PCR. */
  async pcrRead(pcr) {
    const selection = pcrSelection([pcr]);
    const { parameters } = await this.#ask("PCR_Read", { code: COMMAND.pcrRead, parameters: selection });
    return answerOf("PCR_Read", parameters, (reader) => {
      reader.u32();
      reader.raw(selection.length);
      if (reader.u32() !== 1) reader.fail();
      return readSized(reader, SHA256_BYTES);
    });
  }
  /** The digest of the policy "counter `nv` has this value". */
  async counterPolicy(nv, value) {
    return this.#withSession(SESSION_TRIAL, async (session) => {
      await this.#meetCounter(session, nv, value);
      const command = { code: COMMAND.policyGetDigest, handles: [session] };
      const { parameters } = await this.#ask("PolicyGetDigest", command);
      return answerOf("PolicyGetDigest", parameters, (reader) => readSized(reader, SHA256_BYTES));
    });
  }
  /** Lends a session in which that policy was met; rejects with TpmRefusal `policy` if the counter is elsewhere. */
  withCounterPolicy(nv, value, use) {
    return this.#withSession(SESSION_POLICY, async (session) => {
      await this.#meetCounter(session, nv, value);
      return use(session);
    });
  }
  /** Encrypts a secret (at most 32 bytes) to the TPM with this public key, for the object of that name only. */
  async makeCredential(endorsementKey, secret, name) {
    const parameters = sized(sized(new Writer(), secret), name).finish();
    const command = { code: COMMAND.makeCredential, handles: [endorsementKey], parameters };
    const { parameters: answer } = await this.#ask("MakeCredential", command);
    return answerOf("MakeCredential", answer, (reader) => ({
      credential: readSized(reader, SIZED_MAX),
      secret: readSized(reader, SIZED_MAX)
    }));
  }
  /** Opens such a secret: shows that endorsement key and attestation key are of one TPM. */
  async activateCredential(key, endorsementKey, sealed) {
    return this.#withSession(SESSION_POLICY, async (session) => {
      const policy = new Writer().u16(0).u16(0).u16(0).u32(0).finish();
      const handles = [HANDLE.endorsement, session];
      const auths = [NO_PASSWORD];
      await this.#ask("PolicySecret", { code: COMMAND.policySecret, handles, auths, parameters: policy });
      const { parameters: answer } = await this.#ask("ActivateCredential", {
        code: COMMAND.activateCredential,
        handles: [key.handle, endorsementKey],
        auths: [{ password: key.password }, { session }],
        parameters: sized(sized(new Writer(), sealed.credential), sealed.secret).finish()
      });
      return answerOf("ActivateCredential", answer, (reader) => readSized(reader, SHA256_BYTES));
    });
  }
  #nvCommand(code, nv, parameters) {
    return { code, handles: [nv.index, nv.index], auths: [{ password: nv.password }], parameters };
  }
  async #meetCounter(session, nv, value) {
    const operand = new Writer().u64(value).finish();
    const parameters = sized(new Writer(), operand).u16(0).u16(COMPARE_EQUAL).finish();
    const auths = [{ password: nv.password }];
    const handles = [nv.index, nv.index, session];
    await this.#ask("PolicyNV", { code: COMMAND.policyNv, handles, auths, parameters });
  }
  async #withSession(kind, use) {
    const nonce = crypto.getRandomValues(new Uint8Array(SHA256_BYTES));
    const writer = sized(new Writer(), nonce).u16(0).u8(kind).u16(ALGORITHM2.none).u16(ALGORITHM2.sha256);
    const handles = [HANDLE.none, HANDLE.none];
    const command = { code: COMMAND.startAuthSession, handles, parameters: writer.finish() };
    const { handle } = await this.#ask("StartAuthSession", { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }
  async #withPrimary(hierarchy, template, use) {
    const parameters = sized(new Writer().u16(4).u16(0).u16(0), template).u16(0).u32(0).finish();
    const command = { code: COMMAND.createPrimary, handles: [hierarchy], auths: [NO_PASSWORD], parameters };
    const { handle } = await this.#ask("CreatePrimary", { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }
  async #create(parent, what) {
    const sensitive = sized(sized(new Writer(), what.password), what.data).finish();
    const writer = sized(new Writer(), sensitive);
    const parameters = sized(writer, what.template).u16(0).u32(0).finish();
    const command = { code: COMMAND.create, handles: [parent], auths: [NO_PASSWORD], parameters };
    const answer = await this.#ask("Create", command);
    return answerOf("Create", answer.parameters, (reader) => {
      const privateArea = readSized(reader, SIZED_MAX);
      const publicArea = readSized(reader, SIZED_MAX);
      reader.raw(reader.remaining);
      return { privateArea, publicArea };
    });
  }
  async #lend(handle, use) {
    try {
      return await use(handle);
    } finally {
      const parameters = new Writer().u32(handle).finish();
      await this.#ask("FlushContext", { code: COMMAND.flushContext, parameters }).catch(() => void 0);
    }
  }
  /** Sends a command when those before it are answered. */
  #ask(what, command) {
    const answer = this.#last.catch(() => void 0).then(() => this.#exchange(what, command));
    this.#last = answer;
    return answer;
  }
  async #exchange(what, command) {
    const bytes = encodeCommand(command);
    if (bytes.length > TPM_MESSAGE_BYTES_MAX) throw new TpmUnreachable(`${what}: a command that is too long`);
    for (let sent = 0; ; sent += 1) {
      const answer = decodeAnswer(command, await this.#transport.exchange(bytes));
      if (answer === void 0)
        throw new TpmUnreachable(`the TPM answers ${what} by bytes that are no answer`);
      if (answer.code === 0) return answer;
      const again = [RESPONSE.retry, RESPONSE.yielded, RESPONSE.testing];
      if (!again.includes(answer.code) || sent >= RETRIES_MAX) throw new TpmRefusal(what, answer.code);
      await new Promise((done) => setTimeout(done, this.#retryMs * 2 ** sent));
    }
  }
};

// src/footprints/tpm/anchor.ts
var KEY_BYTES = 32;
var NONCE_BYTES2 = 12;
var TAG_BYTES = 16;
var BLOB_BYTES_MAX = 1024;
var SEALED_BYTES_MAX = 4 * 1024 * 1024;
var MAGIC = "MOIETYTPM1";
var TRIES = 16;
var PAUSE_MS = 8;
var COUNTER_ATTRIBUTES = NV_ATTRIBUTE.counter | NV_ATTRIBUTE.authWrite | NV_ATTRIBUTE.authRead | NV_ATTRIBUTE.noDictionaryAttack;
var sha2562 = (bytes) => createHash2("sha256").update(bytes).digest();
async function defineIndex(tpm, attributes, dataBytes) {
  const password = randomBytes3(16);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const index = HANDLE.nvFirst + randomBytes3(4).readUInt32BE(0) % 4194304;
    try {
      await tpm.nvDefine({ index, attributes, policy: new Uint8Array(0), dataBytes }, password);
      return { index, password };
    } catch (error) {
      if (!(error instanceof TpmRefusal) || error.kind !== RESPONSE.nvDefined) throw error;
    }
  }
  throw new Error("the TPM has no free index");
}
async function defineCounter(tpm) {
  const nv = await defineIndex(tpm, COUNTER_ATTRIBUTES, 8);
  await tpm.nvIncrement(nv);
  return nv;
}
async function counterArea(tpm, nv) {
  const area = await tpm.nvPublic(nv.index);
  if (area === void 0 || area.attributes !== (COUNTER_ATTRIBUTES | NV_ATTRIBUTE.written))
    throw new Error(
      `the TPM has no counter 0x${nv.index.toString(16)} of this component: it is another TPM or was cleared; give the replica a new component and re-admit it by RECOVER`
    );
  return area;
}
function encodeSealed({ run, blob, box }) {
  const writer = new Writer(1024).ascii(MAGIC).u64(run);
  return writer.bytes(blob.publicArea).bytes(blob.privateArea).bytes(box).finish();
}
function decodeSealed(bytes) {
  return decodeWhole(bytes, (reader) => {
    if (reader.ascii(MAGIC.length) !== MAGIC) reader.fail();
    const run = reader.u64();
    const publicArea = new Uint8Array(reader.bytes(BLOB_BYTES_MAX));
    const privateArea = new Uint8Array(reader.bytes(BLOB_BYTES_MAX));
    return { run, blob: { publicArea, privateArea }, box: new Uint8Array(reader.bytes(SEALED_BYTES_MAX)) };
  });
}
function lock(key, content) {
  const nonce = randomBytes3(NONCE_BYTES2);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}
function unlock(key, box) {
  if (key.length !== KEY_BYTES || box.length < NONCE_BYTES2 + TAG_BYTES) return void 0;
  const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, NONCE_BYTES2));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    const content = decipher.update(box.subarray(NONCE_BYTES2, box.length - TAG_BYTES));
    return new Uint8Array(Buffer.concat([content, decipher.final()]));
  } catch {
    return void 0;
  }
}
async function openSealed(tpm, nv, sealed) {
  try {
    const key = await tpm.withStorageRoot(
      (root) => tpm.withObject(
        root,
        sealed.blob,
        (object) => tpm.withCounterPolicy(nv, sealed.run, (session) => tpm.unseal(object, session))
      )
    );
    return unlock(key, sealed.box);
  } catch (error) {
    if (error instanceof TpmRefusal) return void 0;
    throw error;
  }
}
async function ownNumber(tpm, nv, from) {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const before = attempt === 0 ? from : await tpm.nvCounter(nv);
    await tpm.nvIncrement(nv);
    const run = await tpm.nvCounter(nv);
    if (run === before + 1) return { run, alone: attempt === 0 };
    const pauseMs = randomInt(PAUSE_MS * 2 ** Math.min(attempt, 6));
    await new Promise((done) => setTimeout(done, pauseMs));
  }
  throw new Error(
    "others move the counter of this component all the time: several copies of it are being started"
  );
}
async function beginRun(tpm, nv, stored) {
  await counterArea(tpm, nv);
  const before = await tpm.nvCounter(nv);
  const sealed = stored === void 0 ? void 0 : decodeSealed(stored);
  let content;
  let reason = "there is no sealed state";
  if (sealed !== void 0) {
    reason = `the state was sealed at ${sealed.run}, the counter of the TPM stands at ${before}`;
    if (sealed.run === before) {
      content = await openSealed(tpm, nv, sealed);
      reason = "the TPM does not open the state";
    }
  }
  const { run, alone } = await ownNumber(tpm, nv, before);
  if (!alone && content !== void 0) {
    content.fill(0);
    content = void 0;
    reason = "another copy of the component was started at the same time";
  }
  const key = new Uint8Array(randomBytes3(KEY_BYTES));
  const blob = await tpm.withStorageRoot(
    async (root) => tpm.seal(root, key, await tpm.counterPolicy(nv, run))
  );
  const counterName = nvNameOf(sha2562, encodeNvPublic(await counterArea(tpm, nv)));
  return {
    run,
    counterName,
    content,
    reason,
    seal: (next) => {
      const box = lock(key, next);
      key.fill(0);
      return encodeSealed({ run, blob, box });
    }
  };
}
function encodeState({ seed, born, records }) {
  return new Writer(4096).raw(seed).u64(born).list(records, (writer, record) => writer.bytes(record)).finish();
}
function decodeState(bytes) {
  return decodeWhole(bytes, (reader) => {
    const seed = new Uint8Array(reader.raw(KEY_BYTES));
    const born = reader.u64();
    const records = reader.list(1024, (r) => new Uint8Array(r.bytes(SEALED_BYTES_MAX)));
    return { seed, born, records };
  });
}
function epochBytes(counterName, born, publicKey) {
  return Buffer.from(tpmEpochOf(sha2562, { counterName, born, publicKey }), "hex");
}

// src/footprints/tpm/component-files.ts
import { readFileSync as readFileSync6 } from "node:fs";

// src/footprints/tpm/swtpm.ts
import { chmodSync as chmodSync2, existsSync as existsSync3, mkdirSync as mkdirSync2, mkdtempSync, readFileSync as readFileSync5, rmSync as rmSync3, writeFileSync as writeFileSync4 } from "node:fs";
import { tmpdir } from "node:os";
import { join as join2, resolve } from "node:path";
var SOCKET_PATH_BYTES_MAX = 100;
var FILES = { state: "swtpm-state", socket: "swtpm.sock", pid: "swtpm.pid", place: "swtpm.place" };
function swtpmPlace(folder) {
  const near = join2(resolve(folder), FILES.socket);
  if (Buffer.byteLength(near) <= SOCKET_PATH_BYTES_MAX) return near;
  const noted = join2(folder, FILES.place);
  if (!existsSync3(noted))
    writeFileSync4(noted, join2(mkdtempSync(join2(tmpdir(), "moiety-tpm-")), "s"), { mode: 384 });
  return readFileSync5(noted, "utf8");
}

// src/footprints/tpm/component-files.ts
var TPM_FILES = {
  /** How the TPM is reached and what of it belongs to the component; holds passwords, mode 0600. */
  settings: "tpm.json",
  /** What the last orderly stop sealed. */
  sealed: "sealed",
  /** Word of an operator that the attestation key is of a genuine TPM; put there by the operator, may be absent. */
  certificate: "ak-certificate.json"
};
var PRIVATE_SWTPM = "swtpm";
var hexOf = (bytes) => Buffer.from(bytes).toString("hex");
function encodeSettings({ place, nv, key }) {
  const content = {
    place,
    index: nv.index,
    indexPassword: hexOf(nv.password),
    keyPublic: hexOf(key.publicArea),
    keyPrivate: hexOf(key.privateArea),
    keyPassword: hexOf(key.password)
  };
  return `${JSON.stringify(content, null, 2)}
`;
}
function readSettings() {
  const damaged = new Error(`${TPM_FILES.settings} of the trusted component is missing or damaged`);
  let content;
  try {
    content = JSON.parse(readFileSync6(TPM_FILES.settings, "utf8"));
  } catch {
    throw damaged;
  }
  const bytes = (name) => {
    const value = content[name];
    const found = typeof value === "string" ? hexToBytes(value) : void 0;
    if (found === void 0) throw damaged;
    return found;
  };
  const { place, index } = content;
  if (typeof place !== "string" || !Number.isSafeInteger(index)) throw damaged;
  return {
    place,
    nv: { index, password: bytes("indexPassword") },
    key: {
      publicArea: bytes("keyPublic"),
      privateArea: bytes("keyPrivate"),
      password: bytes("keyPassword")
    }
  };
}
function placeOf(argument, folder) {
  if (argument === "") return TPM_DEVICE;
  return argument === PRIVATE_SWTPM ? swtpmPlace(folder) : argument;
}

// src/footprints/tpm/main-tpm.ts
var QUOTED_PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
var ENDORSE_REQUEST_BYTES = 38;
var { hash: hash3 } = programServices;
async function withTpm(place, use) {
  const tpm = await Tpm.open(placeOf(place, "."));
  try {
    return await use(tpm);
  } finally {
    await tpm.close();
  }
}
function holdKey(seed, born, counterName) {
  const bare = programKeyOf({ seed, tcEpoch: new Uint8Array(8) });
  const tcEpoch = epochBytes(counterName, born, hexToBytes(bare.publicKey));
  return { seed, born, key: programKeyOf({ seed, tcEpoch }) };
}
function readCertificate() {
  if (!existsSync4(TPM_FILES.certificate)) return void 0;
  const { root, signature } = JSON.parse(readFileSync7(TPM_FILES.certificate, "utf8"));
  const bytes = hexToBytes(String(signature));
  if (hexToBytes(String(root))?.length !== 32 || bytes?.length !== 64)
    throw new Error(`${TPM_FILES.certificate} is no certificate of an attestation key`);
  return { root: String(root), signature: bytes };
}
async function endorse(settings, run, { key, born }, { challenge, measurement }) {
  const { suite, tcId, tcEpoch, publicKey } = key;
  const bind = bindDigestOf(hash3, { suite, tcId, tcEpoch, publicKey, challenge });
  const data = tpmQualifyingData(hash3, { bind, measurement, born, run });
  return withTpm(settings.place, async (tpm) => {
    const area = encodeNvPublic(await counterArea(tpm, settings.nv));
    return tpm.withStorageRoot(
      (root) => tpm.withObject(root, settings.key, async (handle) => {
        const signer = { handle, password: settings.key.password };
        const counter = await tpm.nvCertify(signer, settings.nv, data, 8);
        const quote = await tpm.quote(signer, data, QUOTED_PCRS);
        const certificate = readCertificate();
        return encodeTpmEndorsement({
          keyArea: settings.key.publicArea,
          ...certificate === void 0 ? {} : { certificate },
          counterArea: area,
          born,
          run,
          counter,
          quote
        });
      })
    );
  });
}
function carry(found, settings, start) {
  const state = start.content === void 0 ? void 0 : decodeState(start.content);
  start.content?.fill(0);
  const fresh = () => holdKey(new Uint8Array(randomBytes4(32)), start.run, start.counterName);
  let held2 = state === void 0 ? fresh() : holdKey(state.seed, state.born, start.counterName);
  let records = [...state?.records ?? []];
  const program = startModule(found.module, {
    ...programServices,
    measurement: found.measurement,
    persistent: true,
    key: held2.key,
    records,
    persist: (record) => {
      records.push(record);
      if (records.length > 2 * RECENT_DEPTH) records = records.slice(-RECENT_DEPTH);
      return true;
    },
    replaceKey: () => {
      held2.seed.fill(0);
      held2 = fresh();
      records = [];
      return held2.key;
    }
  });
  const answerLater = (request) => {
    if (request.length !== ENDORSE_REQUEST_BYTES) return void 0;
    const asked = decodeTrustedRequest(request);
    if (asked?.op !== "extension" || asked.code !== ENDORSE_CODE) return void 0;
    const { measurement } = found;
    return endorse(settings, start.run, held2, { challenge: bytesToDigest(asked.body), measurement }).then(
      (body) => encodeTrustedResponse({ op: "extension", code: ENDORSE_CODE, body }),
      (error) => encodeTrustedResponse({ op: "error", code: "NOT_READY", message: error.message })
    );
  };
  return {
    program,
    answerLater,
    // Nothing is on disk before the end: what a crash takes is never continued.
    flush: () => void 0,
    close: () => {
      const image = program.image?.();
      const kept = image === void 0 ? records.slice(-RECENT_DEPTH) : [image];
      const content = encodeState({ seed: held2.seed, born: held2.born, records: kept });
      writeWhole(TPM_FILES.sealed, start.seal(content));
      content.fill(0);
      held2.seed.fill(0);
    }
  };
}
async function create2(found, place) {
  return withTpm(place, async (tpm) => {
    const nv = await defineCounter(tpm);
    const password = new Uint8Array(randomBytes4(16));
    const blob = await tpm.withStorageRoot((root) => tpm.createAttestationKey(root, password));
    const settings = { place, nv, key: { ...blob, password } };
    writeWhole(TPM_FILES.settings, encodeSettings(settings));
    return carry(found, settings, await beginRun(tpm, nv, void 0));
  });
}
async function open2(found) {
  const settings = readSettings();
  const stored = existsSync4(TPM_FILES.sealed) ? new Uint8Array(readFileSync7(TPM_FILES.sealed)) : void 0;
  const start = await withTpm(settings.place, (tpm) => beginRun(tpm, settings.nv, stored));
  const how = start.content === void 0 ? `a new component, as ${start.reason}` : "continues";
  process.stderr.write(`${(/* @__PURE__ */ new Date()).toISOString()} start ${start.run} by the counter of the TPM: ${how}
`);
  return carry(found, settings, start);
}
void runCarrier({ create: create2, open: open2 });
