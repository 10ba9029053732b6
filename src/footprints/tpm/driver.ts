/**
 * A TPM 2.0 as an object: one command at a time, each answer read strictly. What the TPM asks to have sent again is
 * sent again, within a bound. Objects that are loaded take one of very few places: `withObject` gives them back.
 */
import { Reader, Writer } from '../../core/codec.ts';
import {
  ALGORITHM,
  COMMAND,
  decodeAnswer,
  decodeNvPublic,
  encodeCommand,
  encodeNvPublic,
  HANDLE,
  NO_PASSWORD,
  NV_ATTRIBUTE,
  pcrSelection,
  readSized,
  RESPONSE,
  responseKind,
  responseWords,
  sealedTemplate,
  sized,
  TEMPLATE,
  TPM_MESSAGE_BYTES_MAX,
} from './commands.ts';
import type { NvPublic, TpmAuth, TpmCommand } from './commands.ts';
import { openTransport, TpmUnreachable } from './transport.ts';
import type { TpmTransport } from './transport.ts';

/** Times that a command is sent again, at most, and the pause before, which doubles. */
const RETRIES_MAX = 10;
const RETRY_MS = 2;

const SIZED_MAX = 1024;
const EMPTY = new Uint8Array(0);
const SHA256_BYTES = 32;
/** Bytes of a counter. */
const COUNTER_BYTES = 8;
const SESSION_POLICY = 1;
const SESSION_TRIAL = 3;
const COMPARE_EQUAL = 0;
const CAPABILITY_HANDLES = 1;
/** Handles of one answer, at most; a TPM has fewer places. */
const HANDLES_MAX = 64;

/** The TPM refused a command. */
export class TpmRefusal extends Error {
  override readonly name = 'TpmRefusal';
  /** Without the number of the parameter that it is about; see `RESPONSE`. */
  readonly kind: number;

  constructor(what: string, code: number) {
    super(`the TPM refuses ${what}: ${responseWords(code)}`);
    this.kind = responseKind(code);
  }
}

/** An object outside of the TPM: its public area, and the rest encrypted by its parent. */
export interface TpmBlob {
  readonly publicArea: Uint8Array;
  readonly privateArea: Uint8Array;
}

/** What the TPM attested: a TPMS_ATTEST and the ECDSA signature over it (r and s, 32 bytes each). */
export interface TpmAttestation {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
}

/** A key to sign attestations with. */
export interface AttestationKey {
  readonly handle: number;
  readonly password: Uint8Array;
}

/** An NV index and who may use it. */
export interface NvAccess {
  readonly index: number;
  readonly password: Uint8Array;
}

function answerOf<T>(what: string, parameters: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(parameters);
  const value = read(reader);
  if (!reader.done()) throw new TpmUnreachable(`the TPM answers ${what} by bytes that are no such answer`);
  return value;
}

/** An integer of a signature as exactly 32 bytes. */
function scalar(bytes: Uint8Array): Uint8Array {
  const value = new Uint8Array(SHA256_BYTES);
  value.set(bytes, SHA256_BYTES - bytes.length);
  return value;
}

function readAttestation(reader: Reader): TpmAttestation {
  const attest = readSized(reader, SIZED_MAX);
  if (reader.u16() !== ALGORITHM.ecdsa || reader.u16() !== ALGORITHM.sha256) reader.fail();
  const r = scalar(readSized(reader, SHA256_BYTES));
  const s = scalar(readSized(reader, SHA256_BYTES));
  return { attest, signature: Buffer.concat([r, s]) };
}

/** See the top of this file. */
export class Tpm {
  readonly #transport: TpmTransport;
  readonly #retryMs: number;
  #last: Promise<unknown> = Promise.resolve();
  /** The last use of the storage root: places for objects are so few that uses do not overlap. */
  #lastUse: Promise<unknown> = Promise.resolve();

  /** `retryMs`: pause before what the TPM wants again is sent again, the first time. */
  constructor(transport: TpmTransport, retryMs = RETRY_MS) {
    this.#transport = transport;
    this.#retryMs = retryMs;
  }

  /** Opens the TPM at a place and makes sure that it was started. Rejects with TpmUnreachable or TpmRefusal. */
  static async open(place: string): Promise<Tpm> {
    const tpm = new Tpm(await openTransport(place));
    try {
      await tpm.startup();
      await tpm.#flushLeftovers();
      return tpm;
    } catch (error) {
      await tpm.close();
      throw error;
    }
  }

  /** Gives the TPM up once what was asked is answered. */
  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#transport.close();
  }

  /** Starts the TPM unless the firmware or kernel did. */
  async startup(): Promise<void> {
    const parameters = new Writer().u16(0).finish();
    await this.#ask('Startup', { code: COMMAND.startup, parameters }).catch((error: unknown) => {
      if (!(error instanceof TpmRefusal) || error.kind !== RESPONSE.initialize) throw error;
    });
  }

  /**
   * Gives back the places of objects and sessions that a process left when it was killed. Without a resource manager
   * they would stay until the TPM is reset; such a TPM serves one caller at a time, so nobody else uses them.
   */
  async #flushLeftovers(): Promise<void> {
    for (const first of [HANDLE.transientFirst, HANDLE.sessionFirst]) {
      const parameters = new Writer().u32(CAPABILITY_HANDLES).u32(first).u32(HANDLES_MAX).finish();
      const answer = await this.#ask('GetCapability', { code: COMMAND.getCapability, parameters });
      const handles = answerOf('GetCapability', answer.parameters, (reader) => {
        reader.bool();
        if (reader.u32() !== CAPABILITY_HANDLES) reader.fail();
        return reader.list(HANDLES_MAX, (r) => r.u32());
      });
      for (const handle of handles) await this.#lend(handle, () => Promise.resolve());
    }
  }

  /** Bytes of the TPM's random generator. */
  async random(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = length; left > 0; left -= parts.at(-1)!.length) {
      const parameters = new Writer().u16(Math.min(left, SHA256_BYTES)).finish();
      const answer = await this.#ask('GetRandom', { code: COMMAND.getRandom, parameters });
      const part = answerOf('GetRandom', answer.parameters, (reader) => readSized(reader, SHA256_BYTES));
      if (part.length === 0) throw new TpmUnreachable('the TPM has no randomness');
      parts.push(part);
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  /** Makes the storage root key, which is the same each time, lends it and gives its place back. */
  async withStorageRoot<T>(use: (handle: number) => Promise<T>): Promise<T> {
    const result = this.#lastUse.then(() => this.#withPrimary(HANDLE.owner, TEMPLATE.storageRoot, use));
    this.#lastUse = result.catch(() => undefined);
    return result;
  }

  /** As `withStorageRoot` with the endorsement key of the TCG's ECC P-256 profile. */
  async withEndorsementKey<T>(use: (handle: number) => Promise<T>): Promise<T> {
    return this.#withPrimary(HANDLE.endorsement, TEMPLATE.endorsement, use);
  }

  /** Makes an attestation key under a parent; only this TPM can load it. */
  createAttestationKey(parent: number, password: Uint8Array): Promise<TpmBlob> {
    return this.#create(parent, { password, data: EMPTY, template: TEMPLATE.attestation });
  }

  /** Seals at most 128 bytes under a policy. */
  seal(parent: number, data: Uint8Array, policy: Uint8Array): Promise<TpmBlob> {
    return this.#create(parent, { password: EMPTY, data, template: sealedTemplate(policy) });
  }

  /** Loads an object, lends it and gives its place back. */
  async withObject<T>(parent: number, blob: TpmBlob, use: (handle: number) => Promise<T>): Promise<T> {
    const writer = sized(new Writer(), blob.privateArea);
    const parameters = sized(writer, blob.publicArea).finish();
    const command = { code: COMMAND.load, handles: [parent], auths: [NO_PASSWORD], parameters };
    const { handle } = await this.#ask('Load', { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }

  /** Opens sealed data in a policy session whose policy was met. */
  async unseal(object: number, session: number): Promise<Uint8Array> {
    const command = { code: COMMAND.unseal, handles: [object], auths: [{ session }] };
    const { parameters } = await this.#ask('Unseal', command);
    return answerOf('Unseal', parameters, (reader) => readSized(reader, SIZED_MAX));
  }

  /** Public area of a loaded object. */
  async readPublic(object: number): Promise<Uint8Array> {
    const { parameters } = await this.#ask('ReadPublic', { code: COMMAND.readPublic, handles: [object] });
    return answerOf('ReadPublic', parameters, (reader) => {
      const area = readSized(reader, SIZED_MAX);
      readSized(reader, SIZED_MAX);
      readSized(reader, SIZED_MAX);
      return area;
    });
  }

  /** Makes an NV index in the hierarchy that its attributes name (whose password must be empty). */
  async nvDefine(area: NvPublic, password: Uint8Array): Promise<void> {
    const isPlatform = (area.attributes & NV_ATTRIBUTE.platformCreate) !== 0;
    const handles = [isPlatform ? HANDLE.platform : HANDLE.owner];
    const writer = sized(new Writer(), password);
    const parameters = sized(writer, encodeNvPublic(area)).finish();
    const command = {
      code: COMMAND.nvDefineSpace,
      handles,
      auths: [NO_PASSWORD],
      parameters,
    };
    await this.#ask('to define an NV index', command);
  }

  /** Removes an NV index. A counter that is made later starts above every counter that the TPM ever had. */
  async nvUndefine(index: number): Promise<void> {
    const command = { code: COMMAND.nvUndefineSpace, handles: [HANDLE.owner, index], auths: [NO_PASSWORD] };
    await this.#ask('to remove an NV index', command);
  }

  /** Public area of an NV index; undefined if there is none. */
  async nvPublic(index: number): Promise<NvPublic | undefined> {
    try {
      const { parameters } = await this.#ask('NV_ReadPublic', {
        code: COMMAND.nvReadPublic,
        handles: [index],
      });
      return answerOf('NV_ReadPublic', parameters, (reader) => {
        const area = decodeNvPublic(readSized(reader, SIZED_MAX));
        readSized(reader, SIZED_MAX);
        if (area === undefined) reader.fail();
        return area;
      });
    } catch (error) {
      if (error instanceof TpmRefusal && error.kind === RESPONSE.handle) return undefined;
      throw error;
    }
  }

  async nvIncrement(nv: NvAccess): Promise<void> {
    await this.#ask('to count', this.#nvCommand(COMMAND.nvIncrement, nv, EMPTY));
  }

  /** Content of an EXTEND index becomes SHA-256(content | data). */
  async nvExtend(nv: NvAccess, data: Uint8Array): Promise<void> {
    await this.#ask('to extend', this.#nvCommand(COMMAND.nvExtend, nv, sized(new Writer(), data).finish()));
  }

  async nvRead(nv: NvAccess, length: number): Promise<Uint8Array> {
    const parameters = new Writer().u16(length).u16(0).finish();
    const answer = await this.#ask('to read an NV index', this.#nvCommand(COMMAND.nvRead, nv, parameters));
    return answerOf('NV_Read', answer.parameters, (reader) => {
      const data = readSized(reader, SIZED_MAX);
      if (data.length !== length) reader.fail();
      return data;
    });
  }

  /** Value of a counter. */
  async nvCounter(nv: NvAccess): Promise<number> {
    return answerOf('NV_Read', await this.nvRead(nv, COUNTER_BYTES), (reader) => reader.u64());
  }

  /** The TPM's word for the content of an index, over the caller's data (at most 64 bytes). */
  async nvCertify(
    key: AttestationKey,
    nv: NvAccess,
    data: Uint8Array,
    length: number,
  ): Promise<TpmAttestation> {
    const parameters = sized(new Writer(), data).u16(ALGORITHM.none).u16(length).u16(0).finish();
    const { parameters: answer } = await this.#ask('NV_Certify', {
      code: COMMAND.nvCertify,
      handles: [key.handle, nv.index, nv.index],
      auths: [{ password: key.password }, { password: nv.password }],
      parameters,
    });
    return answerOf('NV_Certify', answer, readAttestation);
  }

  /** The TPM's word for SHA-256 PCRs, over the caller's data (at most 64 bytes). */
  async quote(key: AttestationKey, data: Uint8Array, pcrs: readonly number[]): Promise<TpmAttestation> {
    const parameters = sized(new Writer(), data).u16(ALGORITHM.none).raw(pcrSelection(pcrs)).finish();
    const auths = [{ password: key.password }];
    const command = { code: COMMAND.quote, handles: [key.handle], auths, parameters };
    return answerOf('Quote', (await this.#ask('Quote', command)).parameters, readAttestation);
  }

  /** Extends a SHA-256 PCR by a digest. */
  async pcrExtend(pcr: number, digest: Uint8Array): Promise<void> {
    const parameters = new Writer().u32(1).u16(ALGORITHM.sha256).raw(digest).finish();
    await this.#ask('PCR_Extend', {
      code: COMMAND.pcrExtend,
      handles: [pcr],
      auths: [NO_PASSWORD],
      parameters,
    });
  }

  /** Value of a SHA-256 PCR. */
  async pcrRead(pcr: number): Promise<Uint8Array> {
    const selection = pcrSelection([pcr]);
    const { parameters } = await this.#ask('PCR_Read', { code: COMMAND.pcrRead, parameters: selection });
    return answerOf('PCR_Read', parameters, (reader) => {
      reader.u32();
      reader.raw(selection.length);
      if (reader.u32() !== 1) reader.fail();
      return readSized(reader, SHA256_BYTES);
    });
  }

  /** The digest of the policy "counter `nv` has this value". */
  async counterPolicy(nv: NvAccess, value: number): Promise<Uint8Array> {
    return this.#withSession(SESSION_TRIAL, async (session) => {
      await this.#meetCounter(session, nv, value);
      const command = { code: COMMAND.policyGetDigest, handles: [session] };
      const { parameters } = await this.#ask('PolicyGetDigest', command);
      return answerOf('PolicyGetDigest', parameters, (reader) => readSized(reader, SHA256_BYTES));
    });
  }

  /** Lends a session in which that policy was met; rejects with TpmRefusal `policy` if the counter is elsewhere. */
  withCounterPolicy<T>(nv: NvAccess, value: number, use: (session: number) => Promise<T>): Promise<T> {
    return this.#withSession(SESSION_POLICY, async (session) => {
      await this.#meetCounter(session, nv, value);
      return use(session);
    });
  }

  /** Encrypts a secret (at most 32 bytes) to the TPM with this public key, for the object of that name only. */
  async makeCredential(
    endorsementKey: number,
    secret: Uint8Array,
    name: Uint8Array,
  ): Promise<{ readonly credential: Uint8Array; readonly secret: Uint8Array }> {
    const parameters = sized(sized(new Writer(), secret), name).finish();
    const command = { code: COMMAND.makeCredential, handles: [endorsementKey], parameters };
    const { parameters: answer } = await this.#ask('MakeCredential', command);
    return answerOf('MakeCredential', answer, (reader) => ({
      credential: readSized(reader, SIZED_MAX),
      secret: readSized(reader, SIZED_MAX),
    }));
  }

  /** Opens such a secret: shows that endorsement key and attestation key are of one TPM. */
  async activateCredential(
    key: AttestationKey,
    endorsementKey: number,
    sealed: { readonly credential: Uint8Array; readonly secret: Uint8Array },
  ): Promise<Uint8Array> {
    return this.#withSession(SESSION_POLICY, async (session) => {
      const policy = new Writer().u16(0).u16(0).u16(0).u32(0).finish();
      const handles = [HANDLE.endorsement, session];
      const auths = [NO_PASSWORD];
      await this.#ask('PolicySecret', { code: COMMAND.policySecret, handles, auths, parameters: policy });
      const { parameters: answer } = await this.#ask('ActivateCredential', {
        code: COMMAND.activateCredential,
        handles: [key.handle, endorsementKey],
        auths: [{ password: key.password }, { session }],
        parameters: sized(sized(new Writer(), sealed.credential), sealed.secret).finish(),
      });
      return answerOf('ActivateCredential', answer, (reader) => readSized(reader, SHA256_BYTES));
    });
  }

  #nvCommand(code: number, nv: NvAccess, parameters: Uint8Array): TpmCommand {
    return { code, handles: [nv.index, nv.index], auths: [{ password: nv.password }], parameters };
  }

  async #meetCounter(session: number, nv: NvAccess, value: number): Promise<void> {
    const operand = new Writer().u64(value).finish();
    const parameters = sized(new Writer(), operand).u16(0).u16(COMPARE_EQUAL).finish();
    const auths: TpmAuth[] = [{ password: nv.password }];
    const handles = [nv.index, nv.index, session];
    await this.#ask('PolicyNV', { code: COMMAND.policyNv, handles, auths, parameters });
  }

  async #withSession<T>(kind: number, use: (session: number) => Promise<T>): Promise<T> {
    const nonce = crypto.getRandomValues(new Uint8Array(SHA256_BYTES));
    const writer = sized(new Writer(), nonce).u16(0).u8(kind).u16(ALGORITHM.none).u16(ALGORITHM.sha256);
    const handles = [HANDLE.none, HANDLE.none];
    const command = { code: COMMAND.startAuthSession, handles, parameters: writer.finish() };
    const { handle } = await this.#ask('StartAuthSession', { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }

  async #withPrimary<T>(
    hierarchy: number,
    template: Uint8Array,
    use: (handle: number) => Promise<T>,
  ): Promise<T> {
    const parameters = sized(new Writer().u16(4).u16(0).u16(0), template).u16(0).u32(0).finish();
    const command = { code: COMMAND.createPrimary, handles: [hierarchy], auths: [NO_PASSWORD], parameters };
    const { handle } = await this.#ask('CreatePrimary', { ...command, answersHandle: true });
    return this.#lend(handle, use);
  }

  async #create(
    parent: number,
    what: { readonly password: Uint8Array; readonly data: Uint8Array; readonly template: Uint8Array },
  ): Promise<TpmBlob> {
    const sensitive = sized(sized(new Writer(), what.password), what.data).finish();
    const writer = sized(new Writer(), sensitive);
    const parameters = sized(writer, what.template).u16(0).u32(0).finish();
    const command = { code: COMMAND.create, handles: [parent], auths: [NO_PASSWORD], parameters };
    const answer = await this.#ask('Create', command);
    return answerOf('Create', answer.parameters, (reader) => {
      const privateArea = readSized(reader, SIZED_MAX);
      const publicArea = readSized(reader, SIZED_MAX);
      // Creation data, its digest and its ticket: about a birth that nobody here asks for.
      reader.raw(reader.remaining);
      return { privateArea, publicArea };
    });
  }

  async #lend<T>(handle: number, use: (handle: number) => Promise<T>): Promise<T> {
    try {
      return await use(handle);
    } finally {
      const parameters = new Writer().u32(handle).finish();
      await this.#ask('FlushContext', { code: COMMAND.flushContext, parameters }).catch(() => undefined);
    }
  }

  /** Sends a command when those before it are answered. */
  #ask(what: string, command: TpmCommand): Promise<{ handle: number; parameters: Uint8Array }> {
    const answer = this.#last.catch(() => undefined).then(() => this.#exchange(what, command));
    this.#last = answer;
    return answer;
  }

  async #exchange(what: string, command: TpmCommand): Promise<{ handle: number; parameters: Uint8Array }> {
    const bytes = encodeCommand(command);
    if (bytes.length > TPM_MESSAGE_BYTES_MAX) throw new TpmUnreachable(`${what}: a command that is too long`);
    for (let sent = 0; ; sent += 1) {
      const answer = decodeAnswer(command, await this.#transport.exchange(bytes));
      if (answer === undefined)
        throw new TpmUnreachable(`the TPM answers ${what} by bytes that are no answer`);
      if (answer.code === 0) return answer;
      const again: readonly number[] = [RESPONSE.retry, RESPONSE.yielded, RESPONSE.testing];
      if (!again.includes(answer.code) || sent >= RETRIES_MAX) throw new TpmRefusal(what, answer.code);
      await new Promise((done) => setTimeout(done, this.#retryMs * 2 ** sent));
    }
  }
}
