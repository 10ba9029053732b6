/** What has happened in a run so far, as conditions and expectations ask for it. */
import type { RuleTrace } from '../../core/protocol.ts';
import type { ReplicaId, SequenceNumber } from '../../core/types.ts';
import type { NoteDetail } from '../listener.ts';
import type { Condition, LinkFilter, MessageFilter } from './script.ts';
import type { Label } from './seen.ts';

/** Whether a label is one of those that are meant. */
export function fits(filter: MessageFilter, label: Label): boolean {
  const { kind, sequence, orHigher, view, counter, author } = filter;
  if (kind !== undefined && kind !== label.kind) return false;
  if (view !== undefined && view !== label.view) return false;
  if (counter !== undefined && counter !== label.counter) return false;
  if (author !== undefined && author !== label.author) return false;
  if (sequence === undefined) return true;
  if (label.sequence === undefined) return false;
  return orHigher === true ? label.sequence >= sequence : label.sequence === sequence;
}

/** Whether a message on a link is one of those that a rule is about. */
export function fitsLink(filter: LinkFilter, from: ReplicaId, to: ReplicaId, label: Label): boolean {
  if (filter.from !== undefined && !filter.from.includes(from)) return false;
  if (filter.to !== undefined && !filter.to.includes(to)) return false;
  return fits(filter, label);
}

/** See the top of this file. */
export class Facts {
  readonly #executed = new Map<ReplicaId, SequenceNumber>();
  /** `view/replica`, `replica/rule`, `replica`, `replica/note`: each once. */
  readonly #views = new Set<string>();
  readonly #proven = new Map<ReplicaId, Set<string>>();
  readonly #readmitted = new Set<ReplicaId>();
  readonly #notes = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #heard = new Map<ReplicaId, Label[]>();
  #requests = 0;
  #believed = 0;
  readonly #stands: (replica: ReplicaId) => SequenceNumber;

  /** `stands`: through which sequence number a replica has executed or taken over the state, if it is up. */
  constructor(stands: (replica: ReplicaId) => SequenceNumber = () => 0) {
    this.#stands = stands;
  }

  onExecuted(replica: ReplicaId, sequence: SequenceNumber): void {
    this.#executed.set(replica, Math.max(sequence, this.#executed.get(replica) ?? 0));
  }

  onNote(replica: ReplicaId, name: string, detail: NoteDetail): void {
    this.#notes.add(`${replica}/${name}`);
    if (name === 'viewEntered' || name === 'enteredView')
      this.#views.add(`${String(detail['view'])}/${replica}`);
    if (name === 'incarnation') this.#readmitted.add(Number(detail['replica']));
    if (name !== 'evidence') return;
    const against = Number(detail['against']);
    this.#proven.set(against, (this.#proven.get(against) ?? new Set()).add(String(detail['rule'])));
  }

  onRule({ rule, passed }: RuleTrace): void {
    if (!passed) this.#refused.add(rule);
  }

  /** Whether anything was refused by this rule. */
  hasRefused(rule: string): boolean {
    return this.#refused.has(rule);
  }

  onHeard(replica: ReplicaId, label: Label): void {
    const heard = this.#heard.get(replica);
    if (heard === undefined) this.#heard.set(replica, [label]);
    else heard.push(label);
  }

  onRequest(): void {
    this.#requests += 1;
  }

  onBelieved(): void {
    this.#believed += 1;
  }

  holds(condition: Condition, nowMs: number): boolean {
    switch (condition.kind) {
      case 'executed':
        return (
          (this.#executed.get(condition.replica) ?? 0) >= condition.sequence ||
          this.#stands(condition.replica) >= condition.sequence
        );
      case 'viewEntered':
        return condition.by.every((replica) => this.#views.has(`${condition.view}/${replica}`));
      case 'proven': {
        const rules = this.#proven.get(condition.replica);
        return rules !== undefined && (condition.rule === undefined || rules.has(condition.rule));
      }
      case 'readmitted':
        return this.#readmitted.has(condition.replica);
      case 'transfer':
        return this.#notes.has(`${condition.replica}/transfer`);
      case 'told':
        return this.#notes.has(`${condition.replica}/${condition.note}`);
      case 'heard':
        return (this.#heard.get(condition.replica) ?? []).some((label) => fits(condition.message, label));
      case 'requested':
        return this.#requests > 0;
      case 'believed':
        return this.#believed >= condition.count;
      case 'time':
        return nowMs >= condition.atMs;
    }
  }
}
