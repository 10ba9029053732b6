/**
 * The desk at which peers' frames arrive: puts fragments together, decodes, checks every seal (decision B4) and hands
 * on only what is authentic. It also sends: one encoding, the same bytes to all.
 */
import { decodeBatch, decodeBundle, recoverDigest } from '../core/request.ts';
import type { Batch, Bundle, UncheckedBatch } from '../core/request.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Domain } from '../core/domain.ts';
import type { DecodeContext, Input, ProtocolDefinition, Seal } from '../core/protocol.ts';
import { markVerified } from '../core/types.ts';
import type { Digest, Milliseconds, ReplicaId, Verified } from '../core/types.ts';
import type { CryptoPort } from '../crypto/port.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import { bodiesIn } from './image.ts';
import { decodeLinkFrame, encodeLinkFrame, fragmentFrame, Reassembler } from './link-frames.ts';
import type { LinkFrame } from './link-frames.ts';
import type { LiveTap } from './live-tap.ts';
import { labelOfMessage } from './message-label.ts';
import type { BlockPort, NetworkPort } from './ports.ts';
import type { RequestJudge, Source } from './request-judge.ts';
import type { TransferFrame } from './transfer.ts';

/** Bytes of a batch body beyond the configured maximum that RECOVER requests and framing may take. */
export const BODY_SLACK_BYTES = 128 * 1024;
/** How far ahead of the own height a header signature is kept; further ahead it could only fill the disk. */
const SIGNATURES_AHEAD = 4096;
/** How those who watch are told of what cannot be read. */
const GARBAGE = 'garbage';
/** One comes with each block from each replica: those who watch are not told, they would see little else. */
const UNTOLD = 'headerSignature';

/** What the desk is made of. */
export interface LinkDeskOptions<M> {
  readonly self: ReplicaId;
  readonly settings: ClusterSettings;
  readonly domain: Domain;
  readonly definition: ProtocolDefinition<M>;
  readonly crypto: CryptoPort;
  readonly executor: LedgerExecutor;
  readonly network: NetworkPort;
  readonly blocks: BlockPort;
  readonly give: (input: Input<M>) => void;
  /** Body of a batch that is kept here. */
  readonly body: (digest: Digest) => Uint8Array | undefined;
  readonly judge: RequestJudge;
  /** Judges a bundle that a peer passed on, now or later. */
  readonly admitForwarded: (
    bundle: Bundle,
    from: ReplicaId,
    then: (bundle: Verified<Bundle>) => void,
  ) => void;
  readonly onTransferFrame: (from: ReplicaId, frame: TransferFrame) => void;
  readonly ignored: (reason: string, from: ReplicaId) => void;
  /** Told what is sent and what arrives, while somebody watches. */
  readonly tap: LiveTap<M>;
  readonly now: () => Milliseconds;
}

/** See the top of this file. */
export class LinkDesk<M> {
  readonly #options: LinkDeskOptions<M>;
  /** One object for all messages: protocols derive things from it once. */
  readonly #decodeContext: DecodeContext;
  readonly #reassemblers = new Map<ReplicaId, Reassembler>();

  constructor(options: LinkDeskOptions<M>) {
    this.#options = options;
    const { settings, domain, crypto } = options;
    this.#decodeContext = { settings, domain, hash: crypto.hash };
  }

  /** A link is down: its half-received frames are void. */
  forget(peer: ReplicaId): void {
    this.#reassemblers.delete(peer);
  }

  /** Bytes of a peer; its link authenticates `from`, nothing else. */
  onBytes(from: ReplicaId, bytes: Uint8Array): void {
    let frame = decodeLinkFrame(bytes);
    if (frame?.kind === 'fragment') {
      let reassembler = this.#reassemblers.get(from);
      if (reassembler === undefined) {
        reassembler = new Reassembler(this.#options.crypto.hash);
        this.#reassemblers.set(from, reassembler);
      }
      const whole = reassembler.add(frame);
      if (whole === undefined) return;
      frame = decodeLinkFrame(whole);
    }
    if (frame === undefined || frame.kind === 'fragment') {
      this.#options.ignored('malformedFrame', from);
      return this.#tell(from, GARBAGE);
    }
    this.#onLinkFrame(from, frame);
    const { isWatched } = this.#options.tap;
    if (isWatched && frame.kind !== 'protocol' && frame.kind !== UNTOLD) this.#tell(from, frame.kind);
  }

  /** Something arrived that the protocol does not see: a message that was refused, or what has no more than a kind. */
  #tell(from: ReplicaId, what: M | string): void {
    const { tap, now } = this.#options;
    if (!tap.isWatched) return;
    tap.onArrived(from, typeof what === 'string' ? { kind: what } : labelOfMessage(what), now());
  }

  #onLinkFrame(from: ReplicaId, frame: Exclude<LinkFrame, { kind: 'fragment' }>): void {
    switch (frame.kind) {
      case 'protocol':
        return this.#onProtocolBytes(from, frame.bytes);
      case 'body':
        return this.#onBody(from, frame.bytes);
      case 'fetchBody': {
        const body = this.#options.body(frame.digest);
        if (body !== undefined) this.toPeer(from, { kind: 'body', bytes: body });
        return;
      }
      case 'bundle':
        return this.#onForwarded(from, frame.bytes);
      case 'headerSignature': {
        const { height, headerHash, signature } = frame;
        if (height > this.#options.executor.height + SIGNATURES_AHEAD)
          return this.#options.ignored('headerSignatureAhead', from);
        return this.#options.blocks.sign(height, headerHash, { replica: from, signature });
      }
      default:
        return this.#options.onTransferFrame(from, frame);
    }
  }

  #onProtocolBytes(from: ReplicaId, bytes: Uint8Array): void {
    const { definition, crypto } = this.#options;
    const message = definition.decode(bytes, this.#decodeContext);
    if (message === undefined) {
      this.#options.ignored('malformedMessage', from);
      return this.#tell(from, GARBAGE);
    }
    const verdict = crypto.verifier.verifyMany(definition.seals(message));
    if (verdict !== 'valid') {
      this.#options.ignored(verdict === 'invalid' ? 'invalidSeal' : 'unknownKey', from);
      return this.#tell(from, message);
    }
    this.#options.give({ kind: 'message', from, message: markVerified(message) });
  }

  /**
   * Asks a peer for a body. A new primary proposes again what it executed in older views: such bodies are kept here, though
   * the protocol has forgotten them.
   */
  fetchBody(digest: Digest, from: ReplicaId): void {
    const kept = this.#options.body(digest);
    const batch = kept === undefined ? undefined : this.#decode(kept);
    if (batch === undefined || !this.#judge(batch, 'store')) this.toPeer(from, { kind: 'fetchBody', digest });
  }

  #onBody(from: ReplicaId, bytes: Uint8Array): void {
    const { limits } = this.#options.settings;
    if (bytes.length > limits.batchBytesMax + BODY_SLACK_BYTES)
      return this.#options.ignored('bodyTooLarge', from);
    const batch = this.#decode(bytes);
    if (batch === undefined) return this.#options.ignored('malformedBody', from);
    if (!this.#judge(batch, `replica/${from}`)) this.#options.ignored('bodiesOverBudget', from);
  }

  /** Gives a body to the protocol when its bundles are judged; false if they will not be. */
  #judge(batch: UncheckedBatch, source: Source): boolean {
    const { judge, now, give } = this.#options;
    return judge.judgeAll(batch.bundles, source, now(), (bundleAuthentic) =>
      give({ kind: 'body', batch: this.#judged(batch, bundleAuthentic) }),
    );
  }

  #onForwarded(from: ReplicaId, bytes: Uint8Array): void {
    const bundle: Bundle | undefined = decodeBundle(this.#options.crypto.hash, this.#options.domain, bytes);
    if (bundle === undefined) return this.#options.ignored('malformedBundle', from);
    this.#options.admitForwarded(bundle, from, (verified) =>
      this.#options.give({ kind: 'bundle', bundle: verified, forwardedBy: from }),
    );
  }

  #decode(bytes: Uint8Array): UncheckedBatch | undefined {
    const { settings, crypto, domain } = this.#options;
    return decodeBatch(crypto.hash, domain, bytes, settings.limits.batchRequestsMax);
  }

  /** Bundles of the bodies that a journal holds; none of one that is damaged. */
  bundlesIn(journal: readonly Uint8Array[]): readonly Bundle[] {
    return journal.flatMap(bodiesIn).flatMap((bytes) => this.#decode(bytes)?.bundles ?? []);
  }

  /**
   * Decodes a body of the store and checks every client's and host's seal in it, each by itself (decision B4). Its
   * bundles were judged before, where that takes the trusted component.
   */
  checkBatch(bytes: Uint8Array): Batch | undefined {
    const batch = this.#decode(bytes);
    let checked: Batch | undefined;
    if (batch === undefined) return undefined;
    const { judge, now } = this.#options;
    judge.judgeAll(batch.bundles, 'store', now(), (authentic) => (checked = this.#judged(batch, authentic)));
    return checked;
  }

  #judged(batch: UncheckedBatch, bundleAuthentic: readonly boolean[]): Batch {
    const { settings, crypto } = this.#options;
    const { hash, verifier } = crypto;
    const recoverAuthentic = batch.recovers.map((request) => {
      if (request.replica >= settings.members.length) return false;
      const { replica, signature } = request;
      const digest = recoverDigest(hash, this.#options.domain, request);
      const seals: Seal[] = [
        { kind: 'host', replica, digest, signature },
        { kind: 'evidence', request },
      ];
      return verifier.verifyMany(seals) === 'valid';
    });
    return { ...batch, bundleAuthentic, recoverAuthentic };
  }

  /** A message of the protocol, to one peer or to all others. */
  message(message: M, to: ReplicaId | undefined): void {
    const { definition, tap, now } = this.#options;
    if (tap.isWatched) tap.onMessageSent(message, to, now());
    this.share({ kind: 'protocol', bytes: definition.encode(message) }, to);
  }

  /** To one peer, or to all others. */
  share(frame: LinkFrame, to: ReplicaId | undefined): void {
    if (to === undefined) this.toAll(frame);
    else this.toPeer(to, frame);
  }

  /** The same for what nobody waits for: it may go with the next frame. */
  shareAtLeisure(frame: LinkFrame, to: ReplicaId | undefined): void {
    if (to === undefined) this.toAll(frame, true);
    else this.toPeer(to, frame, true);
  }

  /** To one peer. */
  toPeer(to: ReplicaId, frame: LinkFrame, mayWait = false): void {
    if (to === this.#options.self) return;
    if (this.#options.tap.isWatched) this.#tellSent(frame, to);
    for (const part of fragmentFrame(this.#options.crypto.hash, encodeLinkFrame(frame))) {
      this.#options.network.toPeer(to, part, mayWait);
    }
  }

  /** To all others. */
  toAll(frame: LinkFrame, mayWait = false): void {
    if (this.#options.tap.isWatched) this.#tellSent(frame, undefined);
    const parts = fragmentFrame(this.#options.crypto.hash, encodeLinkFrame(frame));
    for (let to = 0; to < this.#options.settings.members.length; to += 1) {
      if (to === this.#options.self) continue;
      for (const part of parts) this.#options.network.toPeer(to, part, mayWait);
    }
  }

  #tellSent({ kind }: LinkFrame, to: ReplicaId | undefined): void {
    const { tap, now } = this.#options;
    if (kind !== 'protocol' && kind !== UNTOLD) tap.onFrameSent(kind, to, now());
  }
}
