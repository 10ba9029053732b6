/**
 * The trusted process of the footprint `tpm`: carries one trusted program whose key lives in memory only and is sealed
 * by a TPM between two runs (`anchor.ts`). Records are not written, so a certificate costs no sync. Built into one file,
 * trusted/tpm-process.mjs.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { bytesToDigest, hexToBytes } from '../../core/bytes.ts';
import type { Digest } from '../../core/types.ts';
import { ENDORSE_CODE, encodeTpmEndorsement } from '../../trusted/attestation/tpm-quote.ts';
import type { AttestationKeyCertificate } from '../../trusted/attestation/tpm-quote.ts';
import { tpmQualifyingData } from '../../trusted/attestation/tpm-attest.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import type { ProgramKey } from '../../trusted/contract.ts';
import { decodeTrustedRequest, encodeTrustedResponse } from '../../trusted/frames.ts';
import { startModule } from '../../trusted/module.ts';
import { bindDigestOf } from '../../trusted/statement.ts';
import { writeWhole } from '../durable-file.ts';
import { runCarrier } from '../process/carrier.ts';
import type { CarriedComponent } from '../process/carrier.ts';
import { programKeyOf, programServices } from '../process/environment.ts';
import type { MeasuredModule } from '../process/program-file.ts';
import { beginRun, counterArea, decodeState, defineCounter, encodeState, epochBytes } from './anchor.ts';
import type { AnchoredStart } from './anchor.ts';
import { encodeNvPublic } from './commands.ts';
import { encodeSettings, placeOf, readSettings, TPM_FILES } from './component-files.ts';
import type { TpmSettings } from './component-files.ts';
import { Tpm } from './driver.ts';

/** PCRs of a measured boot that a quote is about: firmware, boot loader, kernel and their configuration. */
const QUOTED_PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
/** Length of a request for an endorsement: op, code, length, challenge. */
const ENDORSE_REQUEST_BYTES = 38;
const { hash } = programServices;

async function withTpm<T>(place: string, use: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = await Tpm.open(placeOf(place, '.'));
  try {
    return await use(tpm);
  } finally {
    await tpm.close();
  }
}

/** A key that lives in memory, and which start made it. */
interface HeldKey {
  readonly seed: Uint8Array;
  readonly born: number;
  readonly key: ProgramKey;
}

function holdKey(seed: Uint8Array, born: number, counterName: Uint8Array): HeldKey {
  const bare = programKeyOf({ seed, tcEpoch: new Uint8Array(8) });
  const tcEpoch = epochBytes(counterName, born, hexToBytes(bare.publicKey)!);
  return { seed, born, key: programKeyOf({ seed, tcEpoch }) };
}

/** The operator's word about the attestation key; undefined if there is none. */
function readCertificate(): AttestationKeyCertificate | undefined {
  if (!existsSync(TPM_FILES.certificate)) return undefined;
  const { root, signature } = JSON.parse(readFileSync(TPM_FILES.certificate, 'utf8')) as {
    readonly root?: unknown;
    readonly signature?: unknown;
  };
  const bytes = hexToBytes(String(signature));
  if (hexToBytes(String(root))?.length !== 32 || bytes?.length !== 64)
    throw new Error(`${TPM_FILES.certificate} is no certificate of an attestation key`);
  return { root: String(root), signature: bytes };
}

/**
 * The TPM's word about the component's own key, start and machine, for a challenge. What is bound to it is made here: a
 * caller that could bring the whole digest would get the word for a key that it holds itself.
 */
async function endorse(
  settings: TpmSettings,
  run: number,
  { key, born }: HeldKey,
  { challenge, measurement }: { readonly challenge: Digest; readonly measurement: Digest },
): Promise<Uint8Array> {
  const { suite, tcId, tcEpoch, publicKey } = key;
  const bind = bindDigestOf(hash, { suite, tcId, tcEpoch, publicKey, challenge });
  const data = tpmQualifyingData(hash, { bind, measurement, born, run });
  return withTpm(settings.place, async (tpm) => {
    const area = encodeNvPublic(await counterArea(tpm, settings.nv));
    return tpm.withStorageRoot((root) =>
      tpm.withObject(root, settings.key, async (handle) => {
        const signer = { handle, password: settings.key.password };
        const counter = await tpm.nvCertify(signer, settings.nv, data, 8);
        const quote = await tpm.quote(signer, data, QUOTED_PCRS);
        const certificate = readCertificate();
        return encodeTpmEndorsement({
          keyArea: settings.key.publicArea,
          ...(certificate === undefined ? {} : { certificate }),
          counterArea: area,
          born,
          run,
          counter,
          quote,
        });
      }),
    );
  });
}

/** The program of a start; what is sealed at its end goes into the folder. */
function carry(found: MeasuredModule, settings: TpmSettings, start: AnchoredStart): CarriedComponent {
  const state = start.content === undefined ? undefined : decodeState(start.content);
  start.content?.fill(0);
  const fresh = (): HeldKey => holdKey(new Uint8Array(randomBytes(32)), start.run, start.counterName);
  let held = state === undefined ? fresh() : holdKey(state.seed, state.born, start.counterName);
  let records: Uint8Array[] = [...(state?.records ?? [])];
  const program = startModule(found.module, {
    ...programServices,
    measurement: found.measurement,
    persistent: true,
    key: held.key,
    records,
    persist: (record) => {
      records.push(record);
      if (records.length > 2 * RECENT_DEPTH) records = records.slice(-RECENT_DEPTH);
      return true;
    },
    replaceKey: () => {
      // The number of this start stays: nobody else can have it, and the key is another one.
      held.seed.fill(0);
      held = fresh();
      records = [];
      return held.key;
    },
  });
  const answerLater = (request: Uint8Array): Promise<Uint8Array> | undefined => {
    if (request.length !== ENDORSE_REQUEST_BYTES) return undefined;
    const asked = decodeTrustedRequest(request);
    if (asked?.op !== 'extension' || asked.code !== ENDORSE_CODE) return undefined;
    const { measurement } = found;
    return endorse(settings, start.run, held, { challenge: bytesToDigest(asked.body), measurement }).then(
      (body) => encodeTrustedResponse({ op: 'extension', code: ENDORSE_CODE, body }),
      (error: Error) => encodeTrustedResponse({ op: 'error', code: 'NOT_READY', message: error.message }),
    );
  };
  return {
    program,
    answerLater,
    // Nothing is on disk before the end: what a crash takes is never continued.
    flush: () => undefined,
    close: () => {
      const image = program.image?.();
      const kept = image === undefined ? records.slice(-RECENT_DEPTH) : [image];
      const content = encodeState({ seed: held.seed, born: held.born, records: kept });
      writeWhole(TPM_FILES.sealed, start.seal(content));
      content.fill(0);
      held.seed.fill(0);
    },
  };
}

async function create(found: MeasuredModule, place: string): Promise<CarriedComponent> {
  return withTpm(place, async (tpm) => {
    const nv = await defineCounter(tpm);
    const password = new Uint8Array(randomBytes(16));
    const blob = await tpm.withStorageRoot((root) => tpm.createAttestationKey(root, password));
    const settings: TpmSettings = { place, nv, key: { ...blob, password } };
    writeWhole(TPM_FILES.settings, encodeSettings(settings));
    return carry(found, settings, await beginRun(tpm, nv, undefined));
  });
}

async function open(found: MeasuredModule): Promise<CarriedComponent> {
  const settings = readSettings();
  const stored = existsSync(TPM_FILES.sealed) ? new Uint8Array(readFileSync(TPM_FILES.sealed)) : undefined;
  const start = await withTpm(settings.place, (tpm) => beginRun(tpm, settings.nv, stored));
  const how = start.content === undefined ? `a new component, as ${start.reason}` : 'continues';
  process.stderr.write(`${new Date().toISOString()} start ${start.run} by the counter of the TPM: ${how}\n`);
  return carry(found, settings, start);
}

void runCarrier({ create, open });
