/** Reads the steps of a script: waiting, rules about messages, machines, and what puppets say. */
import type { ReplicaId } from '../../core/types.ts';
import type {
  Change,
  Condition,
  LinkFilter,
  MessageFilter,
  Reference,
  Statement,
  Step,
  Writing,
} from './script.ts';
import { readFaultNow } from './plan.ts';
import type { Words } from './words.ts';

/** How each verb of a step is used; what a person reads in `docs/testing.md` and in complaints. */
export const STEP_USAGE = {
  wait: 'wait MS | wait until CONDITION',
  drop: 'drop MESSAGE [from A,B] [to C,D] [as NAME] [until CONDITION]',
  hold: 'hold MESSAGE [from A,B] [to C,D] [as NAME] [until CONDITION]',
  delay: 'delay MESSAGE [from A,B] [to C,D] by MS [as NAME] [until CONDITION]',
  cut: 'cut A,B from C,D [one-way] [as NAME]',
  isolate: 'isolate A [as NAME]',
  release: 'release NAME',
  heal: 'heal',
  clients: 'clients silent | clients speak',
  now: 'now KIND A|primary for MS [NAME=VALUE] | now partition A,B for MS | now powercut for MS',
  perhaps: 'perhaps',
  crash: 'crash A',
  restart: 'restart A',
  wipe: 'wipe A',
  pause: 'pause A',
  resume: 'resume A',
} as const;

/** What puppets can be made to do. */
const PUPPET_USAGE = {
  makes: 'P makes NAME from first|last request in view V [with RECOVER-NAME and RECOVER-NAME ...]',
  seals: 'P seals NAME [anew] = STATEMENT [but FIELD VALUE and FIELD VALUE ...]',
  renews: 'P renews NAME [but FIELD VALUE ...]',
  rolls: 'P rolls back [fenced]',
  writes:
    'P writes NAME = STREAM-SYNC to MESSAGE [vouchers MESSAGE and ...] | CHECKPOINT-PROOF of MESSAGE and ... [linked]',
  shows: 'P shows MESSAGE [and MESSAGE ...] to A,B',
  wishes: 'P wishes view V to A,B',
} as const;

/** What a puppet may have certified. */
const STATEMENT_USAGE = [
  'PREPARE nN of view V with BODY [after NEW-VIEW-NAME]',
  'COMMIT to MESSAGE',
  'COMMIT-NEW-VIEW to MESSAGE|genesis',
  'CHECKPOINT nN like MESSAGE | CHECKPOINT nN of no state',
  'VIEW-CHANGE to view V log empty|MESSAGE [and MESSAGE ...] [stable MESSAGE and ...] [anchor MESSAGE] [vouchers MESSAGE and ...]',
  'NEW-VIEW of MESSAGE and MESSAGE ... [base empty|MESSAGE and ...]',
] as const;

/** What a step may wait for and an expectation may name. */
const CONDITION_USAGE = [
  'A executed nN',
  'view V entered by A,B',
  'A proven [RULE]',
  'A readmitted',
  'A transfers',
  'A tells NOTE',
  'A heard MESSAGE',
  'a request',
  'N results believed',
  'time MS',
] as const;

type Verb = keyof typeof STEP_USAGE;

/** Whether a line with this first word is a step. */
export function isStep(word: string): boolean {
  return Object.hasOwn(STEP_USAGE, word) || /^\d+$/.test(word);
}

/** Reads one step. `isPuppet` says who may speak. */
export function readStep(words: Words, isPuppet: (replica: ReplicaId) => boolean): Step {
  const step = /^\d+$/.test(words.peek) ? readPuppet(words, isPuppet) : readPlain(words);
  words.end();
  return step;
}

function readPlain(words: Words): Step {
  const verb = words.take('a verb') as Verb;
  words.usage = STEP_USAGE[verb];
  switch (verb) {
    case 'wait':
      if (words.skip('until')) return { kind: 'wait', condition: readCondition(words) };
      return { kind: 'pass', forMs: words.number('milliseconds or "until"') };
    case 'drop':
    case 'hold':
    case 'delay':
      return readRule(words, verb);
    case 'cut': {
      const side = words.replicas();
      words.must('from');
      const others = words.replicas();
      const oneWay = words.skip('one-way');
      return { kind: 'cut', side, others, oneWay, name: readAs(words) };
    }
    case 'isolate':
      return { kind: 'cut', side: [words.replica()], others: undefined, oneWay: false, name: readAs(words) };
    case 'release':
      return { kind: 'release', name: words.name('the name of a rule') };
    case 'heal':
      return { kind: 'release', name: undefined };
    case 'now':
      return { kind: 'fault', fault: readFaultNow(words) };
    case 'perhaps':
      return { kind: 'perhaps' };
    case 'clients':
      return { kind: 'clients', speak: words.one(['silent', 'speak']) === 'speak' };
    case 'crash':
    case 'restart':
    case 'wipe':
    case 'pause':
    case 'resume':
      return { kind: 'machine', verb, replica: words.replica() };
  }
}

function readAs(words: Words): string | undefined {
  return words.skip('as') ? words.name('a name in lower case') : undefined;
}

function readRule(words: Words, verb: 'drop' | 'hold' | 'delay'): Step {
  const message = readMessage(words);
  const from = words.skip('from') ? words.replicas() : undefined;
  const to = words.skip('to') ? words.replicas() : undefined;
  let byMs = 0;
  if (verb === 'delay') {
    words.must('by');
    byMs = words.number('milliseconds');
  }
  const filter: LinkFilter = {
    ...message,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const name = readAs(words);
  const until = words.skip('until') ? readCondition(words) : undefined;
  return {
    kind: 'rule',
    action: verb === 'delay' ? { kind: verb, byMs } : { kind: verb },
    filter,
    name,
    until,
  };
}

/** Reads the name of a message: its kind, and what else must be on its label. */
function readMessage(words: Words): MessageFilter {
  const filter: { -readonly [K in keyof MessageFilter]: MessageFilter[K] } = {};
  if (!words.skip('any')) {
    if (!/^([A-Z][A-Z-]+|body|bundle|fetchBody|headerSignature|chunks|blocks)$/.test(words.peek))
      words.fail('a kind of message in capitals, like COMMIT, or "any"');
    filter.kind = words.take('');
  }
  for (;;) {
    if (words.isSequence) {
      const text = words.take('').slice(1);
      filter.sequence = Number.parseInt(text, 10);
      if (text.endsWith('+')) filter.orHigher = true;
    } else if (words.skip('of')) {
      words.must('view');
      filter.view = words.whole('the number of a view');
    } else if (words.skip('counter')) filter.counter = words.whole('a counter value');
    else if (words.peek === 'by' && filter.author === undefined && !isDelayBy(words)) {
      words.must('by');
      filter.author = words.replica();
    } else return filter;
  }
}

/** The last `by` of a `delay` says by how much; one before it names the author. */
function isDelayBy(words: Words): boolean {
  return words.usage === STEP_USAGE.delay && words.left('by') < 2;
}

/** Reads what happens. */
export function readCondition(words: Words): Condition {
  if (words.skip('a')) {
    words.must('request');
    return { kind: 'requested' };
  }
  if (words.skip('time')) return { kind: 'time', atMs: words.number('milliseconds') };
  if (words.skip('view')) {
    const view = words.whole('the number of a view');
    words.must('entered', 'by');
    return { kind: 'viewEntered', view, by: words.replicas() };
  }
  words.skip('replica');
  if (!/^\d+$/.test(words.peek)) words.fail(`a condition (${CONDITION_USAGE.join('; ')})`);
  const number = words.whole('a number');
  if (words.skip('results')) {
    words.must('believed');
    return { kind: 'believed', count: number };
  }
  const replica = number;
  switch (words.one(['executed', 'proven', 'readmitted', 'transfers', 'tells', 'heard'])) {
    case 'executed':
      return { kind: 'executed', replica, sequence: words.sequence() };
    case 'proven':
      return { kind: 'proven', replica, rule: words.atEnd ? undefined : words.take('a rule') };
    case 'readmitted':
      return { kind: 'readmitted', replica };
    case 'transfers':
      return { kind: 'transfer', replica };
    case 'tells':
      return { kind: 'told', replica, note: words.take('the name of a note') };
    case 'heard':
      return { kind: 'heard', replica, message: readMessage(words) };
  }
}

function readPuppet(words: Words, isPuppet: (replica: ReplicaId) => boolean): Step {
  words.usage = Object.values(PUPPET_USAGE).join(' | ');
  const puppet = words.replica();
  if (!isPuppet(puppet)) words.fail(`a verb; replica ${puppet} is no puppet (puppet ${puppet})`);
  const verb = words.one(['makes', 'seals', 'renews', 'rolls', 'writes', 'shows', 'wishes']);
  words.usage = PUPPET_USAGE[verb];
  switch (verb) {
    case 'makes': {
      const name = words.name('a name in lower case');
      words.must('from');
      const pick = words.one(['first', 'last']);
      words.must('request', 'in', 'view');
      const view = words.whole('the number of a view');
      if (!words.skip('with')) return { kind: 'batch', puppet, name, view, pick };
      const recovers = [words.name('the name of a RECOVER')];
      while (words.skip('and')) recovers.push(words.name('the name of a RECOVER'));
      return { kind: 'batch', puppet, name, view, pick, recovers };
    }
    case 'seals': {
      const name = words.name('a name in lower case');
      const anew = words.skip('anew') ? ({ anew: true } as const) : {};
      words.must('=');
      words.usage = STATEMENT_USAGE.join(' | ');
      return { kind: 'seal', puppet, name, statement: readStatement(words), ...anew, ...readChanges(words) };
    }
    case 'renews': {
      const name = words.name('a name in lower case');
      return { kind: 'renew', puppet, name, ...readChanges(words) };
    }
    case 'rolls': {
      words.must('back');
      return { kind: 'rollback', puppet, fenced: words.skip('fenced') };
    }
    case 'writes': {
      const name = words.name('a name in lower case');
      words.must('=');
      return { kind: 'write', puppet, name, writing: readWriting(words) };
    }
    case 'shows': {
      const what = readReferences(words);
      words.must('to');
      return { kind: 'show', puppet, what, to: words.replicas() };
    }
    case 'wishes': {
      words.must('view');
      const view = words.whole('the number of a view');
      words.must('to');
      return { kind: 'wish', puppet, view, to: words.replicas() };
    }
  }
}

function readReference(words: Words): Reference {
  if (/^[a-z][a-z0-9-]*$/.test(words.peek)) return { kind: 'named', name: words.take('') };
  return { kind: 'heard', message: readMessage(words) };
}

function readReferences(words: Words): Reference[] {
  const found = [readReference(words)];
  while (words.skip('and')) found.push(readReference(words));
  return found;
}

/** `but FIELD VALUE and FIELD VALUE`: what is said instead of what would be right. */
function readChanges(words: Words): { readonly but?: readonly Change[] } {
  if (!words.skip('but')) return {};
  const but: Change[] = [];
  do {
    const field = words.take('the path of a field');
    const value = words.jsonOf(words.take('a value'));
    if (typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'boolean')
      words.fail('a number, a text or a truth value');
    but.push({ field, value });
  } while (words.skip('and'));
  return { but };
}

function readWriting(words: Words): Writing {
  if (words.one(['STREAM-SYNC', 'CHECKPOINT-PROOF']) === 'STREAM-SYNC') {
    words.must('to');
    const anchor = readReference(words);
    return { kind: 'STREAM-SYNC', anchor, vouchers: words.skip('vouchers') ? readReferences(words) : [] };
  }
  words.must('of');
  const of = readReferences(words);
  return { kind: 'CHECKPOINT-PROOF', of, linked: words.skip('linked') };
}

function readStatement(words: Words): Statement {
  const kind = words.one(['PREPARE', 'COMMIT', 'COMMIT-NEW-VIEW', 'CHECKPOINT', 'VIEW-CHANGE', 'NEW-VIEW']);
  switch (kind) {
    case 'PREPARE': {
      const sequence = words.skip('next') ? undefined : words.sequence();
      words.must('of', 'view');
      const view = words.whole('the number of a view');
      words.must('with');
      const body = words.name('the name of a body');
      const newView = words.skip('after') ? words.name('the name of a NEW-VIEW') : undefined;
      if (sequence === undefined && newView === undefined)
        words.fail('"after" and the NEW-VIEW that it follows');
      return { kind, view, sequence, body, newView };
    }
    case 'COMMIT':
      words.must('to');
      return { kind, of: readReference(words) };
    case 'COMMIT-NEW-VIEW':
      words.must('to');
      return { kind, of: words.skip('genesis') ? undefined : readReference(words) };
    case 'CHECKPOINT': {
      const sequence = words.sequence();
      if (words.skip('like')) return { kind, sequence, like: readReference(words) };
      words.must('of', 'no', 'state');
      return { kind, sequence, like: undefined };
    }
    case 'VIEW-CHANGE': {
      words.must('to', 'view');
      const view = words.whole('the number of a view');
      words.must('log');
      const log = words.skip('empty') ? [] : readReferences(words);
      const stable = words.skip('stable') ? readReferences(words) : [];
      const anchor = words.skip('anchor') ? { anchor: readReference(words) } : {};
      const vouchers = words.skip('vouchers') ? { vouchers: readReferences(words) } : {};
      return { kind, view, log, stable, ...anchor, ...vouchers };
    }
    case 'NEW-VIEW': {
      words.must('of');
      const of = readReferences(words);
      if (!words.skip('base')) return { kind, of };
      return { kind, of, base: words.skip('empty') ? [] : readReferences(words) };
    }
  }
}
