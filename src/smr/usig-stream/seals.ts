/** Which seals a message holds, nested ones included (decision B4). */
import { equalBytes } from '../../core/bytes.ts';
import type { Seal, UniqueIdentifier } from '../../core/protocol.ts';
import type { RecoverRequest } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type {
  CheckpointCertificate,
  LogEntry,
  UsigMessage,
  NewViewHeader,
  Prepare,
  ViewChange,
} from './messages.ts';

interface CounterSealed {
  readonly ui: UniqueIdentifier;
  readonly digest: Digest;
}

function counterSeal({ ui, digest }: CounterSealed): Seal {
  return { kind: 'counter', ui, digest };
}

/** Seals about one digest that others are compared with: what a liar puts in beyond them is looked at each time. */
const COMPARED_MAX = 8;
/** Of messages that nobody seals. */
const NO_SEALS: readonly Seal[] = [];

function isSameUi(a: UniqueIdentifier, b: UniqueIdentifier): boolean {
  return (
    a.counter === b.counter &&
    a.replica === b.replica &&
    a.tcEpoch === b.tcEpoch &&
    sameBytes(a.authenticator, b.authenticator)
  );
}

/** Whether both are the same bytes. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || equalBytes(a, b);
}

/** Collects seals, each once. The authenticator is part of what makes two seals the same: quoted bytes are quoted on. */
class SealCollector {
  readonly seals: Seal[] = [];
  /** By the digest that they are about: one, unless somebody lies, and then not more than `COMPARED_MAX`. */
  readonly #byDigest = new Map<Digest, Seal[]>();
  readonly #visited = new Set<object>();

  #about(digest: Digest): Seal[] {
    let known = this.#byDigest.get(digest);
    if (known === undefined) this.#byDigest.set(digest, (known = []));
    return known;
  }

  #add(known: Seal[], seal: Seal): void {
    if (known.length < COMPARED_MAX) known.push(seal);
    this.seals.push(seal);
  }

  counter(message: CounterSealed): void {
    const { ui, digest } = message;
    const known = this.#about(digest);
    for (const seal of known) if (seal.kind === 'counter' && isSameUi(seal.ui, ui)) return;
    this.#add(known, counterSeal(message));
  }

  host(replica: ReplicaId, digest: Digest, signature: Uint8Array): void {
    const known = this.#about(digest);
    for (const seal of known)
      if (seal.kind === 'host' && seal.replica === replica && sameBytes(seal.signature, signature)) return;
    this.#add(known, { kind: 'host', replica, digest, signature });
  }

  /** A RECOVER holds by the seal of its host and by its evidence; `digest` covers both. */
  recover(request: RecoverRequest, digest: Digest): void {
    this.host(request.replica, digest, request.signature);
    const known = this.#about(digest);
    for (const seal of known) if (seal.kind === 'evidence') return;
    this.#add(known, { kind: 'evidence', request });
  }

  /** A PREPARE header stands for the RECOVERs that it shows, too. */
  prepare(message: Prepare): void {
    this.counter(message);
    message.recovers.forEach((request, index) => this.recover(request, message.recoverDigests[index]!));
  }

  entry(message: LogEntry): void {
    if (message.kind === 'PREPARE') return this.prepare(message);
    this.counter(message);
    if ('prepare' in message) this.prepare(message.prepare);
    else if (message.kind === 'COMMIT-VECTOR') for (const one of message.prepares) this.prepare(one);
    else if (message.kind === 'COMMIT-NEW-VIEW' && message.header !== undefined) this.counter(message.header);
  }

  certificate(certificate: CheckpointCertificate | undefined): void {
    for (const checkpoint of certificate?.checkpoints ?? []) this.counter(checkpoint);
  }

  viewChange(message: ViewChange): void {
    this.counter(message);
    this.certificate(message.stable);
    if (message.anchor !== undefined) this.counter(message.anchor);
    for (const voucher of message.vouchers) this.counter(voucher);
    for (const entry of message.log) this.entry(entry);
    for (const proof of message.newViews) this.message(proof);
    for (const wish of message.justification) this.host(wish.replica, wish.digest, wish.signature);
  }

  newView(header: NewViewHeader, viewChanges: readonly ViewChange[]): void {
    this.counter(header);
    for (const viewChange of viewChanges) this.message(viewChange);
  }

  message(message: UsigMessage): void {
    if (this.#visited.has(message)) return;
    this.#visited.add(message);
    switch (message.kind) {
      case 'PREPARE':
      case 'COMMIT':
      case 'SPEC':
      case 'COMMIT-VECTOR':
      case 'CHECKPOINT':
      case 'COMMIT-NEW-VIEW':
        return this.entry(message);
      case 'VIEW-CHANGE':
        return this.viewChange(message);
      case 'NEW-VIEW':
        return this.newView(message.header, message.viewChanges);
      case 'NEW-VIEW-CERTIFICATE':
        this.counter(message.header);
        for (const prepare of message.base ?? []) this.prepare(prepare);
        for (const commit of message.commits) this.entry(commit);
        return;
      case 'REQUEST-VIEW-CHANGE':
        return this.host(message.replica, message.digest, message.signature);
      case 'RECOVER':
        return this.recover(message.request, message.digest);
      case 'STREAM-SYNC':
        this.counter(message.anchor);
        for (const voucher of message.vouchers) this.counter(voucher);
        return;
      case 'CHECKPOINT-PROOF':
        this.certificate(message.certificate);
        for (const link of message.links) this.certificate(link.certificate);
        return;
      case 'STREAM-BATCH':
        for (const vote of message.votes) this.entry(vote);
        return;
      case 'STATUS':
      case 'RESEND-REQUEST':
      case 'FETCH-LINKS':
      case 'FETCH-NEW-VIEW':
        return;
    }
  }
}

/**
 * All seals inside a message, nested ones included, each once. All of them must hold, those of RECOVERs in PREPARE
 * headers included: a header with a forged RECOVER counts as garbage for everybody, so rule N4 may take RECOVERs at
 * their word.
 */
export function sealsOf(message: UsigMessage): readonly Seal[] {
  switch (message.kind) {
    case 'STATUS':
    case 'RESEND-REQUEST':
    case 'FETCH-LINKS':
    case 'FETCH-NEW-VIEW':
      return NO_SEALS;
    case 'CHECKPOINT':
      return [counterSeal(message)];
  }
  // The two messages of the normal case hold nothing twice.
  if (message.kind === 'PREPARE' && message.recovers.length === 0) return [counterSeal(message)];
  if ('prepare' in message && message.prepare.recovers.length === 0)
    return [counterSeal(message), counterSeal(message.prepare)];
  const collector = new SealCollector();
  collector.message(message);
  return collector.seals;
}
