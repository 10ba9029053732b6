/** The clients of a run, correct and Byzantine, and their links to the machines. */
import type { ProtocolDefinition } from '../../core/protocol.ts';
import type { Prng } from '../../core/prng.ts';
import type { Bundle } from '../../core/request.ts';
import type { Digest, ReplicaId } from '../../core/types.ts';
import type { Chance } from '../chance.ts';
import { SITE } from '../chance.ts';
import type { EventQueue } from '../event-queue.ts';
import type { Judge } from '../judge.ts';
import type { WorldListener } from '../listener.ts';
import type { NetworkSettings } from '../network.ts';
import type { Scenario } from '../scenario.ts';
import { seeReply } from '../exchanges.ts';
import { sumOfFrame, sumOfReply } from '../trace-sum.ts';
import { CoreClient } from './client.ts';
import type { CoreFrame, CoreReply } from './frame.ts';
import type { CoreGenesis } from './genesis.ts';
import { CoreLiarClient } from './liar-client.ts';
import { KeyRing } from './seal-book.ts';
import type { SealBook } from './seal-book.ts';

/** Keys beside those of genesis that a client knows. */
const NO_KEYS = new KeyRing();

/** What the clients are made of. */
export interface ClientSideOptions<M extends object> {
  readonly scenario: Scenario;
  readonly definition: ProtocolDefinition<M>;
  readonly genesis: CoreGenesis;
  readonly seals: SealBook<M>;
  readonly queue: EventQueue;
  readonly chance: Chance;
  readonly random: Prng;
  readonly judge: Judge;
  readonly listener: WorldListener<CoreFrame<M>>;
  /** How links are at this time. */
  readonly links: () => NetworkSettings;
  /** A frame reaches a machine. */
  readonly deliver: (client: number, to: ReplicaId, frame: CoreFrame<M>) => void;
  /** Takes something that arrived into the sum over the run. */
  readonly mix: (kind: number, a: number, b: number, content: number) => void;
}

/** See the top of this file. */
export class CoreClientSide<M extends object> {
  readonly #options: ClientSideOptions<M>;
  /** The correct ones; their links are numbered from 0 on. */
  readonly clients: readonly CoreClient[];
  /** Byzantine ones; their links are numbered after those of the others. */
  readonly #liars: readonly CoreLiarClient[];

  constructor(options: ClientSideOptions<M>) {
    this.#options = options;
    const { scenario, random } = options;
    this.clients = scenario.clients.map((_, index) => this.#makeClient(index, random.fork()));
    const { length } = this.clients;
    this.#liars = (scenario.family?.clients ?? []).map(
      (plan, index) => new CoreLiarClient({ ...this.#partsOf(length + index, random.fork()), plan }),
    );
  }

  /** Lets all of them begin, each at a time of its own. */
  start(): void {
    const { queue, chance } = this.#options;
    for (const client of [...this.clients, ...this.#liars])
      queue.after(chance.range(SITE.client, 0, 0, 20), () => client.start());
  }

  #makeClient(index: number, random: Prng): CoreClient {
    const { scenario, judge, genesis, seals, listener } = this.#options;
    return new CoreClient({
      ...this.#partsOf(index, random),
      plan: scenario.clients[index]!,
      f: scenario.f,
      decoding: genesis.decoding,
      holds: (list) => seals.judgeAll(list, NO_KEYS) === 'valid',
      onBelieved: (believed) => {
        listener.onBelieved?.(believed);
        judge.onBelieved(believed);
      },
    });
  }

  /** What correct and Byzantine clients have in common. */
  #partsOf(index: number, random: Prng) {
    const { definition, scenario, queue, genesis, seals, judge, listener } = this.#options;
    return {
      index,
      n: scenario.n,
      random,
      queue,
      rules: definition.client,
      send: (to: ReplicaId, bundle: Bundle): void => this.#send(index, to, { kind: 'bundle', bundle }),
      sendMessage: (to: ReplicaId, bytes: Uint8Array): void => {
        const message = definition.decode(bytes, genesis.decoding);
        if (message !== undefined) this.#send(index, to, { kind: 'protocol', message, isGenuine: false });
      },
      sign: (bundle: Bundle): void => seals.signAsClient(bundle.digest),
      onIssued: (txId: Digest, operation: Uint8Array): void => {
        listener.onIssued?.(index, txId, operation);
        judge.onIssued(txId, { client: index });
      },
    };
  }

  #send(client: number, to: ReplicaId, frame: CoreFrame<M>): void {
    const { links, chance, queue, mix, listener, deliver } = this.#options;
    const arrival = listener.onAsk?.(client, to, frame);
    const { loss, delayLowMs, delayHighMs, clientDistanceMs } = links();
    const site = client * 16 + to;
    if (chance.happens(SITE.client, 256 + site, loss)) return;
    const distance = clientDistanceMs?.[client]?.[to] ?? 0;
    queue.after(distance + chance.range(SITE.client, 512 + site, delayLowMs, delayHighMs), () => {
      mix(2, client, to, sumOfFrame(frame));
      if (listener.onClientFrame?.(client, to, frame) === false) return;
      arrival?.();
      deliver(client, to, frame);
      listener.onTaken?.();
    });
  }

  /** A machine answers. */
  answer(from: ReplicaId, client: number, reply: CoreReply): void {
    const { links, chance, queue, mix, listener } = this.#options;
    const arrival = listener.onReply?.(from, client, () => seeReply(reply));
    const { loss, delayLowMs, delayHighMs, clientDistanceMs } = links();
    const site = client * 16 + from;
    if (chance.happens(SITE.client, 768 + site, loss)) return;
    const distance = clientDistanceMs?.[client]?.[from] ?? 0;
    queue.after(distance + chance.range(SITE.client, 1024 + site, delayLowMs, delayHighMs), () => {
      mix(3, from, client, sumOfReply(reply));
      arrival?.();
      const { length } = this.clients;
      if (client < length) this.clients[client]!.onReply(reply);
      else this.#liars[client - length]?.onReply(reply);
    });
  }
}
