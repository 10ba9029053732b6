/**
 * Who may stand in the doorway: raw connections are counted, in all and for each address. When it is full, the one
 * that has stood there longest without saying who it is must go, so that a flood of mute connections does not keep
 * peers and clients out: a handshake takes milliseconds, a flood would have to fill every place in that time.
 */
import type net from 'node:net';

/** Bounds of the doorway. */
export interface DoorwayLimits {
  /** Connections at once, whatever they are. */
  readonly total: number;
  /** Of them, from one address. */
  readonly perAddress: number;
}

interface Entry {
  readonly socket: net.Socket;
  readonly address: string;
}

/** Both ends of a connection see the same name, below TLS and above it. */
function nameOf(socket: net.Socket): string {
  return `${socket.remoteAddress ?? 'unknown'} ${socket.remotePort ?? 0}`;
}

/** See the top of this file. */
export class Doorway {
  readonly #limits: DoorwayLimits;
  readonly #inside = new Set<net.Socket>();
  readonly #perAddress = new Map<string, number>();
  /** Connections that have not said who they are, oldest first. */
  readonly #strangers = new Map<string, Entry>();

  constructor(limits: DoorwayLimits) {
    this.#limits = limits;
  }

  /** Connections now. */
  get size(): number {
    return this.#inside.size;
  }

  /** Lets a connection in, perhaps in the place of a stranger. False: it must be closed. */
  admit(socket: net.Socket): boolean {
    const address = socket.remoteAddress ?? 'unknown';
    if ((this.#perAddress.get(address) ?? 0) >= this.#limits.perAddress && !this.#evict(address))
      return false;
    if (this.#inside.size >= this.#limits.total && !this.#evict(undefined)) return false;
    const name = nameOf(socket);
    this.#inside.add(socket);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#strangers.set(name, { socket, address });
    socket.once('close', () => this.#release(socket, address, name));
    return true;
  }

  /** The connection has said who it is and is wanted: it keeps its place. */
  settle(socket: net.Socket): void {
    this.#strangers.delete(nameOf(socket));
  }

  /** Closes everything. */
  clear(): void {
    for (const socket of this.#inside) socket.destroy();
  }

  #evict(address: string | undefined): boolean {
    for (const [name, entry] of this.#strangers) {
      if (address !== undefined && entry.address !== address) continue;
      this.#release(entry.socket, entry.address, name);
      entry.socket.destroy();
      return true;
    }
    return false;
  }

  #release(socket: net.Socket, address: string, name: string): void {
    if (!this.#inside.delete(socket)) return;
    if (this.#strangers.get(name)?.socket === socket) this.#strangers.delete(name);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
