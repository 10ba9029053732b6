/**
 * Genesis: the cluster settings as canonical bytes, the cluster id that binds everything sealed to them (decisions B6,
 * D7), and cluster.json as strict JSON: what is not exactly as expected is refused with a sentence.
 */
import { assert, AssertionFailure } from '../core/assert.ts';
import { Writer } from '../core/codec.ts';
import { assertLimits, AUTHENTICATORS, NO_PROGRAM } from '../core/config.ts';
import type {
  ClientSettings,
  ClusterLimits,
  ClusterSettings,
  ClusterTimers,
  MemberSettings,
  PolicyRule,
  TrustedRegistration,
} from '../core/config.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { EVIDENCE_BYTES_MAX } from '../core/request.ts';
import type { Digest, Hash, TcEpoch } from '../core/types.ts';
import { SAFE_INTEGER_END } from '../core/types.ts';
import {
  attestationPolicyToJson,
  POLICY_FIELDS,
  readAttestationPolicy,
  writeAttestationPolicy,
} from './attestation-policy.ts';
import { CLIENTS_MAX } from './clients.ts';
import { JsonReading } from './settings-reading.ts';
import type { JsonObject } from './settings-reading.ts';

/** All settings but the id that is computed from them. */
export type SettingsWithoutId = Omit<ClusterSettings, 'clusterId'>;

function writeText(writer: Writer, text: string): void {
  // The codec keeps seven bits of a character: other text would give two settings one digest.
  assert(/^[\x20-\x7e]*$/.test(text), 'texts of cluster settings are printable ASCII');
  writer.ascii(text);
}

function writeHex(writer: Writer, hex: string): void {
  assert(/^([0-9a-f]{2})*$/.test(hex), 'keys and prefixes of cluster settings are lower-case hexadecimal');
  writer.u32(hex.length / 2).hex(hex);
}

function writeMember(writer: Writer, member: MemberSettings): void {
  const { trusted } = member;
  writer.u32(member.id);
  for (const text of [member.name, member.organisation, member.address]) writeText(writer, text);
  writeHex(writer, member.hostKey);
  writeHex(writer, member.linkKey);
  for (const text of [trusted.program, trusted.footprint, trusted.suite]) writeText(writer, text);
  for (const hex of [trusted.measurement, trusted.tcId, trusted.tcEpoch, trusted.publicKey])
    writeHex(writer, hex);
}

function writeClient(writer: Writer, client: ClientSettings): void {
  writeHex(writer, client.key);
  writeText(writer, client.organisation);
  writer.bool(client.role === 'admin');
}

function writeRule(writer: Writer, rule: PolicyRule): void {
  writeHex(writer, rule.prefix);
  writer.list(rule.organisations, writeText);
}

function writeMembership(writer: Writer, settings: SettingsWithoutId): void {
  writer.u64(settings.configurationVersion);
  writeText(writer, settings.protocol);
  writer.u32(settings.f);
  writeText(writer, settings.suite);
  writer.list(settings.members, writeMember);
}

/** Nothing where there is no policy and no evidence: settings of before have the id that they had. */
function writeAttestation(writer: Writer, { attestation, members }: SettingsWithoutId): void {
  if (attestation === undefined && members.every(({ trusted }) => trusted.evidence === undefined)) return;
  writer.option(attestation, writeAttestationPolicy);
  writer.list(members, (w, { trusted }) => w.option(trusted.evidence, writeHex));
}

/**
 * Nothing for signed bundles, as settings had it before there was anything else. What begins so is no attestation part: that
 * would have more members than a cluster.
 */
function writeAuthenticator(writer: Writer, { authenticator }: SettingsWithoutId): void {
  if (authenticator !== undefined) writer.ascii('authenticator').ascii(authenticator);
}

/**
 * Cluster id: digest of all other settings, in the order of their declaration; the order of lists counts. `settings`
 * may hold a cluster id, which is not looked at.
 */
export function clusterIdOf(hash: Hash, settings: SettingsWithoutId): Digest {
  const { limits, timers } = settings;
  const writer = new Writer(4096).ascii(domainTag('ledger', 'GENESIS'));
  writeMembership(writer, settings);
  writer.list(settings.clients, writeClient).list(settings.policy, writeRule);
  writer.u64(limits.checkpointInterval).u64(limits.pipelineFactor).u64(limits.batchRequestsMax);
  writer.u64(limits.batchBytesMax).u64(limits.logEntriesMax).u64(limits.sessionsMax);
  writer.u64(limits.sessionWindowMax);
  writer.u64(timers.batchDelayMs).u64(timers.statusMs).u64(timers.requestMs).u64(timers.newViewMs);
  writer.u64(timers.backoffCapMs).u64(timers.gapMs).u64(timers.idleBatchMs);
  writeAttestation(writer, settings);
  writeAuthenticator(writer, settings);
  return finishDigest(hash, writer);
}

/** A sentence that says what is wrong if the settings' cluster id is not the digest of the rest; else undefined. */
export function clusterIdProblem(hash: Hash, settings: ClusterSettings): string | undefined {
  const computed = clusterIdOf(hash, settings);
  if (computed === settings.clusterId) return undefined;
  return (
    `clusterId is ${settings.clusterId}, but the settings give ${computed}: ` +
    'the file was changed after it was made, or it belongs to another version'
  );
}

/**
 * Digest of the membership: configurationVersion, protocol, f, suite and every member with its name, organisation,
 * address, keys and trusted component (program, footprint, measurement, suite and genesis identity).
 */
export function membershipDigest(hash: Hash, settings: ClusterSettings): Digest {
  const writer = domainWriter(domainTag('ledger', 'MEMBERSHIP'), settings);
  writeMembership(writer, settings);
  writeAuthenticator(writer, settings);
  return finishDigest(hash, writer);
}

/** The trusted component that every member needs whose cluster has MACs of requests. */
export const MAC_COMPONENT = { program: 'usig', footprint: 'process' } as const;

/** Faults tolerated, at most. */
export const F_MAX = 33;
const MEMBERS_MAX = 3 * F_MAX + 1;
const RULES_MAX = 1024;
const PREFIX_BYTES_MAX = 256;
const TIMER_MS_MAX = 60 * 60 * 1000;

const ORGANISATION = /^[A-Za-z0-9._-]{1,64}$/;
const ORGANISATION_WORDS = '1 to 64 letters, digits, dots, underscores or hyphens';
const WORD = /^[a-z0-9][a-z0-9-]{0,31}$/;
const WORD_WORDS = '1 to 32 lower-case letters, digits or hyphens';
const ADDRESS = /^([A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):[0-9]{1,5}$/;

const EVIDENCE = new RegExp(`^(?=.{2,${2 * EVIDENCE_BYTES_MAX}}$)([0-9a-f]{2})+$`);

const SETTINGS_FIELDS = [
  'clusterId',
  'configurationVersion',
  'protocol',
  'f',
  'suite',
  'members',
  'clients',
  'policy',
  'limits',
  'timers',
];
const MEMBER_FIELDS = ['id', 'name', 'organisation', 'hostKey', 'linkKey', 'address', 'trusted'];
const TRUSTED_FIELDS = ['program', 'footprint', 'measurement', 'suite', 'tcId', 'tcEpoch', 'publicKey'];

/** Smallest and largest value of each limit; their relations are in `assertLimits`. */
const LIMIT_BOUNDS: { readonly [K in keyof ClusterLimits]: readonly [number, number] } = {
  checkpointInterval: [1, 1 << 16],
  pipelineFactor: [1, 64],
  batchRequestsMax: [1, 1 << 16],
  batchBytesMax: [1, 8 * 1024 * 1024],
  logEntriesMax: [1, 1 << 24],
  sessionsMax: [1, 1 << 16],
  sessionWindowMax: [1, 1 << 16],
};

const TIMER_BOUNDS: { readonly [K in keyof ClusterTimers]: readonly [number, number] } = {
  batchDelayMs: [0, TIMER_MS_MAX],
  statusMs: [1, TIMER_MS_MAX],
  requestMs: [1, TIMER_MS_MAX],
  newViewMs: [1, TIMER_MS_MAX],
  backoffCapMs: [1, TIMER_MS_MAX],
  gapMs: [1, TIMER_MS_MAX],
  idleBatchMs: [1, TIMER_MS_MAX],
};

/** What a protocol asks of the members of a cluster. */
export interface ProtocolNeeds {
  /** Members for the f that was asked about. */
  readonly replicas: number;
  /** Trusted program of each of them; undefined: they have none. */
  readonly program: string | undefined;
}

/** What a protocol needs for f; undefined for a protocol that is not known. */
export type NeedsOf = (protocol: string, f: number) => ProtocolNeeds | undefined;

/** Outcome of reading: the settings, or a sentence that says what is wrong and where. */
export type ParsedSettings = { readonly settings: ClusterSettings } | { readonly error: string };

/**
 * Reads cluster settings from parsed JSON. `needsOf` tells what protocols need; without it every protocol needs at least
 * 2f+1 members and nothing is said about their components. Whether `clusterId` is the digest of the rest is asked of
 * `clusterIdProblem`.
 */
export function parseClusterSettings(json: unknown, needsOf?: NeedsOf): ParsedSettings {
  const reading = new JsonReading();
  const root = reading.object(json, '', SETTINGS_FIELDS, ['attestation', 'authenticator']);
  const authenticator = root.has('authenticator') ? root.oneOf('authenticator', AUTHENTICATORS) : 'bundle';
  const settings: ClusterSettings = {
    clusterId: root.hex('clusterId', 32) as Digest,
    configurationVersion: root.integer('configurationVersion', 0, SAFE_INTEGER_END - 1),
    protocol: root.text('protocol', WORD, WORD_WORDS),
    f: root.integer('f', 1, F_MAX),
    suite: root.oneOf('suite', ['hmac-sha256', 'ed25519']),
    members: root.list('members', 1, MEMBERS_MAX, (item, place) =>
      readMember(reading.object(item, place, MEMBER_FIELDS)),
    ),
    clients: root.list('clients', 1, CLIENTS_MAX, (item, place) =>
      readClient(reading.object(item, place, ['key', 'organisation', 'role'])),
    ),
    policy: root.list('policy', 0, RULES_MAX, (item, place) =>
      readRule(reading.object(item, place, ['prefix', 'organisations']), reading),
    ),
    limits: readNumbers(root, 'limits', LIMIT_BOUNDS),
    timers: readNumbers(root, 'timers', TIMER_BOUNDS),
    ...(authenticator === 'bundle' ? {} : { authenticator }),
    ...(root.has('attestation')
      ? { attestation: readAttestationPolicy(root.object('attestation', POLICY_FIELDS), reading) }
      : {}),
  };
  if (reading.error === undefined) checkRelations(reading, settings, needsOf);
  return reading.error === undefined ? { settings } : { error: reading.error };
}

function readNumbers<T extends { readonly [K in keyof T]: number }>(
  root: JsonObject,
  name: string,
  bounds: { readonly [K in keyof T]: readonly [number, number] },
): T {
  const names = Object.keys(bounds) as (keyof T & string)[];
  const object = root.object(name, names);
  return Object.fromEntries(
    names.map((field) => [field, object.integer(field, bounds[field][0], bounds[field][1])]),
  ) as T;
}

function readMember(member: JsonObject): MemberSettings {
  return {
    id: member.integer('id', 0, MEMBERS_MAX - 1),
    name: member.text('name', ORGANISATION, ORGANISATION_WORDS),
    organisation: member.text('organisation', ORGANISATION, ORGANISATION_WORDS),
    hostKey: member.hex('hostKey', 32),
    linkKey: member.hex('linkKey', 32),
    address: readAddress(member),
    trusted: readTrusted(member.object('trusted', TRUSTED_FIELDS, ['evidence'])),
  };
}

function readAddress(member: JsonObject): string {
  const address = member.text('address', ADDRESS, 'host:port, for example "10.0.0.7:4610" or "[::1]:4610"');
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  if (address !== '' && (port < 1 || port > 65535))
    member.complain('address', 'must have a port from 1 to 65535');
  return address;
}

function readTrusted(trusted: JsonObject): TrustedRegistration {
  const suite = trusted.oneOf('suite', ['hmac-sha256', 'ed25519']);
  const program = trusted.text('program', WORD, WORD_WORDS);
  const keyless =
    program === NO_PROGRAM ? 'there is no component' : 'the suite hmac-sha256 has no public keys';
  return {
    program,
    footprint: trusted.text('footprint', WORD, WORD_WORDS),
    measurement: trusted.hex('measurement', 32) as Digest,
    suite,
    tcId: trusted.hex('tcId', 16),
    tcEpoch: trusted.hex('tcEpoch', 8) as TcEpoch,
    publicKey:
      suite === 'ed25519' && program !== NO_PROGRAM
        ? trusted.hex('publicKey', 32)
        : trusted.text('publicKey', /^$/, `empty: ${keyless}`),
    ...(trusted.has('evidence')
      ? { evidence: trusted.text('evidence', EVIDENCE, `1 to ${EVIDENCE_BYTES_MAX} bytes in hexadecimal`) }
      : {}),
  };
}

function readClient(client: JsonObject): ClientSettings {
  return {
    key: client.hex('key', 32),
    organisation: client.text('organisation', ORGANISATION, ORGANISATION_WORDS),
    role: client.oneOf('role', ['client', 'admin']),
  };
}

function readRule(rule: JsonObject, reading: JsonReading): PolicyRule {
  const pattern = new RegExp(`^([0-9a-f]{2}){0,${PREFIX_BYTES_MAX}}$`);
  const prefix = rule.text(
    'prefix',
    pattern,
    `at most ${PREFIX_BYTES_MAX} bytes in lower-case hexadecimal (empty matches every key)`,
  );
  const organisations = rule.list('organisations', 0, RULES_MAX, (item, place) => {
    if (typeof item === 'string' && (item === '*' || ORGANISATION.test(item))) return item;
    reading.complain(place, `must be "*" or ${ORGANISATION_WORDS}`);
    return '';
  });
  return { prefix, organisations };
}

function checkRelations(reading: JsonReading, settings: ClusterSettings, needsOf: NeedsOf | undefined): void {
  const { members, f, suite, limits, timers } = settings;
  if (needsOf !== undefined) checkNeeds(reading, settings, needsOf);
  else if (members.length < 2 * f + 1)
    reading.complain('members', `must be at least ${2 * f + 1} for f = ${f}, not ${members.length}`);
  members.forEach((member, index) => {
    const place = `members[${index}]`;
    if (member.id !== index) reading.complain(`${place}.id`, `must be ${index}: members are listed by id`);
    if (member.trusted.suite !== suite)
      reading.complain(
        `${place}.trusted.suite`,
        `must be the suite of the cluster, "${suite}" (decision A2)`,
      );
  });
  if (settings.authenticator === 'mac') checkMacs(reading, settings);
  for (const { what, of } of UNIQUE_OF_MEMBERS) noRepetition(reading, 'members', what, members.map(of));
  // A key that is used for two purposes could have its seal replayed from one to the other.
  const keys = members.flatMap((member) => [member.hostKey, member.linkKey, member.trusted.publicKey]);
  noRepetition(reading, 'members', 'key', keys);
  noRepetition(
    reading,
    'clients',
    'key',
    settings.clients.map((client) => client.key),
  );
  noRepetition(
    reading,
    'policy',
    'prefix',
    settings.policy.map((rule) => rule.prefix),
    false,
  );
  if (timers.backoffCapMs < Math.max(timers.requestMs, timers.newViewMs))
    reading.complain('timers.backoffCapMs', 'must be at least requestMs and newViewMs');
  try {
    assertLimits(limits);
  } catch (error) {
    if (!(error instanceof AssertionFailure)) throw error;
    reading.complain('limits', `must satisfy: ${error.message}`);
  }
}

/**
 * Where MACs may stand for signatures (decision C3): every component keeps the key of its group out of its host's reach,
 * and knows the requests for it. That key is handed on by the footprint `process` only.
 */
function checkMacs(reading: JsonReading, { members, suite }: ClusterSettings): void {
  if (suite !== 'ed25519')
    reading.complain(
      'authenticator',
      `must not be "mac" with the suite ${suite}: components seal under keys of their own`,
    );
  for (const { id, trusted } of members)
    if (trusted.program !== MAC_COMPONENT.program || trusted.footprint !== MAC_COMPONENT.footprint)
      reading.complain(
        'authenticator',
        `must not be "mac" where member ${id} has ${trusted.program}@${trusted.footprint}: ` +
          `only ${MAC_COMPONENT.program}@${MAC_COMPONENT.footprint} takes part in a group that shares the key of clients`,
      );
}

function checkNeeds(reading: JsonReading, { members, protocol, f }: ClusterSettings, needsOf: NeedsOf): void {
  const needs = needsOf(protocol, f);
  if (needs === undefined) return reading.complain('protocol', `"${protocol}" is not known`);
  const { replicas, program = NO_PROGRAM } = needs;
  if (members.length !== replicas)
    reading.complain('members', `must be ${replicas} for f = ${f} of ${protocol}, not ${members.length}`);
  members.forEach(({ trusted }, index) => {
    if (trusted.program !== program)
      reading.complain(
        `members[${index}].trusted.program`,
        `must be "${program}" for the protocol ${protocol}, not "${trusted.program}"`,
      );
  });
}

const UNIQUE_OF_MEMBERS: readonly { what: string; of: (member: MemberSettings) => string }[] = [
  { what: 'name', of: (member) => member.name },
  { what: 'address', of: (member) => member.address },
  { what: 'tcId', of: ({ trusted }) => (trusted.program === NO_PROGRAM ? '' : trusted.tcId) },
  { what: 'tcEpoch', of: ({ trusted }) => (trusted.program === NO_PROGRAM ? '' : trusted.tcEpoch) },
];

function noRepetition(
  reading: JsonReading,
  place: string,
  what: string,
  values: readonly string[],
  emptyMayRepeat = true,
): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) reading.complain(place, `must not have the same ${what} twice: "${value}"`);
    if (value !== '' || !emptyMayRepeat) seen.add(value);
  }
}

/** The JSON value of cluster settings: what `parseClusterSettings` reads back equal. */
export function clusterSettingsToJson(settings: ClusterSettings): Record<string, unknown> {
  const { clusterId, configurationVersion, protocol, f, suite } = settings;
  return {
    clusterId,
    configurationVersion,
    protocol,
    f,
    suite,
    members: settings.members.map(memberToJson),
    clients: settings.clients.map(({ key, organisation, role }) => ({ key, organisation, role })),
    policy: settings.policy.map(({ prefix, organisations }) => ({
      prefix,
      organisations: [...organisations],
    })),
    limits: { ...settings.limits },
    timers: { ...settings.timers },
    ...(settings.authenticator === undefined ? {} : { authenticator: settings.authenticator }),
    ...(settings.attestation === undefined
      ? {}
      : { attestation: attestationPolicyToJson(settings.attestation) }),
  };
}

function memberToJson(member: MemberSettings): Record<string, unknown> {
  const { id, name, organisation, hostKey, linkKey, address, trusted } = member;
  const { program, footprint, measurement, suite, tcId, tcEpoch, publicKey } = trusted;
  return {
    id,
    name,
    organisation,
    hostKey,
    linkKey,
    address,
    trusted: {
      program,
      footprint,
      measurement,
      suite,
      tcId,
      tcEpoch,
      publicKey,
      ...(trusted.evidence === undefined ? {} : { evidence: trusted.evidence }),
    },
  };
}
