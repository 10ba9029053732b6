/** Lies in what no counter seals: progress reports, answers to replicas that catch up, wishes for other views. */
import {
  requestViewChange,
  requestViewChangeDigest,
  viewChangeContent,
} from '../../smr/usig-stream/builders.ts';
import type {
  CheckpointCertificate,
  CheckpointProof,
  MinbftMessage,
  Status,
  StreamSync,
} from '../../smr/usig-stream/messages.ts';
import type { ReplicaId, View } from '../../core/types.ts';
import { someOf } from './order.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

const HIGHEST = Number.MAX_SAFE_INTEGER;

/** Reports progress that nobody made, and then less than before. */
export function inflate(desk: LiarDesk): Strategy {
  const { random } = desk;
  const period = random.pick([1, 3, 8]);
  const most = random.pick([HIGHEST, HIGHEST, 2 ** 32, 50]);
  const fields = new Set(
    (['executed', 'stable', 'view', 'committedView', 'streams'] as const).filter(() => random.chance(0.6)),
  );
  let count = 0;
  const claim = (status: Status): Status => {
    const high = Math.floor(count / period) % 2 === 0;
    const of = (name: 'executed' | 'stable' | 'view' | 'committedView', value: number): number => {
      if (!fields.has(name)) return value;
      return high ? most : Math.max(0, value - random.between(0, 9));
    };
    const streams = fields.has('streams')
      ? status.streams.map((one) => ({ ...one, counter: high ? most : Math.max(0, one.counter - 5) }))
      : status.streams;
    return {
      ...status,
      executed: of('executed', status.executed),
      stable: of('stable', status.stable),
      view: of('view', status.view),
      committedView: of('committedView', status.committedView),
      streams,
    };
  };
  return {
    tells: (message) => {
      if (message.kind !== 'STATUS') return [message];
      count += 1;
      desk.lied('status');
      return [claim(message)];
    },
  };
}

function otherCertificate(desk: LiarDesk, certificate: CheckpointCertificate): CheckpointCertificate {
  const { random, heard, context } = desk;
  const old = heard.certificates[0] ?? certificate;
  const first = certificate.checkpoints[0]!;
  return random.pick([
    old,
    { checkpoints: certificate.checkpoints.slice(0, -1) },
    { checkpoints: certificate.checkpoints.map(() => first) },
    { checkpoints: [...certificate.checkpoints.slice(0, -1), heard.checkpoints[0] ?? first] },
    { checkpoints: heard.checkpoints.slice(-(context.f + 1)) },
  ]);
}

/** Lies to replicas that catch up, as far as messages of the protocol go. */
export function lieTransfer(desk: LiarDesk): Strategy {
  const { random, heard } = desk;
  const often = desk.eager ? 1 : random.pick([0.3, 1]);
  const proof = (message: CheckpointProof): CheckpointProof => {
    const links = random.chance(0.5) ? message.links.slice(1) : message.links.toReversed();
    return { ...message, certificate: otherCertificate(desk, message.certificate), links };
  };
  const sync = (message: StreamSync): StreamSync => {
    const others = heard.checkpoints.filter((one) => one.ui.replica === message.author);
    return random.pick([
      { ...message, vouchers: [] },
      { ...message, vouchers: heard.checkpoints.slice(-message.vouchers.length) },
      { ...message, anchor: others.at(-1) ?? message.anchor },
      { ...message, author: (message.author + 1) % desk.n },
    ]);
  };
  return {
    tells: (message) => {
      if (message.kind !== 'CHECKPOINT-PROOF' && message.kind !== 'STREAM-SYNC') return [message];
      if (!random.chance(often)) return [message];
      desk.lied(message.kind);
      const lie: MinbftMessage = message.kind === 'STREAM-SYNC' ? sync(message) : proof(message);
      return random.chance(0.1) ? [] : [lie];
    },
  };
}

/** Asks for other views all the time. */
export function spamViews(desk: LiarDesk): Strategy {
  const { random, self, context, settings } = desk;
  const everyMs = settings.timers.requestMs * random.pick([0.2, 0.7, 2]);
  const far = random.pick([1, 3, 50, 2 ** 40, HIGHEST]);
  const leaves = random.chance(0.3);
  let aims: ReadonlySet<ReplicaId> = someOf(desk);
  let started = false;
  let rounds = 0;

  const ask = (target: View): void => {
    if (desk.sign === undefined) return;
    const signature = desk.sign(requestViewChangeDigest(context, self, target));
    for (const to of aims) desk.send(to, requestViewChange(context, self, target, signature));
    desk.lied(target > 1_000 ? 'far view' : 'wish');
  };
  const leave = (target: View): void => {
    const parts = { view: target, stable: undefined, anchor: undefined, vouchers: [], log: [] };
    desk.insert(viewChangeContent(context, parts));
    desk.lied('VIEW-CHANGE out of nowhere');
  };
  const round = (): void => {
    rounds += 1;
    const { view } = desk.inspect();
    const target = Math.min(HIGHEST, view + (random.chance(0.5) ? 1 : far));
    ask(target);
    if (leaves && rounds === 6) leave(target);
    if (random.chance(0.3)) aims = someOf(desk);
    desk.later(everyMs, round);
  };
  return {
    hears: (input) => {
      if (input.kind !== 'start' && !started) {
        started = true;
        desk.later(everyMs, round);
      }
      return true;
    },
  };
}
