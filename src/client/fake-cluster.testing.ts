/**
 * For tests of the client and the gateway: N replicas in this process, each with the real executor, the real key-value
 * store and the real client desk, and a perfect order instead of a protocol. Replicas can be mute, down, lying or over
 * capacity; frames are delivered on later turns of the event loop. A speculative cluster has 3f+1 replicas, answers with
 * proofs and takes certificates; nothing in it is final before `confirm`.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createKvApplication } from '../apps/kv/application.ts';
import { bytesToHex } from '../core/bytes.ts';
import {
  decodeClientFrame,
  decodeReplicaFrame,
  encodeReplicaFrame,
  writeReplyContent,
} from '../core/client-wire.ts';
import { Writer } from '../core/codec.ts';
import type { ClientFrame, ReplicaFrame, SignedReply } from '../core/client-wire.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../core/config.ts';
import type { ClusterSettings } from '../core/config.ts';
import { batchDigest, encodeBatch } from '../core/request.ts';
import type { Batch, Bundle } from '../core/request.ts';
import type { Digest, ReplicaId, TcEpoch } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { ClientDesk, replyDigest } from '../host/client-desk.ts';
import type { DeskInput } from '../host/client-desk.ts';
import { RequestJudge } from '../host/request-judge.ts';
import { TestComponent } from '../trusted/conformance/environment.testing.ts';
import type { Block, LedgerExecutor, ReplyGroup } from '../ledger/contract.ts';
import { createLedgerExecutor } from '../ledger/executor.ts';
import { clusterIdOf } from '../ledger/genesis.ts';
import { headerSignatureDigest } from '../ledger/receipt.ts';
import { createNodeCrypto } from '../node/crypto.ts';
import { decodeFakeCertificate, fakeProof, fakeRules } from './fake-speculation.testing.ts';
import type { FakeCertificate } from './fake-speculation.testing.ts';
import { createKeySigner } from './keys.ts';
import type { OpenChannel } from './replica-channels.ts';
import { nodeHash } from '../platform/sha256.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** How a replica behaves. `lying`: other results, other heights, validly signed. */
export type Behaviour = 'correct' | 'mute' | 'down' | 'lying' | 'busy' | 'forged';

interface FakeReplica {
  readonly id: ReplicaId;
  readonly executor: LedgerExecutor;
  readonly desk: ClientDesk<FakeCertificate>;
  readonly hostKey: KeyObject;
  readonly blocks: Block[];
  readonly links: Map<number, (frame: ReplicaFrame) => void>;
  behaviour: Behaviour;
  /** What its status says to be proved. */
  accuses: { replica: ReplicaId; rule: string }[];
  /** What it answers to `live`; undefined: that it does not know the question. */
  tells: (cursor: string) => unknown;
  /** Text that it answers to `status`, instead of its status. */
  says: string | undefined;
  /** Added to its status. */
  more: Readonly<Record<string, unknown>>;
  /** Frames to clients that are still to be lost. */
  loseReplies: number;
  /** Of a speculative cluster: the view it answers in, and what is wrong with its proofs. */
  view: number;
  proofs: 'true' | 'otherHistory' | 'badSeal' | 'none';
  /** Certificates that reached the protocol. */
  certificates: number;
  /** Up to where certificates were seen. */
  committed: number;
  readonly held: Map<number, Held>;
}

/** Executed and not confirmed. */
interface Held {
  readonly groups: readonly ReplyGroup[];
  readonly block: Block | undefined;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/** A cluster of 2f+1 fakes (3f+1 if it speculates) with one registered client key. */
export class FakeCluster {
  readonly settings: ClusterSettings;
  readonly clientKey: KeyObject = newKey();
  readonly replicas: readonly FakeReplica[];
  /** Bundles that clients sent, by replica: how often each replica was spoken to. */
  readonly received: number[];
  /** Bundles are ordered only while this is true. */
  isOrdering = true;
  /** How far the clock of the primary is ahead. */
  aheadMs = 0;
  readonly speculates: boolean;
  readonly #ordered = new Set<Digest>();
  readonly #waiting: Bundle[] = [];
  #nextLink = 1;

  /** With MACs: the trusted component that judges for all replicas. */
  readonly component = new TestComponent({ program: 'usig', clientRoot: new Uint8Array(32).fill(3) });

  constructor(f = 1, speculates = false, authenticator?: ClusterSettings['authenticator']) {
    this.speculates = speculates;
    const hostKeys = Array.from({ length: (speculates ? 3 : 2) * f + 1 }, newKey);
    const draft: Omit<ClusterSettings, 'clusterId'> = {
      configurationVersion: 1,
      protocol: 'minbft',
      f,
      suite: 'ed25519',
      members: hostKeys.map((key, id) => ({
        id,
        name: `r${id}`,
        organisation: 'org',
        hostKey: bytesToHex(rawPublicKeyOf(key)!),
        linkKey: bytesToHex(rawPublicKeyOf(newKey())!),
        address: `127.0.0.1:${4700 + id}`,
        trusted: {
          program: 'usig',
          footprint: 'process',
          measurement: ZERO_DIGEST,
          suite: 'ed25519',
          tcId: String(id).repeat(32),
          tcEpoch: String(id).repeat(16) as TcEpoch,
          publicKey: bytesToHex(rawPublicKeyOf(newKey())!),
        },
      })),
      clients: [{ key: bytesToHex(rawPublicKeyOf(this.clientKey)!), organisation: 'org', role: 'admin' }],
      policy: [{ prefix: '', organisations: ['org'] }],
      limits: DEFAULT_LIMITS,
      timers: DEFAULT_TIMERS,
      ...(authenticator === undefined ? {} : { authenticator }),
    };
    this.settings = { ...draft, clusterId: clusterIdOf(nodeHash, draft) };
    this.received = hostKeys.map(() => 0);
    this.replicas = hostKeys.map((hostKey, id) => this.#replica(id, hostKey));
  }

  /** For `ConnectOptions.protocol`. */
  get protocol(): { client?: typeof fakeRules } {
    return this.speculates ? { client: fakeRules } : {};
  }

  #replica(id: ReplicaId, hostKey: KeyObject): FakeReplica {
    const application = createKvApplication({ buckets: 16 });
    const executor = createLedgerExecutor({ settings: this.settings, hash: nodeHash, application });
    const links = new Map<number, (frame: ReplicaFrame) => void>();
    const crypto = createNodeCrypto({ hostKey, settings: this.settings });
    const judge = new RequestJudge({
      settings: this.settings,
      domain: this.settings,
      hash: nodeHash,
      verifier: crypto.verifier,
      trusted: {
        call: (call, request) => judge.onResponse(call, this.component.handle(request), Date.now()),
      },
      halt: (reason) => assert.fail(reason),
    });
    judge.begin([], 0, () => undefined);
    const desk = new ClientDesk<FakeCertificate>({
      judge,
      give: (input) => this.#onInput(this.replicas[id]!, input),
      self: id,
      domain: this.settings,
      hash: nodeHash,
      crypto,
      executor,
      network: {
        toPeer: () => undefined,
        toClient: (link, bytes) => this.#toClient(id, link, decodeReplicaFrame(bytes)!),
      },
      observer: {
        note: () => undefined,
        evidence: () => undefined,
        ignored: () => undefined,
        fatal: () => undefined,
      },
      certificates: this.speculates
        ? {
            decode: (bytes) => decodeFakeCertificate(this.settings, 2 * this.settings.f + 1, bytes),
            seals: ({ seals }) => seals,
          }
        : undefined,
    });
    return {
      id,
      executor,
      desk,
      hostKey,
      blocks: [],
      links,
      behaviour: 'correct',
      accuses: [],
      tells: () => ({ cursor: 'fake-0', moments: [], missed: 0 }),
      says: undefined,
      more: {},
      loseReplies: 0,
      view: 0,
      proofs: 'true',
      certificates: 0,
      committed: 0,
      held: new Map(),
    };
  }

  #toClient(id: ReplicaId, link: number, frame: ReplicaFrame): void {
    const replica = this.replicas[id]!;
    if (replica.behaviour === 'mute' || replica.behaviour === 'down') return;
    if (frame.kind === 'reply' && replica.loseReplies > 0) {
      replica.loseReplies -= 1;
      return;
    }
    replica.links.get(link)?.(this.#twisted(replica, frame));
  }

  #twisted(replica: FakeReplica, frame: ReplicaFrame): ReplicaFrame {
    if (replica.behaviour === 'lying' && frame.kind === 'readAnswer')
      return { ...frame, result: new Uint8Array([0, 3]) };
    if (frame.kind !== 'reply') return frame;
    if (replica.behaviour === 'forged') {
      // Speaks in the name of another replica as well, with a signature of its own.
      return { ...frame, replica: (replica.id + 1) % this.replicas.length };
    }
    if (replica.behaviour !== 'lying') return frame;
    const results = frame.results.map((result) => ({
      ...result,
      height: result.height + 1,
      result: new Uint8Array([0, 9]),
    }));
    const lie: SignedReply = { ...frame, results };
    const content = writeReplyContent(new Writer(512), lie).finish();
    const digest = replyDigest(nodeHash, this.settings, lie);
    return { ...lie, content, signature: createKeySigner(replica.hostKey).sign(digest) };
  }

  /** For `ConnectOptions.openChannel`. */
  readonly openChannel: OpenChannel = ({ member, onUp, onFrame }) => {
    const replica = this.replicas[member.id]!;
    const link = (this.#nextLink += 1);
    const isReady = (): boolean => replica.behaviour !== 'down';
    replica.links.set(link, (frame) => setImmediate(onFrame, frame));
    setImmediate(() => isReady() && onUp());
    return {
      get isReady(): boolean {
        return isReady();
      },
      reason: 'connection refused',
      send: (payload) => {
        if (!isReady()) return false;
        const frame = decodeClientFrame(payload)!;
        setImmediate(() => this.#onFrame(replica, link, payload, frame));
        return true;
      },
      close: () => void replica.links.delete(link),
    };
  };

  #onFrame(replica: FakeReplica, link: number, payload: Uint8Array, frame: ClientFrame): void {
    if (replica.behaviour === 'mute') return;
    if (frame.kind === 'query') return this.#onQuery(replica, link, frame);
    const clientKey = rawPublicKeyOf(this.clientKey)!;
    if (frame.kind === 'bundle') {
      this.received[replica.id]! += 1;
      if (replica.behaviour === 'busy') {
        const input = replica.desk.onFrame(link, clientKey, payload, 0);
        const digest = input?.kind === 'bundle' ? input.bundle.digest : ZERO_DIGEST;
        replica.links.get(link)?.({ kind: 'busy', bundle: digest, retryAfterMs: 300 });
        return;
      }
    }
    const input = replica.desk.onFrame(link, clientKey, payload, 0);
    if (input !== undefined) this.#onInput(replica, input);
  }

  #onInput(replica: FakeReplica, input: DeskInput<FakeCertificate>): void {
    if (input.kind === 'asked') return this.#answer(replica, input.sequence);
    if (input.kind === 'clientMessage') return this.#onCertificate(replica, input);
    if (this.#ordered.has(input.bundle.digest)) return;
    const { bundle } = input;
    this.#ordered.add(bundle.digest);
    this.#waiting.push(bundle);
    this.order();
  }

  /** Executes what waits, at all replicas, each bundle as its own batch. */
  order(): void {
    while (this.isOrdering && this.#waiting.length > 0) this.#execute(this.#waiting.shift()!);
  }

  #execute(bundle: Bundle): void {
    // An OPEN that was void leaves no trace: sent again, it is ordered again.
    if (bundle.session === 0) this.#ordered.delete(bundle.digest);
    const content = {
      proposedInView: 0,
      time: Date.now() + this.aheadMs,
      recovers: [],
      bundles: [bundle.bytes],
    };
    const bytes = encodeBatch(content);
    const batch: Batch = {
      ...content,
      bytes,
      digest: batchDigest(nodeHash, this.settings, bytes),
      bundles: [bundle],
      bundleAuthentic: [true],
      recoverAuthentic: [],
    };
    for (const replica of this.replicas) {
      const sequence = replica.executor.executed + 1;
      const { speculates: speculative } = this;
      const { block, replies } = replica.executor.execute(sequence, batch, new Uint8Array(0), {
        speculative,
      });
      replica.desk.settle([bundle]);
      if (speculative) {
        replica.held.set(sequence, { groups: replies, block });
        this.#answer(replica, sequence);
        continue;
      }
      if (block !== undefined) replica.blocks.push(block);
      replica.desk.answer(replies, 0);
    }
  }

  /** Gives out what is held, for what it is worth here. */
  #answer(replica: FakeReplica, sequence: number): void {
    const held = replica.held.get(sequence);
    if (held === undefined) return;
    const standing = sequence <= replica.committed ? 'committed' : 'speculative';
    replica.desk.answer(held.groups, replica.view, standing, this.#proof(replica, sequence));
  }

  #proof(replica: FakeReplica, sequence: number): Uint8Array {
    if (replica.proofs === 'none') return new Uint8Array(0);
    const other = replica.proofs === 'otherHistory';
    const about = { view: replica.view, sequence, history: (other ? '0b' : '0a').repeat(32) as Digest };
    const proof = fakeProof(this.settings, about, createKeySigner(replica.hostKey).sign);
    if (replica.proofs === 'badSeal') proof[proof.length - 1]! ^= 1;
    return proof;
  }

  #onCertificate(
    replica: FakeReplica,
    { message }: Extract<DeskInput<FakeCertificate>, { kind: 'clientMessage' }>,
  ): void {
    replica.certificates += 1;
    if (message.view !== replica.view) return;
    replica.committed = Math.max(replica.committed, message.sequence);
    this.#answer(replica, message.sequence);
  }

  /** Everything executed is final now, at all replicas. Answers only those who ask again. */
  confirm(): void {
    for (const { executor, held, blocks } of this.replicas) {
      executor.confirm(executor.executed);
      for (const { block } of held.values()) if (block !== undefined) blocks.push(block);
      held.clear();
    }
  }

  #onQuery(replica: FakeReplica, link: number, frame: Extract<ClientFrame, { kind: 'query' }>): void {
    const answer = this.#factsOf(replica, frame.topic, frame.argument);
    const said = frame.topic === 'status' ? replica.says : undefined;
    const bytes = new TextEncoder().encode(said ?? JSON.stringify(answer ?? null));
    const encoded = encodeReplicaFrame({
      kind: 'queryAnswer',
      id: frame.id,
      found: answer !== undefined,
      bytes,
    });
    this.#toClient(replica.id, link, decodeReplicaFrame(encoded)!);
  }

  /** What an honest replica answers to `status`. */
  statusOf(id: ReplicaId): string {
    return JSON.stringify(this.#factsOf(this.replicas[id]!, 'status', ''));
  }

  #factsOf(replica: FakeReplica, topic: string, argument: string): unknown {
    const { executor, blocks } = replica;
    if (topic === 'status')
      return {
        id: replica.id,
        view: 0,
        role: replica.id === 0 ? 'primary' : 'backup',
        mode: 'active',
        sequence: executor.executed,
        height: executor.height,
        headerHash: executor.headerHash,
        time: executor.time,
        stateDigest: executor.checkpoint.stateDigest,
        tc: { program: 'usig', footprint: 'process', tcEpoch: '00', counter: 1, persistent: true },
        waitsFor: null,
        proven: replica.accuses,
        suspected: [],
        transactions: blocks.reduce((sum, { transactions }) => sum + transactions.length, 0),
        ...replica.more,
      };
    if (topic === 'block') {
      const block = blocks[Number(argument) - 1];
      return block && this.#blockAnswer(replica, block);
    }
    if (topic === 'transaction') {
      for (const block of blocks) {
        const index = block.transactions.findIndex((transaction) => transaction.id === argument);
        const { height, sequence } = block.header;
        if (index >= 0) return { state: 'committed', height, sequence, index };
      }
      return undefined;
    }
    if (topic === 'live') return replica.tells(argument);
    return topic === 'events' ? this.#position(replica, argument) : undefined;
  }

  #blockAnswer(replica: FakeReplica, block: Block): unknown {
    const digest = headerSignatureDigest(nodeHash, this.settings, block.headerHash);
    const signature = bytesToHex(createKeySigner(replica.hostKey).sign(digest));
    return {
      block: Buffer.from(block.bytes).toString('base64'),
      signatures: [{ replica: replica.id, signature }],
    };
  }

  #position(replica: FakeReplica, argument: string): unknown {
    const [kind, text] = argument.split(':');
    let firstNumber = replica.behaviour === 'lying' ? 1000 : 1;
    for (const block of replica.blocks) {
      const { height } = block.header;
      const end = firstNumber + block.transactions.length;
      if (kind === 'height' ? height === Number(text) : Number(text) < end) return { height, firstNumber };
      firstNumber = end;
    }
    return undefined;
  }
}
