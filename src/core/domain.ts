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
  return bytesToDigest(writer.finishInto(hash));
}
