/**
 * A Byzantine replica on strings: it has the real trusted component and the host key of its replica, hears what is sent
 * to it, and says whatever a script makes it say, to whom the script wants. Every seal is a real one; no counter value
 * is ever used twice, because the component does not allow it.
 */
import { decodeBundle, encodeBundle, recoverDigest } from '../../core/request.ts';
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import type { Domain } from '../../core/domain.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import type { Digest, ReplicaId, SessionId, TcEpoch, View } from '../../core/types.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { encodeLinkFrame } from '../../host/link-frames.ts';
import { Knowledge } from '../../protocols/minbft/knowledge.ts';
import { SimTrusted } from '../trusted.ts';
import { EPOCH_MS } from '../world.ts';
import type { Corruption, CorruptionContext } from '../world.ts';
import { buildBatch } from '../../smr/batcher.ts';
import {
  fullNewView,
  recoverMessage,
  requestViewChange,
  requestViewChangeDigest,
  viewChangeContent,
} from '../../smr/usig-stream/builders.ts';
import { completeDraft, encodeDraft, encodeMessage } from '../../smr/usig-stream/codec.ts';
import type { Sealed } from '../../smr/usig-stream/codec.ts';
import { createStreamContext } from '../../smr/usig-stream/context.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import type {
  Checkpoint,
  CheckpointCertificate,
  Commit,
  Draft,
  FullNewView,
  LogEntry,
  MinbftMessage,
  NewViewHeader,
  NewViewProof,
  Prepare,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import { genesisStream, summaryOf } from '../../smr/usig-stream/stream.ts';
import { newViewContent } from '../../smr/usig-stream/view-change.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Seen } from './seen.ts';

/** What a puppet puts into a VIEW-CHANGE beside the view; all of it may be a lie. */
export interface ViewChangeParts {
  readonly log: readonly LogEntry[];
  readonly stable?: CheckpointCertificate;
  readonly newViews?: readonly NewViewProof[];
}

/** One stream that a puppet can speak in: a trusted component and its counter. */
export class Voice {
  readonly #context: StreamContext;
  readonly #trusted: SimTrusted;
  readonly #owner: ReplicaId;
  readonly tcEpoch: TcEpoch;

  constructor(context: StreamContext, owner: ReplicaId, trusted: SimTrusted) {
    this.#context = context;
    this.#owner = owner;
    this.#trusted = trusted;
    this.tcEpoch = trusted.registration().tcEpoch;
  }

  /** Has the component certify a statement as its next one. */
  seal(draft: Draft): UniqueIdentifier {
    const { digest } = encodeDraft(this.#context, draft);
    const core = new Uint8Array(0);
    const request = encodeTrustedRequest({ op: 'certify', objectId: USIG_OBJECT_ID, digest, core });
    const response = decodeTrustedResponse(this.#trusted.handle(request));
    if (response?.op !== 'certify') throw new Error('the trusted component did not certify');
    const { value: counter, authenticator } = response;
    return { replica: this.#owner, tcEpoch: this.tcEpoch, counter, authenticator };
  }

  #complete(draft: Draft): Sealed {
    return completeDraft(this.#context, draft, this.seal(draft));
  }

  prepare(view: View, sequence: number, batch: Batch, newViewCounter = 0): Prepare {
    const { recovers, digest: batchDigest } = batch;
    const place = { view, newViewCounter, sequence, configurationVersion: 0 };
    return this.#complete({ kind: 'PREPARE', ...place, batchDigest, recovers }) as Prepare;
  }

  commit(prepare: Prepare): Commit {
    return this.#complete({ kind: 'COMMIT', prepare }) as Commit;
  }

  /** COMMIT-NV. */
  enter(header: NewViewHeader): MinbftMessage & LogEntry {
    return this.#complete({ kind: 'COMMIT-NEW-VIEW', header }) as MinbftMessage & LogEntry;
  }

  checkpoint(content: Omit<Checkpoint, 'kind' | 'ui' | 'digest' | 'bytes'>): Checkpoint {
    const { sequence, stateDigest, last, configurationVersion, registryDigest, self, seen } = content;
    const parts = { sequence, stateDigest, last, configurationVersion, registryDigest, self, seen };
    return this.#complete({ kind: 'CHECKPOINT', ...parts }) as Checkpoint;
  }

  viewChange(view: View, parts: ViewChangeParts): ViewChange {
    const { log, stable, newViews = [] } = parts;
    const content = viewChangeContent(this.#context, { view, stable, anchor: undefined, vouchers: [], log });
    return completeDraft(this.#context, content, this.seal(content), { newViews, justification: [] });
  }
}

/** See the top of this file. */
export class Puppet {
  readonly self: ReplicaId;
  readonly domain: Domain;
  readonly context: StreamContext;
  readonly voice: Voice;
  readonly corruption: Corruption<MinbftMessage>;
  readonly #world: CorruptionContext;
  readonly #carry: (from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void;
  readonly #heard: MinbftMessage[] = [];

  constructor(world: CorruptionContext, carry: (from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void) {
    const { settings, trusted } = world.genesis;
    this.self = world.replica;
    this.domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.context = createStreamContext(settings, modelHash, this.domain, settings.protocol);
    this.voice = new Voice(this.context, this.self, trusted[this.self]!);
    this.#world = world;
    this.#carry = carry;
    // The machine's own host never gets an answer from its component, so it never speaks.
    this.corruption = {
      wrapReplica: (replica) => replica,
      wrapPorts: (ports) => ({ ...ports, trusted: { call: () => undefined } }),
    };
  }

  // ---- hearing ----------------------------------------------------------------------------------------------------

  hear(seen: Pick<Seen<MinbftMessage>, 'message'>): void {
    if (seen.message !== undefined) this.#heard.push(seen.message);
  }

  /** The first message of a kind that fits. */
  heard<K extends MinbftMessage['kind']>(
    kind: K,
    fits: (message: MinbftMessage & { readonly kind: K }) => boolean = () => true,
  ): (MinbftMessage & { readonly kind: K }) | undefined {
    for (const message of this.#heard)
      if (message.kind === kind && fits(message as MinbftMessage & { readonly kind: K }))
        return message as MinbftMessage & { readonly kind: K };
    return undefined;
  }

  /** The first message of any kind that fits. */
  find(fits: (message: MinbftMessage) => boolean): MinbftMessage | undefined {
    return this.#heard.find(fits);
  }

  /** The PREPARE for a sequence number of a view, if it was heard. */
  proposal(view: View, sequence: number): Prepare | undefined {
    return this.heard('PREPARE', (message) => message.view === view && message.sequence === sequence);
  }

  /** The latest VIEW-CHANGE of a replica for a view. */
  viewChangeOf(replica: ReplicaId, view: View): ViewChange | undefined {
    return this.heard('VIEW-CHANGE', (message) => message.ui.replica === replica && message.view === view);
  }

  // ---- speaking ---------------------------------------------------------------------------------------------------

  say(to: readonly ReplicaId[], ...messages: readonly MinbftMessage[]): void {
    for (const message of messages)
      for (const one of to)
        this.#carry(this.self, one, encodeLinkFrame({ kind: 'protocol', bytes: encodeMessage(message) }));
  }

  give(to: readonly ReplicaId[], batch: Batch): void {
    for (const one of to) this.#carry(this.self, one, encodeLinkFrame({ kind: 'body', bytes: batch.bytes }));
  }

  /** A signed wish for a view. */
  wish(to: readonly ReplicaId[], view: View): void {
    const digest = requestViewChangeDigest(this.context, this.self, view);
    const signature = this.#world.genesis.hostSigners[this.self]!.sign(digest);
    this.say(to, requestViewChange(this.context, this.self, view, signature));
  }

  batch(view: View, bundles: readonly Bundle[], timeMs = 0): Batch {
    const content = { proposedInView: view, time: EPOCH_MS + timeMs, recovers: [], bundles };
    return buildBatch(modelHash, this.domain, content);
  }

  /** NEW-VIEW from these VIEW-CHANGEs, with the base that follows from them. */
  newView(viewChanges: readonly ViewChange[]): FullNewView {
    const { validation } = new Knowledge(this.context);
    const verdict = newViewContent(this.context, viewChanges, validation);
    if (verdict.kind !== 'valid') throw new Error(`no NEW-VIEW: ${JSON.stringify(verdict)}`);
    const { content } = verdict.value;
    const header = completeDraft(this.context, content, this.voice.seal(content));
    return fullNewView(header, viewChanges);
  }

  /** A CHECKPOINT as the first message of the own stream: what it says of the state and of others is the caller's. */
  firstCheckpoint(sequence: number, stateDigest: Digest, sees: (replica: ReplicaId) => number): Checkpoint {
    return this.voice.checkpoint({
      sequence,
      stateDigest,
      last: { view: 0, primaryCounter: 1 },
      configurationVersion: 0,
      registryDigest: this.context.genesisRegistryDigest,
      self: summaryOf(genesisStream(this.context)),
      seen: Array.from({ length: this.context.n }, (_, id) => ({ incarnation: 0, counter: sees(id) })),
    });
  }

  /** Another trusted component for this replica, beside the first one, and the RECOVER that would register it. */
  secondVoice(): { readonly voice: Voice; readonly recover: MinbftMessage } {
    const { genesis, random } = this.#world;
    const trusted = new SimTrusted(genesis.keys, modelHash, this.self, random.fork());
    trusted.lose();
    const { tcEpoch, tcId, publicKey: tcPublicKey } = trusted.registration();
    const content = {
      replica: this.self,
      expectedIncarnation: 0,
      tcEpoch,
      tcId,
      tcPublicKey,
      evidence: new Uint8Array(32),
    };
    const digest = recoverDigest(modelHash, this.domain, content);
    const request: RecoverRequest = { ...content, signature: genesis.hostSigners[this.self]!.sign(digest) };
    return {
      voice: new Voice(this.context, this.self, trusted),
      recover: recoverMessage(this.context, request),
    };
  }

  /** A bundle that a client never made: another operation under the seal of a genuine one. */
  forge(genuine: Bundle, session: SessionId, operation: Uint8Array): Bundle {
    const { clientKey } = genuine;
    const requests = [{ number: 1, operation }];
    const bytes = encodeBundle({ clientKey, session, requests }, genuine.signature);
    return decodeBundle(modelHash, this.domain, bytes)!;
  }
}
