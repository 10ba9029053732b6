/**
 * Composition root of one replica: reads its config, claims its folder, opens stores, trusted component and network,
 * puts them below a `ReplicaHost` and runs until it is told to stop or must not go on.
 */
import { randomInt } from 'node:crypto';
import path from 'node:path';
import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import { createKvApplication } from '../apps/kv/application.ts';
import { bytesToHex } from '../core/bytes.ts';
import { batchDigest } from '../core/request.ts';
import { decodeClientFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Replica, TimerName } from '../core/protocol.ts';
import type { CryptoPort } from '../crypto/port.ts';
import { isPrimeOrderKey } from '../crypto/ed25519-rule.ts';
import type { TrustedConnection } from '../footprints/contract.ts';
import { readComponentFolder } from '../footprints/component-note.ts';
import { openComponent } from '../footprints/registry.ts';
import { BODY_SLACK_BYTES } from '../host/link-desk.ts';
import type { BlockPort, ClientLink, HostPorts, ObserverPort, TimerPort } from '../host/ports.ts';
import { createReplicaHost } from '../host/replica-host.ts';
import type { ReplicaHost } from '../host/replica-host.ts';
import type { LedgerExecutor } from '../ledger/contract.ts';
import { createLedgerExecutor } from '../ledger/executor.ts';
import { protocolNamed } from '../protocols/catalogue.ts';
import type { AnyProtocol } from '../protocols/catalogue.ts';
import type { BlockStore } from './block-store.ts';
import { openBlockStore } from './block-store.ts';
import { BodyFile } from './body-file.ts';
import { Brake } from './brake.ts';
import { createNodeCrypto } from './crypto.ts';
import { claimStore, foldersOf, lockDataFolder } from './data-folder.ts';
import type { ReleaseLock } from './data-folder.ts';
import { systemDisk } from './disk.ts';
import { endorsementsIn, ENDORSEMENTS_FOLDER } from './endorsements.ts';
import { EvidenceStore } from './evidence-store.ts';
import { openJournal } from './journal.ts';
import type { Journal } from './journal.ts';
import { readKeyFile } from './keys.ts';
import { createMetrics } from './metrics.ts';
import type { LinkSwitch } from './link-switch.ts';
import type { NodeConfig } from './node-config.ts';
import { EXIT, readClusterFile, StartRefused } from './node-config.ts';
import { clearStopNote, createLogger, writeStopNote } from './process-log.ts';
import { Queries } from './queries.ts';
import { BlockIndex } from './block-index.ts';
import { StateStore } from './state-store.ts';
import { Transport } from './transport.ts';
import { TrustedLink } from './trusted-link.ts';
import { nodeHash } from '../platform/sha256.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** What a development cluster may put between the parts of a replica; production passes nothing. */
export interface DevelopmentHooks {
  readonly wrapReplica?: (replica: Replica<unknown>) => Replica<unknown>;
  readonly wrapPorts?: (ports: HostPorts) => HostPorts;
}

/** What hooks may use. */
export interface DevelopmentContext {
  readonly settings: ClusterSettings;
  readonly crypto: CryptoPort;
}

/** Parts that tests and development clusters replace. */
export interface ReplicaProcessOptions {
  readonly development?: (context: DevelopmentContext) => DevelopmentHooks;
  /** Default: the component of the config's folder, whatever its footprint is. */
  readonly openTrusted?: () => Promise<TrustedConnection>;
  /** Key of the HMAC suite, for volatile components of development clusters. */
  readonly developmentStatementKey?: Uint8Array;
  readonly logger?: Logger;
  /** Lets the parent process cut the replica off from its peers. */
  readonly links?: LinkSwitch;
  /** Called once, when the process has stopped for good. */
  readonly onStopped?: (exitCode: number) => void;
}

/** A stop that takes longer than this is ended. */
const STOP_MS = 10_000;
/** Bytes of the journal that are worth a snapshot: executing them again takes a restart about a second. */
const SNAPSHOT_AFTER_BYTES = 8 * 1024 * 1024;

function keyFor(file: string, registered: string, what: string): KeyObject {
  const key = readKeyFile(file);
  if (bytesToHex(rawPublicKeyOf(key)!) === registered) return key;
  throw new StartRefused(
    `The ${what} in ${file} is not the one that cluster.json registers for this replica: name the right key file or replica.`,
  );
}

/** A running replica. */
export class ReplicaProcess {
  readonly #config: NodeConfig;
  readonly #options: ReplicaProcessOptions;
  readonly #log: Logger;
  readonly #timers = new Map<TimerName, NodeJS.Timeout>();
  readonly #startedAt = Date.now();
  /** Undefined until the stores are open. */
  #host!: ReplicaHost<unknown>;
  #executor!: LedgerExecutor;
  #journal!: Journal;
  #bodies!: BodyFile;
  #blocks!: BlockStore;
  #state!: StateStore;
  #index!: BlockIndex;
  #evidence!: EvidenceStore;
  #transport!: Transport;
  readonly #brake = new Brake({
    waitingBytes: () => this.#journal.waitingBytes + this.#blocks.waitingBytes,
    setPaused: (isPaused) => this.#transport.setPaused(isPaused),
  });
  #trusted: TrustedLink | undefined;
  #queries!: Queries;
  #stopping: Promise<void> | undefined;
  #releaseLock: ReleaseLock | undefined;
  /** Port that the replica listens on. */
  port = 0;

  constructor(config: NodeConfig, options: ReplicaProcessOptions = {}) {
    this.#config = config;
    this.#options = options;
    this.#log = options.logger ?? createLogger(config);
  }

  /** Starts; rejects with `StartRefused` (or `StoreDamaged`, `KeyFileError`) whose message is for the operator. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.#closeParts();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const settings = readClusterFile(config.clusterFile);
    const definition = protocolNamed(settings.protocol)!;
    if (settings.suite === 'hmac-sha256' && this.#options.developmentStatementKey === undefined)
      throw new StartRefused(
        `${config.clusterFile} is of a development cluster (suite hmac-sha256), which protects nothing: only "moiety up --dev" runs it.`,
      );
    const member = settings.members[config.replica];
    if (member === undefined)
      throw new StartRefused(
        `cluster.json has no replica ${config.replica}: it has 0 to ${settings.members.length - 1}.`,
      );
    const hostKey = keyFor(config.hostKeyFile, member.hostKey, 'host key');
    const linkKey = keyFor(config.linkKeyFile, member.linkKey, 'link key');
    this.#releaseLock = await lockDataFolder(config.folder, linkKey);
    claimStore(config.folder, settings, config.replica);
    clearStopNote(config.folder);
    const crypto = createNodeCrypto({
      hostKey,
      settings,
      ...(this.#options.developmentStatementKey === undefined
        ? {}
        : { developmentStatementKey: this.#options.developmentStatementKey }),
    });
    const records = await this.#openStores(settings);
    this.#transport = new Transport({
      self: config.replica,
      settings,
      linkKey,
      listen: config.listen ?? member.address,
      events: {
        onPeerUp: (peer) => this.#host.onPeerUp(peer, Date.now()),
        onPeerDown: (peer) => this.#host.onPeerDown(peer, Date.now()),
        onPeerFrame: (from, bytes) => {
          this.#host.onPeerFrame(from, bytes, Date.now());
          this.#brake.look();
        },
        onClientFrame: (link, key, bytes) => this.#onClientFrame(link, key, bytes),
        onClientGone: (link) => this.#host.onClientGone(link),
        log: (level, message, detail) => this.#log[level](detail, message),
      },
    });
    this.#options.links?.onTurn((isCutOff) => this.#transport.setCutOff(isCutOff));
    if (definition.trustedProgram !== undefined) await this.#openTrusted();
    this.#buildHost(definition, settings, crypto);
    await this.#listen(config.listen ?? member.address);
    const snapshot = this.#state.load();
    this.#host.start({ journal: records, snapshot }, Date.now());
    this.#index.catchUp();
    this.#log.info(
      { port: this.port, records: records.length, durability: config.durability },
      'replica started',
    );
  }

  async #openStores(settings: ClusterSettings): Promise<readonly Uint8Array[]> {
    const { folder, replica, durability } = this.#config;
    const folders = foldersOf(folder);
    const onFatal = (sentence: string): void => this.#fatal(sentence);
    const opened = await openJournal(systemDisk, folders.journal, durability, {
      onSynced: (token) => this.#host.onJournalSynced(token, Date.now()),
      onFatal,
    });
    this.#journal = opened.journal;
    if (opened.cutBytes > 0)
      this.#log.info({ bytes: opened.cutBytes }, 'a half-written journal record was cut');
    this.#bodies = await BodyFile.open({
      disk: systemDisk,
      folder: folders.store,
      slotBytes: settings.limits.batchBytesMax + BODY_SLACK_BYTES,
      isBody: (digest, bytes) => batchDigest(nodeHash, settings, bytes) === digest,
      onFatal,
    });
    const durable = durability === 'fsync';
    const replicas = settings.members.length;
    this.#blocks = await openBlockStore({
      disk: systemDisk,
      folder: folders.blocks,
      replicas,
      durable,
      onFatal,
    });
    this.#state = await StateStore.open({
      disk: systemDisk,
      folder: folders.state,
      hash: nodeHash,
      durable,
      // A restart re-executes from the snapshot: blocks below it can not be made again.
      beforeSnapshot: () => this.#blocks.flush(),
      onStored: (sequence) => this.#host.onSnapshotStored(sequence, Date.now()),
      onFatal,
    });
    const index = { disk: systemDisk, folder: folders.blocks, blocks: this.#blocks, hash: nodeHash, onFatal };
    this.#index = await BlockIndex.open(index);
    this.#evidence = new EvidenceStore(folders.evidence, settings.clusterId, replica);
    return opened.records;
  }

  #trustedPort(): HostPorts['trusted'] {
    const { folder, trustedFolder } = this.#config;
    const link = this.#trusted;
    // A protocol without a trusted program asks nothing.
    if (link === undefined) return { call: () => undefined };
    // A component that a test puts in has no folder that says where it runs.
    const isOwn = this.#options.openTrusted === undefined;
    return {
      call: (id, request) => link.call(id, request),
      endorsements: (bind) => endorsementsIn(path.join(folder, ENDORSEMENTS_FOLDER), bind),
      ...(isOwn ? { footprint: readComponentFolder(trustedFolder).footprint } : {}),
    };
  }

  async #openTrusted(): Promise<void> {
    const { trustedFolder: folder, durability } = this.#config;
    const trustedDurability = durability === 'fsync' ? 'fsync' : 'os';
    const open = this.#options.openTrusted ?? (() => openComponent(folder, trustedDurability));
    let channel: TrustedConnection;
    try {
      channel = await open();
    } catch (error) {
      // It went away, or did not come up in time: the next start may well find it.
      const mayPass = (error as { readonly vanished?: unknown }).vanished === true;
      throw new StartRefused(
        `The trusted component cannot be used: ${(error as Error).message}`,
        mayPass ? EXIT.startAgain : EXIT.storeRefused,
      );
    }
    this.#trusted = new TrustedLink({
      channel,
      open,
      tcEpoch: () => this.#host?.trustedIdentity?.tcEpoch,
      events: {
        onResponse: (id, response) => this.#host.onTrustedResponse(id, response, Date.now()),
        onLost: (reason) => {
          this.#log.error(
            { reason },
            'the trusted component does not answer; this replica is mute until it does',
          );
          this.#host?.onTrustedLost(Date.now());
        },
        onBack: () => {
          this.#log.info('the trusted component answers again');
          this.#host.onTrustedBack(Date.now());
        },
        onProblem: (problem) => this.#log.warn({ problem }, 'the trusted component cannot be reached'),
        onReplaced: (before, now) =>
          this.#startAgain(
            `The trusted component ended and is another one now (tcEpoch ${now} instead of ${before}): ` +
              'the replica ends; its next start says whether it can be re-admitted.',
          ),
      },
    });
  }

  #buildHost(definition: AnyProtocol, settings: ClusterSettings, crypto: CryptoPort): void {
    const { hash } = crypto;
    const executor = createLedgerExecutor({
      settings,
      hash,
      application: createKvApplication(),
      isKeyAcceptable: isPrimeOrderKey,
    });
    this.#executor = executor;
    const hooks = this.#options.development?.({ settings, crypto }) ?? {};
    const ports: HostPorts = {
      network: this.#transport,
      journal: this.#journal,
      bodies: this.#bodies,
      snapshots: this.#state,
      blocks: this.#blockPort(),
      trusted: this.#trustedPort(),
      timers: this.#timerPort(),
      observer: this.#observerPort(),
    };
    this.#host = createReplicaHost({
      self: this.#config.replica,
      settings,
      definition,
      executor,
      crypto,
      ports: hooks.wrapPorts === undefined ? ports : hooks.wrapPorts(ports),
      seed: randomInt(2 ** 47),
      snapshotAfterBytes: SNAPSHOT_AFTER_BYTES,
      ...(hooks.wrapReplica === undefined ? {} : { wrapReplica: hooks.wrapReplica }),
    });
    const status = () => this.#host.status(Date.now());
    const metrics = createMetrics({
      status,
      transport: () => ({
        ...this.#transport.counters,
        clients: this.#transport.clientCount,
        peersUp: this.#transport.peersUp().length,
        waitingBytes: this.#transport.waitingBytes,
      }),
      journal: () => this.#journal,
    });
    this.#queries = new Queries({
      settings,
      crypto,
      blocks: this.#blocks,
      index: this.#index,
      evidence: this.#evidence,
      status,
      live: (cursor) => this.#host.live(cursor, Date.now()),
      self: this.#config.replica,
      settledHeight: () => this.#host.settledHeight(),
      metrics,
      processFacts: () => ({
        pid: process.pid,
        durability: this.#config.durability,
        upMs: Date.now() - this.#startedAt,
        trustedHardening: this.#trusted?.hardening ?? null,
        trustedPlainReason: this.#trusted?.plainReason ?? null,
        linksUp: this.#transport.peersUp(),
        cutOff: this.#options.links?.isCutOff ?? false,
        clients: this.#transport.clientCount,
        damagedBlocks: this.#blocks.damagedReads,
      }),
    });
  }

  #blockPort(): BlockPort {
    return {
      append: (block) => {
        this.#blocks.append(block);
        this.#index.onBlock(block);
      },
      sign: (height, headerHash, signature) => this.#blocks.sign(height, headerHash, signature),
      truncateAbove: (height) => {
        this.#blocks.truncateAbove(height);
        this.#index.onTruncated();
      },
      read: (height) => this.#blocks.read(height),
    };
  }

  #timerPort(): TimerPort {
    return {
      set: (timer, delayMs) => {
        clearTimeout(this.#timers.get(timer));
        const handle = setTimeout(() => {
          this.#timers.delete(timer);
          this.#host.onTimer(timer, Date.now());
        }, delayMs);
        this.#timers.set(timer, handle);
      },
      cancel: (timer) => {
        clearTimeout(this.#timers.get(timer));
        this.#timers.delete(timer);
      },
    };
  }

  #observerPort(): ObserverPort {
    return {
      note: (name, detail) => this.#log.info(detail, name),
      evidence: (replica, rule, bytes) => {
        this.#log.warn({ replica, rule }, `replica ${replica} is proven faulty`);
        try {
          this.#evidence.add(replica, rule, bytes, Date.now());
        } catch (error) {
          this.#log.error({ problem: (error as Error).message }, 'evidence could not be stored');
        }
      },
      ignored: (reason, from) => this.#log.debug({ from, reason }, 'ignored'),
      fatal: (reason) => this.#fatal(reason),
    };
  }

  async #listen(address: string): Promise<void> {
    try {
      this.port = await this.#transport.start();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new StartRefused(
        code === 'EADDRINUSE'
          ? `${address} is in use by another program: stop it, or name another "listen" in the config.`
          : `This replica cannot listen on ${address}: ${message}.`,
      );
    }
  }

  #onClientFrame(link: ClientLink, clientKey: Uint8Array, bytes: Uint8Array): void {
    // Hello (1) was taken by the transport; bundles (2), reads (3), certificates (5) and questions for keys (6) are the host's.
    if (bytes[0] === 2 || bytes[0] === 3 || bytes[0] === 5 || bytes[0] === 6) {
      this.#host.onClientFrame(link, clientKey, bytes, Date.now());
      this.#brake.look();
      return;
    }
    const frame = decodeClientFrame(bytes);
    if (frame?.kind !== 'query') {
      this.#transport.dropClient(link, 'a frame makes no sense');
      return;
    }
    const { id, topic, argument } = frame;
    if (!this.#executor.isClient(clientKey)) {
      // Blocks and status are for registered clients; whoever reaches the port has no right to them.
      this.#transport.toClient(
        link,
        encodeReplicaFrame({ kind: 'queryAnswer', id, found: false, bytes: new Uint8Array(0) }),
      );
      return;
    }
    void this.#queries.answer(topic, argument).then((answer) => {
      this.#transport.toClient(link, encodeReplicaFrame({ kind: 'queryAnswer', id, ...answer }));
    });
  }

  /** A promise was rejected that nobody waits for: a bug of ours. The replica stops in order. */
  failed(error: unknown): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    setImmediate(() => this.#fatal(`The replica failed: ${what}`));
  }

  /** The replica must not go on: says why, where an operator and `status` find it, and stops. */
  #fatal(reason: string): void {
    if (this.#stopping !== undefined) return;
    this.#log.fatal(reason);
    writeStopNote(this.#config.folder, reason, EXIT.failed);
    // Not from inside the host.
    setImmediate(() => void this.stop(EXIT.failed));
  }

  /** The next start of this replica decides how it goes on; whoever supervises it starts it. */
  #startAgain(reason: string): void {
    if (this.#stopping !== undefined) return;
    this.#log.error(reason);
    setImmediate(() => void this.stop(EXIT.startAgain));
  }

  /** Stops in order: nothing new is taken, everything appended is written and synced. */
  stop(exitCode: number = EXIT.stopped): Promise<void> {
    this.#stopping ??= this.#stop(exitCode);
    return this.#stopping;
  }

  async #stop(exitCode: number): Promise<void> {
    const impatience = setTimeout(() => process.exit(exitCode), STOP_MS);
    impatience.unref();
    await this.#closeParts();
    clearTimeout(impatience);
    this.#log.info({ exitCode }, 'replica stopped');
    this.#options.onStopped?.(exitCode);
  }

  /** Closes what was opened: first the sources of work, then what the rest writes to. */
  async #closeParts(): Promise<void> {
    for (const handle of this.#timers.values()) clearTimeout(handle);
    this.#timers.clear();
    this.#brake.stop();
    await this.#transport?.close();
    this.#trusted?.close();
    await this.#journal?.close();
    await this.#bodies?.close();
    await this.#state?.close();
    await this.#index?.close();
    await this.#blocks?.close();
    this.#releaseLock?.();
  }
}
