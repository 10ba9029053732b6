/**
 * The counter at which clients stand: admits bundles (bounded, judged before their seal is checked), answers retries
 * out of the client table, tells a client BUSY or refused, checks certificates that clients made of replies, and sends
 * signed replies to the client's connections.
 *
 * What the host owes it:
 * - Everything that `onFrame` gives is an input of the protocol and enters it as it is: `bundle`, `asked` or
 *   `clientMessage`.
 * - `answer` after each execution that is final and not `held` (standing `final`, no proof), and for each effect
 *   `answer` with the results that the host holds for that sequence number, or `takeAsked` if it holds none any more, as
 *   often as the protocol wants. A retry comes back as `asked` only while its results are above `executor.confirmed`;
 *   later ones are answered here, `final` and without proof. Protocols with `client.provesFinal` are asked for all.
 * - `settle` after each execution, `settleAll` after an installed state. Bundles of a batch that was rolled back are
 *   not counted again: they are the protocol's.
 * - `certificates` and `provesFinal` in the options as the protocol's client rules say.
 */
import { assert } from '../core/assert.ts';
import { bytesToHex } from '../core/bytes.ts';
import {
  decodeClientFrame,
  encodeReplicaFrame,
  encodeReplyFrame,
  PROOF_BYTES_MAX,
  writeReplyContent,
} from '../core/client-wire.ts';
import type { ClientFrame, ReplyContent } from '../core/client-wire.ts';
import { Writer } from '../core/codec.ts';
import type { Domain } from '../core/domain.ts';
import type { DecodeContext, Input, ProtocolDefinition, Seal, Standing } from '../core/protocol.ts';
import { decodeBundle } from '../core/request.ts';
import type { Bundle } from '../core/request.ts';
import { markVerified } from '../core/types.ts';
import type { Digest, Hash, Milliseconds, ReplicaId, SequenceNumber, Verified, View } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor, ReplyGroup } from '../ledger/contract.ts';
import { signedReplyDigest } from '../ledger/reply-evidence.ts';
import { isFinalRefusal } from '../ledger/request-runner.ts';
import type { ClientLink, NetworkPort, ObserverPort } from './ports.ts';
import type { RequestJudge, Source } from './request-judge.ts';

/** Bundles that wait for execution, at most, over all clients. */
const WAITING_BUNDLES_MAX = 4096;
/** Bytes of them, at most. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** Bundles of one client, at most. */
const WAITING_PER_CLIENT_MAX = 512;
/** A bundle that was not executed for so long is no longer counted; its client re-sends it. */
const WAITING_MS_MAX = 60_000;
/** Retries that wait for the protocol's word on them, at most. */
const ASKED_MAX = 512;
/** Connections of one client that get its replies, at most. */
const LINKS_PER_CLIENT_MAX = 8;
/** What BUSY tells a client to wait. */
const RETRY_AFTER_MS = 100;
/** Results of one reply frame, at most. */
const RESULTS_PER_REPLY = 2048;
/** Certificates of one client that are checked in each window, at most: one costs as many checks as it has seals. */
const CERTIFICATES_PER_CLIENT_MAX = 256;
const CERTIFICATE_WINDOW_MS: Milliseconds = 1_000;
/** What a question for the own key counts as: a client asks once. */
const KEY_QUERY_COST = 32;
const NO_PROOF = new Uint8Array(0);

/** How messages that clients make of replies are read. */
export interface CertificateCheck<M> {
  /** `ProtocolDefinition.decode` in the cluster's context. */
  readonly decode: (bytes: Uint8Array) => M | undefined;
  /** `ProtocolDefinition.seals`. */
  readonly seals: (message: M) => readonly Seal[];
}

/** The check for a protocol; undefined if it takes no messages of clients. */
export function certificateCheckOf<M>(
  definition: ProtocolDefinition<M>,
  context: DecodeContext,
): CertificateCheck<M> | undefined {
  if (definition.client?.certificate === undefined) return undefined;
  return {
    decode: (bytes) => definition.decode(bytes, context),
    seals: (message) => definition.seals(message),
  };
}

/** What the desk hands to the protocol. */
export type DeskInput<M> = Extract<Input<M>, { readonly kind: 'bundle' | 'asked' | 'clientMessage' }>;

type KeyQueryFrame = Extract<ClientFrame, { readonly kind: 'keyQuery' }>;

/** Over which connection something came, and whose that is. */
interface Place {
  readonly link: ClientLink;
  readonly source: Source;
}

interface Waiting {
  readonly client: string;
  readonly bytes: number;
  readonly since: Milliseconds;
}

/** What the desk is made of. */
export interface ClientDeskOptions<M> {
  readonly self: ReplicaId;
  readonly domain: Domain;
  readonly hash: Hash;
  readonly crypto: CryptoPort;
  readonly executor: LedgerExecutor;
  readonly network: NetworkPort;
  readonly observer: ObserverPort;
  readonly judge: RequestJudge;
  /** Takes what `onFrame` would have given, had its verdict been there at once. */
  readonly give: (input: DeskInput<M>) => void;
  /** Undefined: the protocol takes no messages of clients. */
  readonly certificates?: CertificateCheck<M> | undefined;
  /** Final answers carry a proof, too: no retry is answered here. */
  readonly provesFinal?: boolean;
  /** Told of each waiting bundle that is settled: when it came, and how many requests it has. */
  readonly onSettled?: (since: Milliseconds, requests: number) => void;
}

/** Digest that a host key signs for a reply (decision B6). */
export function replyDigest(hash: Hash, domain: Domain, reply: ReplyContent): Digest {
  return signedReplyDigest(hash, domain, writeReplyContent(new Writer(512), reply).finish());
}

/** See the top of this file. */
export class ClientDesk<M> {
  readonly #options: ClientDeskOptions<M>;
  readonly #links = new Map<string, Set<ClientLink>>();
  readonly #waiting = new Map<Digest, Waiting>();
  readonly #waitingPerClient = new Map<string, number>();
  #waitingBytes = 0;
  /** Insertion order is age order. */
  readonly #asked = new Map<Digest, { readonly sequence: SequenceNumber; readonly bundle: Bundle }>();
  /** Certificates of each client in the current window. */
  readonly #certificates = new Map<string, number>();
  #certificateWindow: Milliseconds = 0;

  constructor(options: ClientDeskOptions<M>) {
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
   * A frame of a client whose key its connection has proved. Gives what is for the protocol: a bundle to be ordered, a
   * question about results that are not confirmed, a certificate. Everything else (retries, refusals, fast reads) is
   * answered here.
   */
  onFrame(
    link: ClientLink,
    clientKey: Uint8Array,
    bytes: Uint8Array,
    now: Milliseconds,
  ): DeskInput<M> | undefined {
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
    if (frame.kind === 'certificate') return this.#onCertificate(clientKey, frame.bytes, now);
    if (frame.kind === 'keyQuery') this.#onKeyQuery(link, clientKey, frame, now);
    if (frame.kind !== 'bundle') return undefined;
    this.#remember(link, bytesToHex(clientKey));
    const bundle = decodeBundle(this.#options.hash, this.#options.domain, frame.bytes);
    if (bundle === undefined) {
      this.#options.observer.ignored('malformedBundle', 'client');
      return undefined;
    }
    return this.#admit({ link, source: `client/${bytesToHex(clientKey)}` }, bundle, now);
  }

  /** A bundle that a peer passed on: no connection to answer. `then`: it is authentic and new. */
  admitForwarded(
    bundle: Bundle,
    from: ReplicaId,
    now: Milliseconds,
    then: (bundle: Verified<Bundle>) => void,
  ): void {
    if (this.#options.executor.admit(bundle).kind !== 'new') return;
    const again = (): void => this.admitForwarded(bundle, from, now, then);
    const judgement = this.#options.judge.judge(bundle, `replica/${from}`, now, again);
    if (judgement === 'valid') then(markVerified(bundle));
    else if (judgement === 'invalid') this.#options.observer.ignored('invalidClientSeal', from);
    else if (judgement === 'refused') this.#options.observer.ignored('bundlesOverBudget', from);
  }

  /** The trusted component says whether the client asked for this, and gives the key to that client alone. */
  #onKeyQuery(link: ClientLink, key: Uint8Array, frame: KeyQueryFrame, now: Milliseconds): void {
    const { domain, judge, executor, observer } = this.#options;
    const { id, version, agreementKey, signature } = frame;
    const current = executor.keyVersionOf(key);
    const answer = (envelope?: Uint8Array): void => {
      const bytes = envelope ?? NO_PROOF;
      this.#send(link, encodeReplicaFrame({ kind: 'keyEnvelope', id, version: current, envelope: bytes }));
    };
    // A client that named another version asks again for the one that counts.
    if (current === 0 || current !== version) return answer();
    const { clusterId, configurationVersion } = domain;
    const copies = {
      clientKey: key.slice(),
      agreementKey: agreementKey.slice(),
      signature: signature.slice(),
    };
    const request = { op: 'exportClientKey', version, clusterId, configurationVersion, ...copies } as const;
    const may = this.#mayAsk(key, KEY_QUERY_COST, now);
    if (may && judge.exportKey(request, answer)) return;
    observer.ignored('keyQuery', 'client');
    answer();
  }

  /** Counts what costs more than a bundle. Only registered clients are counted, and only for a window: the map is bounded. */
  #mayAsk(clientKey: Uint8Array, cost: number, now: Milliseconds): boolean {
    if (now - this.#certificateWindow >= CERTIFICATE_WINDOW_MS) {
      this.#certificateWindow = now;
      this.#certificates.clear();
    }
    const client = bytesToHex(clientKey);
    const count = this.#certificates.get(client) ?? 0;
    if (count + cost > CERTIFICATES_PER_CLIENT_MAX) return false;
    this.#certificates.set(client, count + cost);
    return true;
  }

  #onCertificate(clientKey: Uint8Array, bytes: Uint8Array, now: Milliseconds): DeskInput<M> | undefined {
    const { executor, observer, certificates, crypto } = this.#options;
    const refuse = (reason: string): undefined => {
      observer.ignored(reason, 'client');
      return undefined;
    };
    if (certificates === undefined) return refuse('unexpectedCertificate');
    if (!executor.isClient(clientKey)) return refuse('unknownClient');
    if (!this.#mayAsk(clientKey, 1, now)) return refuse('tooManyCertificates');
    const message = certificates.decode(bytes);
    if (message === undefined) return refuse('malformedCertificate');
    const verdict = crypto.verifier.verifyMany(certificates.seals(message));
    if (verdict !== 'valid') return refuse(verdict === 'invalid' ? 'invalidCertificate' : 'unknownKey');
    return { kind: 'clientMessage', message: markVerified(message) };
  }

  #admit(place: Place, bundle: Bundle, now: Milliseconds): DeskInput<M> | undefined {
    const { link } = place;
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
      const { executor, provesFinal = false } = this.#options;
      const { reply, sequence } = admission;
      if (provesFinal || sequence > executor.confirmed) return this.#ask(place, bundle, sequence, now);
      for (const frame of this.#replyFrames(reply, 0, 'final', NO_PROOF)) this.#send(link, frame);
      return undefined;
    }
    const known = this.#waiting.has(bundle.digest);
    if (!known && this.#isFull(bundle, now)) {
      this.#sendBusy(link, bundle, 'busy');
      return undefined;
    }
    if (!this.#checkSeal(place, bundle, now)) return undefined;
    // A gateway may carry bundles of others: replies go to both. Not before the seal holds: made-up keys would fill
    // the memory, and a stranger who names another's key would push its connections out.
    this.#remember(link, bytesToHex(bundle.clientKey));
    if (!known) this.#count(bundle, now);
    return { kind: 'bundle', bundle: markVerified(bundle) };
  }

  /** Only the protocol can say what results are worth that may still be undone, or prove what is final. */
  #ask(place: Place, bundle: Bundle, sequence: SequenceNumber, now: Milliseconds): DeskInput<M> | undefined {
    if (!this.#checkSeal(place, bundle, now)) return undefined;
    this.#remember(place.link, bytesToHex(bundle.clientKey));
    this.#asked.set(bundle.digest, { sequence, bundle });
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size <= ASKED_MAX) break;
      this.#asked.delete(oldest);
    }
    return { kind: 'asked', sequence, bundle: markVerified(bundle) };
  }

  #sendBusy(link: ClientLink, bundle: Bundle, reason: string): void {
    const busy = { kind: 'busy', bundle: bundle.digest, retryAfterMs: RETRY_AFTER_MS } as const;
    this.#send(link, encodeReplicaFrame(busy));
    this.#options.observer.ignored(reason, 'client');
  }

  /** Whether the bundle is authentic. Where that is not known yet it comes back when it is, and is admitted anew. */
  #checkSeal(place: Place, bundle: Bundle, now: Milliseconds): boolean {
    const { judge, observer, give } = this.#options;
    const judgement = judge.judge(bundle, place.source, now, () => {
      const input = this.#admit(place, bundle, now);
      if (input !== undefined) give(input);
    });
    if (judgement === 'valid') return true;
    if (judgement === 'invalid') observer.ignored('invalidClientSeal', 'client');
    else if (judgement === 'refused') this.#sendBusy(place.link, bundle, 'overBudget');
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

  #uncount(digest: Digest): Waiting | undefined {
    const waiting = this.#waiting.get(digest);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(digest);
    this.#waitingBytes -= waiting.bytes;
    const left = (this.#waitingPerClient.get(waiting.client) ?? 1) - 1;
    if (left > 0) this.#waitingPerClient.set(waiting.client, left);
    else this.#waitingPerClient.delete(waiting.client);
    return waiting;
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
    const { onSettled } = this.#options;
    for (const bundle of bundles) {
      const waiting = this.#uncount(bundle.digest);
      if (waiting !== undefined) onSettled?.(waiting.since, bundle.requests.length);
    }
  }

  /** Everything waiting was overtaken by an installed state. */
  settleAll(): void {
    this.#waiting.clear();
    this.#waitingPerClient.clear();
    this.#waitingBytes = 0;
  }

  /** Results of retries of what was executed as `sequence`, out of the client table; each retry is given once. */
  takeAsked(sequence: SequenceNumber): ReplyGroup[] {
    const groups: ReplyGroup[] = [];
    for (const [digest, { sequence: at, bundle }] of this.#asked) {
      if (at !== sequence) continue;
      this.#asked.delete(digest);
      const admission = this.#options.executor.admit(bundle);
      if (admission.kind === 'executed') groups.push(admission.reply);
    }
    return groups;
  }

  /**
   * Sends the results of one batch to the connections of their clients. `proof`: what the protocol says about the batch,
   * at most `PROOF_BYTES_MAX` bytes; clients could not read more.
   */
  answer(
    groups: readonly ReplyGroup[],
    view: View,
    standing: Standing = 'final',
    proof: Uint8Array = NO_PROOF,
  ): void {
    assert(proof.length <= PROOF_BYTES_MAX, 'the proof of an answer keeps its bound');
    for (const group of groups) {
      const links = this.#links.get(bytesToHex(group.clientKey));
      if (links === undefined) continue;
      const frames = this.#replyFrames(group, view, standing, proof);
      for (const link of links) for (const frame of frames) this.#send(link, frame);
    }
  }

  #replyFrames(group: ReplyGroup, view: View, standing: Standing, proof: Uint8Array): Uint8Array[] {
    const { self, hash, domain, crypto } = this.#options;
    const frames: Uint8Array[] = [];
    for (let at = 0; at < group.results.length; at += RESULTS_PER_REPLY) {
      const results = group.results.slice(at, at + RESULTS_PER_REPLY);
      const content = { replica: self, session: group.session, view, standing, proof, results };
      // Encoded once: for the signature and for the frame.
      const bytes = writeReplyContent(new Writer(64 + 128 * results.length), content).finish();
      const signature = crypto.hostSigner.sign(signedReplyDigest(hash, domain, bytes));
      frames.push(encodeReplyFrame(bytes, signature));
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
