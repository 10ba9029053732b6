/** The first frames of a link between two replicas: who speaks, for which cluster and membership, in which version. */
import { decodeWhole, Writer } from '../core/codec.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { ReplicaId } from '../core/types.ts';

/** ALPN names; their numbers change with anything incompatible below TLS. */
export const PEER_ALPN = 'moiety-peer/1';
export const CLIENT_ALPN = 'moiety-client/1';
/** Version of the frames between replicas. */
export const PEER_WIRE_VERSION = 2;
const MAGIC = 'moiety-peer';

/** What the first frame from a peer says. */
export type PeerGreeting =
  | { readonly kind: 'welcome' }
  /** We do not want it; `reason` is for both logs. */
  | { readonly kind: 'refuse'; readonly reason: string }
  /** It does not want us. */
  | { readonly kind: 'refused'; readonly reason: string };

/** The hello from `from` to `to`. */
export function encodePeerHello(settings: ClusterSettings, from: ReplicaId, to: ReplicaId): Uint8Array {
  return new Writer(128)
    .u8(1)
    .ascii(MAGIC)
    .u16(PEER_WIRE_VERSION)
    .digest(settings.clusterId)
    .u64(settings.configurationVersion)
    .u32(from)
    .u32(to)
    .finish();
}

/** Tells the other side why the link is closed (ASCII, at most 256 characters). */
export function encodePeerRefusal(reason: string): Uint8Array {
  return new Writer(128).u8(2).ascii(reason.slice(0, 256)).finish();
}

/** Judges the first frame that `self` receives from `peer` (whose key TLS has proven). */
export function judgePeerHello(
  bytes: Uint8Array,
  settings: ClusterSettings,
  self: ReplicaId,
  peer: ReplicaId,
): PeerGreeting {
  const refusal = decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 2) reader.fail();
    return reader.ascii(256);
  });
  if (refusal !== undefined) return { kind: 'refused', reason: refusal };
  // The version stands before everything that another version might lay out differently.
  let version = 0;
  const hello = decodeWhole(bytes, (reader) => {
    if (reader.u8() !== 1 || reader.ascii(16) !== MAGIC) reader.fail();
    version = reader.u16();
    const clusterId = reader.digest();
    return { clusterId, configurationVersion: reader.u64(), from: reader.u32(), to: reader.u32() };
  });
  const refuse = (reason: string): PeerGreeting => ({ kind: 'refuse', reason });
  if (version !== 0 && version !== PEER_WIRE_VERSION)
    return refuse(
      `it speaks wire version ${version}, this replica ${PEER_WIRE_VERSION}: update the older one`,
    );
  if (hello === undefined) return refuse('its first frame is not a hello');
  if (hello.clusterId !== settings.clusterId)
    return refuse(
      `it belongs to cluster ${hello.clusterId.slice(0, 16)}, this replica to ${settings.clusterId.slice(0, 16)}: compare both cluster.json`,
    );
  if (hello.configurationVersion !== settings.configurationVersion)
    return refuse(
      `it has configuration version ${hello.configurationVersion}, this replica ${settings.configurationVersion}: give both the newer cluster.json`,
    );
  if (hello.from !== peer || hello.to !== self)
    return refuse(`it says that it is replica ${hello.from} and talks to ${hello.to}: check its config`);
  return { kind: 'welcome' };
}

/** Host and port of "host:port" or "[ipv6]:port"; undefined if it is neither. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65535 ? undefined : { host: (match[1] ?? match[2])!, port };
}
