/**
 * The key that the components of a group share, for the HMAC suite (decision A2) or for MACs of requests (C3): it is made inside a
 * component, lies in the component's folder (0600), and goes to another one only after that one's evidence was judged
 * (`ceremony.ts`, `trusted/attestation/group-key.ts`). Whoever has it can forge for every member: that is the price of this suite.
 */
import { hash, createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Hash, TcEpoch } from '../../core/types.ts';
import { clientRootOf } from '../../crypto/request-mac.ts';
import type { ProgramKey } from '../../trusted/contract.ts';
import type { Hmac } from '../../trusted/statement.ts';
import { statementKeyOf, tcIdOf } from '../../trusted/statement.ts';

/** File of the group key in a component's folder; it is there where the component uses the HMAC suite. */
export const GROUP_FILE = 'group';
const POLICY_BYTES_MAX = 64 * 1024;

/**
 * What the members of a group use their key for: `statements`, the HMAC suite; `requests`, MACs of clients (decision C3),
 * while each component seals under an Ed25519 key of its own (docs/decisions/0021).
 */
export type GroupUse = 'statements' | 'requests';

/** First byte of the file. */
const USE_BYTE: Readonly<Record<GroupUse, number>> = { statements: 1, requests: 2 };

/** What a member of a group holds. */
export interface GroupKey {
  readonly use: GroupUse;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** Number of the own replica. */
  readonly replica: number;
  /** Attestation policy that the other members are judged by, as JSON; fixed before there was a key. */
  readonly policy: string;
  /** Secret of the own envelope key (X25519), 32 bytes. */
  readonly envelopeSecret: Uint8Array;
}

const sha256: Hash = (bytes) => hash('sha256', bytes, 'buffer');
const hmac: Hmac = (key, message) => createHmac('sha256', key).update(message).digest();

/** Canonical bytes. */
export function encodeGroupKey(group: GroupKey): Uint8Array {
  return new Writer(512)
    .u8(USE_BYTE[group.use])
    .raw(group.key)
    .raw(group.id)
    .u32(group.replica)
    .bytes(new TextEncoder().encode(group.policy))
    .raw(group.envelopeSecret)
    .finish();
}

/** Reads a group key; undefined unless canonical. */
export function decodeGroupKey(bytes: Uint8Array): GroupKey | undefined {
  return decodeWhole(bytes, (reader) => {
    const first = reader.u8();
    if (first !== USE_BYTE.statements && first !== USE_BYTE.requests) reader.fail();
    const use = first === USE_BYTE.requests ? 'requests' : 'statements';
    const key = new Uint8Array(reader.raw(32));
    const id = new Uint8Array(reader.raw(16));
    const replica = reader.u32();
    const policy = new TextDecoder().decode(reader.bytes(POLICY_BYTES_MAX));
    return { use, key, id, replica, policy, envelopeSecret: new Uint8Array(reader.raw(32)) };
  });
}

/** The group of the component whose folder is the current one; undefined: it has a key of its own (Ed25519). */
export function readGroupFile(): GroupKey | undefined {
  if (!existsSync(GROUP_FILE)) return undefined;
  const group = decodeGroupKey(readFileSync(GROUP_FILE));
  if (group === undefined)
    throw new Error(
      "the group key of the trusted component is damaged; put back its file 'group', or join anew",
    );
  return group;
}

/** What keys of clients follow from in this group. */
export function groupClientRoot(group: GroupKey): Uint8Array {
  return clientRootOf(hmac, group.key, group.id);
}

/** The group key as a program uses it under a tcEpoch of its own. */
export function groupProgramKey(group: GroupKey, tcEpoch: TcEpoch): ProgramKey {
  const statementKey = statementKeyOf(hmac, group.key, group.id);
  return {
    suite: 'hmac-sha256',
    tcId: tcIdOf(sha256, { suite: 'hmac-sha256', groupId: group.id, replica: group.replica }),
    tcEpoch,
    publicKey: '',
    statementKey,
    authenticate: (bytes) => hmac(statementKey, bytes),
  };
}
