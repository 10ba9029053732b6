/**
 * Domain separation (decision B6): the digest of every sealed thing starts with what it is, where it belongs and
 * under which membership, so that no seal can be replayed as another kind, in another protocol or another cluster.
 */
import { bytesToDigest } from './bytes.ts';
import { Writer } from './codec.ts';
import type { ConfigurationVersion, Digest, Hash } from './types.ts';

/** What binds a digest to one cluster and membership. */
export interface Domain {
  readonly clusterId: Digest;
  readonly configurationVersion: ConfigurationVersion;
}

/** A writer that already holds the domain prefix; append the canonical fields and hash with `finishDigest`. */
export function domainWriter(tag: string, domain: Domain): Writer {
  return new Writer(320).ascii(tag).digest(domain.clusterId).u64(domain.configurationVersion);
}

/** The tag of a message kind of a protocol, for example "moiety/minbft/PREPARE/v1". */
export function domainTag(protocol: string, kind: string): string {
  return `moiety/${protocol}/${kind}/v1`;
}

/** Digest of what the writer holds. */
export function finishDigest(hash: Hash, writer: Writer): Digest {
  return hash.hex === undefined
    ? bytesToDigest(writer.finishInto(hash))
    : (writer.finishInto(hash.hex) as Digest);
}

/** From here on a copy costs more than hashing in two steps. */
const LONG_BYTES = 4096;

/** Digest of what the writer holds, and of length-prefixed bytes behind it. */
export function finishDigestOver(hash: Hash, writer: Writer, bytes: Uint8Array): Digest {
  const { joined } = hash;
  if (joined === undefined || bytes.length < LONG_BYTES) return finishDigest(hash, writer.bytes(bytes));
  return writer.u32(bytes.length).finishInto((prefix) => joined(prefix, bytes)) as Digest;
}

/** Digest of bytes. */
export function digestOf(hash: Hash, bytes: Uint8Array): Digest {
  return hash.hex === undefined ? bytesToDigest(hash(bytes)) : (hash.hex(bytes) as Digest);
}

/** Puts the 32 bytes of a digest into `out` at `at`; `bytes` may be a part of `out` that is overwritten by it. */
export function hashInto(hash: Hash, bytes: Uint8Array, out: Uint8Array, at: number): void {
  if (hash.into === undefined) out.set(hash(bytes), at);
  else hash.into(bytes, out, at);
}
