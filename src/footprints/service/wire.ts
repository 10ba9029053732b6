/**
 * What a replica and a trusted service say to each other inside TLS, before and beside TCS1 frames. The framing is that
 * of every byte stream to a component (u32 length, u32 id, body); id 0 is the channel's own. The first frame is the
 * client's greeting: who it is TLS has proven already. The service answers with a welcome or a refusal, which is ASCII
 * for the operator's eyes. After a welcome every frame with another id is one TCS1 request or answer.
 */
import { decodeWhole, Writer } from '../../core/codec.ts';
import type { Reader } from '../../core/codec.ts';
import type { TrustedRegistration } from '../../core/config.ts';
import { bytesToHex } from '../../core/bytes.ts';
import { SUITE_BYTE, suiteOfByte } from '../../trusted/statement.ts';

/** ALPN name; its number changes with anything incompatible below the greeting. */
export const SERVICE_ALPN = 'moiety-trusted/1';
/** Version of the greeting and of all that follows. */
const SERVICE_VERSION = 1;
/** Bytes of an enrolment token. */
export const ENROLMENT_TOKEN_BYTES = 24;
const KIND = { greeting: 1, welcome: 2, refusal: 3 } as const;
const NAME_BYTES_MAX = 32;
const REASON_BYTES_MAX = 512;

/** A client's first frame. */
export interface ServiceGreeting {
  /** `open`: it has a component; `enrol`: it wants one. */
  readonly intent: 'open' | 'enrol';
  /** Trusted program that it expects. */
  readonly program: string;
  /** One-time token; empty if it relies on the list of admitted keys. */
  readonly token: Uint8Array;
}

/** What a service answers to a greeting. */
export type ServiceAnswer =
  | { readonly kind: 'welcome'; readonly registration: TrustedRegistration }
  | { readonly kind: 'refusal'; readonly reason: string };

/** Bytes of a greeting. */
export function encodeGreeting(greeting: ServiceGreeting, version = SERVICE_VERSION): Uint8Array {
  const writer = new Writer(128)
    .u8(KIND.greeting)
    .u16(version)
    .u8(greeting.intent === 'open' ? 1 : 2);
  return writer.ascii(greeting.program).bytes(greeting.token).finish();
}

/** Reads a greeting; a sentence for the client if it is none or of another version. */
export function decodeGreeting(bytes: Uint8Array): ServiceGreeting | string {
  let version = 0;
  const greeting = decodeWhole(bytes, (reader): ServiceGreeting => {
    if (reader.u8() !== KIND.greeting) reader.fail();
    // Before everything that another version might lay out differently.
    version = reader.u16();
    const intent = reader.u8();
    if (intent !== 1 && intent !== 2) reader.fail();
    const program = reader.ascii(NAME_BYTES_MAX);
    const token = new Uint8Array(reader.bytes(ENROLMENT_TOKEN_BYTES));
    return { intent: intent === 1 ? 'open' : 'enrol', program, token };
  });
  if (version !== 0 && version !== SERVICE_VERSION)
    return `this service speaks version ${SERVICE_VERSION}, the client version ${version}: update the older one`;
  return greeting ?? 'the first frame is no greeting';
}

function writeRegistration(writer: Writer, registration: TrustedRegistration): void {
  writer.ascii(registration.program).ascii(registration.footprint).digest(registration.measurement);
  writer.u8(SUITE_BYTE[registration.suite]).hex(registration.tcId).tcEpoch(registration.tcEpoch);
  writer.ascii(registration.publicKey);
}

function readRegistration(reader: Reader): TrustedRegistration {
  const program = reader.ascii(NAME_BYTES_MAX);
  const footprint = reader.ascii(NAME_BYTES_MAX);
  const measurement = reader.digest();
  const suite = suiteOfByte(reader.u8());
  if (suite === undefined) reader.fail();
  const tcId = bytesToHex(reader.raw(16));
  const tcEpoch = reader.tcEpoch();
  const publicKey = reader.ascii(130);
  if (!/^(?:[0-9a-f]{2})*$/.test(publicKey)) reader.fail();
  return { program, footprint, measurement, suite: suite ?? 'ed25519', tcId, tcEpoch, publicKey };
}

/** Bytes of an answer to a greeting; a reason is cut to its bound and to ASCII. */
export function encodeAnswer(answer: ServiceAnswer): Uint8Array {
  const writer = new Writer(512);
  if (answer.kind === 'welcome') {
    writer.u8(KIND.welcome).u16(SERVICE_VERSION);
    writeRegistration(writer, answer.registration);
  } else {
    const reason = answer.reason.replace(/[^\x20-\x7e]/g, '?').slice(0, REASON_BYTES_MAX);
    writer.u8(KIND.refusal).u16(SERVICE_VERSION).ascii(reason);
  }
  return writer.finish();
}

/** Reads an answer; undefined unless it is one of this version. */
export function decodeAnswer(bytes: Uint8Array): ServiceAnswer | undefined {
  return decodeWhole(bytes, (reader): ServiceAnswer => {
    const kind = reader.u8();
    const version = reader.u16();
    // A refusal is read in every version: it says what is wrong.
    if (kind === KIND.refusal) return { kind: 'refusal', reason: reader.ascii(REASON_BYTES_MAX) };
    if (kind !== KIND.welcome || version !== SERVICE_VERSION) reader.fail();
    return { kind: 'welcome', registration: readRegistration(reader) };
  });
}
