/** Lines of a script that plan ahead: load of clients, faults at their times, decisions of chance. Both directions. */
import { SITE } from '../chance.ts';
import type { Fired } from '../chance.ts';
import type { ClientPlan, PlannedFault } from '../scenario.ts';
import { FORK_WAYS } from '../trusted-faults.ts';
import type { ForkPlan } from '../trusted-faults.ts';
import type { Json } from './settings.ts';
import type { Words } from './words.ts';

/** A client about whose load a script says nothing more. */
export const CLIENT_DEFAULT: ClientPlan = {
  bundles: 2,
  requestsPerBundle: 1,
  inFlight: 1,
  paceMs: 5,
  retransmitMs: 50,
  toAll: true,
};

const LINK_FAMILIES: readonly string[] = ['loss', 'duplicate', 'tail'];
/** Every kind of fault; the compiler sees to it that none is missing. */
const FAULT_KINDS: Readonly<Record<PlannedFault['kind'], true>> = {
  crash: true,
  pause: true,
  wipe: true,
  isolate: true,
  mute: true,
  deaf: true,
  partition: true,
  powercut: true,
  clockjump: true,
  bitrot: true,
  diskfail: true,
  slowdisk: true,
  fsynclie: true,
  component: true,
};
const FAULT_WORDS: readonly string[] = Object.keys(FAULT_KINDS);

/** `clients 2 bundles 3 of 1 every 5 in-flight 1 retransmit 50 to all` */
export function readClients(words: Words, start: ClientPlan): Json[] {
  const count = words.whole('a number of clients');
  const plan: Record<string, Json> = { ...start };
  while (!words.atEnd && !words.peek.includes('=')) {
    switch (words.one(['bundles', 'of', 'every', 'in-flight', 'retransmit', 'to'])) {
      case 'bundles':
        plan['bundles'] = words.whole('a number of bundles');
        break;
      case 'of':
        plan['requestsPerBundle'] = words.whole('requests of a bundle');
        break;
      case 'every':
        plan['paceMs'] = words.number('milliseconds');
        break;
      case 'in-flight':
        plan['inFlight'] = words.whole('bundles at once');
        break;
      case 'retransmit':
        plan['retransmitMs'] = words.number('milliseconds');
        break;
      case 'to':
        plan['toAll'] = words.one(['all', 'primary']) === 'all';
        break;
    }
  }
  const rest = readRest(words);
  return Array.from({ length: count }, () => ({ ...plan, ...rest }));
}

/** Equal clients that follow each other share a line. */
export function printClients(clients: readonly ClientPlan[]): string[] {
  const lines: { text: string; count: number }[] = [];
  for (const client of clients) {
    const { bundles, requestsPerBundle, inFlight, paceMs, retransmitMs, toAll, ...rest } = client;
    const text =
      `bundles ${bundles} of ${requestsPerBundle} every ${paceMs} in-flight ${inFlight} ` +
      `retransmit ${retransmitMs} to ${toAll ? 'all' : 'primary'}${restText(rest)}`;
    const last = lines.at(-1);
    if (last?.text === text) last.count += 1;
    else lines.push({ text, count: 1 });
  }
  return lines.map(({ text, count }) => `clients ${count} ${text}`);
}

/** `at 12 crash 2 for 300` */
export function readFault(words: Words): Json {
  return faultAt(words.number('milliseconds'), words);
}

/** `crash 2 for 300`, after the verb `now`. */
export function readFaultNow(words: Words): PlannedFault {
  return faultAt(0, words) as unknown as PlannedFault;
}

function faultAt(atMs: number, words: Words): Json {
  const kind = words.one(FAULT_WORDS);
  const fault: Record<string, Json> = { kind, atMs, forMs: 0 };
  if (kind === 'partition') {
    fault['side'] = words.skip('nobody') ? [] : words.replicas();
    fault['symmetric'] = true;
  } else if (kind !== 'powercut') {
    fault['target'] = words.skip('primary') ? { kind: 'primary' } : { kind: 'replica', id: words.replica() };
  }
  words.must('for');
  fault['forMs'] = words.number('milliseconds');
  if (kind === 'partition' && words.skip('one-way')) fault['symmetric'] = false;
  return { ...fault, ...readRest(words) };
}

/** A line for a fault. */
export function printFault(fault: PlannedFault): string {
  const { kind, atMs, forMs, ...rest } = fault;
  const words = [`at ${atMs} ${kind}`];
  let oneWay = '';
  const left: Record<string, unknown> = { ...rest };
  if (fault.kind === 'partition') {
    words.push(fault.side.join(',') || 'nobody');
    oneWay = fault.symmetric ? '' : ' one-way';
    delete left['side'];
    delete left['symmetric'];
  } else if ('target' in fault) {
    words.push(fault.target.kind === 'primary' ? 'primary' : String(fault.target.id));
    delete left['target'];
  }
  return `${words.join(' ')} for ${forMs}${oneWay}${restText(left)}`;
}

/** `forker 0 by snapshot shows 1,2 patience 3 at 20 fenced` */
export function readForker(words: Words): Json {
  const replica = words.replica();
  words.must('by');
  const way = words.one(FORK_WAYS);
  words.must('shows');
  const others = words.replicas();
  const patience = words.skip('patience') ? words.whole('a number of proposals') : 0;
  const atMs = words.skip('at') ? words.number('milliseconds') : 0;
  const fence = words.skip('fenced');
  return { replica, way, fence, atMs, others, patience, ...readRest(words) };
}

/** A line for a forker. */
export function printForker({ replica, way, fence, atMs, others, patience, ...rest }: ForkPlan): string {
  const when = atMs === 0 ? '' : ` at ${atMs}`;
  const waits = patience === 0 ? '' : ` patience ${patience}`;
  return `forker ${replica} by ${way} shows ${others.join(',')}${waits}${when}${fence ? ' fenced' : ''}${restText(rest)}`;
}

/** `fires loss 0>1 17` */
export function readFires(words: Words, n: number): Json[] {
  if (words.skip('nothing')) return [];
  const name = words.one(Object.keys(SITE));
  const family = SITE[name as keyof typeof SITE];
  const link = /^(\d+)>(\d+)$/.exec(words.peek);
  if (!LINK_FAMILIES.includes(name) || link === null) {
    const member = words.whole('a number');
    return [{ family, member, ordinal: words.whole('which decision of that site') }];
  }
  words.take('');
  const member = Number(link[1]) * n + Number(link[2]);
  return [{ family, member, ordinal: words.whole('which frame of that link, from 0 on') }];
}

/** Lines for decisions of chance. */
export function printFires(fires: readonly Fired[], n: number): string[] {
  if (fires.length === 0) return ['fires nothing'];
  return fires.map(({ family, member, ordinal }) => {
    const name = Object.entries(SITE).find(([, number]) => number === family)?.[0] ?? String(family);
    const place = LINK_FAMILIES.includes(name) ? `${Math.floor(member / n)}>${member % n}` : String(member);
    return `fires ${name} ${place} ${ordinal}`;
  });
}

/** Fields that there are no words of their own for, as `name=value` at the end of the line; `readRest` reads them. */
export function restText(rest: object): string {
  return Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${isBare(value) ? value : JSON.stringify(value)}`)
    .join('');
}

/** Reads `name=value` to the end of the line: a word, or JSON without spaces. */
export function readRest(words: Words): Record<string, Json> {
  const rest: Record<string, Json> = {};
  while (!words.atEnd) {
    const match = /^([a-zA-Z]\w*)=(.+)$/.exec(words.peek);
    if (match === null) words.fail('the end of the line, or name=value');
    const [, name, text] = match;
    words.take('');
    rest[name!] = isBare(text) ? text : words.jsonOf(text!);
  }
  return rest;
}

function isBare(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z][a-zA-Z-]*$/.test(value) && !/^(true|false|null)$/.test(value);
}
