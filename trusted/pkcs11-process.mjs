// Built by scripts/build-trusted.mjs. Its SHA-256 is the carrier measurement (trusted/measurements.json).

// src/footprints/pkcs11/main-token.ts
import { randomBytes as randomBytes5 } from "node:crypto";

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
var EXTENSION_BYTES_MAX = 4 * 1024;
var COUNTER_SENTINEL = -1;
var RECENT_DEPTH = 64;
var CORE_BYTES_MAX = 4 * 1024;

// src/core/assert.ts
var AssertionFailure = class extends Error {
  name = "AssertionFailure";
};
function assert(condition, claim) {
  if (!condition) throw new AssertionFailure(claim);
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
import { randomBytes as randomBytes2 } from "node:crypto";
import { chmodSync, existsSync as existsSync2, mkdirSync, readFileSync as readFileSync5, rmSync as rmSync2, statSync as statSync3, writeFileSync as writeFileSync3 } from "node:fs";
import { parseArgs } from "node:util";

// src/trusted/frames.ts
var REQUEST_BYTES_MAX = 26 * 1024;
var RESPONSE_BYTES_MAX = RECENT_DEPTH * (CORE_BYTES_MAX + 256) + 256;
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
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS2));
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
import { hash as hash2, randomBytes } from "node:crypto";
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
var HEADER_BYTES2 = 128;
var HEADER_MAGIC = Buffer.from("MTCSTAT1");
var RECORD_MAGIC = 1413698097;
var RECORD_OVERHEAD = 56;
var CHECK_BYTES = 16;
function checkOf(bytes) {
  return hash2("sha256", bytes, "buffer").subarray(0, CHECK_BYTES);
}
function freshKey() {
  return { tcEpoch: randomBytes(8), seed: randomBytes(32) };
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
  const bytes = Buffer.alloc(HEADER_BYTES2);
  HEADER_MAGIC.copy(bytes, 0);
  bytes.set(header.tcEpoch, 8);
  bytes.set(header.seed, 16);
  bytes.writeUInt8(DURABILITIES.indexOf(header.written), 48);
  bytes.set(header.bootId, 49);
  checkOf(bytes.subarray(0, HEADER_BYTES2 - CHECK_BYTES)).copy(bytes, HEADER_BYTES2 - CHECK_BYTES);
  return bytes;
}
function decodeHeader(file) {
  if (file.length < HEADER_BYTES2 || !file.subarray(0, 8).equals(HEADER_MAGIC)) return void 0;
  const check = file.subarray(HEADER_BYTES2 - CHECK_BYTES, HEADER_BYTES2);
  if (!checkOf(file.subarray(0, HEADER_BYTES2 - CHECK_BYTES)).equals(check)) return void 0;
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
  let at = HEADER_BYTES2;
  let index = 0;
  let link = file.subarray(HEADER_BYTES2 - CHECK_BYTES, HEADER_BYTES2);
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
    writeAll(oldFile, Buffer.alloc(HEADER_BYTES2), 0);
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
    this.#link = header.subarray(HEADER_BYTES2 - CHECK_BYTES);
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
  const { mode, uid } = statSync3(folder);
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
  writeWhole(FOLDER_FILES.access, randomBytes2(TOKEN_BYTES));
  process.stdout.write(`${bytesToHex(identity)}
`);
}
async function serve(carrier, options) {
  const { folder, durability, lingerMs, hardening, connects } = options;
  const pid = outerPid(hardening);
  enter(folder);
  const token = readFileSync5(FOLDER_FILES.access);
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
import { createPrivateKey, createPublicKey, hash as hash3, randomBytes as randomBytes3, sign, verify } from "node:crypto";

// src/footprints/group/group-key.ts
var POLICY_BYTES_MAX = 64 * 1024;

// src/footprints/process/environment.ts
var PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
var PUBLIC_KEY_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
var sha256 = (bytes) => hash3("sha256", bytes, "buffer");
function checkSignature(publicKey, bytes, authenticator) {
  try {
    const der = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
    return verify(null, bytes, createPublicKey({ key: der, format: "der", type: "spki" }), authenticator);
  } catch {
    return false;
  }
}
var programServices = {
  hash: sha256,
  random: (length) => randomBytes3(length),
  // Since the machine was started: nobody but root can turn it.
  now: () => Number(process.hrtime.bigint() / 1000000n),
  check: checkSignature
};

// src/footprints/pkcs11/place.ts
import { readFileSync as readFileSync7 } from "node:fs";
import { isAbsolute, join as join3, normalize } from "node:path";

// src/footprints/pkcs11/token.ts
import { existsSync as existsSync3, mkdirSync as mkdirSync2, readFileSync as readFileSync6, statSync as statSync4, writeFileSync as writeFileSync4 } from "node:fs";
import { randomBytes as randomBytes4 } from "node:crypto";
var BINDING = "pkcs11js";
var BINDING_INSTALL = "npm install pkcs11js@2.1.7";
var SOFTHSM_PATHS = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
  "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"
];
var SERIAL_SESSION = 4;
var READ_WRITE_SESSION = 2;
var USER = { securityOfficer: 0, user: 1 };
var CLASS = { publicKey: 2, privateKey: 3 };
var ATTRIBUTE = {
  class: 0,
  token: 1,
  private: 2,
  label: 3,
  id: 258,
  sensitive: 259,
  sign: 264,
  verify: 266,
  extractable: 354,
  ecParams: 384,
  ecPoint: 385
};
var GENERATE = { mechanism: 4181, parameter: null };
var SIGN = { mechanism: 4183, parameter: null };
var CURVES = [Buffer.from("06032b6570", "hex"), Buffer.from("130c656477617264733235353139", "hex")];
var SIGNATURE_BYTES = 64;
var OBJECTS_MAX = 64;
var TokenProblem = class extends Error {
  name = "TokenProblem";
};
function softhsmPath() {
  return SOFTHSM_PATHS.find((path) => existsSync3(path));
}
async function loadBinding() {
  try {
    const name = BINDING;
    const binding = await import(name);
    return new binding.default.PKCS11();
  } catch (error) {
    throw new TokenProblem(
      `the npm package ${BINDING} is missing or does not load (${error.message}); install it beside this package: ${BINDING_INSTALL}`
    );
  }
}
var loaded;
function loadCryptoki(place) {
  loaded ??= initialize(place);
  return loaded;
}
async function initialize(place) {
  const path = place.module === "" ? softhsmPath() : place.module;
  if (path === void 0)
    throw new TokenProblem("SoftHSM2 is not installed: install the Debian package softhsm2");
  if (place.softhsmConfiguration !== "") process.env["SOFTHSM2_CONF"] = place.softhsmConfiguration;
  const cryptoki = await loadBinding();
  try {
    cryptoki.load(path);
    cryptoki.C_Initialize();
  } catch (error) {
    throw new TokenProblem(`the PKCS#11 library ${path} does not load: ${error.message}`);
  }
  return cryptoki;
}
function readPin(path) {
  let mode;
  try {
    ({ mode } = statSync4(path));
  } catch {
    throw new TokenProblem(`there is no file ${path} with the PIN of the token`);
  }
  if ((mode & 63) !== 0) throw new TokenProblem(`${path} is open to others; run: chmod 600 ${path}`);
  const pin = readFileSync6(path, "utf8").trim();
  if (pin === "") throw new TokenProblem(`${path} is empty; it must hold the PIN of the token`);
  return pin;
}
function trimmed(text) {
  return text.replace(/[\0 ]+$/, "");
}
function slotOf(cryptoki, label) {
  const slots = cryptoki.C_GetSlotList(true);
  const found = slots.filter((slot) => trimmed(cryptoki.C_GetTokenInfo(slot).label) === label);
  if (found.length === 1) return found[0];
  const labels = slots.map((slot) => trimmed(cryptoki.C_GetTokenInfo(slot).label)).filter((one) => one !== "");
  const all = labels.length === 0 ? "there is none" : `there are ${labels.join(", ")}`;
  throw new TokenProblem(
    `${found.length === 0 ? "no" : "more than one"} token has the label "${label}" (${all})`
  );
}
async function makeSoftToken() {
  mkdirSync2("tokens", { recursive: true, mode: 448 });
  const place = { module: "", label: "moiety", pinFile: "pin", softhsmConfiguration: "softhsm2.conf" };
  const lines = ["directories.tokendir = ./tokens", "objectstore.backend = file", "log.level = ERROR"];
  writeFileSync4(place.softhsmConfiguration, `${lines.join("\n")}
`, { mode: 384 });
  const pin = randomBytes4(16).toString("hex");
  writeFileSync4(place.pinFile, `${pin}
`, { mode: 384 });
  const cryptoki = await loadCryptoki(place);
  const free = cryptoki.C_GetSlotList(false).at(-1);
  if (free === void 0) throw new TokenProblem("SoftHSM2 has no slot");
  const officerPin = randomBytes4(16).toString("hex");
  cryptoki.C_InitToken(free, officerPin, place.label);
  const session = cryptoki.C_OpenSession(slotOf(cryptoki, place.label), SERIAL_SESSION | READ_WRITE_SESSION);
  cryptoki.C_Login(session, USER.securityOfficer, officerPin);
  cryptoki.C_InitPIN(session, pin);
  cryptoki.C_Logout(session);
  cryptoki.C_CloseSession(session);
  return place;
}
var Token = class _Token {
  #cryptoki;
  #session;
  constructor(cryptoki, session) {
    this.#cryptoki = cryptoki;
    this.#session = session;
  }
  /** Opens a token whose library was loaded. Throws TokenProblem. */
  static open(cryptoki, place) {
    const pin = readPin(place.pinFile);
    const slot = slotOf(cryptoki, place.label);
    try {
      const session = cryptoki.C_OpenSession(slot, SERIAL_SESSION | READ_WRITE_SESSION);
      cryptoki.C_Login(session, USER.user, pin);
      return new _Token(cryptoki, session);
    } catch (error) {
      throw new TokenProblem(`the token "${place.label}" cannot be opened: ${error.message}`);
    }
  }
  /** The key of this id; undefined if there is none. */
  find(id) {
    const byId = { type: ATTRIBUTE.id, value: id };
    const [publicKey] = this.#objects([{ type: ATTRIBUTE.class, value: CLASS.publicKey }, byId]);
    const [privateKey] = this.#objects([{ type: ATTRIBUTE.class, value: CLASS.privateKey }, byId]);
    return publicKey === void 0 || privateKey === void 0 ? void 0 : this.#keyOf(publicKey, privateKey);
  }
  /** Makes a key that the token never shows. */
  make(id, label) {
    const both = [
      { type: ATTRIBUTE.token, value: true },
      { type: ATTRIBUTE.id, value: id },
      { type: ATTRIBUTE.label, value: label }
    ];
    const secret = [
      ...both,
      { type: ATTRIBUTE.private, value: true },
      { type: ATTRIBUTE.sensitive, value: true },
      { type: ATTRIBUTE.extractable, value: false },
      { type: ATTRIBUTE.sign, value: true }
    ];
    let problem = "";
    for (const curve of CURVES) {
      const open2 = [
        ...both,
        { type: ATTRIBUTE.verify, value: true },
        { type: ATTRIBUTE.ecParams, value: curve }
      ];
      try {
        const made = this.#cryptoki.C_GenerateKeyPair(this.#session, GENERATE, open2, secret);
        return this.#keyOf(made.publicKey, made.privateKey);
      } catch (error) {
        problem = error.message;
      }
    }
    throw new TokenProblem(`the token makes no Ed25519 key (CKM_EC_EDWARDS_KEY_PAIR_GEN): ${problem}`);
  }
  /** Destroys all keys of a label but that of the id. */
  destroyOthers(label, id) {
    for (const object of this.#objects([{ type: ATTRIBUTE.label, value: label }])) {
      const [found] = this.#cryptoki.C_GetAttributeValue(this.#session, object, [{ type: ATTRIBUTE.id }]);
      if (!found.value.equals(id)) this.#cryptoki.C_DestroyObject(this.#session, object);
    }
  }
  /** Gives the token up. */
  close() {
    this.#cryptoki.C_Logout(this.#session);
    this.#cryptoki.C_CloseSession(this.#session);
  }
  #objects(template) {
    this.#cryptoki.C_FindObjectsInit(this.#session, template);
    try {
      return this.#cryptoki.C_FindObjects(this.#session, OBJECTS_MAX);
    } finally {
      this.#cryptoki.C_FindObjectsFinal(this.#session);
    }
  }
  #keyOf(publicObject, privateObject) {
    const [found] = this.#cryptoki.C_GetAttributeValue(this.#session, publicObject, [
      { type: ATTRIBUTE.ecPoint }
    ]);
    const point = found.value;
    const publicKey = new Uint8Array(point.subarray(point.length - 32));
    if (point.length !== 32 && !(point.length === 34 && point[0] === 4 && point[1] === 32))
      throw new TokenProblem("the token shows a public key that is none of Ed25519");
    const room = Buffer.alloc(SIGNATURE_BYTES);
    return {
      publicKey,
      sign: (bytes) => {
        this.#cryptoki.C_SignInit(this.#session, SIGN, privateObject);
        const signature = new Uint8Array(this.#cryptoki.C_Sign(this.#session, bytes, room));
        if (signature.length !== SIGNATURE_BYTES)
          throw new TokenProblem("the token signs with another length");
        return signature;
      }
    };
  }
};

// src/footprints/pkcs11/place.ts
var PLACE_FILE = "pkcs11.json";
var ADVICE = "a token is named pkcs11:token=LABEL?module-path=/path/of/library.so&pin-source=/path/of/pin (RFC 7512)";
function attributes(text, separator) {
  const found = /* @__PURE__ */ new Map();
  for (const part of text === "" ? [] : text.split(separator)) {
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(at, 0));
    if (name === "" || found.has(name)) throw new TokenProblem(ADVICE);
    try {
      found.set(name, decodeURIComponent(part.slice(at + 1)));
    } catch {
      throw new TokenProblem(ADVICE);
    }
  }
  return found;
}
function parsePlace(argument) {
  if (argument === "") return void 0;
  const match = /^(?:pkcs11:)?([^?]*)(?:\?(.*))?$/.exec(argument);
  const path = attributes(match[1], ";");
  const query = attributes(match[2] ?? "", "&");
  if (query.has("pin-value") || path.has("pin-value"))
    throw new TokenProblem(
      "a PIN on the command line can be read by everybody: put it into a file, pin-source"
    );
  const label = path.get("token");
  const module = query.get("module-path");
  const pinFile = query.get("pin-source")?.replace(/^file:(\/\/)?/, "");
  if (label === void 0 || module === void 0 || pinFile === void 0) throw new TokenProblem(ADVICE);
  if (!isAbsolute(module) || !isAbsolute(pinFile))
    throw new TokenProblem(`paths of a token are absolute: ${ADVICE}`);
  const sandbox = query.get("x-sandbox");
  if (sandbox !== void 0 && sandbox !== "none")
    throw new TokenProblem('x-sandbox can only be "none": the token is used outside of a sandbox');
  const reads = pathsOf(query.get("x-read"));
  const writes = pathsOf(query.get("x-write"));
  return {
    ...{ module, label, pinFile, softhsmConfiguration: "" },
    ...reads === void 0 ? {} : { reads },
    ...writes === void 0 ? {} : { writes },
    ...sandbox === void 0 ? {} : { unconfined: true }
  };
}
function pathsOf(text) {
  const paths = text?.split(":");
  if (paths?.every(isNarrow) === false)
    throw new TokenProblem('x-read and x-write are absolute paths, separated by colons, and not "/"');
  return paths;
}
function isNarrow(path) {
  return isAbsolute(path) && normalize(path) !== "/";
}
function encodePlace(stored) {
  return `${JSON.stringify(stored, null, 2)}
`;
}
function readPlace(folder = ".") {
  const isText = (value) => typeof value === "string";
  let stored;
  try {
    stored = JSON.parse(readFileSync7(join3(folder, PLACE_FILE), "utf8"));
  } catch {
    throw new TokenProblem(`${PLACE_FILE} of the trusted component is missing or damaged`);
  }
  const { module, label, pinFile, softhsmConfiguration, reads = [], writes = [] } = stored.place ?? {};
  const arePaths = [reads, writes].every((paths) => Array.isArray(paths) && paths.every(isText));
  if (![module, label, pinFile, softhsmConfiguration, stored.keyLabel].every(isText) || !arePaths)
    throw new TokenProblem(`${PLACE_FILE} of the trusted component is damaged`);
  return stored;
}

// src/footprints/pkcs11/main-token.ts
function programKey(key, stored) {
  const { publicKey } = key;
  const seal = key.sign(stored.tcEpoch);
  if (!programServices.check(publicKey, stored.tcEpoch, seal))
    throw new TokenProblem("the token signs with another key than it shows");
  if (!Buffer.from(seal).equals(key.sign(stored.tcEpoch)))
    throw new TokenProblem(
      "the token makes another signature of the same bytes each time, which Ed25519 does not"
    );
  return {
    suite: "ed25519",
    tcId: tcIdOf(programServices.hash, { suite: "ed25519", publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => key.sign(bytes)
  };
}
function carry(found, log, token, keyLabel) {
  let key = token.find(log.key.seed);
  if (key === void 0) {
    if (log.records.length > 0)
      throw new TokenProblem(
        "the token does not have the key of this component: it is another token or was cleared; give the replica a new component and re-admit it by RECOVER"
      );
    key = token.make(log.key.seed, keyLabel);
  }
  token.destroyOthers(keyLabel, log.key.seed);
  const program = startModule(found.module, {
    ...programServices,
    measurement: found.measurement,
    persistent: true,
    key: programKey(key, log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => {
      const next = log.renew();
      const made = token.make(next.seed, keyLabel);
      token.destroyOthers(keyLabel, next.seed);
      return programKey(made, next);
    }
  });
  log.begin(() => program.image?.());
  return {
    program,
    flush: () => log.flush(),
    close: () => {
      log.close();
      token.close();
    }
  };
}
async function openToken({ place }) {
  return Token.open(await loadCryptoki(place), place);
}
async function create2(found, argument) {
  const place = parsePlace(argument) ?? await makeSoftToken();
  const stored = { place, keyLabel: `moiety-${randomBytes5(8).toString("hex")}` };
  const token = await openToken(stored);
  writeWhole(PLACE_FILE, encodePlace(stored));
  StateLog.create(".");
  return carry(found, StateLog.open(".", "fsync", RECENT_DEPTH), token, stored.keyLabel);
}
async function open(found) {
  const stored = readPlace();
  const token = await openToken(stored);
  return carry(found, StateLog.open(".", "fsync", RECENT_DEPTH), token, stored.keyLabel);
}
void runCarrier({ create: create2, open });
