/**
 * Messages of CheapBFT. PREPARE, COMMIT and HISTORY alone use the counter of agreement, and the PREPARE or COMMIT for
 * offset o has the value o: so a list of them shows that nothing was left out. Messages of the fallback travel inside.
 */
import type { Reader, Writer } from '../../core/codec.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { CounterValue, Digest, ReplicaId } from '../../core/types.ts';
import type { Checkpoint } from '../../smr/attested/checkpoint.ts';
import { readCheckpoint, writeCheckpoint } from '../../smr/attested/checkpoint.ts';
import type { EncodedContent, Sealed, SealedCodecOptions } from '../../smr/attested/sealed.ts';
import { SealedCodec } from '../../smr/attested/sealed.ts';
import type { UpdateContent } from '../../smr/passive/messages.ts';
import { readUpdateContent, UPDATE_KINDS, writeUpdateContent } from '../../smr/passive/messages.ts';
import type { Purpose } from './instances.ts';
import { labelOf } from './instances.ts';

/** Name in settings, on the command line and in digests. */
export const PROTOCOL_NAME = 'cheapbft';

/** The leader proposes a batch as offset `offset` of an instance. */
export interface Prepare {
  readonly kind: 'PREPARE';
  readonly instance: number;
  readonly offset: number;
  readonly batch: Digest;
}

/** Another active replica agrees; the PREPARE is inside. */
export interface Commit {
  readonly kind: 'COMMIT';
  readonly instance: number;
  readonly offset: number;
  readonly prepare: CheapSealed;
}

/** Stop: CheapTiny cannot tell who is right, so one is enough. */
export interface Panic {
  readonly kind: 'PANIC';
  readonly instance: number;
}

/** All own PREPAREs and COMMITs after a stable checkpoint; the counter is closed with it. */
export interface History {
  readonly kind: 'HISTORY';
  readonly instance: number;
  /** CHECKPOINTs of f+1; empty: it starts with the instance. */
  readonly checkpoints: readonly CheapSealed[];
  readonly entries: readonly CheapSealed[];
}

/** Asks for HISTORYs of an instance; authentic by its link. */
export interface Fetch {
  readonly kind: 'FETCH-HISTORY';
  readonly instance: number;
}

/** What a fallback is used for: agreeing on a history, or ordering. */
export type Role = Exclude<Purpose, 'tiny'>;

/** A message of the fallback; authentic by its link and by the seals in it. */
export interface Inner {
  readonly kind: 'FALLBACK';
  readonly instance: number;
  readonly role: Role;
  readonly bytes: Uint8Array;
}

/** An own sealed message of the fallback: kept in the own log, never sent as such. */
export interface Draft {
  readonly kind: 'DRAFT';
  readonly instance: number;
  readonly role: Role;
  readonly counter: CounterValue;
  /** What the fallback has sealed. */
  readonly sealed: Digest;
  readonly draft: Uint8Array;
}

export type CheapContent =
  Prepare | Commit | Checkpoint | Panic | History | Fetch | Inner | Draft | UpdateContent;
/** A message with the word given for it. */
export type CheapSealed = Sealed<CheapContent>;

const KINDS = [
  'PREPARE',
  'COMMIT',
  'CHECKPOINT',
  'PANIC',
  'HISTORY',
  'FETCH-HISTORY',
  'FALLBACK',
  'DRAFT',
  ...UPDATE_KINDS,
] as const satisfies readonly CheapContent['kind'][];

const ROLES: readonly Role[] = ['switch', 'order'];
const INNER_BYTES_MAX = 32 * 1024 * 1024;

/** Entries of a HISTORY, at most: its checkpoint may be a window behind what its author had agreed to. */
export function entriesMax(window: number): number {
  return 2 * window;
}

function write(writer: Writer, content: CheapContent, codec: SealedCodec<CheapContent>): void {
  switch (content.kind) {
    case 'PREPARE':
      writer.u64(content.instance).u64(content.offset).digest(content.batch);
      return;
    case 'COMMIT':
      writer.u64(content.instance).u64(content.offset);
      codec.writeSealed(writer, content.prepare);
      return;
    case 'CHECKPOINT':
      writeCheckpoint(writer, content);
      return;
    case 'PANIC':
    case 'FETCH-HISTORY':
      writer.u64(content.instance);
      return;
    case 'HISTORY':
      writer.u64(content.instance).list(content.checkpoints, codec.writeSealed);
      writer.list(content.entries, codec.writeSealed);
      return;
    case 'FALLBACK':
      writer.u64(content.instance).u8(ROLES.indexOf(content.role)).bytes(content.bytes);
      return;
    case 'DRAFT':
      writer.u64(content.instance).u8(ROLES.indexOf(content.role)).u64(content.counter);
      writer.digest(content.sealed).bytes(content.draft);
      return;
    default:
      writeUpdateContent(writer, content);
  }
}

function readRole(reader: Reader): Role {
  const role = ROLES[reader.u8()];
  if (role === undefined) reader.fail();
  return role ?? 'order';
}

function read(kind: CheapContent['kind'], reader: Reader, codec: SealedCodec<CheapContent>): CheapContent {
  switch (kind) {
    case 'PREPARE':
      return { kind, instance: reader.u64(), offset: reader.u64(), batch: reader.digest() };
    case 'COMMIT':
      return { kind, instance: reader.u64(), offset: reader.u64(), prepare: codec.readSealed(reader) };
    case 'CHECKPOINT':
      return readCheckpoint(reader);
    case 'PANIC':
    case 'FETCH-HISTORY':
      return { kind, instance: reader.u64() };
    case 'HISTORY':
      return {
        kind,
        instance: reader.u64(),
        checkpoints: reader.list(codec.members, codec.readSealed),
        entries: reader.list(entriesMax(codec.window), codec.readSealed),
      };
    case 'FALLBACK':
      return { kind, instance: reader.u64(), role: readRole(reader), bytes: reader.bytes(INNER_BYTES_MAX) };
    case 'DRAFT': {
      const [instance, role, counter] = [reader.u64(), readRole(reader), reader.u64()];
      return { kind, instance, role, counter, sealed: reader.digest(), draft: reader.bytes(INNER_BYTES_MAX) };
    }
    default:
      return readUpdateContent(kind, reader);
  }
}

/** How these messages travel. The position of a kind is its tag. */
export const CHEAP_MESSAGES: SealedCodecOptions<CheapContent> = {
  protocol: PROTOCOL_NAME,
  kinds: KINDS,
  write,
  read,
  quoted: (content) => {
    if (content.kind === 'COMMIT') return [content.prepare];
    return content.kind === 'HISTORY' ? [...content.checkpoints, ...content.entries] : [];
  },
};

/** Own messages of the fallback keep the digest that the fallback seals: its peers verify that one. */
export class CheapCodec extends SealedCodec<CheapContent> {
  override encodeContent(author: ReplicaId, content: CheapContent): EncodedContent {
    const encoded = super.encodeContent(author, content);
    return content.kind === 'DRAFT' ? { ...encoded, digest: content.sealed } : encoded;
  }
}

/** The fallback's word for a message, as the word of the object that stands for its counter. */
export function objectWordOf(ui: UniqueIdentifier, role: Role, instance: number) {
  const { replica, tcEpoch, counter, authenticator } = ui;
  return {
    kind: 'object',
    replica,
    tcEpoch,
    object: labelOf(role, instance),
    form: 'counter',
    previous: counter - 1,
    value: counter,
    authenticator,
  } as const;
}
