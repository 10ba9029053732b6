/**
 * The registry: which trusted component speaks for which replica, now and before.
 * An immutable value; its canonical bytes are the `protocolState` that checkpoints cover.
 */
import { Reader, Writer } from '../core/codec.ts';
import { bytesToHex } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import { finishPiece } from '../core/pieces.ts';
import type { TrustedKey } from '../core/protocol.ts';
import type { RecoverRequest } from '../core/request.ts';
import type { Digest, Incarnation, ReplicaId, SequenceNumber, TcEpoch, View } from '../core/types.ts';

/** One trusted component that a replica has or had. Entries are never removed, so used keys stay recognisable. */
export interface IncarnationEntry {
  readonly incarnation: Incarnation;
  readonly tcEpoch: TcEpoch;
  readonly tcId: string;
  readonly publicKey: string;
  /** SHA-256 of its program; as good as the evidence that the attestation policy asks for. */
  readonly measurement: Digest;
  /** Where it runs; the same holds. */
  readonly footprint: string;
  /** n_r: sequence number of the RECOVER that made it; 0 for incarnation 0. */
  readonly since: SequenceNumber;
  /** View of the PREPARE header of that RECOVER; 0 for incarnation 0. */
  readonly fromView: View;
}

/** For each replica its incarnations, ascending; the last one is current. */
export interface Registry {
  readonly members: readonly (readonly IncarnationEntry[])[];
}

/** Registry of genesis: incarnation 0 of every member. */
export function genesisRegistry(settings: ClusterSettings): Registry {
  return {
    members: settings.members.map((member) => [
      {
        incarnation: 0,
        tcEpoch: member.trusted.tcEpoch,
        tcId: member.trusted.tcId,
        publicKey: member.trusted.publicKey,
        measurement: member.trusted.measurement,
        footprint: member.trusted.footprint,
        since: 0,
        fromView: 0,
      },
    ]),
  };
}

/** The current entry of a replica. */
export function currentEntry(registry: Registry, replica: ReplicaId): IncarnationEntry {
  return registry.members[replica]!.at(-1)!;
}

/** The entry that binds (replica, tcEpoch), retired ones included; undefined if this registry has none. */
export function entryOf(
  registry: Registry,
  replica: ReplicaId,
  tcEpoch: TcEpoch,
): IncarnationEntry | undefined {
  return registry.members[replica]?.find((entry) => entry.tcEpoch === tcEpoch);
}

/** The key that an entry stands for. */
export function trustedKeyOf(replica: ReplicaId, entry: IncarnationEntry): TrustedKey {
  return { replica, tcEpoch: entry.tcEpoch, tcId: entry.tcId, publicKey: entry.publicKey };
}

/**
 * Whether RECOVER is *formally effective* at order `n`, judged against the registry after n-1.
 * `authentic`: host signature and evidence hold. `checkpointInterval` is cp.
 */
export function isEffectiveRecover(
  registry: Registry,
  request: RecoverRequest,
  authentic: boolean,
  n: SequenceNumber,
  checkpointInterval: number,
): boolean {
  const entries = registry.members[request.replica];
  if (!authentic || entries === undefined) return false;
  const current = entries.at(-1)!;
  if (request.expectedIncarnation !== current.incarnation) return false;
  if (current.incarnation > 0 && n <= current.since + 2 * checkpointInterval) return false;
  return !registry.members.some((list, replica) =>
    list.some(
      (entry) =>
        // Of its own replica only: a tcEpoch is what a component says, so another's pending one could be used up by
        // a component that claims it (weakness U1). Keys cannot be claimed: evidence shows who holds them.
        (replica === request.replica && entry.tcEpoch === request.tcEpoch) ||
        // A component with an own key is named by it; with the HMAC suite the id is that of the replica, for ever.
        (entry.publicKey !== '' && entry.tcId === request.tcId) ||
        (entry.publicKey !== '' && entry.publicKey === request.tcPublicKey),
    ),
  );
}

/** The registry after an effective RECOVER ordered at `n`, prepared in `fromView`. */
export function applyRecover(
  registry: Registry,
  request: RecoverRequest,
  n: SequenceNumber,
  fromView: View,
): Registry {
  const members = registry.members.map((entries, replica) => {
    if (replica !== request.replica) return entries;
    const incarnation = entries.at(-1)!.incarnation + 1;
    const { tcEpoch, tcId, tcPublicKey: publicKey, measurement, footprint } = request;
    const entry = { incarnation, tcEpoch, tcId, publicKey, measurement, footprint, since: n, fromView };
    return [...entries, entry];
  });
  return { members };
}

/** Bytes of registries by the object: one is never changed, and seldom replaced. */
const ENCODED = new WeakMap<Registry, Uint8Array>();

/** Canonical bytes of a registry. Shared by all who ask: nobody may change them. */
export function encodeRegistry(registry: Registry): Uint8Array {
  const known = ENCODED.get(registry);
  if (known !== undefined) return known;
  const made = writeRegistry(registry);
  ENCODED.set(registry, made);
  return made;
}

function writeRegistry(registry: Registry): Uint8Array {
  return finishPiece(
    new Writer(512).list(registry.members, (writer, entries) =>
      writer.list(entries, (w, entry) => {
        w.u32(entry.incarnation).tcEpoch(entry.tcEpoch).hex(entry.tcId).ascii(entry.publicKey);
        w.digest(entry.measurement).ascii(entry.footprint).u64(entry.since).u64(entry.fromView);
      }),
    ),
  );
}

/** Incarnations that one replica may have had, at most; a RECOVER beyond it is not effective anywhere. */
const INCARNATIONS_MAX = 1 << 16;

/** Reads a registry of `n` members; undefined unless canonical. */
export function decodeRegistry(bytes: Uint8Array, n: number): Registry | undefined {
  const reader = new Reader(bytes);
  const registry = readRegistry(reader, n);
  return reader.done() ? registry : undefined;
}

/**
 * The registry in a protocol state: what a protocol wants covered by checkpoints starts with it, and may go on. Undefined
 * if there is none.
 */
export function registryOfState(protocolState: Uint8Array, n: number): Registry | undefined {
  return readRegistry(new Reader(protocolState), n);
}

function readRegistry(reader: Reader, n: number): Registry | undefined {
  const members = reader.list(n, (r) =>
    r.list(INCARNATIONS_MAX, (entry): IncarnationEntry => ({
      incarnation: entry.u32(),
      tcEpoch: entry.tcEpoch(),
      tcId: bytesToHex(entry.raw(16)),
      publicKey: entry.ascii(130),
      measurement: entry.digest(),
      footprint: entry.ascii(32),
      since: entry.u64(),
      fromView: entry.u64(),
    })),
  );
  const wellFormed =
    !reader.failed &&
    members.length === n &&
    members.every(
      (entries) => entries.length > 0 && entries.every((entry, index) => entry.incarnation === index),
    );
  return wellFormed ? { members } : undefined;
}
