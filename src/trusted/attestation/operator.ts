/**
 * The software root: an operator's certification key signs which program runs in which carrier on which footprint with
 * which key. It proves that the operator says so, nothing more; the operator's tool measured what it names.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import { hexToBytes } from '../../core/bytes.ts';
import { domainTag } from '../../core/domain.ts';
import type { Digest, Milliseconds } from '../../core/types.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { EvidenceFormat, FormatContext } from './format.ts';
import { checkOf } from './verdict.ts';
import type { Check } from './verdict.ts';

/** Name of this format in bundles and policies. */
export const OPERATOR_FORMAT = 'operator';
const KEY_BYTES = 32;
const FOOTPRINT_BYTES_MAX = 32;

/** What an operator signs. */
export interface OperatorStatement {
  /** Raw Ed25519 key of the operator, hexadecimal. */
  readonly root: string;
  readonly measurement: Digest;
  /** SHA-256 of what carries the program (binary, image); ZERO_DIGEST: the operator says nothing about it. */
  readonly carrier: Digest;
  readonly footprint: string;
  /** Version of the program that the operator released under this measurement. */
  readonly version: number;
  /** `bindDigestOf` of the component's key and the challenge. */
  readonly bind: Digest;
  readonly notBefore: Milliseconds;
  readonly notAfter: Milliseconds;
}

/** The bytes to sign. */
export function operatorStatementBytes(statement: OperatorStatement): Uint8Array {
  return new Writer(256)
    .ascii(domainTag('attestation', 'OPERATOR'))
    .hex(statement.root)
    .digest(statement.measurement)
    .digest(statement.carrier)
    .ascii(statement.footprint)
    .u32(statement.version)
    .digest(statement.bind)
    .u64(statement.notBefore)
    .u64(statement.notAfter)
    .finish();
}

/** Body of an endorsement: the statement and its signature (64 bytes). */
export function encodeOperatorEndorsement(statement: OperatorStatement, signature: Uint8Array): Uint8Array {
  return new Writer(320).raw(operatorStatementBytes(statement)).raw(signature).finish();
}

interface Signed {
  readonly statement: OperatorStatement;
  readonly signature: Uint8Array;
}

function decode(body: Uint8Array): Signed | undefined {
  return decodeWhole(body, (reader) => {
    if (reader.ascii(64) !== domainTag('attestation', 'OPERATOR')) reader.fail();
    const root = Array.from(reader.raw(KEY_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const measurement = reader.digest();
    const carrier = reader.digest();
    const footprint = reader.ascii(FOOTPRINT_BYTES_MAX);
    const version = reader.u32();
    const bind = reader.digest();
    const notBefore = reader.u64();
    const notAfter = reader.u64();
    const signature = new Uint8Array(reader.raw(64));
    return {
      statement: { root, measurement, carrier, footprint, version, bind, notBefore, notAfter },
      signature,
    };
  });
}

const day = (ms: Milliseconds): string => `${ms} ms since 1970`;

function rootChecks({ statement, signature }: Signed, { roots, crypto }: FormatContext): Check[] {
  const root = roots.find(({ key }) => key === statement.root);
  const known = checkOf(
    'operator root',
    root !== undefined,
    statement.root,
    roots.length === 0 ? 'a root of format operator in the policy' : roots.map(({ key }) => key).join(' or '),
    'The policy does not know this operator. If you trust it, add its key to "roots"; else ask your own operator to ' +
      'endorse the component.',
  );
  if (root === undefined) return [known];
  const holds = crypto.verifyEd25519(hexToBytes(root.key)!, operatorStatementBytes(statement), signature);
  return [
    known,
    checkOf(
      'operator signature',
      holds,
      holds ? `holds under ${root.name}` : 'a signature that does not verify',
      `the signature of ${root.name}`,
      'The endorsement was changed after it was signed, or somebody else made it. Have it made again.',
    ),
    checkOf(
      'version',
      statement.version >= root.minimumVersion,
      String(statement.version),
      `at least ${root.minimumVersion}`,
      'The component runs a release that is too old. Upgrade it and have it endorsed again.',
    ),
  ];
}

function contentChecks({ statement }: Signed, context: FormatContext): Check[] {
  const { evidence, bind, footprint, footprintName, timeMs } = context;
  const checks = [
    checkOf(
      'endorsed program',
      statement.measurement === evidence.measurement,
      statement.measurement,
      evidence.measurement,
      'The operator endorsed another program than the component says it is. One of the two changed: measure the .wasm ' +
        'file, put the released one back, or have the new one endorsed.',
    ),
    checkOf(
      'endorsed key',
      statement.bind === bind,
      statement.bind,
      bind,
      'The endorsement is about another key, tcEpoch or challenge: it belongs to another component or to an earlier ' +
        'attestation. Have this component endorsed.',
    ),
    checkOf(
      'endorsed footprint',
      statement.footprint === footprintName,
      statement.footprint,
      footprintName,
      'The component runs on another footprint than the operator endorsed. Correct the claim or have it endorsed again.',
    ),
  ];
  const carriers = footprint?.carriers ?? [];
  if (carriers.length > 0)
    checks.push(
      checkOf(
        'carrier',
        carriers.includes(statement.carrier),
        statement.carrier === ZERO_DIGEST ? 'no carrier named' : statement.carrier,
        carriers.join(' or '),
        'What carries the program is not what the policy allows: it was changed or is another build. Install the ' +
          'released one and have it endorsed again, or allow its measurement in the policy.',
      ),
    );
  if (timeMs !== undefined)
    checks.push(
      checkOf(
        'validity',
        timeMs >= statement.notBefore && timeMs <= statement.notAfter,
        `judged at ${day(timeMs)}`,
        `from ${day(statement.notBefore)} to ${day(statement.notAfter)}`,
        'The endorsement is not valid at this time. Check the clock of both machines, or have it made again.',
      ),
    );
  return checks;
}

/** See the top of this file. */
export const operatorFormat: EvidenceFormat = {
  name: OPERATOR_FORMAT,
  verify: (body, context) => {
    const signed = decode(body);
    if (signed === undefined)
      return [
        checkOf(
          'operator endorsement',
          false,
          `${body.length} bytes that are none`,
          'a statement with its signature',
          'The endorsement is damaged. Have it made again.',
        ),
      ];
    return [...rootChecks(signed, context), ...contentChecks(signed, context)];
  },
};
