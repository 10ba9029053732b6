/**
 * Everything between host and trusted component: triage at the start (W6), then one seal at a time. Order of a seal
 * (W1 to W3): content and intent are synced together, then the component is asked (it makes its own record durable
 * before it answers), the certificate is checked (decision A6), and only then the message comes back to the protocol.
 */
import { digestToBytes } from '../core/bytes.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Recovery, UniqueIdentifier } from '../core/protocol.ts';
import type { CounterValue, Digest, ReplicaId, TcEpoch } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { Endorsement } from '../trusted/attestation/bundle.ts';
import { ENDORSE_CODE, TPM_FORMAT } from '../trusted/attestation/tpm-quote.ts';
import { CORE_BYTES_MAX, USIG_OBJECT_ID } from '../trusted/contract.ts';
import type {
  RecentCertificate,
  TrustedIdentity,
  TrustedRequest,
  TrustedResponse,
} from '../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../trusted/frames.ts';
import type { JournalImage } from './image.ts';
import type { TrustedPort } from './ports.ts';
import { encodeRecord } from './records.ts';
import { encodeRecover, needsEndorsement, recoverChallengeFor, recoverRequestFor } from './restore.ts';
import type { RecoverParts } from './restore.ts';
import { triageStart } from './triage.ts';
import type { OtherOwner, Triage } from './triage.ts';

/** A wish of the protocol for a seal. */
export interface SealWish {
  readonly tcEpoch: TcEpoch;
  readonly counter: CounterValue;
  readonly digest: Digest;
  readonly draft: Uint8Array;
}

/** What the desk is made of. */
export interface SealDeskOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
  readonly image: JournalImage;
  readonly trusted: TrustedPort;
  readonly append: (record: Uint8Array) => void;
  readonly whenSynced: (then: () => void) => void;
  readonly onSealed: (ui: UniqueIdentifier) => void;
  readonly onStart: (result: {
    readonly standing: Recovery['standing'];
    readonly identity: TrustedIdentity;
  }) => void;
  readonly halt: (reason: string) => void;
  /** The other replica that this component is registered for, if there is one. */
  readonly otherOwner: (identity: TrustedIdentity) => OtherOwner | undefined;
  readonly note: (name: string, detail: Readonly<Record<string, string | number | boolean>>) => void;
}

type Stage =
  'idle' | 'identify' | 'recent' | 'renew' | 'attest' | 'endorse' | 'sealing' | 'resume' | 'resumeRecent';

/** See the top of this file. */
export class SealDesk {
  readonly #options: SealDeskOptions;
  #stage: Stage = 'idle';
  #callId = 0;
  #identity: TrustedIdentity | undefined;
  #wish: SealWish | undefined;
  /** Latest answer to `attest`. */
  #possession: Uint8Array = new Uint8Array(0);
  #answers = true;

  constructor(options: SealDeskOptions) {
    this.#options = options;
  }

  /** Who the component said it is; undefined before it answered. */
  get identity(): TrustedIdentity | undefined {
    return this.#identity;
  }

  /** Whether the component answers. */
  get answers(): boolean {
    return this.#answers;
  }

  /** Begins the start-up triage. */
  begin(): void {
    this.#call('identify', { op: 'identify' });
  }

  /** Asks for a seal; one at a time (H3). */
  seal(wish: SealWish): void {
    const { image, append, whenSynced } = this.#options;
    if (this.#wish !== undefined) return this.#options.halt('two seals were asked for at once');
    if (wish.tcEpoch !== image.tcEpoch)
      return this.#options.halt('a seal was asked for under a retired tcEpoch');
    this.#wish = wish;
    const { tcEpoch, counter, digest, draft } = wish;
    image.own.set(counter, { counter, digest, draft, authenticator: undefined });
    append(encodeRecord({ kind: 'intent', tcEpoch, counter, digest, draft }));
    whenSynced(() => {
      const core = draft.length <= CORE_BYTES_MAX ? draft : new Uint8Array(0);
      this.#call('sealing', { op: 'certify', objectId: USIG_OBJECT_ID, digest, core });
    });
  }

  /** The component's answer. An answer to an older call (before a reconnection) is ignored. */
  onResponse(id: number, bytes: Uint8Array): void {
    if (id !== this.#callId || this.#stage === 'idle') return;
    this.#answers = true;
    const response = decodeTrustedResponse(bytes);
    const stage = this.#stage;
    this.#stage = 'idle';
    if (response === undefined)
      return this.#options.halt('the trusted component answered with bytes that are no TCS1 response');
    // A footprint that has nobody below it to ask says so; the operator's word may still be there.
    if (response.op === 'error' && stage === 'endorse') return this.#register(this.#identity!, []);
    if (response.op === 'error') {
      const advice =
        response.code === 'OVERFLOW' ? '. Start the replica again: it renews its component by RECOVER' : '';
      return this.#options.halt(
        `the trusted component refused to ${stage}: ${response.code} ${response.message}${advice}`,
      );
    }
    this.#onAnswer(stage, response);
  }

  /** The component was lost; the world reconnects and calls `onResponse` for the call that is open, or the host stays mute. */
  onLost(): void {
    this.#answers = false;
  }

  /** The component is back (restarted with its state, or reconnected): whatever was open is asked for again. */
  onBack(): void {
    this.#answers = true;
    if (this.#stage === 'idle') return;
    this.#call(this.#wish === undefined ? 'identify' : 'resume', { op: 'identify' });
  }

  #call(stage: Stage, request: TrustedRequest): void {
    this.#stage = stage;
    this.#callId += 1;
    this.#options.trusted.call(this.#callId, encodeTrustedRequest(request));
  }

  #onAnswer(stage: Stage, response: Exclude<TrustedResponse, { op: 'error' }>): void {
    if (stage === 'identify' && response.op === 'identify') {
      this.#identity = response.identity;
      return this.#follow(
        triageStart(
          response.identity,
          this.#options.image,
          undefined,
          this.#options.otherOwner(response.identity),
        ),
      );
    }
    if (stage === 'recent' && response.op === 'recent') {
      return this.#follow(triageStart(this.#identity!, this.#options.image, response.certificates));
    }
    if (stage === 'renew' && response.op === 'renew') {
      this.#identity = response.identity;
      return this.#attest(response.identity);
    }
    if (stage === 'attest' && response.op === 'attest')
      return this.#onPossession(this.#identity!, response.evidence);
    if (stage === 'endorse' && response.op === 'extension')
      return this.#register(this.#identity!, [{ format: TPM_FORMAT, body: response.body }]);
    if (stage === 'resume' && response.op === 'identify') return this.#resume(response.identity);
    if (stage === 'resumeRecent' && response.op === 'recent') return this.#takeRecent(response.certificates);
    if (stage === 'sealing' && response.op === 'certify') return this.#onCertified(response);
    this.#options.halt(`the trusted component answered ${response.op} to ${stage}`);
  }

  // ---- triage -----------------------------------------------------------------------------------------------------

  #follow(triage: Triage): void {
    const { note, halt, onStart } = this.#options;
    switch (triage.kind) {
      case 'continue':
        this.#dropIntents();
        // A renewal whose RECOVER has not been covered yet goes on recovering, with evidence that holds today.
        if (this.#standing() === 'recovering') return this.#attest(this.#identity!);
        return onStart({ standing: 'keeper', identity: this.#identity! });
      case 'askRecent':
        return this.#call('recent', { op: 'recent', objectId: USIG_OBJECT_ID, count: triage.count });
      case 'complete':
        for (const certificate of triage.certificates) if (!this.#complete(certificate)) return undefined;
        this.#dropIntents();
        return onStart({ standing: this.#standing(), identity: this.#identity! });
      case 'renew':
        note('renewing', { reason: triage.reason });
        return this.#call('renew', { op: 'renew' });
      case 'register':
        note('renewing', { reason: triage.reason });
        return this.#attest(this.#identity!);
      case 'refuse':
        return halt(triage.reason);
    }
  }

  #standing(): Recovery['standing'] {
    return this.#options.image.recover === undefined ? 'keeper' : this.#hasSpoken() ? 'keeper' : 'recovering';
  }

  /** A renewed component that has sealed something was registered before it did. */
  #hasSpoken(): boolean {
    return this.#options.image.certifiedThrough() > 0;
  }

  #complete(certificate: RecentCertificate): boolean {
    const { image, append, self } = this.#options;
    const { tcEpoch } = image;
    const { counter, authenticator } = certificate;
    const message = image.own.get(counter)!;
    const ui = { replica: self, tcEpoch, counter, authenticator };
    if (!this.#isRight(ui, message.digest)) return false;
    message.authenticator = authenticator;
    append(encodeRecord({ kind: 'certificate', tcEpoch, counter, authenticator }));
    return true;
  }

  #dropIntents(): void {
    const { image } = this.#options;
    for (const [counter, message] of image.own)
      if (message.authenticator === undefined) image.own.delete(counter);
  }

  /** Who asks to speak with another component shows that this component is its own. */
  #attest(identity: TrustedIdentity): void {
    this.#call('attest', { op: 'attest', challenge: recoverChallengeFor(this.#recoverParts(), identity) });
  }

  #recoverParts(): RecoverParts {
    const { self, settings, crypto, trusted } = this.#options;
    return { self, settings, trusted, hash: crypto.hash, sign: (digest) => crypto.hostSigner.sign(digest) };
  }

  #onPossession(identity: TrustedIdentity, possession: Uint8Array): void {
    this.#possession = possession;
    const parts = this.#recoverParts();
    if (!needsEndorsement(parts)) return this.#register(identity, []);
    const body = digestToBytes(recoverChallengeFor(parts, identity));
    this.#call('endorse', { op: 'extension', code: ENDORSE_CODE, body });
  }

  #register(identity: TrustedIdentity, endorsements: readonly Endorsement[]): void {
    const { image, append, whenSynced, onStart, self, crypto, halt } = this.#options;
    const request = recoverRequestFor(this.#recoverParts(), identity, this.#possession, endorsements);
    const problem = crypto.verifier.evidenceProblem(request);
    if (problem !== undefined)
      return halt(
        `the other replicas would not take the evidence of the trusted component for a RECOVER: ${problem}`,
      );
    const recover = encodeRecover(request);
    image.renew(identity.tcEpoch, recover);
    append(encodeRecord({ kind: 'renewed', tcEpoch: identity.tcEpoch, recover }));
    const { tcEpoch, tcId, publicKey } = identity;
    crypto.verifier.trust({ replica: self, tcEpoch, tcId, publicKey });
    whenSynced(() => onStart({ standing: 'recovering', identity }));
  }

  // ---- the component came back while a seal was open ---------------------------------------------------------------

  #resume(identity: TrustedIdentity): void {
    const { counter, tcEpoch, digest } = this.#wish!;
    if (identity.tcEpoch === tcEpoch && identity.counter === counter) {
      return this.#call('resumeRecent', { op: 'recent', objectId: USIG_OBJECT_ID, count: 1 });
    }
    if (identity.tcEpoch === tcEpoch && identity.counter === counter - 1) {
      return this.#call('sealing', {
        op: 'certify',
        objectId: USIG_OBJECT_ID,
        digest,
        core: new Uint8Array(0),
      });
    }
    this.#options.halt(
      `the trusted component came back at counter ${identity.counter} of tcEpoch ${identity.tcEpoch}, expected ` +
        `${counter - 1} or ${counter} of ${tcEpoch}. Start the replica again: its triage decides whether it can go on.`,
    );
  }

  #takeRecent(certificates: readonly RecentCertificate[]): void {
    const { counter, tcEpoch } = this.#wish!;
    const certificate = certificates.at(-1);
    if (certificate?.counter !== counter)
      return this.#options.halt('the trusted component forgot its last certificate');
    const { authenticator } = certificate;
    this.#onCertified({
      op: 'certify',
      tcEpoch,
      previous: counter - 1,
      value: counter,
      digest: certificate.digest,
      authenticator,
    });
  }

  // ---- sealing ----------------------------------------------------------------------------------------------------

  #onCertified(response: TrustedResponse & { readonly op: 'certify' }): void {
    const { self, image, append, onSealed, halt } = this.#options;
    const wish = this.#wish!;
    const fits =
      response.tcEpoch === wish.tcEpoch &&
      response.value === wish.counter &&
      response.previous === wish.counter - 1 &&
      response.digest === wish.digest;
    if (!fits) {
      return halt(
        `the trusted component certified counter ${response.value} (after ${response.previous}) where ${wish.counter} was ` +
          'expected: someone else uses it, or it was rolled back. Make sure that only this replica reaches it.',
      );
    }
    const ui = {
      replica: self,
      tcEpoch: wish.tcEpoch,
      counter: wish.counter,
      authenticator: response.authenticator,
    };
    if (!this.#isRight(ui, wish.digest)) return;
    this.#wish = undefined;
    image.own.get(wish.counter)!.authenticator = ui.authenticator;
    const { tcEpoch, counter } = wish;
    append(encodeRecord({ kind: 'certificate', tcEpoch, counter, authenticator: ui.authenticator }));
    onSealed(ui);
  }

  /** Decision A6: an own certificate is checked before it leaves. */
  #isRight(ui: UniqueIdentifier, digest: Digest): boolean {
    const verdict = this.#options.crypto.verifier.verifyMany([{ kind: 'counter', ui, digest }]);
    if (verdict === 'valid') return true;
    this.#options.halt(
      `the trusted component gave a certificate for counter ${ui.counter} that does not verify (${verdict}) under the ` +
        'registered key: it is not the component that cluster.json names. Put its own folder back or replace the replica.',
    );
    return false;
  }
}
