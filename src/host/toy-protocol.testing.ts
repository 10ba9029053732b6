/**
 * For tests: a host with a protocol that does what the test says, on a store and a trusted component that outlive it.
 * Everything that takes time is an event of a queue, so a test can cut the power between any two.
 */
import { TestLedger, sha256, testSettings } from '../../test/support/ledger-fixture.ts';
import type { AttestedDraft, Attestor } from '../core/attestation.ts';
import { asciiBytes, bytesToDigest, concatBytes } from '../core/bytes.ts';
import { decodeReplicaFrame } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import { noComponent } from '../core/config.ts';
import type { Effect, Input, ProtocolDefinition, Recovery } from '../core/protocol.ts';
import type { Digest, ReplicaId } from '../core/types.ts';
import { createSealVerifier } from '../crypto/seal-verifier.ts';
import type { Block, FrozenCheckpoint } from '../ledger/contract.ts';
import { clusterIdOf } from '../ledger/genesis.ts';
import { checkSignature } from '../trusted/conformance/environment.testing.ts';
import type { TestComponent } from '../trusted/conformance/environment.testing.ts';
import { createObjectCheck } from '../trusted/object-check.ts';
import { decodeLinkFrame } from './link-frames.ts';
import type { HostPorts, StoredImage } from './ports.ts';
import { recordOf } from './records.ts';
import { ReplicaHost } from './replica-host.ts';

/** The toy has no messages of its own. */
export interface ToyMessage {
  readonly kind: 'TOY';
}
export type ToyInput = Input<ToyMessage>;
export type ToyEffect = Effect<ToyMessage>;
type Frame = NonNullable<ReturnType<typeof decodeReplicaFrame>>;

const SELF = 0;
/** By this timer the test makes the protocol act. */
const ACT = 'act';

/** What a power cut leaves. */
export class ToyStore {
  /** Written; what is durable is a beginning of it. */
  records: Uint8Array[] = [];
  durable = 0;
  snapshot: StoredImage['snapshot'];
  snapshotSequence = 0;
  blocks: Block[] = [];

  /** The power is cut; `lucky` records more than were promised have reached the disk. */
  cut(lucky = 0): void {
    this.durable = Math.min(this.records.length, this.durable + lucky);
    this.records.length = this.durable;
  }
}

/** Settings of a cluster whose first member has this component; undefined: none has one. */
export function toySettings(component: TestComponent | undefined): ClusterSettings {
  const base = testSettings();
  const identity = component?.ask({ op: 'identify' });
  const members = base.members.map((member, id) => {
    if (component === undefined) return { ...member, trusted: noComponent('ed25519') };
    if (id !== SELF || identity?.op !== 'identify') return member;
    const { program, measurement, suite, tcId, tcEpoch, publicKey } = identity.identity;
    const trusted = { program, footprint: 'process', measurement, suite, tcId, tcEpoch, publicKey };
    return { ...member, trusted };
  });
  const settings = { ...base, protocol: 'toy', members };
  return { ...settings, clusterId: clusterIdOf(sha256, settings) };
}

/** What a machine is made of. */
export interface ToyMachineOptions {
  readonly settings: ClusterSettings;
  readonly store: ToyStore;
  readonly component?: TestComponent | undefined;
  readonly makesUpdates?: boolean;
  readonly snapshotAfterBytes?: number;
  /** Size that the latest snapshot claims. */
  readonly stateBytes?: number;
}

/** One life of a host. */
export class ToyMachine {
  readonly ledger: TestLedger;
  readonly host: ReplicaHost<ToyMessage>;
  readonly inputs: ToyInput[] = [];
  readonly notes: string[] = [];
  /** Frames to clients, decoded. */
  readonly replies: Frame[] = [];
  /** Heights of which the own signature was kept. */
  readonly signed: number[] = [];
  /** Peers that were asked for a body. */
  readonly fetchedFrom: ReplicaId[] = [];
  /** Operations that the component was asked for. */
  asked = 0;
  fatal: string | undefined;
  /** Answers of the component are lost while this is true. */
  deaf = false;
  readonly #options: ToyMachineOptions;
  readonly #events: (() => void)[] = [];
  #effects: readonly ToyEffect[] = [];

  constructor(options: ToyMachineOptions) {
    this.#options = options;
    const { settings, component, makesUpdates, snapshotAfterBytes = 0 } = options;
    this.ledger = new TestLedger(settings);
    const check = createObjectCheck('ed25519', (key, bytes, word) =>
      checkSignature(key.publicKey, bytes, word),
    );
    const verifier = createSealVerifier({
      hostKeys: settings.members.map(() => new Uint8Array(32)),
      verifySignature: () => true,
      verifyCounter: () => false,
      verifyObject: check,
      verifyEvidence: () => undefined,
    });
    const half = (digest: Digest): Uint8Array => sha256(asciiBytes(`signed ${digest}`));
    const sign = (digest: Digest): Uint8Array => concatBytes(half(digest), half(digest));
    this.host = new ReplicaHost<ToyMessage>({
      self: SELF,
      settings,
      definition: this.#definition(
        component === undefined ? undefined : identityOf(component).program,
        makesUpdates,
      ),
      executor: this.ledger.executor,
      crypto: { hash: sha256, hostSigner: { publicKey: new Uint8Array(32), sign }, verifier },
      ports: this.#ports(),
      seed: 1,
      snapshotAfterBytes,
    });
  }

  #definition(trustedProgram: string | undefined, makesUpdates = false): ProtocolDefinition<ToyMessage> {
    const unused = {} as Pick<ProtocolDefinition<ToyMessage>, 'facts'>;
    const rules = { needed: () => 1, certificate: { needed: () => 1, make: () => new Uint8Array(1) } };
    return {
      ...unused,
      name: 'toy',
      title: 'Toy',
      designCode: 'none',
      trustedProgram,
      rules: [],
      client: rules,
      ...(makesUpdates ? { makesUpdates: true as const } : {}),
      replicasFor: (f) => 2 * f + 1,
      createReplica: () => ({
        step: (input) => {
          this.inputs.push(input);
          if (input.kind !== 'timeout') return [];
          const effects = this.#effects;
          this.#effects = [];
          return effects;
        },
        inspect: () => {
          throw new Error('nobody looks at a toy');
        },
      }),
      encode: () => new Uint8Array(1),
      decode: (bytes) => (bytes.length === 1 ? { kind: 'TOY' } : undefined),
      seals: () => [],
    };
  }

  #ports(): HostPorts {
    const { store, component } = this.#options;
    return {
      network: {
        toPeer: (to, frame) => {
          if (decodeLinkFrame(frame)?.kind === 'fetchBody') this.fetchedFrom.push(to);
        },
        toClient: (_, frame) => void this.replies.push(decodeReplicaFrame(frame)!),
      },
      journal: {
        append: (record) => void store.records.push(record),
        sync: (token) => {
          const upTo = store.records.length;
          this.#later(() => {
            store.durable = Math.max(store.durable, upTo);
            this.host.onJournalSynced(token, 0);
          });
        },
        rewrite: (records, token) => {
          store.records = records.map(recordOf);
          store.durable = records.length;
          this.#later(() => this.host.onJournalSynced(token, 0));
        },
      },
      snapshots: {
        stateBytes: this.#options.stateBytes ?? 0,
        store: (frozen, meta) => {
          store.snapshot = { meta, chunk: chunksOf(frozen) };
          store.snapshotSequence = frozen.checkpoint.sequence;
          this.#later(() => this.host.onSnapshotStored(frozen.checkpoint.sequence, 0));
        },
      },
      blocks: {
        append: (block) => void (store.blocks[block.header.height - 1] = block),
        sign: (height) => void this.signed.push(height),
        truncateAbove: (height) => void (store.blocks.length = Math.min(store.blocks.length, height)),
        read: (height) => store.blocks[height - 1]?.bytes,
      },
      trusted: {
        call: (id, request) => {
          this.asked += 1;
          // The component works, then its answer is on its way: the power may be cut before, between and after.
          this.#later(() => {
            const response = component!.handle(request);
            this.#later(() => {
              if (!this.deaf) this.host.onTrustedResponse(id, response, 0);
            });
          });
        },
      },
      timers: { set: () => undefined, cancel: () => undefined },
      observer: {
        note: (name) => void this.notes.push(name),
        evidence: () => undefined,
        ignored: () => undefined,
        fatal: (reason) => (this.fatal = reason),
      },
    };
  }

  #later(event: () => void): void {
    this.#events.push(event);
  }

  /** Starts on what the store holds. */
  start(): this {
    const { store } = this.#options;
    this.host.start({ journal: [...store.records], snapshot: store.snapshot }, 0);
    return this;
  }

  /** The protocol does this in its next step. */
  act(...effects: ToyEffect[]): this {
    this.#effects = effects;
    this.host.onTimer(ACT, 0);
    return this;
  }

  /** Lets events happen, until there are none or so many did. How many did. */
  run(most = Infinity): number {
    for (let done = 0; done < most; done += 1) {
      const event = this.#events.shift();
      if (event === undefined) return done;
      event();
    }
    return most;
  }

  /** A frame of client 2. */
  client(frame: Uint8Array): void {
    this.host.onClientFrame(1, new Uint8Array(32).fill(2), frame, 0);
  }

  /** Inputs of a kind, in order. */
  got<K extends ToyInput['kind']>(kind: K): Extract<ToyInput, { readonly kind: K }>[] {
    return this.inputs.filter(
      (input): input is Extract<ToyInput, { readonly kind: K }> => input.kind === kind,
    );
  }

  /** What it started with. */
  get recovery(): Recovery | undefined {
    return this.got('start')[0]?.recovery;
  }
}

/** Who a component is. */
export function identityOf(component: TestComponent) {
  const answer = component.ask({ op: 'identify' });
  if (answer.op !== 'identify') throw new Error(answer.op);
  return answer.identity;
}

function chunksOf(frozen: FrozenCheckpoint): (index: number) => Uint8Array {
  const chunks = Array.from({ length: frozen.chunkCount }, (_, index) => frozen.chunk(index).slice());
  return (index) => chunks[index]!;
}

/** The effect of having a text attested. */
export function attest(id: number, text: string, by: Attestor): ToyEffect {
  const draft = asciiBytes(text);
  return { kind: 'attest', id, digest: bytesToDigest(sha256(draft)), draft, by };
}

/** What is the same of a message in each life: number, content, who vouches and how. */
export function wordsOf(drafts: readonly Omit<AttestedDraft, 'digest' | 'draft'>[]): unknown[] {
  return drafts.map(({ id, attestation }) => [id, attestation]);
}
