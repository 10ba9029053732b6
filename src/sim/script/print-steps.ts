/** Steps, conditions and messages of a script as text; what `parse-steps.ts` reads. */
import type { ReplicaId } from '../../core/types.ts';
import { printFault } from './plan.ts';
import type { Change, Condition, MessageFilter, Reference, Statement, Step, Writing } from './script.ts';

function list(replicas: readonly ReplicaId[]): string {
  return replicas.join(',');
}

/** A message by its label. */
function messageText(message: MessageFilter): string {
  const { kind = 'any', sequence, orHigher, view, counter, author } = message;
  const parts = [kind];
  if (sequence !== undefined) parts.push(`n${sequence}${orHigher === true ? '+' : ''}`);
  if (view !== undefined) parts.push(`of view ${view}`);
  if (counter !== undefined) parts.push(`counter ${counter}`);
  if (author !== undefined) parts.push(`by ${author}`);
  return parts.join(' ');
}

/** What happens, in the words of a script. */
export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'executed':
      return `${condition.replica} executed n${condition.sequence}`;
    case 'viewEntered':
      return `view ${condition.view} entered by ${list(condition.by)}`;
    case 'proven':
      return `${condition.replica} proven${condition.rule === undefined ? '' : ` ${condition.rule}`}`;
    case 'readmitted':
      return `${condition.replica} readmitted`;
    case 'transfer':
      return `${condition.replica} transfers`;
    case 'told':
      return `${condition.replica} tells ${condition.note}`;
    case 'heard':
      return `${condition.replica} heard ${messageText(condition.message)}`;
    case 'requested':
      return 'a request';
    case 'believed':
      return `${condition.count} results believed`;
    case 'time':
      return `time ${condition.atMs}`;
  }
}

function referenceText(reference: Reference): string {
  return reference.kind === 'named' ? reference.name : messageText(reference.message);
}

function referencesText(references: readonly Reference[]): string {
  return references.map(referenceText).join(' and ');
}

function statementText(statement: Statement): string {
  switch (statement.kind) {
    case 'PREPARE': {
      const place = statement.sequence === undefined ? 'next' : `n${statement.sequence}`;
      const after = statement.newView === undefined ? '' : ` after ${statement.newView}`;
      return `PREPARE ${place} of view ${statement.view} with ${statement.body}${after}`;
    }
    case 'COMMIT':
    case 'COMMIT-NEW-VIEW':
      return `${statement.kind} to ${statement.of === undefined ? 'genesis' : referenceText(statement.of)}`;
    case 'CHECKPOINT': {
      const like = statement.like === undefined ? 'of no state' : `like ${referenceText(statement.like)}`;
      return `CHECKPOINT n${statement.sequence} ${like}`;
    }
    case 'VIEW-CHANGE': {
      const stable = statement.stable.length === 0 ? '' : ` stable ${referencesText(statement.stable)}`;
      const anchor = statement.anchor === undefined ? '' : ` anchor ${referenceText(statement.anchor)}`;
      const vouchers =
        statement.vouchers === undefined ? '' : ` vouchers ${referencesText(statement.vouchers)}`;
      const log = referencesText(statement.log) || 'empty';
      return `VIEW-CHANGE to view ${statement.view} log ${log}${stable}${anchor}${vouchers}`;
    }
    case 'NEW-VIEW': {
      const { base } = statement;
      const other = base === undefined ? '' : ` base ${referencesText(base) || 'empty'}`;
      return `NEW-VIEW of ${referencesText(statement.of)}${other}`;
    }
  }
}

function writingText(writing: Writing): string {
  if (writing.kind === 'CHECKPOINT-PROOF')
    return `${writing.kind} of ${referencesText(writing.of)}${writing.linked ? ' linked' : ''}`;
  const vouchers = writing.vouchers.length === 0 ? '' : ` vouchers ${referencesText(writing.vouchers)}`;
  return `${writing.kind} to ${referenceText(writing.anchor)}${vouchers}`;
}

function changesText(but: readonly Change[] | undefined): string {
  if (but === undefined) return '';
  return ` but ${but.map(({ field, value }) => `${field} ${JSON.stringify(value)}`).join(' and ')}`;
}

/** One step as a line. */
export function stepText(step: Step): string {
  switch (step.kind) {
    case 'wait':
      return `wait until ${conditionText(step.condition)}`;
    case 'pass':
      return `wait ${step.forMs}`;
    case 'rule': {
      const { action, filter, name, until } = step;
      const parts = [action.kind, messageText(filter)];
      if (filter.from !== undefined) parts.push('from', list(filter.from));
      if (filter.to !== undefined) parts.push('to', list(filter.to));
      if (action.kind === 'delay') parts.push('by', String(action.byMs));
      if (name !== undefined) parts.push('as', name);
      if (until !== undefined) parts.push('until', conditionText(until));
      return parts.join(' ');
    }
    case 'cut': {
      const name = step.name === undefined ? '' : ` as ${step.name}`;
      if (step.others === undefined) return `isolate ${list(step.side)}${name}`;
      return `cut ${list(step.side)} from ${list(step.others)}${step.oneWay ? ' one-way' : ''}${name}`;
    }
    case 'release':
      return step.name === undefined ? 'heal' : `release ${step.name}`;
    case 'fault':
      return printFault(step.fault).replace(/^at \S+/, 'now');
    case 'perhaps':
      return 'perhaps';
    case 'clients':
      return `clients ${step.speak ? 'speak' : 'silent'}`;
    case 'machine':
      return `${step.verb} ${step.replica}`;
    case 'batch':
      return (
        `${step.puppet} makes ${step.name} from ${step.pick} request in view ${step.view}` +
        (step.recovers === undefined ? '' : ` with ${step.recovers.join(' and ')}`)
      );
    case 'seal': {
      const name = `${step.name}${step.anew === true ? ' anew' : ''}`;
      return `${step.puppet} seals ${name} = ${statementText(step.statement)}${changesText(step.but)}`;
    }
    case 'renew':
      return `${step.puppet} renews ${step.name}${changesText(step.but)}`;
    case 'rollback':
      return `${step.puppet} rolls back${step.fenced ? ' fenced' : ''}`;
    case 'write':
      return `${step.puppet} writes ${step.name} = ${writingText(step.writing)}`;
    case 'show':
      return `${step.puppet} shows ${referencesText(step.what)} to ${list(step.to)}`;
    case 'wish':
      return `${step.puppet} wishes view ${step.view} to ${list(step.to)}`;
  }
}
