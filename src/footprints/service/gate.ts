/**
 * Who may stand before a trusted service: connections are counted, in all and for each address. When a bound is reached,
 * the stranger that has stood there longest without a welcome must go; one that was welcomed keeps its place, so that a
 * flood of mute connections keeps no client out for longer than a handshake.
 */
import type { Socket } from 'node:net';

/** Bounds of the gate. */
export interface GateLimits {
  /** Connections at once. */
  readonly total: number;
  /** Of them, from one address. */
  readonly perAddress: number;
}

interface Visitor {
  readonly socket: Socket;
  readonly address: string;
  stranger: boolean;
}

/** Both ends of a connection see the same name, below TLS and above it. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress ?? 'unknown'} ${socket.remotePort ?? 0}`;
}

/** See the top of this file. */
export class Gate {
  readonly #limits: GateLimits;
  /** By name, oldest first. */
  readonly #inside = new Map<string, Visitor>();

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  /** Connections now. */
  get size(): number {
    return this.#inside.size;
  }

  /** Lets a connection in, perhaps in the place of a stranger. False: it must be closed. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? 'unknown';
    const visitors = [...this.#inside.values()];
    const neighbours = visitors.filter((visitor) => visitor.address === address);
    if (neighbours.length >= this.#limits.perAddress && !this.#evict(neighbours)) return false;
    if (this.#inside.size >= this.#limits.total && !this.#evict(visitors)) return false;
    const name = nameOf(socket);
    this.#inside.set(name, { socket, address, stranger: true });
    socket.once('close', () => {
      if (this.#inside.get(name)?.socket === socket) this.#inside.delete(name);
    });
    return true;
  }

  /** The connection was welcomed. */
  settle(socket: Socket): void {
    const visitor = this.#inside.get(nameOf(socket));
    if (visitor !== undefined) visitor.stranger = false;
  }

  /** Closes everything. */
  clear(): void {
    for (const { socket } of this.#inside.values()) socket.destroy();
  }

  #evict(candidates: readonly Visitor[]): boolean {
    const oldest = candidates.find(({ stranger }) => stranger);
    if (oldest === undefined) return false;
    this.#inside.delete(nameOf(oldest.socket));
    oldest.socket.destroy();
    return true;
  }
}
