/**
 * Bytes of VIEW-CHANGE and NEW-VIEW, which quote each other: a table of distinct items, children before parents, the
 * message itself last. Each VIEW-CHANGE and NEW-VIEW stands in it once however often it is quoted, so the size is linear
 * in the number of failed views and not exponential.
 */
import { bytesToHex, equalBytes } from '../../core/bytes.ts';
import { Reader, Writer } from '../../core/codec.ts';
import { finishDigest } from '../../core/domain.ts';
import { finishPiece } from '../../core/pieces.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest } from '../../core/types.ts';
import { digestOf, digestWriter } from './context.ts';
import type { StreamContext } from './context.ts';
import type {
  FullNewView,
  NewViewCertificate,
  NewViewHeader,
  NewViewProof,
  Prepare,
  RequestViewChange,
  ViewChange,
  ViewChangeContent,
} from './messages.ts';
import {
  KIND,
  readCertificate,
  readCheckpoint,
  readCheckpoints,
  readCommitNewView,
  readKind,
  readLogEntry,
  readNewViewHeader,
  readPrepare,
  readReplica,
  readUi,
  viewChangeDigest,
  writeCertificate,
  writeLogEntry,
  writeUi,
} from './wire.ts';

/** Distinct VIEW-CHANGEs and NEW-VIEWs in one message, at most. */
const ITEMS_MAX = 4096;
/** Levels of quoting, at most: two for each consecutive view whose NEW-VIEW found no f commitments. */
const DEPTH_MAX = 256;
/** NEW-VIEWs attached to one VIEW-CHANGE, at most. */
const NEW_VIEWS_MAX = 1024;
/** Bytes of a host signature. */
const SIGNATURE_BYTES = 64;

// ---- the body of a VIEW-CHANGE

type ViewChangeBody = Pick<ViewChangeContent, 'stable' | 'anchor' | 'vouchers' | 'log' | 'suspects'>;

function writeBody(writer: Writer, body: ViewChangeBody): Writer {
  writer
    .option(body.stable, writeCertificate)
    .option(body.anchor, (w, anchor) => w.raw(anchor.bytes))
    .list(body.vouchers, (w, voucher) => w.raw(voucher.bytes))
    .list(body.log, writeLogEntry);
  return body.suspects === undefined ? writer : writer.list(body.suspects, (w, replica) => w.u32(replica));
}

/** Digest of what a VIEW-CHANGE shows: certificate, anchor, vouchers, log. */
export function viewChangeBodyDigest(context: StreamContext, body: ViewChangeBody): Digest {
  return finishDigest(context.hash, writeBody(digestWriter(context, 'VIEW-CHANGE-BODY'), body));
}

/** Draft bytes of VIEW-CHANGE. */
export function writeViewChangeContent(writer: Writer, content: ViewChangeContent): void {
  writeBody(writer.u8(KIND['VIEW-CHANGE']).u64(content.view), content);
}

/** Reads what `writeViewChangeContent` wrote. */
export function readViewChangeContent(context: StreamContext, reader: Reader): ViewChangeContent {
  readKind(reader, KIND['VIEW-CHANGE']);
  const view = reader.u64();
  const start = reader.position;
  const stable = reader.option((r) => readCertificate(context, r));
  const anchor = reader.option((r) => readCheckpoint(context, r));
  const vouchers = readCheckpoints(context, reader);
  const log = reader.list(context.logEntriesMax, (r) => readLogEntry(context, r));
  const suspects =
    context.slots === undefined ? {} : { suspects: reader.list(context.n, (r) => readReplica(context, r)) };
  const bodyDigest = digestOf(context, 'VIEW-CHANGE-BODY', reader.since(start));
  return { kind: 'VIEW-CHANGE', view, stable, anchor, vouchers, log, ...suspects, bodyDigest };
}

// ---- REQ-VIEW-CHANGE

/** What the host key signs in a REQ-VIEW-CHANGE. */
export function requestViewChangeDigest(context: StreamContext, replica: number, target: number): Digest {
  return finishDigest(context.hash, digestWriter(context, 'REQUEST-VIEW-CHANGE').u32(replica).u64(target));
}

/** Reads a REQ-VIEW-CHANGE. */
export function readRequestViewChange(context: StreamContext, reader: Reader): RequestViewChange {
  const start = reader.position;
  readKind(reader, KIND['REQUEST-VIEW-CHANGE']);
  const replica = readReplica(context, reader);
  const target = reader.u64();
  const signature = reader.raw(SIGNATURE_BYTES);
  const digest = requestViewChangeDigest(context, replica, target);
  return { kind: 'REQUEST-VIEW-CHANGE', replica, target, signature, digest, bytes: reader.since(start) };
}

// ---- NEW-VIEW certificate

/** Bytes of a NEW-VIEW certificate. */
export function encodeNewViewCertificate(content: Omit<NewViewCertificate, 'bytes'>): Uint8Array {
  const writer = new Writer(1024)
    .u8(KIND['NEW-VIEW-CERTIFICATE'])
    .raw(content.header.bytes)
    .option(content.base, (inner, base) => inner.list(base, (w, prepare) => w.raw(prepare.bytes)))
    .list(content.commits, (w, commit) => w.raw(commit.bytes));
  return finishPiece(writer);
}

/** Reads a NEW-VIEW certificate. */
export function readNewViewCertificate(context: StreamContext, reader: Reader): NewViewCertificate {
  const start = reader.position;
  readKind(reader, KIND['NEW-VIEW-CERTIFICATE']);
  const header = readNewViewHeader(context, reader);
  const base = reader.option((r): Prepare[] =>
    r.list(context.logEntriesMax, (entry) => readPrepare(context, entry)),
  );
  const commits = reader.list(context.n, (r) => readCommitNewView(context, r));
  return { kind: 'NEW-VIEW-CERTIFICATE', header, base, commits, bytes: reader.since(start) };
}

// ---- items

function uiKey(ui: UniqueIdentifier): string {
  return `${ui.replica}.${ui.tcEpoch}.${ui.counter}.${bytesToHex(ui.authenticator)}`;
}

function sealedKey(message: { readonly digest: Digest; readonly ui: UniqueIdentifier }): string {
  return `${message.digest}.${uiKey(message.ui)}`;
}

/** Collects items, each distinct one once, children first. */
class ItemTable {
  readonly #writer = new Writer(8192);
  readonly #byObject = new Map<object, number>();
  readonly #byKey = new Map<string, number>();

  /** Index of the item, which is added if it is new. */
  add(item: ViewChange | NewViewProof): number {
    const known = this.#byObject.get(item);
    if (known !== undefined) return known;
    const index =
      item.kind === 'VIEW-CHANGE'
        ? this.#addViewChange(item)
        : item.kind === 'NEW-VIEW'
          ? this.#addNewView(item)
          : this.#addCertificate(item);
    this.#byObject.set(item, index);
    return index;
  }

  #addViewChange(item: ViewChange): number {
    const children = item.newViews.map((proof) => this.add(proof));
    const wishes = item.justification.map((wish) => `${wish.digest}.${bytesToHex(wish.signature)}`);
    return this.#place(`v/${sealedKey(item)}/${children.join()}/${wishes.join()}`, () => {
      writeViewChangeContent(this.#writer, item);
      writeUi(this.#writer, item.ui).list(children, writeIndex);
      this.#writer.list(item.justification, (w, wish) => w.raw(wish.bytes));
    });
  }

  #addNewView(item: FullNewView): number {
    const children = item.viewChanges.map((viewChange) => this.add(viewChange));
    return this.#place(`n/${sealedKey(item.header)}/${children.join()}`, () => {
      this.#writer.u8(KIND['NEW-VIEW']).raw(item.header.bytes).list(children, writeIndex);
    });
  }

  #addCertificate(item: NewViewCertificate): number {
    const base = item.base?.map(sealedKey).join() ?? '-';
    const commits = item.commits.map(sealedKey).join();
    return this.#place(`c/${sealedKey(item.header)}/${base}/${commits}`, () => {
      this.#writer.raw(item.bytes);
    });
  }

  #place(key: string, write: () => void): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const index = this.#byKey.size;
    this.#byKey.set(key, index);
    write();
    return index;
  }

  /** Kind byte of the message, number of items, items. */
  finish(kind: number): Uint8Array {
    const whole = new Writer(this.#writer.length + 5).u8(kind).u32(this.#byKey.size);
    return finishPiece(this.#writer.finishInto((items) => whole.raw(items)));
  }
}

function writeIndex(writer: Writer, index: number): void {
  writer.u32(index);
}

function encodeNested(message: ViewChange | FullNewView): Uint8Array {
  const table = new ItemTable();
  table.add(message);
  return table.finish(KIND[message.kind]);
}

/** Where such a message keeps its bytes once they are made; copies of the message leave it behind. */
const MADE = Symbol('bytes');
const NOT_MADE = { value: undefined, writable: true, enumerable: false };

type Lazy = (ViewChange | FullNewView) & { [MADE]: Uint8Array | undefined };

/** One getter for all: with a closure for each, each would have a hidden class of its own, which outlives it for long. */
const BYTES = {
  enumerable: true,
  get(this: Lazy): Uint8Array {
    return (this[MADE] ??= encodeNested(this));
  },
};

/** Gives `message` its `bytes`, made when they are first asked for: most quoted messages are never sent on their own. */
function withBytes<T extends ViewChange | FullNewView>(message: Omit<T, 'bytes'>): T {
  Object.defineProperty(message, MADE, NOT_MADE);
  return Object.defineProperty(message, 'bytes', BYTES) as T;
}

/** A sealed VIEW-CHANGE with its attachments. */
export function makeViewChange(parts: Omit<ViewChange, 'bytes'>): ViewChange {
  return withBytes<ViewChange>({ ...parts });
}

/** NEW-VIEW with the VIEW-CHANGEs in the order of its references. */
export function makeFullNewView(header: NewViewHeader, viewChanges: readonly ViewChange[]): FullNewView {
  return withBytes<FullNewView>({ kind: 'NEW-VIEW', header, viewChanges });
}

/** Items read so far; what is not of the kind asked for makes the reader fail. */
class ItemReader {
  readonly #context: StreamContext;
  readonly #reader: Reader;
  readonly #items: (ViewChange | NewViewProof)[] = [];
  readonly #depths: number[] = [];

  constructor(context: StreamContext, reader: Reader) {
    this.#context = context;
    this.#reader = reader;
  }

  /** Reads all items; the last one. */
  readAll(): ViewChange | NewViewProof | undefined {
    const count = this.#reader.u32();
    if (count > ITEMS_MAX) this.#reader.fail();
    for (let index = 0; index < count && !this.#reader.failed; index += 1) this.#readItem();
    return this.#items.at(-1);
  }

  #readItem(): void {
    const kind = this.#reader.peek();
    if (kind === KIND['VIEW-CHANGE']) this.#readViewChange();
    else if (kind === KIND['NEW-VIEW']) this.#readNewView();
    else this.#push(readNewViewCertificate(this.#context, this.#reader), []);
  }

  #readViewChange(): void {
    const context = this.#context;
    const reader = this.#reader;
    const content = readViewChangeContent(context, reader);
    const digest = viewChangeDigest(context, content);
    const ui = readUi(context, reader);
    const children = reader.list(NEW_VIEWS_MAX, (r) => r.u32());
    const justification = reader.list(context.n, (r) => readRequestViewChange(context, r));
    const newViews: NewViewProof[] = [];
    for (const child of children) {
      const item = this.#items[child];
      if (item === undefined || item.kind === 'VIEW-CHANGE') reader.fail();
      else newViews.push(item);
    }
    this.#push(makeViewChange({ ...content, ui, digest, newViews, justification }), children);
  }

  #readNewView(): void {
    const reader = this.#reader;
    readKind(reader, KIND['NEW-VIEW']);
    const header = readNewViewHeader(this.#context, reader);
    const children = reader.list(this.#context.n, (r) => r.u32());
    const viewChanges: ViewChange[] = [];
    for (const child of children) {
      const item = this.#items[child];
      if (item?.kind === 'VIEW-CHANGE') viewChanges.push(item);
      else reader.fail();
    }
    this.#push(makeFullNewView(header, viewChanges), children);
  }

  #push(item: ViewChange | NewViewProof, children: readonly number[]): void {
    let depth = 1;
    for (const child of children) depth = Math.max(depth, (this.#depths[child] ?? 0) + 1);
    if (depth > DEPTH_MAX) this.#reader.fail();
    this.#items.push(item);
    this.#depths.push(depth);
  }
}

/**
 * Reads a VIEW-CHANGE or NEW-VIEW message; undefined unless canonical: the same items in the same order as encoding the
 * result gives.
 */
export function decodeNested(
  context: StreamContext,
  bytes: Uint8Array,
): ViewChange | FullNewView | undefined {
  const reader = new Reader(bytes);
  const kind = reader.u8();
  const message = new ItemReader(context, reader).readAll();
  if (!reader.done() || message === undefined || message.kind === 'NEW-VIEW-CERTIFICATE') return undefined;
  if (KIND[message.kind] !== kind || !equalBytes(message.bytes, bytes)) return undefined;
  return message;
}
