/**
 * The attestation policy as strict JSON and as canonical bytes of genesis: which programs, footprints and roots a cluster
 * allows (docs/attestation.md). Read from cluster.json and from policy files alike.
 */
import { Writer } from '../core/codec.ts';
import type { AllowedFootprint, AllowedProgram, AttestationPolicy, AttestationRoot } from '../core/config.ts';
import type { Digest } from '../core/types.ts';
import { JsonReading } from './settings-reading.ts';
import type { JsonObject } from './settings-reading.ts';

/** Value of the field `format` of a policy file. */
export const POLICY_FORMAT = 'moiety-attestation-policy/1';

const ENTRIES_MAX = 64;
const KEY_BYTES_MAX = 1024;
const VERSION_MAX = 2 ** 32 - 1;
const WORD = /^[a-z0-9][a-z0-9-]{0,31}$/;
const WORD_WORDS = '1 to 32 lower-case letters, digits or hyphens';
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const NAME_WORDS = '1 to 64 letters, digits, dots, underscores or hyphens';
const KEY = new RegExp(`^(?=.{2,${2 * KEY_BYTES_MAX}}$)([0-9a-f]{2})+$`);
const DIGEST = /^[0-9a-f]{64}$/;

/** Fields of a policy. */
export const POLICY_FIELDS = ['programs', 'footprints', 'roots'] as const;

function readDigests(object: JsonObject, name: string, low: number, reading: JsonReading): Digest[] {
  return object.list(name, low, ENTRIES_MAX, (item, place) => {
    if (typeof item === 'string' && DIGEST.test(item)) return item as Digest;
    reading.complain(place, 'must be 32 bytes in lower-case hexadecimal (a SHA-256)');
    return '' as Digest;
  });
}

function readProgram(item: unknown, place: string, reading: JsonReading): AllowedProgram {
  const object = reading.object(item, place, ['name', 'measurements']);
  return {
    name: object.text('name', WORD, WORD_WORDS),
    measurements: readDigests(object, 'measurements', 1, reading),
  };
}

function readFootprint(item: unknown, place: string, reading: JsonReading): AllowedFootprint {
  const object = reading.object(item, place, ['name', 'endorsedBy', 'carriers']);
  return {
    name: object.text('name', WORD, WORD_WORDS),
    endorsedBy: object.list('endorsedBy', 0, ENTRIES_MAX, (format, where) => {
      if (typeof format === 'string' && WORD.test(format)) return format;
      reading.complain(where, `must be the name of an evidence format: ${WORD_WORDS}`);
      return '';
    }),
    carriers: readDigests(object, 'carriers', 0, reading),
  };
}

function readRoot(item: unknown, place: string, reading: JsonReading): AttestationRoot {
  const object = reading.object(item, place, ['format', 'name', 'key', 'minimumVersion']);
  return {
    format: object.text('format', WORD, WORD_WORDS),
    name: object.text('name', NAME, NAME_WORDS),
    key: object.text('key', KEY, `1 to ${KEY_BYTES_MAX} bytes in lower-case hexadecimal`),
    minimumVersion: object.integer('minimumVersion', 0, VERSION_MAX),
  };
}

/** Reads the fields of a policy; complaints go to `reading`. */
export function readAttestationPolicy(object: JsonObject, reading: JsonReading): AttestationPolicy {
  const policy = {
    programs: object.list('programs', 1, ENTRIES_MAX, (item, place) => readProgram(item, place, reading)),
    footprints: object.list('footprints', 1, ENTRIES_MAX, (item, place) =>
      readFootprint(item, place, reading),
    ),
    roots: object.list('roots', 0, ENTRIES_MAX, (item, place) => readRoot(item, place, reading)),
  };
  noTwice(object, 'programs', 'program', policy.programs);
  noTwice(object, 'footprints', 'footprint', policy.footprints);
  for (const { name, endorsedBy, carriers } of policy.footprints) {
    for (const format of endorsedBy)
      if (!policy.roots.some((root) => root.format === format))
        object.complain('roots', `must hold a root of format "${format}", which is to vouch for "${name}"`);
    if (endorsedBy.length === 0 && carriers.length > 0)
      object.complain(
        'footprints',
        `must not list carriers for "${name}" while endorsedBy is empty: without an endorsement nobody knows them`,
      );
  }
  return policy;
}

function noTwice(
  object: JsonObject,
  place: string,
  what: string,
  entries: readonly { readonly name: string }[],
): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (seen.has(name)) object.complain(place, `must not have the same ${what} twice: "${name}"`);
    seen.add(name);
  }
}

/** Outcome of reading: the policy, or a sentence that says what is wrong and where. */
export type ParsedPolicy = { readonly policy: AttestationPolicy } | { readonly error: string };

/** Reads a policy file. */
export function parseAttestationPolicy(json: unknown): ParsedPolicy {
  const reading = new JsonReading();
  const root = reading.object(json, '', ['format', ...POLICY_FIELDS]);
  root.oneOf('format', [POLICY_FORMAT]);
  const policy = readAttestationPolicy(root, reading);
  return reading.error === undefined ? { policy } : { error: reading.error };
}

/** The JSON value of a policy, without the format of a file. */
export function attestationPolicyToJson({ programs, footprints, roots }: AttestationPolicy): unknown {
  return {
    programs: programs.map(({ name, measurements }) => ({ name, measurements: [...measurements] })),
    footprints: footprints.map(({ name, endorsedBy, carriers }) => ({
      name,
      endorsedBy: [...endorsedBy],
      carriers: [...carriers],
    })),
    roots: roots.map(({ format, name, key, minimumVersion }) => ({ format, name, key, minimumVersion })),
  };
}

/** Canonical bytes of a policy, for the cluster id. */
export function writeAttestationPolicy(writer: Writer, policy: AttestationPolicy): void {
  writer.list(policy.programs, (w, { name, measurements }) =>
    w.ascii(name).list(measurements, (to, measurement) => to.digest(measurement)),
  );
  writer.list(policy.footprints, (w, { name, endorsedBy, carriers }) =>
    w
      .ascii(name)
      .list(endorsedBy, (to, format) => to.ascii(format))
      .list(carriers, (to, carrier) => to.digest(carrier)),
  );
  writer.list(policy.roots, (w, { format, name, key, minimumVersion }) =>
    w.ascii(format).ascii(name).ascii(key).u32(minimumVersion),
  );
}
