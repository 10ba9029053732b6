/**
 * The counter at which clients stand: admits bundles (bounded, judged before their seal is checked), answers retries
 * out of the client table, tells a client BUSY or refused, and sends signed replies to the client's connections.
 */
import { bytesToHex } from '../core/bytes.ts';
import { decodeClientFrame, encodeReplicaFrame, writeReplyContent } from '../core/client-wire.ts';
import type { ReplyContent } from '../core/client-wire.ts';
import type { Domain } from '../core/domain.ts';
import { domainTag, domainWriter, finishDigest } from '../core/domain.ts';
import { decodeBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import { markVerified } from '../core/types.ts';
import type { Digest, Hash, Milliseconds, ReplicaId, Verified, View } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor, ReplyGroup } from '../ledger/contract.ts';
import { isFinalRefusal } from '../ledger/request-runner.ts';
import type { ClientLink, NetworkPort, ObserverPort } from './ports.ts';

/** Bundles that wait for execution, at most, over all clients. */
const WAITING_BUNDLES_MAX = 4096;
/** Bytes of them, at most. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** Bundles of one client, at most. */
const WAITING_PER_CLIENT_MAX = 512;
/** A bundle that was not executed for so long is no longer counted; its client re-sends it. */
const WAITING_MS_MAX = 60_000;
/** Connections of one client that get its replies, at most. */
const LINKS_PER_CLIENT_MAX = 8;
/** What BUSY tells a client to wait. */
const RETRY_AFTER_MS = 100;
/** Results of one reply frame, at most. */
const RESULTS_PER_REPLY = 2048;

interface Waiting {
  readonly client: string;
  readonly bytes: number;
  readonly since: Milliseconds;
}

/** What the desk is made of. */
export interface ClientDeskOptions {
  readonly self: ReplicaId;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly crypto: CryptoPort;
  readonly executor: LedgerExecutor;
  readonly network: NetworkPort;
  readonly observer: ObserverPort;
}

/** Digest that a host key signs for a reply (decision B6). */
export function replyDigest(hash: Hash, domain: Domain, reply: ReplyContent): Digest {
  return finishDigest(hash, writeReplyContent(domainWriter(domainTag('host', 'REPLY'), domain), reply));
}

/** See the top of this file. */
export class ClientDesk {
  readonly #options: ClientDeskOptions;
  readonly #links = new Map<string, Set<ClientLink>>();
  readonly #waiting = new Map<Digest, Waiting>();
  readonly #waitingPerClient = new Map<string, number>();
  #waitingBytes = 0;

  constructor(options: ClientDeskOptions) {
    this.#options = options;
  }

  /** Bundles that wait for execution. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A connection is gone. */
  forget(link: ClientLink): void {
    for (const [client, links] of this.#links) {
      if (links.delete(link) && links.size === 0) this.#links.delete(client);
    }
  }

  /**
   * A frame of a client whose key its connection has proved. Gives the bundle if it is to be ordered; everything else
   * (retries, refusals, fast reads) is answered here.
   */
  onFrame(
    link: ClientLink,
    clientKey: Uint8Array,
    bytes: Uint8Array,
    now: Milliseconds,
  ): Verified<Bundle> | undefined {
    const frame = decodeClientFrame(bytes);
    if (frame === undefined) {
      this.#options.observer.ignored('malformedClientFrame', 'client');
      return undefined;
    }
    if (frame.kind === 'read') {
      if (!this.#options.executor.isClient(clientKey)) {
        this.#options.observer.ignored('unknownClient', 'client');
        return undefined;
      }
      const answer = this.#options.executor.query(frame.operation);
      this.#send(link, encodeReplicaFrame({ kind: 'readAnswer', id: frame.id, ...answer }));
      return undefined;
    }
    if (frame.kind !== 'bundle') return undefined;
    this.#remember(link, bytesToHex(clientKey));
    const bundle = decodeBundle(this.#options.hash, this.#options.domain, frame.bytes);
    if (bundle === undefined) {
      this.#options.observer.ignored('malformedBundle', 'client');
      return undefined;
    }
    return this.#admit(link, bundle, now);
  }

  /** A bundle that a peer passed on: no connection to answer. */
  admitForwarded(bundle: Bundle, from: ReplicaId): Verified<Bundle> | undefined {
    if (this.#options.executor.admit(bundle).kind !== 'new') return undefined;
    return this.#checkSeal(bundle, from) ? markVerified(bundle) : undefined;
  }

  #admit(link: ClientLink, bundle: Bundle, now: Milliseconds): Verified<Bundle> | undefined {
    const admission = this.#options.executor.admit(bundle);
    const isUnknown = admission.kind === 'refused' && admission.reason === 'unknownClient';
    if (admission.kind === 'refused' && !isFinalRefusal(admission.reason) && !isUnknown) {
      // It may only mean that this replica lags: no word that counts against the client. (An unknown client is told so
      // all the same: it would wait for ever otherwise, and one that was just registered can ask again.)
      this.#sendBusy(link, bundle, admission.reason);
      return undefined;
    }
    if (admission.kind === 'refused') {
      this.#send(
        link,
        encodeReplicaFrame({ kind: 'refused', bundle: bundle.digest, reason: admission.reason }),
      );
      this.#options.observer.ignored(admission.reason, 'client');
      return undefined;
    }
    if (admission.kind === 'executed') {
      this.#sendReply(link, admission.reply, 0);
      return undefined;
    }
    const known = this.#waiting.has(bundle.digest);
    if (!known && this.#isFull(bundle, now)) {
      this.#sendBusy(link, bundle, 'busy');
      return undefined;
    }
    if (!this.#checkSeal(bundle, 'client')) return undefined;
    // A gateway may carry bundles of others: replies go to both. Not before the seal holds: made-up keys would fill
    // the memory, and a stranger who names another's key would push its connections out.
    this.#remember(link, bytesToHex(bundle.clientKey));
    if (!known) this.#count(bundle, now);
    return markVerified(bundle);
  }

  #sendBusy(link: ClientLink, bundle: Bundle, reason: string): void {
    const busy = { kind: 'busy', bundle: bundle.digest, retryAfterMs: RETRY_AFTER_MS } as const;
    this.#send(link, encodeReplicaFrame(busy));
    this.#options.observer.ignored(reason, 'client');
  }

  #checkSeal(bundle: Bundle, from: ReplicaId | 'client'): boolean {
    const { clientKey: key, digest, signature } = bundle;
    const verdict = this.#options.crypto.verifier.verifyMany([{ kind: 'client', key, digest, signature }]);
    if (verdict === 'valid') return true;
    this.#options.observer.ignored('invalidClientSeal', from);
    return false;
  }

  #isFull(bundle: Bundle, now: Milliseconds): boolean {
    const client = bytesToHex(bundle.clientKey);
    const perClient = this.#waitingPerClient.get(client) ?? 0;
    const full =
      this.#waiting.size >= WAITING_BUNDLES_MAX ||
      this.#waitingBytes + bundle.bytes.length > WAITING_BYTES_MAX ||
      perClient >= WAITING_PER_CLIENT_MAX;
    if (full) this.#expire(now);
    return full;
  }

  #count(bundle: Bundle, now: Milliseconds): void {
    const client = bytesToHex(bundle.clientKey);
    this.#waiting.set(bundle.digest, { client, bytes: bundle.bytes.length, since: now });
    this.#waitingBytes += bundle.bytes.length;
    this.#waitingPerClient.set(client, (this.#waitingPerClient.get(client) ?? 0) + 1);
  }

  #uncount(digest: Digest): void {
    const waiting = this.#waiting.get(digest);
    if (waiting === undefined) return;
    this.#waiting.delete(digest);
    this.#waitingBytes -= waiting.bytes;
    const left = (this.#waitingPerClient.get(waiting.client) ?? 1) - 1;
    if (left > 0) this.#waitingPerClient.set(waiting.client, left);
    else this.#waitingPerClient.delete(waiting.client);
  }

  #expire(now: Milliseconds): void {
    // Insertion order is age order.
    for (const [digest, waiting] of this.#waiting) {
      if (now - waiting.since < WAITING_MS_MAX) return;
      this.#uncount(digest);
    }
  }

  /** These bundles were executed (or can never be). */
  settle(bundles: readonly Bundle[]): void {
    for (const bundle of bundles) this.#uncount(bundle.digest);
  }

  /** Everything waiting was overtaken by an installed state. */
  settleAll(): void {
    this.#waiting.clear();
    this.#waitingPerClient.clear();
    this.#waitingBytes = 0;
  }

  /** Sends the results of one batch to the connections of their clients. */
  reply(groups: readonly ReplyGroup[], view: View): void {
    for (const group of groups) {
      const links = this.#links.get(bytesToHex(group.clientKey));
      if (links === undefined) continue;
      const frames = this.#replyFrames(group, view);
      for (const link of links) for (const frame of frames) this.#send(link, frame);
    }
  }

  #sendReply(link: ClientLink, group: ReplyGroup, view: View): void {
    for (const frame of this.#replyFrames(group, view)) this.#send(link, frame);
  }

  #replyFrames(group: ReplyGroup, view: View): Uint8Array[] {
    const { self, hash, domain, crypto } = this.#options;
    const frames: Uint8Array[] = [];
    for (let at = 0; at < group.results.length; at += RESULTS_PER_REPLY) {
      const results = group.results.slice(at, at + RESULTS_PER_REPLY);
      const content = { replica: self, session: group.session, view, results };
      const signature = crypto.hostSigner.sign(replyDigest(hash, domain, content));
      frames.push(encodeReplicaFrame({ kind: 'reply', ...content, signature }));
    }
    return frames;
  }

  #send(link: ClientLink, frame: Uint8Array): void {
    this.#options.network.toClient(link, frame);
  }

  #remember(link: ClientLink, client: string): void {
    let links = this.#links.get(client);
    if (links === undefined) this.#links.set(client, (links = new Set()));
    links.delete(link);
    links.add(link);
    for (const oldest of links) {
      if (links.size <= LINKS_PER_CLIENT_MAX) break;
      links.delete(oldest);
    }
  }
}
