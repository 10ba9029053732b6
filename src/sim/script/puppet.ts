/**
 * A Byzantine replica on strings: it has the real trusted component and the host key of its replica, hears what is sent
 * to it, and says whatever a script makes it say, to whom the script wants. Every seal is a real one; no counter value
 * is ever used twice, because the component does not allow it, unless the script puts the component itself back.
 */
import { decodeBundle, encodeBundle, recoverDigest } from '../../core/request.ts';
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import type { Domain } from '../../core/domain.ts';
import type { UniqueIdentifier } from '../../core/protocol.ts';
import { ZERO_DIGEST } from '../../core/types.ts';
import type { Digest, ReplicaId, SessionId, TcEpoch, View } from '../../core/types.ts';
import { recoverChallengeFor, recoverRequestFor } from '../../host/restore.ts';
import { modelHash } from '../../crypto/fast-model.ts';
import { encodeLinkFrame } from '../../host/link-frames.ts';
import { Knowledge } from '../../smr/usig-replica/knowledge.ts';
import { SimTrusted } from '../trusted.ts';
import type { TrustedMoment } from '../trusted.ts';
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
  NewViewHeaderContent,
  NewViewProof,
  Prepare,
  StreamSummary,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import { baseDigestOf } from '../../smr/usig-stream/base.ts';
import { genesisStream, newViewReference, summaryOf } from '../../smr/usig-stream/stream.ts';
import type { StreamState } from '../../smr/usig-stream/stream.ts';
import { computeBase, newViewContent } from '../../smr/usig-stream/view-change.ts';
import { USIG_OBJECT_ID } from '../../trusted/contract.ts';
import { decodeTrustedResponse, encodeTrustedRequest } from '../../trusted/frames.ts';
import type { Change } from './script.ts';
import type { Seen } from './seen.ts';

/** What a puppet puts into a VIEW-CHANGE beside the view; all of it may be a lie. */
export interface ViewChangeParts {
  readonly log: readonly LogEntry[];
  readonly stable?: CheckpointCertificate;
  readonly newViews?: readonly NewViewProof[];
  /** Own CHECKPOINT that the log starts at. */
  readonly anchor?: Checkpoint;
  readonly vouchers?: readonly Checkpoint[];
}

/** The same with some fields changed. Throws if a path leads nowhere. */
function amend<T extends object>(content: T, changes: readonly Change[]): T {
  const copy = { ...content } as Record<string, unknown>;
  for (const { field, value } of changes) {
    const path = field.split('.');
    const last = path.pop()!;
    let place = copy;
    for (const key of path) {
      place[key] = { ...(place[key] as Record<string, unknown>) };
      place = place[key] as Record<string, unknown>;
    }
    if (!(last in place)) throw new Error(`there is no field ${field}`);
    place[last] = value;
  }
  return copy as T;
}

/** One stream that a puppet can speak in: a trusted component and its counter. */
export class Voice {
  readonly #context: StreamContext;
  readonly #trusted: SimTrusted;
  readonly #owner: ReplicaId;
  readonly tcEpoch: TcEpoch;
  /** Fields of the next statement that are changed before it is sealed. */
  changes: readonly Change[] = [];
  /** Where its stream stands if everything that it sealed was in order. */
  #state: StreamState;

  constructor(context: StreamContext, owner: ReplicaId, trusted: SimTrusted) {
    this.#context = context;
    this.#owner = owner;
    this.#trusted = trusted;
    this.tcEpoch = trusted.registration().tcEpoch;
    this.#state = genesisStream(context);
  }

  /** What a true CHECKPOINT would say of the own stream now. */
  get summary(): StreamSummary {
    return summaryOf(this.#state);
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
    const said = this.#amended(draft);
    const sealed = completeDraft(this.#context, said, this.seal(said));
    this.#state = { ...this.#state, ...stepOf(sealed, this.#state) };
    return sealed;
  }

  #amended<D extends Draft>(draft: D): D {
    const said = amend(draft, this.changes);
    this.changes = [];
    return said;
  }

  newView(content: NewViewHeaderContent): NewViewHeader {
    return this.#complete(content) as NewViewHeader;
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
  enter(header: NewViewHeader | undefined): MinbftMessage & LogEntry {
    return this.#complete({ kind: 'COMMIT-NEW-VIEW', header }) as MinbftMessage & LogEntry;
  }

  checkpoint(content: Omit<Checkpoint, 'kind' | 'ui' | 'digest' | 'bytes'>): Checkpoint {
    const { sequence, stateDigest, last, configurationVersion, registryDigest, self, seen } = content;
    const parts = { sequence, stateDigest, last, configurationVersion, registryDigest, self, seen };
    return this.#complete({ kind: 'CHECKPOINT', ...parts }) as Checkpoint;
  }

  viewChange(view: View, parts: ViewChangeParts): ViewChange {
    const { log, stable, anchor, vouchers = [], newViews = [] } = parts;
    const content = this.#amended(viewChangeContent(this.#context, { view, stable, anchor, vouchers, log }));
    return completeDraft(this.#context, content, this.seal(content), { newViews, justification: [] });
  }
}

/** What changes in a stream with an accepted message; a lie is taken at its word. */
function stepOf(sealed: Sealed, { view, newView }: StreamState): Partial<StreamState> {
  switch (sealed.kind) {
    case 'PREPARE':
      return { lastSequence: sealed.sequence, lastPrimaryCounter: sealed.ui.counter };
    case 'COMMIT':
    case 'SPEC':
      return { lastSequence: sealed.prepare.sequence, lastPrimaryCounter: sealed.prepare.ui.counter };
    case 'COMMIT-VECTOR':
      return {};
    case 'CHECKPOINT':
      return { checkpointSequence: sealed.sequence };
    case 'NEW-VIEW-HEADER':
    case 'COMMIT-NEW-VIEW': {
      const header = sealed.kind === 'NEW-VIEW-HEADER' ? sealed : sealed.header;
      if (header === undefined) return { view, newView };
      const entered = newViewReference(header, 0);
      return { newView: entered, lastSequence: entered.end, lastPrimaryCounter: entered.counter };
    }
    case 'VIEW-CHANGE':
      return { view: sealed.view };
  }
}

/** See the top of this file. */
export class Puppet {
  readonly self: ReplicaId;
  readonly domain: Domain;
  readonly context: StreamContext;
  readonly corruption: Corruption<MinbftMessage>;
  readonly #world: CorruptionContext;
  readonly #carry: (from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void;
  readonly #heard: MinbftMessage[] = [];
  readonly #trusted: SimTrusted;
  /** What the component was when the run began. */
  readonly #first: TrustedMoment;
  #voice: Voice;

  constructor(world: CorruptionContext, carry: (from: ReplicaId, to: ReplicaId, frame: Uint8Array) => void) {
    const { settings, trusted } = world.genesis;
    this.self = world.replica;
    this.domain = { clusterId: settings.clusterId, configurationVersion: settings.configurationVersion };
    this.context = createStreamContext(settings, modelHash, this.domain, settings.protocol);
    this.#trusted = trusted[this.self]!;
    this.#first = this.#trusted.moment();
    this.#voice = new Voice(this.context, this.self, this.#trusted);
    this.#world = world;
    this.#carry = carry;
    // The machine's own host never gets an answer from its component, so it never speaks.
    this.corruption = {
      wrapReplica: (replica) => replica,
      wrapPorts: (ports) => ({ ...ports, trusted: { call: () => undefined } }),
    };
  }

  /** The stream that it speaks in. */
  get voice(): Voice {
    return this.#voice;
  }

  /** Its component is put back to what it was when the run began. Fenced, it notices and comes up under another key. */
  rollBack(fenced: boolean): void {
    this.#trusted.putBack(this.#first, fenced);
    this.#voice = new Voice(this.context, this.self, this.#trusted);
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

  batch(view: View, bundles: readonly Bundle[], timeMs = 0, recovers: readonly RecoverRequest[] = []): Batch {
    const content = { proposedInView: view, time: EPOCH_MS + timeMs, recovers, bundles };
    return buildBatch(modelHash, this.domain, content);
  }

  /**
   * NEW-VIEW from these VIEW-CHANGEs, with the base that follows from them as far as any does, or with the one that is
   * given. Whether it may be made of them is not asked.
   */
  newView(viewChanges: readonly ViewChange[], base?: readonly Prepare[]): FullNewView {
    const header = this.voice.newView(this.#newViewContent(viewChanges, base));
    return fullNewView(header, viewChanges);
  }

  #newViewContent(
    viewChanges: readonly ViewChange[],
    base: readonly Prepare[] | undefined,
  ): NewViewHeaderContent {
    const { validation } = new Knowledge(this.context);
    const right = newViewContent(this.context, viewChanges, validation);
    if (right.kind === 'valid' && base === undefined) return right.value.content;
    const computed = computeBase(this.context, viewChanges, validation);
    const { low, lowDigest, lowRegistryDigest } =
      computed.kind === 'valid'
        ? computed.value
        : { low: 0, lowDigest: ZERO_DIGEST, lowRegistryDigest: this.context.genesisRegistryDigest };
    const entries = base ?? (computed.kind === 'valid' ? computed.value.base : []);
    return {
      kind: 'NEW-VIEW-HEADER',
      view: viewChanges[0]!.view,
      configurationVersion: 0,
      references: viewChanges.map(({ ui, digest }) => ({ replica: ui.replica, ui, digest })),
      low,
      lowDigest,
      lowRegistryDigest,
      end: low + entries.length,
      baseDigest: baseDigestOf(this.context, entries),
    };
  }

  /**
   * A CHECKPOINT that is in order if everything before it was. `like`: what it says of the state; of others only as much
   * as `sees` says.
   */
  checkpoint(
    voice: Voice,
    sequence: number,
    like: Pick<Checkpoint, 'stateDigest' | 'last' | 'registryDigest'>,
    sees: (replica: ReplicaId) => number,
  ): Checkpoint {
    const { stateDigest, last, registryDigest } = like;
    return voice.checkpoint({
      sequence,
      stateDigest,
      last,
      configurationVersion: 0,
      registryDigest,
      self: voice.summary,
      seen: Array.from({ length: this.context.n }, (_, id) => ({ incarnation: 0, counter: sees(id) })),
    });
  }

  /** The same as one of the first messages of the own stream, while the registry is that of genesis. */
  firstCheckpoint(sequence: number, stateDigest: Digest, sees: (replica: ReplicaId) => number): Checkpoint {
    const last = { view: 0, primaryCounter: 1 };
    const registryDigest = this.context.genesisRegistryDigest;
    return this.checkpoint(this.voice, sequence, { stateDigest, last, registryDigest }, sees);
  }

  /**
   * Another trusted component for this replica, beside the first one, and the RECOVER that would register it, with
   * fields changed.
   */
  secondVoice(changes: readonly Change[] = []): { readonly voice: Voice; readonly recover: MinbftMessage } {
    const { genesis, random } = this.#world;
    const trusted = new SimTrusted(genesis.keys, modelHash, this.self, random.fork());
    trusted.lose();
    const sign = (digest: Digest): Uint8Array => genesis.hostSigners[this.self]!.sign(digest);
    const parts = { self: this.self, settings: genesis.settings, hash: modelHash, sign, trusted: {} };
    const identity = trusted.identity();
    const honest = recoverRequestFor(parts, identity, trusted.attest(recoverChallengeFor(parts, identity)));
    const content = amend({ ...honest }, changes);
    const request: RecoverRequest = {
      ...content,
      signature: sign(recoverDigest(modelHash, this.domain, content)),
    };
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
