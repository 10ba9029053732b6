/**
 * For tests of the client and the gateway: N replicas in this process, each with the real executor, the real key-value
 * store and the real client desk, and a perfect order instead of a protocol. Replicas can be mute, down, lying or over
 * capacity; frames are delivered on later turns of the event loop.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createKvApplication } from '../apps/kv/application.ts';
import { bytesToHex } from '../core/bytes.ts';
import { decodeClientFrame, decodeReplicaFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import type { ClientFrame, ReplicaFrame, SignedReply } from '../core/client-wire.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from '../core/config.ts';
import type { ClusterSettings } from '../core/config.ts';
import { batchDigest, encodeBatch } from '../core/request.ts';
import type { Batch, Bundle } from '../core/request.ts';
import type { Digest, ReplicaId, TcEpoch } from '../core/types.ts';
import { ZERO_DIGEST } from '../core/types.ts';
import { ClientDesk, replyDigest } from '../host/client-desk.ts';
import type { Block, LedgerExecutor } from '../ledger/contract.ts';
import { createLedgerExecutor } from '../ledger/executor.ts';
import { clusterIdOf } from '../ledger/genesis.ts';
import { headerSignatureDigest } from '../ledger/receipt.ts';
import { createNodeCrypto } from '../node/crypto.ts';
import { createKeySigner, nodeHash, rawPublicKey } from './keys.ts';
import type { OpenChannel } from './replica-channels.ts';

/** How a replica behaves. `lying`: other results, other heights, validly signed. */
export type Behaviour = 'correct' | 'mute' | 'down' | 'lying' | 'busy' | 'forged';

interface FakeReplica {
  readonly id: ReplicaId;
  readonly executor: LedgerExecutor;
  readonly desk: ClientDesk<never>;
  readonly hostKey: KeyObject;
  readonly blocks: Block[];
  readonly links: Map<number, (frame: ReplicaFrame) => void>;
  behaviour: Behaviour;
  /** What its status says to be proved. */
  accuses: { replica: ReplicaId; rule: string }[];
  /** Frames to clients that are still to be lost. */
  loseReplies: number;
}

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/** A cluster of 2f+1 fakes with one registered client key. */
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
  readonly #ordered = new Set<Digest>();
  readonly #waiting: Bundle[] = [];
  #nextLink = 1;

  constructor(f = 1) {
    const hostKeys = Array.from({ length: 2 * f + 1 }, newKey);
    const draft: Omit<ClusterSettings, 'clusterId'> = {
      configurationVersion: 1,
      protocol: 'minbft',
      f,
      suite: 'ed25519',
      members: hostKeys.map((key, id) => ({
        id,
        name: `r${id}`,
        organisation: 'org',
        hostKey: bytesToHex(rawPublicKey(key)),
        linkKey: bytesToHex(rawPublicKey(newKey())),
        address: `127.0.0.1:${4700 + id}`,
        trusted: {
          program: 'usig',
          footprint: 'process',
          measurement: ZERO_DIGEST,
          suite: 'ed25519',
          tcId: String(id).repeat(32),
          tcEpoch: String(id).repeat(16) as TcEpoch,
          publicKey: bytesToHex(rawPublicKey(newKey())),
        },
      })),
      clients: [{ key: bytesToHex(rawPublicKey(this.clientKey)), organisation: 'org', role: 'admin' }],
      policy: [{ prefix: '', organisations: ['org'] }],
      limits: DEFAULT_LIMITS,
      timers: DEFAULT_TIMERS,
    };
    this.settings = { ...draft, clusterId: clusterIdOf(nodeHash, draft) };
    this.received = hostKeys.map(() => 0);
    this.replicas = hostKeys.map((hostKey, id) => this.#replica(id, hostKey));
  }

  #replica(id: ReplicaId, hostKey: KeyObject): FakeReplica {
    const application = createKvApplication({ hash: nodeHash, buckets: 16 });
    const executor = createLedgerExecutor({ settings: this.settings, hash: nodeHash, application });
    const links = new Map<number, (frame: ReplicaFrame) => void>();
    const desk = new ClientDesk<never>({
      self: id,
      domain: this.settings,
      hash: nodeHash,
      crypto: createNodeCrypto({ hostKey, settings: this.settings }),
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
      loseReplies: 0,
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
    const digest = replyDigest(nodeHash, this.settings, lie);
    return { ...lie, signature: createKeySigner(replica.hostKey).sign(digest) };
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
    const clientKey = rawPublicKey(this.clientKey);
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
    if (input?.kind !== 'bundle' || this.#ordered.has(input.bundle.digest)) return;
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
      const { block, replies } = replica.executor.execute(
        replica.executor.executed + 1,
        batch,
        new Uint8Array(0),
      );
      replica.desk.settle([bundle]);
      if (block !== undefined) replica.blocks.push(block);
      replica.desk.answer(replies, 0);
    }
  }

  #onQuery(replica: FakeReplica, link: number, frame: Extract<ClientFrame, { kind: 'query' }>): void {
    const answer = this.#answer(replica, frame.topic, frame.argument);
    const bytes = new TextEncoder().encode(JSON.stringify(answer ?? null));
    const encoded = encodeReplicaFrame({
      kind: 'queryAnswer',
      id: frame.id,
      found: answer !== undefined,
      bytes,
    });
    this.#toClient(replica.id, link, decodeReplicaFrame(encoded)!);
  }

  #answer(replica: FakeReplica, topic: string, argument: string): unknown {
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
