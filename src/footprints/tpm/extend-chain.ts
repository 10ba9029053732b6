/**
 * `usig@tpm-extend`: each certificate is made by the TPM (`trusted/attestation/tpm-chain.ts`). The TPM is all that is
 * trusted; what lies in the folder may be lost or changed, and then the chain stands still but never forks. Slow by
 * nature: two commands of the TPM a certificate, one of which writes and wears its memory.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, hexToBytes } from '../../core/bytes.ts';
import type { CounterValue, Digest, Hash } from '../../core/types.ts';
import {
  CHAIN_START,
  chainData,
  encodeChainAuthenticator,
  extended,
} from '../../trusted/attestation/tpm-chain.ts';
import type { ChainIdentity, ChainState } from '../../trusted/attestation/tpm-chain.ts';
import { CORE_BYTES_MAX, RECENT_DEPTH } from '../../trusted/contract.ts';
import { writeWhole } from '../durable-file.ts';
import { defineIndex } from './anchor.ts';
import { encodeNvPublic, NV_ATTRIBUTE, RESPONSE } from './commands.ts';
import { TpmRefusal } from './driver.ts';
import type { NvAccess, Tpm, TpmBlob } from './driver.ts';

const FILE = 'chain.json';
const CONTENT_BYTES = 32;
/** An index that nobody can remove, so that its chain never begins a second time. */
const ATTRIBUTES =
  NV_ATTRIBUTE.extend |
  NV_ATTRIBUTE.authWrite |
  NV_ATTRIBUTE.authRead |
  NV_ATTRIBUTE.noDictionaryAttack |
  NV_ATTRIBUTE.platformCreate |
  NV_ATTRIBUTE.policyDelete;

const sha256: Hash = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** One certificate of a chain. */
export interface ChainCertificate {
  readonly value: CounterValue;
  readonly digest: Digest;
  /** The message core that came with the call. */
  readonly core: Uint8Array;
  /** Empty until the TPM has given it. */
  readonly authenticator: Uint8Array;
}

/** The chain cannot go on; the message says why. */
export class ChainBroken extends Error {
  override readonly name = 'ChainBroken';
}

interface Stored {
  readonly index: number;
  readonly indexPassword: string;
  readonly keyPublic: string;
  readonly keyPrivate: string;
  readonly keyPassword: string;
  readonly value: number;
  readonly content: string;
  readonly recent: readonly {
    readonly value: number;
    readonly digest: string;
    readonly core: string;
    readonly authenticator: string;
  }[];
}

/** See the top of this file. Calls are answered in order, one at a time. */
export class ExtendChain {
  readonly #tpm: Tpm;
  readonly #folder: string;
  readonly #nv: NvAccess;
  readonly #key: TpmBlob & { readonly password: Uint8Array };
  #state: ChainState;
  #recent: ChainCertificate[];
  #last: Promise<unknown> = Promise.resolve();

  private constructor(tpm: Tpm, folder: string, stored: Stored) {
    const bytes = (text: string): Uint8Array => hexToBytes(text) ?? new Uint8Array(0);
    this.#tpm = tpm;
    this.#folder = folder;
    this.#nv = { index: stored.index, password: bytes(stored.indexPassword) };
    this.#key = {
      publicArea: bytes(stored.keyPublic),
      privateArea: bytes(stored.keyPrivate),
      password: bytes(stored.keyPassword),
    };
    this.#state = { value: stored.value, content: bytes(stored.content) };
    this.#recent = stored.recent.map(({ value, digest, core, authenticator }) => ({
      value,
      digest: digest as Digest,
      core: bytes(core),
      authenticator: bytes(authenticator),
    }));
  }

  /** Makes index and key of a new chain; `folder` (mode 0700) keeps what is needed to go on. */
  static async create(tpm: Tpm, folder: string): Promise<ExtendChain> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (existsSync(join(folder, FILE))) throw new ChainBroken(`${folder} holds a chain already`);
    let nv: NvAccess;
    try {
      nv = await defineIndex(tpm, ATTRIBUTES, CONTENT_BYTES);
    } catch (error) {
      if (
        !(error instanceof TpmRefusal) ||
        ![RESPONSE.badAuth, RESPONSE.authFail].includes(error.kind as never)
      )
        throw error;
      throw new ChainBroken(
        'the platform hierarchy of this TPM is closed, as it is on most machines once they booted: an index that ' +
          'nobody can remove can be made by the firmware or before it closes the hierarchy; use the footprint tpm',
      );
    }
    const password = new Uint8Array(randomBytes(16));
    const key = await tpm.withStorageRoot((root) => tpm.createAttestationKey(root, password));
    const chain = new ExtendChain(tpm, folder, {
      index: nv.index,
      indexPassword: hexOf(nv.password),
      keyPublic: hexOf(key.publicArea),
      keyPrivate: hexOf(key.privateArea),
      keyPassword: hexOf(password),
      ...{ value: CHAIN_START.value, content: hexOf(CHAIN_START.content), recent: [] },
    });
    chain.#store();
    return chain;
  }

  /** Goes on with a chain. A certificate that a crash cut short is completed if the TPM took its message. */
  static async open(tpm: Tpm, folder: string): Promise<ExtendChain> {
    const chain = new ExtendChain(
      tpm,
      folder,
      JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as Stored,
    );
    await chain.#settle();
    return chain;
  }

  /** What receivers pin. Known once something was certified: the TPM marks an index that was written. */
  async identity(): Promise<ChainIdentity> {
    const area = await this.#tpm.nvPublic(this.#nv.index);
    if (area === undefined) throw new ChainBroken('the TPM does not have the index of this chain');
    const attributes = area.attributes | NV_ATTRIBUTE.written;
    return { keyArea: this.#key.publicArea, indexArea: encodeNvPublic({ ...area, attributes }) };
  }

  /** Certifies a digest as the next value. */
  certify(digest: Digest, core: Uint8Array): Promise<ChainCertificate> {
    const answer = this.#last.catch(() => undefined).then(() => this.#certify(digest, core));
    this.#last = answer;
    return answer;
  }

  /** The last certificates, oldest first. */
  recent(count: number): readonly ChainCertificate[] {
    const all = this.#recent.filter(({ authenticator }) => authenticator.length > 0);
    return count === 0 ? [] : all.slice(-Math.min(count, RECENT_DEPTH));
  }

  async #certify(digest: Digest, core: Uint8Array): Promise<ChainCertificate> {
    if (core.length > CORE_BYTES_MAX) throw new ChainBroken('the message core is too long');
    if (this.#recent.at(-1)?.authenticator.length === 0) await this.#settle();
    const value = this.#state.value + 1;
    // The intent first: after a crash the TPM's content says whether it took the message.
    this.#recent = [...this.#recent, { value, digest, core, authenticator: new Uint8Array(0) }].slice(
      -RECENT_DEPTH,
    );
    this.#store();
    await this.#tpm.nvExtend(this.#nv, chainData(sha256, value, digest));
    return this.#complete();
  }

  /** Has the TPM attest the last intent, which it took. */
  async #complete(): Promise<ChainCertificate> {
    const intent = this.#recent.at(-1)!;
    const signed = await this.#tpm.withStorageRoot((root) =>
      this.#tpm.withObject(root, this.#key, (handle) =>
        this.#tpm.nvCertify(
          { handle, password: this.#key.password },
          this.#nv,
          new Uint8Array(0),
          CONTENT_BYTES,
        ),
      ),
    );
    const certificate = { ...intent, authenticator: encodeChainAuthenticator(signed) };
    const data = chainData(sha256, intent.value, intent.digest);
    this.#state = { value: intent.value, content: extended(sha256, this.#state.content, data) };
    this.#recent = [...this.#recent.slice(0, -1), certificate];
    this.#store();
    return certificate;
  }

  async #settle(): Promise<void> {
    const area = await this.#tpm.nvPublic(this.#nv.index);
    if (area === undefined) throw new ChainBroken('the TPM does not have the index of this chain');
    const wasWritten = (area.attributes & NV_ATTRIBUTE.written) !== 0;
    const content = wasWritten ? await this.#tpm.nvRead(this.#nv, CONTENT_BYTES) : CHAIN_START.content;
    const intent = this.#recent.at(-1);
    if (equalBytes(content, this.#state.content)) {
      // The TPM never saw the intent: nobody can have a certificate of it.
      if (intent?.authenticator.length === 0) this.#recent = this.#recent.slice(0, -1);
      return;
    }
    if (intent?.authenticator.length === 0) {
      const next = extended(sha256, this.#state.content, chainData(sha256, intent.value, intent.digest));
      if (equalBytes(content, next)) {
        await this.#complete();
        return;
      }
    }
    throw new ChainBroken(
      'the index of the TPM is further than the folder knows: the folder is an old copy, or somebody else extended ' +
        'the index; give the replica a new component and re-admit it by RECOVER',
    );
  }

  #store(): void {
    const stored: Stored = {
      index: this.#nv.index,
      indexPassword: hexOf(this.#nv.password),
      keyPublic: hexOf(this.#key.publicArea),
      keyPrivate: hexOf(this.#key.privateArea),
      keyPassword: hexOf(this.#key.password),
      value: this.#state.value,
      content: hexOf(this.#state.content),
      recent: this.#recent.map(({ value, digest, core, authenticator }) => ({
        value,
        digest,
        core: hexOf(core),
        authenticator: hexOf(authenticator),
      })),
    };
    writeWhole(join(this.#folder, FILE), JSON.stringify(stored));
  }
}
