/**
 * States of single replicas, each worked out once. What a replica does depends on nothing but its own events, and the
 * same few local histories occur in very many schedules of a cluster: a search walks over this graph and runs a replica
 * only where it leads to a history that was not met yet.
 */
import { bytesToHex } from '../../../core/bytes.ts';
import type { Digest, Hash, ReplicaId, View } from '../../../core/types.ts';
import { minbft } from '../../../protocols/minbft/definition.ts';
import type { MinbftMessage } from '../../../smr/usig-stream/messages.ts';
import { BareMachine } from './bare-machine.ts';
import type { LocalEvent, Output, Surroundings } from './bare-machine.ts';

/** Something that was said, by number; equal content is the same number. */
export type MessageId = number;

/** What happens to a replica, as a number: a message by its id and sender, or a time-out. */
export type EventId = number;

/** The event id of a time-out. */
export const TIMEOUT: EventId = -1;

/** Messages with their receivers, in the order of sending. */
export type Said = readonly { readonly to: ReplicaId; readonly message: MessageId }[];

/** One local state. */
export interface LocalState {
  readonly id: number;
  readonly replica: ReplicaId;
  readonly parent: LocalState | undefined;
  /** The event that led here from the parent. */
  readonly event: EventId;
  /** Events so far. */
  readonly length: number;
  readonly timeouts: number;
  /** What is said on the way from the parent to here. Other ways may say it at other steps. */
  readonly said: Said;
  /** Digest of sequence number i+1 at i. */
  readonly executed: readonly Digest[];
  readonly canTimeOut: boolean;
  readonly fault: string | undefined;
  readonly accused: readonly ReplicaId[];
  /** All that was seen of it: equal for states that are taken for one. */
  readonly signature: string;
  readonly next: Map<EventId, Step>;
}

/** What one event leads to. */
export interface Step {
  readonly state: LocalState;
  readonly said: Said;
}

/** Machines that stand at a state and are kept to go on from there. */
const LIVE_MAX = 2_000;
const EVENT_SENDERS = 8;

/** See the top of this file. */
export class LocalStates {
  readonly #around: Surroundings;
  readonly #hash: Hash;
  readonly #merges: boolean;
  readonly #ids = new Map<string, MessageId>();
  readonly #idOf = new WeakMap<MinbftMessage, MessageId>();
  readonly #messages: MinbftMessage[] = [];
  readonly #states: LocalState[] = [];
  readonly #bySignature = new Map<string, LocalState>();
  readonly #live = new Map<number, BareMachine>();
  /** Highest view that any replica got to. */
  highestView: View = 0;
  /** Events that replicas really worked on. */
  steps = 0;

  /** `merges`: histories of the same events in another order are one state if nothing that can be seen differs. */
  constructor(around: Surroundings, merges: boolean) {
    this.#around = around;
    this.#hash = around.genesis.hash;
    this.#merges = merges;
  }

  get size(): number {
    return this.#states.length;
  }

  /** The state of a replica before its first event. */
  root(replica: ReplicaId): Step {
    const machine = new BareMachine(replica, this.#around);
    return this.#enter(machine, undefined, TIMEOUT, machine.begin());
  }

  /** What one more event leads to. */
  after(state: LocalState, event: EventId): Step {
    const known = state.next.get(event);
    if (known !== undefined) return known;
    const machine = this.#machineAt(state);
    this.steps += 1;
    const next = this.#enter(machine, state, event, machine.take(this.eventOf(event)));
    state.next.set(event, next);
    return next;
  }

  /** The id of the delivery of a message over the link from a replica. */
  deliveryOf(message: MessageId, from: ReplicaId): EventId {
    return message * EVENT_SENDERS + from;
  }

  /** Over whose link a delivery comes. */
  senderOf(event: EventId): ReplicaId {
    return event % EVENT_SENDERS;
  }

  /** What a delivery delivers. */
  messageOf(event: EventId): MessageId {
    return Math.floor(event / EVENT_SENDERS);
  }

  /** What an id stands for. */
  eventOf(event: EventId): LocalEvent {
    if (event === TIMEOUT) return { kind: 'timeout' };
    return { kind: 'deliver', from: this.senderOf(event), message: this.#messages[this.messageOf(event)]! };
  }

  #enter(
    machine: BareMachine,
    parent: LocalState | undefined,
    event: EventId,
    outputs: readonly Output[],
  ): Step {
    const said = outputs.map(({ to, message }) => ({ to, message: this.#idFor(message) }));
    const signature = this.#merges ? this.#signatureOf(machine, parent, event, said) : '';
    const known = this.#merges ? this.#bySignature.get(signature) : undefined;
    if (known !== undefined) return { state: known, said };
    const state: LocalState = {
      id: this.#states.length,
      replica: machine.self,
      parent,
      event,
      length: parent === undefined ? 0 : parent.length + 1,
      timeouts: (parent?.timeouts ?? 0) + (parent !== undefined && event === TIMEOUT ? 1 : 0),
      said,
      executed: [...machine.executed],
      canTimeOut: machine.canTimeOut,
      fault: machine.fault,
      accused: [...machine.accused],
      signature,
      next: new Map(),
    };
    this.#states.push(state);
    this.highestView = Math.max(this.highestView, machine.view);
    if (this.#merges) this.#bySignature.set(signature, state);
    if (this.#live.size >= LIVE_MAX) this.#live.clear();
    this.#live.set(state.id, machine);
    return { state, said };
  }

  /** The events without their order, everything said on the way, and what can be seen. */
  #signatureOf(machine: BareMachine, parent: LocalState | undefined, event: EventId, said: Said): string {
    const events: EventId[] = parent === undefined ? [] : [event];
    const words = [said];
    for (let state = parent; state !== undefined; state = state.parent) {
      words.push(state.said);
      if (state.parent !== undefined) events.push(state.event);
    }
    events.sort((a, b) => a - b);
    const spoken = words
      .reverse()
      .flat()
      .map(({ to, message }) => `${message}>${to}`);
    return `${machine.self}|${events.join(' ')}|${spoken.join(' ')}|${machine.look()}|${machine.accused.join(' ')}`;
  }

  /** A machine in that state, to be moved on from there. */
  #machineAt(state: LocalState): BareMachine {
    const live = this.#live.get(state.id);
    if (live !== undefined) {
      this.#live.delete(state.id);
      return live;
    }
    const events: EventId[] = [];
    for (let at = state; at.parent !== undefined; at = at.parent) events.push(at.event);
    const machine = new BareMachine(state.replica, this.#around);
    machine.begin();
    this.steps += events.length;
    for (const event of events.reverse()) machine.take(this.eventOf(event));
    return machine;
  }

  #idFor(message: MinbftMessage): MessageId {
    const known = this.#idOf.get(message);
    if (known !== undefined) return known;
    const name = bytesToHex(this.#hash(minbft.encode(message)));
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#messages.push(message) - 1;
      this.#ids.set(name, id);
    }
    this.#idOf.set(message, id);
    return id;
  }
}
