/**
 * Lies on the wire: what a Byzantine host does with frames that its own correct logic made. It drops, holds back,
 * repeats and damages its own frames, and signs wrong answers to clients with its own key. It never touches what others
 * send, and never forges.
 */
import { decodeReplicaFrame, encodeReplicaFrame } from '../core/client-wire.ts';
import type { WireResult } from '../core/client-wire.ts';
import type { Domain } from '../core/domain.ts';
import type { Prng } from '../core/prng.ts';
import type { Hash, Milliseconds, ReplicaId } from '../core/types.ts';
import type { Signer } from '../crypto/port.ts';
import { replyDigest } from '../host/client-desk.ts';
import { decodeLinkFrame } from '../host/link-frames.ts';
import type { HostPorts, NetworkPort } from '../host/ports.ts';
import { delayed, drawnDelay, silenced, withheld } from './quiet-links.ts';
import type { Behaviour, Lie } from './behaviours.ts';
import { partsOf } from './behaviours.ts';
import { alteredBytes, lieInTransfer, spoilChunks } from './transfer-liar.ts';

/** What lies on the wire are made of. */
export interface WireLiarOptions {
  readonly self: ReplicaId;
  /** Number of replicas. */
  readonly n: number;
  readonly domain: Domain;
  readonly hash: Hash;
  /** The liar's own host key: its wrong replies are authentic. */
  readonly signer: Signer;
  readonly random: Prng;
  /** Runs an action later; the world's timer. */
  readonly after: (delayMs: Milliseconds, action: () => void) => void;
  /** About how long the others wait before they suspect (requestMs of the cluster). */
  readonly patienceMs: Milliseconds;
  /** Lies so that it shows: a demonstration does not depend on chance. */
  readonly eager?: boolean;
}

/** Frames that `replay` remembers. */
const MEMORY = 128;
/** Bytes above which a frame is not remembered. */
const REMEMBERED_BYTES_MAX = 64 * 1024;

/** The ports of a host, with the network lying as `lie` says; other behaviours leave the wire as it is. */
export function wrapPorts(lie: Lie, options: WireLiarOptions, ports: HostPorts): HostPorts {
  let { network } = ports;
  for (const behaviour of partsOf(lie)) network = wrapNetwork(behaviour, options, network) ?? network;
  return network === ports.network ? ports : { ...ports, network };
}

function wrapNetwork(
  behaviour: Behaviour,
  options: WireLiarOptions,
  network: NetworkPort,
): NetworkPort | undefined {
  switch (behaviour) {
    case 'silent':
      return silenced(options.random, network);
    case 'delay':
      return delays(options, network);
    case 'withhold':
      return withheld(options.random, options.n, (frame) => decodeLinkFrame(frame)?.kind === 'body', network);
    case 'replay':
      return replays(options, network);
    case 'corrupt-reply':
      return { ...passing(network), toClient: (link, frame) => network.toClient(link, lie(options, frame)) };
    case 'lie-checkpoint':
      return {
        ...passing(network),
        toPeer: (to, frame) => network.toPeer(to, spoilChunks(options.random, frame)),
      };
    case 'lie-transfer':
      return {
        ...passing(network),
        toPeer: (to, frame) => {
          const lie = lieInTransfer(options.random, frame);
          if (lie !== undefined) network.toPeer(to, lie);
        },
      };
    default:
      return undefined;
  }
}

function passing(network: NetworkPort): NetworkPort {
  return {
    toPeer: (to, frame) => network.toPeer(to, frame),
    toClient: (link, frame) => network.toClient(link, frame),
  };
}

/** Timers of processes count whole milliseconds. */
function delays(options: WireLiarOptions, network: NetworkPort): NetworkPort {
  const { random, after, patienceMs } = options;
  const drawn = drawnDelay(random, patienceMs);
  const high = options.eager === true ? patienceMs * 1.5 : drawn;
  return delayed(random, high, (delayMs, action) => after(Math.floor(delayMs), action), network);
}

function replays(options: WireLiarOptions, network: NetworkPort): NetworkPort {
  const { random, n, self } = options;
  const remembered: Uint8Array[] = [];
  const again = (): void => {
    const to = random.between(0, n - 1);
    if (to === self || remembered.length === 0) return;
    const frame = random.pick(remembered);
    network.toPeer(to, random.chance(0.3) ? damaged(random, frame) : frame);
  };
  return {
    ...passing(network),
    toPeer: (to, frame) => {
      network.toPeer(to, frame);
      if (frame.length <= REMEMBERED_BYTES_MAX) {
        if (remembered.length < MEMORY) remembered.push(frame);
        else remembered[random.between(0, MEMORY - 1)] = frame;
      }
      if (random.chance(0.3)) again();
    },
  };
}

function damaged(random: Prng, frame: Uint8Array): Uint8Array {
  if (frame.length === 0) return frame;
  if (random.chance(0.2)) return frame.subarray(0, random.between(0, frame.length - 1));
  const copy = frame.slice();
  const at = random.between(0, copy.length - 1);
  copy[at] = copy[at]! ^ (1 << random.between(0, 7));
  return copy;
}

/** A reply with one wrong result, newly signed; other frames as they are. */
function lie(options: WireLiarOptions, frame: Uint8Array): Uint8Array {
  const reply = decodeReplicaFrame(frame);
  if (reply?.kind === 'readAnswer') {
    return encodeReplicaFrame({ ...reply, result: alteredBytes(options.random, reply.result) });
  }
  if (reply?.kind !== 'reply' || reply.results.length === 0) return frame;
  const wrong = options.random.between(0, reply.results.length - 1);
  const results = reply.results.map((result, index) =>
    index === wrong ? alteredResult(options.random, result) : result,
  );
  const content = { ...reply, results };
  const signature = options.signer.sign(replyDigest(options.hash, options.domain, content));
  return encodeReplicaFrame({ ...content, signature });
}

function alteredResult(random: Prng, result: WireResult): WireResult {
  if (random.chance(0.2)) return { ...result, sequence: result.sequence + 1 };
  if (random.chance(0.2)) return { ...result, height: result.height + 1 };
  return { ...result, result: alteredBytes(random, result.result) };
}
