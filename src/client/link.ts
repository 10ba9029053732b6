/**
 * A client's connection to one replica: TLS 1.3, the replica's certificate must carry the registered link key, the
 * client shows its own key as a self-signed certificate (decision D7). Reconnects with capped doubling waits; bounded
 * in both directions.
 */
import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import {
  CLIENT_WIRE_VERSION,
  decodeReplicaFrame,
  encodeClientFrame,
  QUERY_ANSWER_BYTES_MAX,
} from '../core/client-wire.ts';
import type { ReplicaFrame, ResultsReader } from '../core/client-wire.ts';
import type { ClusterSettings, MemberSettings } from '../core/config.ts';
import { hexToBytes } from '../core/bytes.ts';
import type { Milliseconds } from '../core/types.ts';
import { rawPublicKeyOf } from '../platform/ed25519.ts';

/** Protocol name in the TLS handshake. */
export const CLIENT_ALPN = 'moiety-client/1';
/** Bytes of a frame from a replica, at most. */
const FRAME_BYTES_MAX = QUERY_ANSWER_BYTES_MAX + 1024;
/** Bytes that may wait for a slow replica; beyond, frames are dropped (bundles are re-sent anyway). */
const OUTGOING_BYTES_MAX = 16 * 1024 * 1024;
/** So many bytes leave at once, without waiting for more. */
const WRITE_BYTES = 16 * 1024;
const HEAD_BYTES = 4;
const HANDSHAKE_MS: Milliseconds = 5_000;
const RECONNECT_MS: Milliseconds = 50;
const RECONNECT_CAP_MS: Milliseconds = 2_000;

/** What a link is made of. */
export interface LinkOptions {
  readonly settings: ClusterSettings;
  readonly member: MemberSettings;
  /** PEM of the client's private key and certificate. */
  readonly key: string;
  readonly certificate: string;
  readonly clientKey: Uint8Array;
  /** The link is ready: the replica has been authenticated and speaks our version. */
  readonly onUp: () => void;
  readonly onDown: () => void;
  readonly onFrame: (frame: ReplicaFrame) => void;
  /** Reads results of replies; links of one cluster share it (`SharedResults`). */
  readonly readResults?: ResultsReader;
}

/** Splits `host:port`; IPv6 hosts in brackets. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port };
}

/** See the top of this file. */
export class ReplicaLink {
  readonly #options: LinkOptions;
  #socket: TLSSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = RECONNECT_MS;
  #isReady = false;
  #isClosed = false;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Frames that leave at the end of this turn. */
  #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #reason = 'not connected yet';

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#connect();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Why the link is down; for status. */
  get reason(): string {
    return this.#reason;
  }

  /** Sends one frame; false if the link is down or the replica too slow. */
  send(payload: Uint8Array): boolean {
    const socket = this.#socket;
    if (!this.#isReady || socket === undefined) return false;
    if (socket.writableLength + this.#outgoingBytes > OUTGOING_BYTES_MAX) return false;
    this.#write(payload);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#flush();
    this.#socket?.destroy();
  }

  /** Frames of one turn leave together: each write costs an encryption and a system call. */
  #write(payload: Uint8Array): void {
    this.#outgoing.push(payload);
    this.#outgoingBytes += HEAD_BYTES + payload.length;
    if (this.#outgoingBytes >= WRITE_BYTES) this.#flush();
    else if (this.#outgoing.length === 1) process.nextTick(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#outgoing.length === 0) return;
    const whole = Buffer.allocUnsafe(this.#outgoingBytes);
    let at = 0;
    for (const payload of this.#outgoing) {
      whole.writeUInt32BE(payload.length, at);
      whole.set(payload, at + HEAD_BYTES);
      at += HEAD_BYTES + payload.length;
    }
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    this.#socket?.write(whole);
  };

  #connect(): void {
    const { member, key, certificate } = this.#options;
    const address = splitAddress(member.address);
    if (address === undefined) {
      this.#reason = `address "${member.address}" is not host:port`;
      return;
    }
    const socket = connect({
      ...address,
      key,
      cert: certificate,
      ALPNProtocols: [CLIENT_ALPN],
      minVersion: 'TLSv1.3',
      // The registered key is checked below; there is no authority to ask (decision D7).
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    const deadline = setTimeout(() => this.#fail(socket, 'no answer to the handshake'), HANDSHAKE_MS);
    deadline.unref();
    socket.once('secureConnect', () => this.#onSecure(socket));
    socket.on('data', (chunk: Buffer) => this.#onData(socket, chunk));
    socket.on('error', (error) => (this.#reason = error.message));
    socket.once('close', () => {
      clearTimeout(deadline);
      this.#onClose(socket);
    });
    this.#deadline = deadline;
  }

  #deadline: NodeJS.Timeout | undefined;

  #onSecure(socket: TLSSocket): void {
    const { settings, member, clientKey } = this.#options;
    const raw = socket.getPeerX509Certificate();
    if (raw === undefined || !isKeyOf(raw, member.linkKey))
      return this.#fail(
        socket,
        `replica ${member.id} at ${member.address} does not have its registered link key`,
      );
    if (socket.alpnProtocol !== CLIENT_ALPN)
      return this.#fail(socket, `replica ${member.id} does not speak ${CLIENT_ALPN}`);
    const { clusterId } = settings;
    this.#write(encodeClientFrame({ kind: 'hello', version: CLIENT_WIRE_VERSION, clusterId, clientKey }));
  }

  #onData(socket: TLSSocket, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= 4 && socket === this.#socket && !socket.destroyed) {
      if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)];
      const length = this.#chunks[0]!.readUInt32BE(0);
      if (length > FRAME_BYTES_MAX) return this.#fail(socket, 'the replica sent a frame that is too long');
      if (this.#buffered < 4 + length) return;
      const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      const rest = whole.subarray(4 + length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#buffered = rest.length;
      const frame = decodeReplicaFrame(whole.subarray(4, 4 + length), this.#options.readResults);
      if (frame === undefined) return this.#fail(socket, 'the replica sent a malformed frame');
      this.#onFrame(socket, frame);
    }
  }

  #onFrame(socket: TLSSocket, frame: ReplicaFrame): void {
    if (this.#isReady) {
      if (frame.kind !== 'welcome') this.#options.onFrame(frame);
      return;
    }
    const { settings, member } = this.#options;
    const fits =
      frame.kind === 'welcome' &&
      frame.version === CLIENT_WIRE_VERSION &&
      frame.replica === member.id &&
      frame.clusterId === settings.clusterId;
    if (!fits)
      return this.#fail(socket, `replica ${member.id} is of another cluster or version: check cluster.json`);
    clearTimeout(this.#deadline);
    this.#isReady = true;
    this.#waitMs = RECONNECT_MS;
    this.#options.onUp();
  }

  #fail(socket: TLSSocket, reason: string): void {
    socket.destroy(new Error(reason));
  }

  #onClose(socket: TLSSocket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#chunks = [];
    this.#buffered = 0;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    const wasReady = this.#isReady;
    this.#isReady = false;
    if (wasReady) this.#options.onDown();
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#connect(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, RECONNECT_CAP_MS);
  }
}

function isKeyOf(certificate: X509Certificate, linkKey: string): boolean {
  const expected = hexToBytes(linkKey);
  if (expected?.length !== 32 || certificate.publicKey.asymmetricKeyType !== 'ed25519') return false;
  return Buffer.compare(rawPublicKeyOf(certificate.publicKey)!, expected) === 0;
}
