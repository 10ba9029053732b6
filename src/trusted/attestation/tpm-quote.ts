/**
 * The TPM 2.0 as a witness: by the word of an attestation key, a component's key belongs to the newest start that the
 * TPM counted, on a machine that booted as its PCRs say. The key counts if an operator certified it (after activating a
 * credential on it, docs/trusted/hardware.md) or if the policy pins it. Programs are not measured by a TPM: which one it
 * is rests on what the PCRs cover.
 */
import { bytesToHex, equalBytes, hexToBytes } from '../../core/bytes.ts';
import { decodeWhole, Reader, Writer } from '../../core/codec.ts';
import { domainTag } from '../../core/domain.ts';
import type { EvidenceFormat, FormatContext } from './format.ts';
import {
  attestationKeyOf,
  decodeTpmAttest,
  isOneWayIndex,
  nvNameOf,
  shown,
  tpmEpochOf,
  tpmQualifyingData,
} from './tpm-attest.ts';
import type { TpmAttest } from './tpm-attest.ts';
import { checkOf } from './verdict.ts';
import type { Check } from './verdict.ts';

/** Name of this format in bundles and policies. */
export const TPM_FORMAT = 'tpm';
/**
 * Code of the `extension` request by which a component on this footprint is asked for its endorsement over a challenge (32
 * bytes), which it binds to its own key itself.
 */
export const ENDORSE_CODE = 0xe0;

const AREA_BYTES_MAX = 256;
const ATTEST_BYTES_MAX = 1024;
const SIGNATURE_BYTES = 64;
/** PCRs 0 to 9: what firmware and boot loader measured before there was a system that could extend or reset others. */
const BOOT_PCRS = 0x3ff;

/** What a TPM signed: TPMS_ATTEST, and ECDSA P-256 over it (r and s, 32 bytes each). */
export interface SignedAttest {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
}

/** An operator's word that an attestation key is of a genuine TPM. */
export interface AttestationKeyCertificate {
  /** Raw Ed25519 key of the operator, hexadecimal. */
  readonly root: string;
  /** Over `keyCertificateBytes`. */
  readonly signature: Uint8Array;
}

/** Body of an endorsement. */
export interface TpmEndorsement {
  /** Public area (TPMT_PUBLIC) of the attestation key. */
  readonly keyArea: Uint8Array;
  readonly certificate?: AttestationKeyCertificate;
  /** Public area (TPMS_NV_PUBLIC) of the counter. */
  readonly counterArea: Uint8Array;
  /** Number of the start that made the component's key. */
  readonly born: number;
  /** Number of the start that runs. */
  readonly run: number;
  /** The TPM's word for the counter. */
  readonly counter: SignedAttest;
  /** The TPM's word for the PCRs. */
  readonly quote: SignedAttest;
}

/** What an operator signs for an attestation key. */
export function keyCertificateBytes(keyArea: Uint8Array): Uint8Array {
  return new Writer(192).ascii(domainTag('attestation', 'TPM-KEY')).bytes(keyArea).finish();
}

function writeSigned(writer: Writer, { attest, signature }: SignedAttest): void {
  writer.bytes(attest).raw(signature);
}

function readSigned(reader: Reader): SignedAttest {
  const attest = new Uint8Array(reader.bytes(ATTEST_BYTES_MAX));
  return { attest, signature: new Uint8Array(reader.raw(SIGNATURE_BYTES)) };
}

/** Bytes of an endorsement. */
export function encodeTpmEndorsement(endorsement: TpmEndorsement): Uint8Array {
  const writer = new Writer(768).bytes(endorsement.keyArea);
  writer.option(endorsement.certificate, (w, { root, signature }) => w.hex(root).raw(signature));
  writer.bytes(endorsement.counterArea).u64(endorsement.born).u64(endorsement.run);
  writeSigned(writer, endorsement.counter);
  writeSigned(writer, endorsement.quote);
  return writer.finish();
}

/** Reads an endorsement; undefined unless canonical. */
export function decodeTpmEndorsement(bytes: Uint8Array): TpmEndorsement | undefined {
  return decodeWhole(bytes, (reader) => {
    const keyArea = new Uint8Array(reader.bytes(AREA_BYTES_MAX));
    const certificate = reader.option((r) => {
      const root = bytesToHex(r.raw(32));
      return { root, signature: new Uint8Array(r.raw(SIGNATURE_BYTES)) };
    });
    const counterArea = new Uint8Array(reader.bytes(AREA_BYTES_MAX));
    const born = reader.u64();
    const run = reader.u64();
    const counter = readSigned(reader);
    const quote = readSigned(reader);
    const all = { keyArea, counterArea, born, run, counter, quote };
    return certificate === undefined ? all : { ...all, certificate };
  });
}

function keyChecks({ keyArea, certificate }: TpmEndorsement, { roots, crypto }: FormatContext): Check[] {
  const key = attestationKeyOf(keyArea);
  const digest = bytesToHex(crypto.hash(keyArea));
  const root = roots.find((one) => one.key === (certificate?.root ?? digest));
  const certified =
    root !== undefined &&
    (certificate === undefined ||
      crypto.verifyEd25519(hexToBytes(root.key)!, keyCertificateBytes(keyArea), certificate.signature));
  const wanted =
    roots.length === 0 ? 'a root of format tpm in the policy' : roots.map((one) => one.key).join(' or ');
  return [
    checkOf(
      'tpm key',
      typeof key !== 'string',
      typeof key === 'string' ? key : `attestation key ${digest}`,
      'a restricted ECDSA P-256 signing key that was made in the TPM and stays there',
      'This key proves nothing about a TPM. Make the component anew on the footprint tpm.',
    ),
    checkOf(
      'tpm root',
      root !== undefined,
      certificate?.root ?? `no certificate; key ${digest}`,
      wanted,
      'Nobody whom the policy knows vouches for the attestation key. Certify it after a credential activation, or pin ' +
        'its digest as a root of format tpm.',
    ),
    checkOf(
      'tpm certificate',
      certified,
      certified ? `holds under ${root.name}` : 'a certificate that does not verify',
      'the signature of a known root over the public area of the attestation key',
      'The certificate is of another attestation key, or was changed. Have this key certified.',
    ),
  ];
}

/** One attestation: its signature, and that it was made for this occasion. Undefined if it is not even one. */
function attestOf(
  name: string,
  signed: SignedAttest,
  endorsement: TpmEndorsement,
  context: FormatContext,
): { readonly checks: Check[]; readonly attest: TpmAttest | undefined } {
  const { crypto, bind, evidence } = context;
  const key = attestationKeyOf(endorsement.keyArea);
  const attest = decodeTpmAttest(signed.attest);
  const holds =
    typeof key !== 'string' && (crypto.verifyP256?.(key.publicKey, signed.attest, signed.signature) ?? false);
  const { born, run } = endorsement;
  const data = tpmQualifyingData(crypto.hash, { bind, measurement: evidence.measurement, born, run });
  const isFresh = attest !== undefined && equalBytes(attest.data, data);
  const checks = [
    checkOf(
      `${name} signature`,
      holds && attest !== undefined,
      holds ? 'holds under the attestation key' : 'a signature that does not verify',
      'the signature of the attestation key over bytes that a TPM made',
      'The bytes were changed, or another TPM made them. Have the component endorsed again.',
    ),
    checkOf(
      `${name} occasion`,
      isFresh,
      attest === undefined ? 'no attestation' : shown(attest.data),
      shown(data),
      'The TPM said this for another key, challenge, program or start: it is old or belongs to another component. Have the ' +
        'component endorsed for this occasion.',
    ),
  ];
  return { checks, attest };
}

function counterChecks(endorsement: TpmEndorsement, context: FormatContext): Check[] {
  const { counterArea, born, run, counter } = endorsement;
  const { crypto, evidence } = context;
  const { checks, attest } = attestOf('tpm counter', counter, endorsement, context);
  const content = attest?.content;
  const name = nvNameOf(crypto.hash, counterArea);
  const isCounter =
    isOneWayIndex(counterArea, 'counter') &&
    content?.kind === 'nv' &&
    content.offset === 0 &&
    equalBytes(content.name, name);
  const reader = new Reader(content?.kind === 'nv' ? content.bytes : new Uint8Array(0));
  const value = reader.u64();
  const isNewest = reader.done() && value === run;
  const publicKey = hexToBytes(evidence.publicKey) ?? new Uint8Array(0);
  const tcEpoch = tpmEpochOf(crypto.hash, { counterName: name, born, publicKey });
  return [
    ...checks,
    checkOf(
      'tpm index',
      isCounter,
      content?.kind === 'nv' ? `index ${shown(content.name)}` : 'no word about an NV index',
      'a counter index that was written, survives a restart and is the one of the tcEpoch',
      'The index is of another kind (it could be set back) or another one. Make the component anew on the footprint tpm.',
    ),
    checkOf(
      'tpm newest start',
      isNewest,
      `the counter stands at ${value}`,
      String(run),
      'A newer start of this component, or of a copy of its folder, was counted by the TPM. Find it and stop it; only ' +
        'the newest one may be registered.',
    ),
    checkOf(
      'tpm tcEpoch',
      evidence.tcEpoch === tcEpoch && born <= run,
      evidence.tcEpoch,
      `${tcEpoch} (made by start ${born})`,
      'The tcEpoch does not follow from the counter and the key. Make the component anew on the footprint tpm.',
    ),
  ];
}

function platformChecks(endorsement: TpmEndorsement, context: FormatContext): Check[] {
  const { checks, attest } = attestOf('tpm quote', endorsement.quote, endorsement, context);
  const content = attest?.content;
  const isQuote = content?.kind === 'quote';
  // A digest of others may be the same: whoever runs the machine can extend PCRs 10 to 23 by what the right boot measured.
  const isOfBoot = isQuote && content.pcrs === BOOT_PCRS;
  const carriers = context.footprint?.carriers ?? [];
  const found = isQuote ? content.pcrDigest : 'no quote';
  return [
    ...checks,
    checkOf(
      'tpm platform',
      isOfBoot && (carriers.length === 0 || carriers.includes(content.pcrDigest)),
      isQuote ? `${found} over PCRs by mask 0x${content.pcrs.toString(16)}` : found,
      `${carriers.length === 0 ? 'any values (the policy names none)' : carriers.join(' or ')}, over PCRs 0 to 9`,
      'The machine did not boot what the policy allows. Boot the released image, or add the digest of its PCRs to ' +
        '"carriers" of the footprint tpm if you meant the change.',
    ),
  ];
}

/** See the top of this file. */
export const tpmFormat: EvidenceFormat = {
  name: TPM_FORMAT,
  verify: (body, context) => {
    const endorsement = decodeTpmEndorsement(body);
    if (endorsement === undefined)
      return [
        checkOf(
          'tpm endorsement',
          false,
          `${body.length} bytes that are none`,
          'attestation key, counter and quote',
          'The endorsement is damaged. Have it made again.',
        ),
      ];
    return [
      ...keyChecks(endorsement, context),
      ...counterChecks(endorsement, context),
      ...platformChecks(endorsement, context),
    ];
  },
};
