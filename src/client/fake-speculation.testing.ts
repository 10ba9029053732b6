/**
 * For tests: client rules of a speculative protocol of 3f+1 replicas, as small as can be. A proof names view, sequence
 * number and history and is signed by the host; a certificate is 2f+1 proofs that name the same.
 */
import { Reader, Writer, decodeWhole } from '../core/codec.ts';
import { CERTIFICATE_BYTES_MAX, PROOF_BYTES_MAX } from '../core/client-wire.ts';
import type { Domain } from '../core/domain.ts';
import { domainWriter, finishDigest } from '../core/domain.ts';
import type { ClientRules, Seal } from '../core/protocol.ts';
import type { Digest, ReplicaId, SequenceNumber, View } from '../core/types.ts';
import type { SignedProof } from './answer-rules.ts';
import { nodeHash } from '../platform/sha256.ts';

/** What a proof is about. */
export interface FakeHistory {
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly history: Digest;
}

/** A certificate as replicas read it. */
export interface FakeCertificate extends FakeHistory {
  readonly seals: readonly Seal[];
}

function writeHistory(writer: Writer, { view, sequence, history }: FakeHistory): Writer {
  return writer.u64(view).u64(sequence).digest(history);
}

function readHistory(reader: Reader): FakeHistory {
  return { view: reader.u64(), sequence: reader.u64(), history: reader.digest() };
}

function digestOf(domain: Domain, about: FakeHistory): Digest {
  return finishDigest(nodeHash, writeHistory(domainWriter('moiety/fake/PROOF/v1', domain), about));
}

/** Bytes of a proof. */
export function fakeProof(
  domain: Domain,
  about: FakeHistory,
  sign: (digest: Digest) => Uint8Array,
): Uint8Array {
  return writeHistory(new Writer(128), about)
    .raw(sign(digestOf(domain, about)))
    .finish();
}

function readProof(
  domain: Domain,
  replica: ReplicaId,
  proof: Uint8Array,
): { about: FakeHistory; seal: Seal } | undefined {
  return decodeWhole(proof, (reader) => {
    const about = readHistory(reader);
    const seal = {
      kind: 'host',
      replica,
      digest: digestOf(domain, about),
      signature: reader.raw(64),
    } as const;
    return { about, seal };
  });
}

const keyOf = ({ view, sequence, history }: FakeHistory): string => `${view}/${sequence}/${history}`;

/** When its clients believe. */
export const fakeRules: ClientRules = {
  needed: (standing, n, f) => ({ speculative: n, committed: 2 * f + 1, final: f + 1 })[standing],
  readProof: (proof, replica, { domain }, standing) => {
    if (standing === 'final') return proof.length === 0 ? { key: '', seals: [] } : undefined;
    const read = readProof(domain, replica, proof);
    return read && { key: keyOf(read.about), seals: [read.seal] };
  },
  certificate: {
    needed: (_, f) => 2 * f + 1,
    make: (proofs) =>
      new Writer(1024)
        .list<SignedProof>(proofs, (writer, { replica, proof }) => writer.u32(replica).bytes(proof))
        .finish(),
  },
};

/** Reads a certificate; undefined unless it holds `needed` proofs of distinct replicas about the same. */
export function decodeFakeCertificate(
  domain: Domain,
  needed: number,
  bytes: Uint8Array,
): FakeCertificate | undefined {
  if (bytes.length > CERTIFICATE_BYTES_MAX) return undefined;
  const proofs = decodeWhole(bytes, (reader) =>
    reader.list(128, (item) => ({ replica: item.u32(), proof: item.bytes(PROOF_BYTES_MAX) })),
  );
  const read = proofs?.map(({ replica, proof }) => readProof(domain, replica, proof)) ?? [];
  const first = read[0]?.about;
  if (first === undefined || new Set(proofs?.map(({ replica }) => replica)).size !== needed) return undefined;
  const seals: Seal[] = [];
  for (const one of read) {
    if (one === undefined || keyOf(one.about) !== keyOf(first)) return undefined;
    seals.push(one.seal);
  }
  return { ...first, seals };
}
