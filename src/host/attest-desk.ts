/**
 * Own messages of protocols that have them attested one by one: each is durable before anybody vouches for it, and
 * answered in the order in which it came. Nobody vouches on a link, the host key signs, or an object of the trusted
 * component gives its word. Any number may be on their way. After a crash what was durable is attested again: host
 * signatures come out the same, and objects give each value once.
 */
import type { Attestation, AttestedDraft, Attestor } from '../core/attestation.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Digest, ReplicaId, TcEpoch } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import { isRegistered } from '../trusted/client.ts';
import type { TrustedIdentity } from '../trusted/contract.ts';
import type { AttestedRecord, OwnAttested } from './attested-image.ts';
import type { JournalImage } from './image.ts';
import { ObjectDesk } from './object-desk.ts';
import type { ObjectAttestor, WordOutcome } from './object-desk.ts';
import type { TrustedPort } from './ports.ts';
import { encodeRecord } from './records.ts';

/** Words that are not durable here yet, at most: the component remembers its last 64. */
const UNSYNCED_MAX = 48;
/** So many of them make it worth asking that they become durable. */
const SYNC_EVERY = 16;

/** A wish of the protocol. */
export interface AttestWish {
  readonly id: number;
  readonly digest: Digest;
  readonly draft: Uint8Array;
  readonly by: Attestor;
}

/** What the desk is made of. */
export interface AttestDeskOptions {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
  readonly image: JournalImage;
  /** Absent: the protocol needs no trusted component. */
  readonly trusted?: TrustedPort;
  readonly append: (record: Uint8Array) => void;
  readonly whenSynced: (then: () => void) => void;
  readonly onAttested: (id: number, attestation: Attestation) => void;
  readonly onRefused: (id: number) => void;
  readonly onStart: (result: {
    readonly standing: 'keeper';
    readonly tcEpoch: TcEpoch;
    readonly attested: readonly AttestedDraft[];
    readonly attestedThrough: number;
  }) => void;
  readonly halt: (reason: string) => void;
  readonly note: (name: string, detail: Readonly<Record<string, string | number | boolean>>) => void;
}

interface Waiting {
  readonly id: number;
  outcome: WordOutcome | { readonly kind: 'given'; readonly word: Attestation } | undefined;
}

/** See the top of this file. */
export class AttestDesk {
  readonly #options: AttestDeskOptions;
  readonly #objects: ObjectDesk | undefined;
  readonly #waiting: Waiting[] = [];
  #identity: TrustedIdentity | undefined;
  #unsynced = 0;
  #syncing = 0;

  constructor(options: AttestDeskOptions) {
    this.#options = options;
    const { self, crypto, trusted, whenSynced, halt } = options;
    if (trusted === undefined) return;
    const mayAsk = (): boolean => this.#unsynced < UNSYNCED_MAX;
    const { verifier } = crypto;
    this.#objects = new ObjectDesk({ self, verifier, trusted, mayAsk, whenSynced, halt });
  }

  /** Who the component said it is; undefined before it answered and where there is none. */
  get identity(): TrustedIdentity | undefined {
    return this.#identity;
  }

  /** Whether the component answers; true where there is none. */
  get answers(): boolean {
    return this.#objects?.answers ?? true;
  }

  onResponse(id: number, bytes: Uint8Array): void {
    this.#objects?.onResponse(id, bytes);
  }

  onLost(): void {
    this.#objects?.onLost();
  }

  onBack(): void {
    this.#objects?.onBack();
  }

  // ---- while it runs ----------------------------------------------------------------------------------------------

  /** Has an own message attested. */
  attest(wish: AttestWish): void {
    const { image, whenSynced, halt } = this.#options;
    const { id, digest, draft, by } = wish;
    if (id <= image.attested.last) return halt(`the own message ${id} was to be attested twice`);
    const waiting: Waiting = { id, outcome: undefined };
    this.#waiting.push(waiting);
    this.#record({ kind: 'attest', id, digest, draft, by });
    whenSynced(() => this.#onDurable(waiting, digest, by));
  }

  /** Own attested messages below this number are not needed any more. */
  trim(below: number): void {
    this.#record({ kind: 'trimAttested', below });
  }

  #onDurable(waiting: Waiting, digest: Digest, by: Attestor): void {
    if (by.kind !== 'object') {
      waiting.outcome = { kind: 'given', word: this.#vouch(digest, by.kind) };
      return this.#flush();
    }
    this.#ask(waiting.id, digest, by, (outcome) => {
      waiting.outcome = outcome;
      this.#flush();
    });
  }

  #flush(): void {
    for (let head = this.#waiting[0]; head?.outcome !== undefined; head = this.#waiting[0]) {
      this.#waiting.shift();
      if (head.outcome.kind === 'given') this.#options.onAttested(head.id, head.outcome.word);
      else this.#options.onRefused(head.id);
    }
  }

  #vouch(digest: Digest, kind: 'link' | 'host'): Attestation {
    const { self, crypto } = this.#options;
    if (kind === 'link') return { kind, replica: self };
    return { kind, replica: self, signature: crypto.hostSigner.sign(digest) };
  }

  /** Asks an object; its word is in the journal before anybody hears of it. */
  #ask(id: number, digest: Digest, by: ObjectAttestor, done: (outcome: WordOutcome) => void): void {
    const objects = this.#objects;
    if (objects === undefined)
      return this.#options.halt('the protocol asked for the word of an object, but has no trusted component');
    objects.word(by, digest, (outcome) => {
      if (outcome.kind === 'given') {
        this.#record({ kind: 'word', id, word: outcome.word });
        this.#count();
      } else {
        if (!this.#options.image.attested.isBehind) return this.#options.halt(takenSentence(by));
        this.#options.note('attestRefused', { id, object: by.object, value: by.value });
        this.#record({ kind: 'refused', id });
      }
      done(outcome);
    });
  }

  #count(): void {
    this.#unsynced += 1;
    if (this.#unsynced - this.#syncing < SYNC_EVERY) return;
    const covered = this.#unsynced - this.#syncing;
    this.#syncing += covered;
    this.#options.whenSynced(() => {
      this.#unsynced -= covered;
      this.#syncing -= covered;
      this.#objects!.pump();
    });
  }

  #record(record: AttestedRecord): void {
    this.#options.image.attested.take(record);
    this.#options.append(encodeRecord(record));
  }

  // ---- start ------------------------------------------------------------------------------------------------------

  /** Finds out whether component and journal fit, completes what was on its way at the last stop, and starts. */
  begin(): void {
    const objects = this.#objects;
    if (objects === undefined) return this.#askAgain();
    objects.identify((identity) => {
      this.#identity = identity;
      const problem = this.#problemOf(identity);
      if (problem !== undefined) return this.#options.halt(problem);
      this.#compare(objects, identity);
    });
  }

  #problemOf(identity: TrustedIdentity): string | undefined {
    const { self, settings } = this.#options;
    const registered = settings.members[self]!.trusted;
    if (isRegistered(identity, registered)) return undefined;
    const other = settings.members.find(({ trusted }) => trusted.tcId === identity.tcId);
    if (other !== undefined && other.id !== self)
      return (
        `this folder holds the trusted component of replica ${other.id}: the folders of trusted components were mixed ` +
        'up. Put each back where it belongs and start the replicas again; nothing was changed.'
      );
    return (
      `the trusted component (${identity.program}, tcEpoch ${identity.tcEpoch}) is not the one that cluster.json ` +
      `registers for replica ${self} (${registered.program}, tcEpoch ${registered.tcEpoch}): its state was lost, and ` +
      `${settings.protocol} cannot re-admit a new one. Put its own folder back, or replace the replica.`
    );
  }

  #compare(objects: ObjectDesk, identity: TrustedIdentity): void {
    const { image, halt, note } = this.#options;
    const { newest } = image.attested;
    if (newest === undefined) {
      if (image.isEmpty() && identity.counter > 0) {
        note('storeWasLost', { tcEpoch: identity.tcEpoch });
        this.#record({ kind: 'behind' });
      }
      return this.#askAgain();
    }
    objects.remembers(newest, (remembers) => {
      if (remembers) return this.#askAgain();
      halt(
        `the trusted component does not know value ${newest.value} of its object ${newest.object}, which the own log ` +
          "holds a certificate for: the component's state was rolled back (an old copy was put back). Restore its newest " +
          'folder, or replace this replica with new keys; it must not run like this.',
      );
    });
  }

  #askAgain(): void {
    const { messages } = this.#options.image.attested;
    const open: { readonly message: OwnAttested; readonly by: ObjectAttestor }[] = [];
    for (const message of messages.values()) {
      const { by, word } = message;
      if (by.kind === 'object' && word === undefined) open.push({ message, by });
    }
    if (open.length === 0) return this.#start();
    let missing = open.length;
    for (const { message, by } of open) {
      this.#ask(message.id, message.digest, by, () => {
        missing -= 1;
        if (missing === 0) this.#start();
      });
    }
  }

  #start(): void {
    const { self, settings, image, onStart } = this.#options;
    const attested: AttestedDraft[] = [];
    for (const { id, digest, draft, by, word } of image.attested.messages.values()) {
      const attestation: Attestation =
        by.kind === 'object' ? { kind: 'object', replica: self, ...word! } : this.#vouch(digest, by.kind);
      attested.push({ id, digest, draft, attestation });
    }
    const { tcEpoch } = settings.members[self]!.trusted;
    onStart({ standing: 'keeper', tcEpoch, attested, attestedThrough: image.attested.last });
  }
}

function takenSentence({ object, value }: ObjectAttestor): string {
  return (
    `the trusted component will not give value ${value} of its object ${object} to this replica's message: another has ` +
    "it, so either someone else uses the component, or this replica's store is an older copy. Make sure that only this " +
    "replica reaches it, and wipe this replica's store (never its keys): it goes on after state transfer."
  );
}
