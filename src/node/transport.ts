/**
 * The network of one replica process (decision D7): one TLS 1.3 listener for peers and clients, told apart by ALPN,
 * and one dialled connection to every peer with a higher id, so that there is one connection a pair.
 *
 * Identity is the key that TLS has proven: a peer's must be its link key in cluster.json, a client's is whatever it
 * has. Certificates are envelopes, no authority signs them and none expires. Whatever a connection sends that is not
 * exactly right closes that connection, is counted, and concerns nobody else.
 */
import { constants as cryptoConstants } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { bytesToHex } from '../core/bytes.ts';
import { CLIENT_WIRE_VERSION, decodeClientFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import type { ClusterSettings } from '../core/config.ts';
import type { Milliseconds, ReplicaId } from '../core/types.ts';
import type { ClientLink, NetworkPort } from '../host/ports.ts';
import { Doorway } from './doorway.ts';
import type { CloseReason, FrameEvents, FrameLimits } from './frame-socket.ts';
import { FrameSocket } from './frame-socket.ts';
import type { LinkIdentity } from './keys.ts';
import { linkIdentityOf } from './keys.ts';
import {
  CLIENT_ALPN,
  encodePeerHello,
  encodePeerRefusal,
  judgePeerHello,
  parseAddress,
  PEER_ALPN,
} from './peer-hello.ts';
import type {
  TransportCounters,
  TransportEvents,
  TransportLimits,
  TransportOptions,
} from './transport-contract.ts';
import { DEFAULT_TRANSPORT_LIMITS } from './transport-contract.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** Warnings about refused strangers in one tick, at most. */
const STRANGER_WARNINGS_MAX = 5;

interface PeerState {
  readonly id: ReplicaId;
  readonly dials: boolean;
  link: FrameSocket | undefined;
  dialing: TLSSocket | undefined;
  attempts: number;
  redial: NodeJS.Timeout | undefined;
  upAt: Milliseconds;
  lastProblem: string;
}

interface ClientState {
  readonly frames: FrameSocket;
  readonly key: Uint8Array;
}

/** A link that was up for this long starts its back-off anew. */
const SETTLED_MS = 2_000;

/** The raw Ed25519 key that the other side of a finished handshake has proven; undefined for anything else. */
function provenKeyOf(socket: TLSSocket): Uint8Array | undefined {
  // A resumed session proves nothing anew, and we never offer tickets.
  if (socket.isSessionReused()) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : rawPublicKeyOf(certificate.publicKey);
}

/** See the top of this file. */
export class Transport implements NetworkPort {
  readonly #self: ReplicaId;
  readonly #settings: ClusterSettings;
  readonly #identity: LinkIdentity;
  readonly #listen: { readonly host: string; readonly port: number };
  readonly #events: TransportEvents;
  readonly #limits: TransportLimits;
  readonly #peers = new Map<ReplicaId, PeerState>();
  readonly #clients = new Map<ClientLink, ClientState>();
  /** Connections whose first frame is still awaited. */
  readonly #strangers = new Set<FrameSocket>();
  #isPaused = false;
  #isCutOff = false;
  readonly #doorway: Doorway;
  /** Warnings about strangers in this tick: a flood of them must not fill the disk with log. */
  #warnings = 0;
  #server: tls.Server | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #nextLink = 1;
  #closing = false;
  readonly counters: TransportCounters = {
    peerConnections: 0,
    clientConnections: 0,
    refusedConnections: 0,
    droppedFrames: 0,
    framesIn: 0,
    framesOut: 0,
    closed: {},
  };

  constructor(options: TransportOptions) {
    const listen = parseAddress(options.listen);
    if (listen === undefined)
      throw new RangeError(`"${options.listen}" is not a listen address such as 127.0.0.1:4700`);
    this.#self = options.self;
    this.#settings = options.settings;
    this.#identity = linkIdentityOf(options.linkKey, `moiety replica ${options.self}`);
    this.#listen = listen;
    this.#events = options.events;
    this.#limits = { ...DEFAULT_TRANSPORT_LIMITS, ...options.limits };
    this.#doorway = new Doorway({
      total: this.#limits.clientsMax + 4 * options.settings.members.length,
      perAddress: this.#limits.perAddressMax,
    });
    for (const { id } of options.settings.members) {
      if (id === options.self) continue;
      const dials = options.self < id;
      this.#peers.set(id, {
        id,
        dials,
        link: undefined,
        dialing: undefined,
        attempts: 0,
        redial: undefined,
        upAt: 0,
        lastProblem: '',
      });
    }
  }

  /** Listens and dials. Rejects with the system's error (EADDRINUSE ...). Resolves with the port. */
  async start(): Promise<number> {
    const server = tls.createServer({
      key: this.#identity.key,
      cert: this.#identity.certificate,
      requestCert: true,
      // Chains mean nothing here: the key is compared instead, see `provenKeyOf`.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [PEER_ALPN, CLIENT_ALPN],
      handshakeTimeout: this.#limits.handshakeMs,
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
    });
    this.#server = server;
    server.on('connection', (socket: net.Socket) => this.#onRawConnection(socket));
    server.on('secureConnection', (socket) => this.#onAccepted(socket));
    server.on('tlsClientError', (_error, socket) => {
      this.counters.refusedConnections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#listen.port, this.#listen.host, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#events.log('warn', 'listener', { problem: error.message }));
        resolve();
      });
    });
    this.#ticker = setInterval(() => this.#tick(), this.#limits.tickMs);
    for (const peer of this.#peers.values()) if (peer.dials) this.#dial(peer);
    return (server.address() as net.AddressInfo).port;
  }

  /** Closes everything. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#ticker);
    for (const peer of this.#peers.values()) {
      clearTimeout(peer.redial);
      peer.dialing?.destroy();
      peer.link?.close('closedByUs', 'the replica stops');
    }
    for (const client of [...this.#clients.values()]) client.frames.close('closedByUs', 'the replica stops');
    for (const stranger of [...this.#strangers]) stranger.close('closedByUs', 'the replica stops');
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const impatience = setTimeout(() => {
      this.#doorway.clear();
    }, 300);
    await closed;
    clearTimeout(impatience);
  }

  toPeer(to: ReplicaId, frame: Uint8Array, mayWait = false): void {
    const link = this.#peers.get(to)?.link;
    if (link === undefined) return;
    if (frame.length > this.#limits.peerFrameBytesMax || !link.send(frame, mayWait))
      this.counters.droppedFrames += 1;
    else this.counters.framesOut += 1;
  }

  toClient(link: ClientLink, frame: Uint8Array): void {
    const client = this.#clients.get(link);
    if (client === undefined) return;
    if (client.frames.send(frame)) this.counters.framesOut += 1;
    else this.counters.droppedFrames += 1;
  }

  /** Peers whose link is up. */
  peersUp(): readonly ReplicaId[] {
    return [...this.#peers.values()].filter((peer) => peer.link !== undefined).map((peer) => peer.id);
  }

  /** Clients that are connected. */
  get clientCount(): number {
    return this.#clients.size;
  }

  /** Stops or goes on reading from everybody. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    for (const peer of this.#peers.values()) peer.link?.setPaused(isPaused);
    for (const { frames } of this.#clients.values()) frames.setPaused(isPaused);
    for (const frames of this.#strangers) frames.setPaused(isPaused);
  }

  /** Cuts this replica off from all others, or ends that; clients are served as ever. */
  setCutOff(isCutOff: boolean): void {
    this.#isCutOff = isCutOff;
    const message = isCutOff
      ? 'cut off from all other replicas, as told'
      : 'links to other replicas again, as told';
    this.#events.log('warn', message, {});
    for (const peer of this.#peers.values()) {
      clearTimeout(peer.redial);
      peer.redial = undefined;
      peer.dialing?.destroy();
      peer.link?.close('closedByUs', 'this replica was told to cut itself off');
      peer.attempts = 0;
      if (peer.dials) this.#redial(peer);
    }
  }

  /** Bytes that wait for peers and clients to take them. */
  get waitingBytes(): number {
    let sum = 0;
    for (const peer of this.#peers.values()) sum += peer.link?.waitingBytes ?? 0;
    for (const client of this.#clients.values()) sum += client.frames.waitingBytes;
    return sum;
  }

  #tick(): void {
    const now = performance.now();
    this.#warnings = 0;
    const keepAlive = { everyMs: this.#limits.keepAliveMs, silentMs: this.#limits.silentMs };
    for (const peer of this.#peers.values()) peer.link?.tick(now, keepAlive);
    for (const client of this.#clients.values()) client.frames.tick(now, undefined);
  }

  #count(reason: CloseReason): void {
    this.counters.closed[reason] = (this.counters.closed[reason] ?? 0) + 1;
  }

  // --- accepting ---------------------------------------------------------------------------------------------------

  #onRawConnection(socket: net.Socket): void {
    if (this.#closing || !this.#doorway.admit(socket)) {
      this.#count('overLimit');
      socket.destroy();
      return;
    }
    // TCP's own probes find clients whose machine is gone.
    socket.setKeepAlive(true, this.#limits.silentMs);
  }

  /** Warns of a connection that was refused, unless many were already. */
  #warnOfStranger(message: string, detail: Readonly<Record<string, string>>): void {
    this.#warnings += 1;
    if (this.#warnings <= STRANGER_WARNINGS_MAX) this.#events.log('warn', message, detail);
  }

  #onAccepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const key = provenKeyOf(socket);
    if (key !== undefined && socket.alpnProtocol === CLIENT_ALPN) {
      this.#acceptClient(socket, key);
      return;
    }
    const hex = key === undefined ? '' : bytesToHex(key);
    const member = this.#settings.members.find((candidate) => candidate.linkKey === hex);
    const peer = member === undefined ? undefined : this.#peers.get(member.id);
    if (socket.alpnProtocol === PEER_ALPN && peer !== undefined && !peer.dials) {
      this.#greetPeer(peer, socket);
      return;
    }
    this.counters.refusedConnections += 1;
    this.#warnOfStranger('connection refused: its key is not the link key of a peer in cluster.json', {
      address: socket.remoteAddress ?? '',
      key: hex,
    });
    socket.destroy();
  }

  /** Opens framing on a connection that must say something within the handshake time. */
  #awaitFirstFrame(
    socket: TLSSocket,
    limits: FrameLimits,
    events: FrameEvents,
  ): { readonly frames: FrameSocket; settled(): void } {
    const timer = setTimeout(
      () => frames.close('handshakeTimeout', 'no hello arrived'),
      this.#limits.handshakeMs,
    );
    const settled = (): void => {
      clearTimeout(timer);
      this.#strangers.delete(frames);
    };
    const frames: FrameSocket = new FrameSocket(
      socket,
      limits,
      {
        onFrame: events.onFrame,
        onClosed: (reason, detail) => {
          settled();
          this.#count(reason);
          events.onClosed(reason, detail);
        },
      },
      performance.now(),
    );
    this.#strangers.add(frames);
    frames.setPaused(this.#isPaused);
    return { frames, settled };
  }

  #acceptClient(socket: TLSSocket, key: Uint8Array): void {
    const link = this.#nextLink++;
    const limits: FrameLimits = {
      frameBytesMax: this.#limits.clientFrameBytesMax,
      queueBytesMax: this.#limits.clientQueueBytesMax,
      whenFull: 'close',
    };
    const { frames, settled } = this.#awaitFirstFrame(socket, limits, {
      onFrame: (bytes) => {
        this.counters.framesIn += 1;
        if (this.#clients.has(link)) {
          this.#events.onClientFrame(link, key, bytes);
          return;
        }
        const problem = this.#judgeClientHello(bytes, key);
        if (problem !== undefined) {
          this.counters.refusedConnections += 1;
          this.#warnOfStranger(`client refused: ${problem}`, { address: socket.remoteAddress ?? '' });
          frames.close('refused', problem);
          return;
        }
        settled();
        this.#doorway.settle(socket);
        this.#clients.set(link, { frames, key });
        this.counters.clientConnections += 1;
        const { clusterId } = this.#settings;
        const version = CLIENT_WIRE_VERSION;
        frames.send(encodeReplicaFrame({ kind: 'welcome', version, replica: this.#self, clusterId }));
      },
      onClosed: () => {
        if (this.#clients.delete(link)) this.#events.onClientGone(link);
      },
    });
  }

  #judgeClientHello(bytes: Uint8Array, provenKey: Uint8Array): string | undefined {
    const hello = decodeClientFrame(bytes);
    if (hello?.kind !== 'hello') return 'its first frame is not a hello';
    if (hello.version !== CLIENT_WIRE_VERSION)
      return `it speaks version ${hello.version}, this replica ${CLIENT_WIRE_VERSION}`;
    if (hello.clusterId !== this.#settings.clusterId)
      return `it wants cluster ${hello.clusterId.slice(0, 16)}, this is ${this.#settings.clusterId.slice(0, 16)}`;
    if (bytesToHex(hello.clientKey) !== bytesToHex(provenKey))
      return 'its client key is not the key of its certificate';
    return this.#clients.size >= this.#limits.clientsMax ? 'too many clients are connected' : undefined;
  }

  /** Ends a client's connection because of what it sent. */
  dropClient(link: ClientLink, detail: string): void {
    this.#clients.get(link)?.frames.close('protocolError', detail);
  }

  // --- peers -------------------------------------------------------------------------------------------------------

  #dial(peer: PeerState): void {
    if (this.#closing || this.#isCutOff) return;
    const member = this.#settings.members.find((candidate) => candidate.id === peer.id)!;
    const address = parseAddress(member.address);
    if (address === undefined) {
      this.#problem(peer, `its address "${member.address}" in cluster.json is not host:port`);
      return;
    }
    const socket = tls.connect({
      host: address.host,
      port: address.port,
      key: this.#identity.key,
      cert: this.#identity.certificate,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [PEER_ALPN],
    });
    peer.dialing = socket;
    const timer = setTimeout(
      () => socket.destroy(new Error('no answer to the handshake')),
      this.#limits.handshakeMs,
    );
    let greeted = false;
    socket.once('error', (error) => this.#problem(peer, error.message));
    socket.once('close', () => {
      clearTimeout(timer);
      if (!greeted) this.#redial(peer);
    });
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      const key = provenKeyOf(socket);
      if (key === undefined || bytesToHex(key) !== member.linkKey || socket.alpnProtocol !== PEER_ALPN) {
        this.counters.refusedConnections += 1;
        this.#problem(peer, `who answers at ${member.address} does not have its link key of cluster.json`);
        socket.destroy();
        return;
      }
      greeted = true;
      peer.dialing = undefined;
      this.#greetPeer(peer, socket);
    });
  }

  #redial(peer: PeerState): void {
    peer.dialing = undefined;
    if (this.#closing || this.#isCutOff || peer.redial !== undefined || peer.link !== undefined) return;
    const { redialMs, redialCapMs } = this.#limits;
    const base = Math.min(redialCapMs, redialMs * 2 ** Math.min(peer.attempts, 16));
    peer.attempts += 1;
    // Jitter keeps the replicas of a cluster that starts together from dialling in step.
    peer.redial = setTimeout(
      () => {
        peer.redial = undefined;
        this.#dial(peer);
      },
      base * (0.5 + Math.random() / 2),
    );
  }

  /** Logs a problem with a peer once, not at every attempt. */
  #problem(peer: PeerState, problem: string): void {
    if (problem === peer.lastProblem || this.#closing) return;
    peer.lastProblem = problem;
    this.#events.log('warn', `no link to replica ${peer.id}: ${problem}`, { peer: peer.id });
  }

  #greetPeer(peer: PeerState, socket: TLSSocket): void {
    if (this.#isCutOff) return void socket.destroy();
    const limits: FrameLimits = {
      frameBytesMax: this.#limits.peerFrameBytesMax,
      queueBytesMax: this.#limits.peerQueueBytesMax,
      whenFull: 'drop',
    };
    let isUp = false;
    const { frames, settled } = this.#awaitFirstFrame(socket, limits, {
      onFrame: (bytes) => {
        this.counters.framesIn += 1;
        if (this.#isCutOff) return frames.close('refused', 'this replica was told to cut itself off');
        if (isUp) {
          this.#events.onPeerFrame(peer.id, bytes);
          return;
        }
        const greeting = judgePeerHello(bytes, this.#settings, this.#self, peer.id);
        if (greeting.kind === 'welcome') {
          settled();
          this.#doorway.settle(socket);
          isUp = true;
          this.#peerUp(peer, frames);
          return;
        }
        this.counters.refusedConnections += 1;
        this.#problem(peer, greeting.kind === 'refused' ? `it refuses: ${greeting.reason}` : greeting.reason);
        if (greeting.kind === 'refuse') frames.send(encodePeerRefusal(greeting.reason));
        frames.close('refused', greeting.reason);
      },
      onClosed: (reason, detail) => {
        if (peer.link === frames) {
          peer.link = undefined;
          if (performance.now() - peer.upAt > SETTLED_MS) peer.attempts = 0;
          this.#events.log('info', `link to replica ${peer.id} is down`, { peer: peer.id, reason, detail });
          this.#events.onPeerDown(peer.id);
        }
        if (peer.dials) this.#redial(peer);
      },
    });
    frames.send(encodePeerHello(this.#settings, this.#self, peer.id));
  }

  #peerUp(peer: PeerState, frames: FrameSocket): void {
    const former = peer.link;
    peer.link = frames;
    peer.upAt = performance.now();
    peer.lastProblem = '';
    this.counters.peerConnections += 1;
    // The other side has dialled anew, so it has given the former connection up.
    former?.close('replaced', 'a newer connection took its place');
    this.#events.log('info', `link to replica ${peer.id} is up`, { peer: peer.id });
    this.#events.onPeerUp(peer.id);
  }
}
