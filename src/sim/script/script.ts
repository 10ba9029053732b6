/**
 * A scenario script as data: what a text file of `scenarios/` says. A scenario (settings, planned faults, lies, load),
 * steps that are taken one after the other, some of them when something has happened, and what is expected of the run.
 */
import type { ReplicaId, SequenceNumber, View } from '../../core/types.ts';
import type { JudgeName } from '../judge.ts';
import type { Fidelity } from '../run-schedule.ts';
import type { PlannedFault, Scenario } from '../scenario.ts';

/** What is wrong with a script, for its author. `line` counts from 1; 0 if it is about the script as a whole. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly line: number;

  constructor(line: number, text: string) {
    super(line === 0 ? text : `line ${line}: ${text}`);
    this.line = line;
  }
}

/** Picks messages by what stands on their label; what is undefined does not matter. */
export interface MessageFilter {
  /** Kind of message (`COMMIT`) or frame (`body`); undefined: any. */
  readonly kind?: string;
  readonly sequence?: SequenceNumber;
  /** `sequence` or higher. */
  readonly orHigher?: boolean;
  readonly view?: View;
  readonly counter?: number;
  /** Who made it. */
  readonly author?: ReplicaId;
}

/** A rule about messages on links. */
export interface LinkFilter extends MessageFilter {
  readonly from?: readonly ReplicaId[];
  readonly to?: readonly ReplicaId[];
}

/** Something that happens in a run; true from then on. */
export type Condition =
  | { readonly kind: 'executed'; readonly replica: ReplicaId; readonly sequence: SequenceNumber }
  | { readonly kind: 'viewEntered'; readonly view: View; readonly by: readonly ReplicaId[] }
  | { readonly kind: 'proven'; readonly replica: ReplicaId; readonly rule: string | undefined }
  | { readonly kind: 'readmitted'; readonly replica: ReplicaId }
  | { readonly kind: 'transfer'; readonly replica: ReplicaId }
  | { readonly kind: 'told'; readonly replica: ReplicaId; readonly note: string }
  | { readonly kind: 'heard'; readonly replica: ReplicaId; readonly message: MessageFilter }
  | { readonly kind: 'requested' }
  | { readonly kind: 'believed'; readonly count: number }
  | { readonly kind: 'time'; readonly atMs: number };

/** What is done to the messages that a rule picks. */
export type RuleAction =
  { readonly kind: 'drop' } | { readonly kind: 'hold' } | { readonly kind: 'delay'; readonly byMs: number };

/** A message or body that a puppet says: by the name it was given, or one that it heard. */
export type Reference =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'heard'; readonly message: MessageFilter };

/** One field of what a puppet says, by its path with dots, and what it is made to say instead. */
export interface Change {
  readonly field: string;
  readonly value: number | string | boolean;
}

/** What a puppet has its trusted component certify. */
export type Statement =
  | {
      readonly kind: 'PREPARE';
      readonly view: View;
      /** Undefined: the first one after the base of `newView`. */
      readonly sequence: SequenceNumber | undefined;
      readonly body: string;
      /** The NEW-VIEW of its own that started the view. */
      readonly newView: string | undefined;
    }
  | { readonly kind: 'COMMIT'; readonly of: Reference }
  /** Undefined: to the beginning of view 0. */
  | { readonly kind: 'COMMIT-NEW-VIEW'; readonly of: Reference | undefined }
  | {
      readonly kind: 'CHECKPOINT';
      readonly sequence: SequenceNumber;
      /** Whose state it claims: that of another CHECKPOINT, or one that does not exist. */
      readonly like: Reference | undefined;
    }
  | {
      readonly kind: 'VIEW-CHANGE';
      readonly view: View;
      readonly log: readonly Reference[];
      readonly stable: readonly Reference[];
      /** The own CHECKPOINT that the log starts at. */
      readonly anchor?: Reference;
      readonly vouchers?: readonly Reference[];
    }
  /** `base`: instead of the one that follows from what it quotes. */
  | { readonly kind: 'NEW-VIEW'; readonly of: readonly Reference[]; readonly base?: readonly Reference[] };

/** What a puppet says that no trusted component certifies. */
export type Writing =
  | { readonly kind: 'STREAM-SYNC'; readonly anchor: Reference; readonly vouchers: readonly Reference[] }
  /** `linked`: said to certify the registry of genesis as a link of the chain of incarnations. */
  | { readonly kind: 'CHECKPOINT-PROOF'; readonly of: readonly Reference[]; readonly linked: boolean };

/** One step; the next one is taken at once, unless this one waits. */
export type Step =
  | { readonly kind: 'wait'; readonly condition: Condition }
  | { readonly kind: 'pass'; readonly forMs: number }
  | {
      readonly kind: 'rule';
      readonly action: RuleAction;
      readonly filter: LinkFilter;
      readonly name: string | undefined;
      readonly until: Condition | undefined;
    }
  | {
      readonly kind: 'cut';
      readonly side: readonly ReplicaId[];
      readonly others: readonly ReplicaId[] | undefined;
      readonly oneWay: boolean;
      readonly name: string | undefined;
    }
  /** Ends a rule or a cut, or all of them; what was held is delivered. */
  | { readonly kind: 'release'; readonly name: string | undefined }
  | { readonly kind: 'clients'; readonly speak: boolean }
  /** A fault that begins now. */
  | { readonly kind: 'fault'; readonly fault: PlannedFault }
  /** What follows may never come about: a correct product does not let it. */
  | { readonly kind: 'perhaps' }
  | {
      readonly kind: 'machine';
      readonly verb: 'crash' | 'restart' | 'wipe' | 'pause' | 'resume';
      readonly replica: ReplicaId;
    }
  | {
      readonly kind: 'batch';
      readonly puppet: ReplicaId;
      readonly name: string;
      readonly view: View;
      readonly pick: 'first' | 'last';
      /** RECOVERs in it, by name. */
      readonly recovers?: readonly string[];
    }
  | {
      readonly kind: 'seal';
      readonly puppet: ReplicaId;
      readonly name: string;
      readonly statement: Statement;
      /** Certified by the second component, that of `renew`. */
      readonly anew?: true;
      readonly but?: readonly Change[];
    }
  /** It takes another trusted component beside the first one; the RECOVER that registers it has this name. */
  | {
      readonly kind: 'renew';
      readonly puppet: ReplicaId;
      readonly name: string;
      readonly but?: readonly Change[];
    }
  /**
   * Its component is put back to what it was when the run began, and goes on from there: counter values are given a second
   * time. `fenced`: it notices, and comes up under another key and tcEpoch.
   */
  | { readonly kind: 'rollback'; readonly puppet: ReplicaId; readonly fenced: boolean }
  | { readonly kind: 'write'; readonly puppet: ReplicaId; readonly name: string; readonly writing: Writing }
  | {
      readonly kind: 'show';
      readonly puppet: ReplicaId;
      readonly what: readonly Reference[];
      readonly to: readonly ReplicaId[];
    }
  | {
      readonly kind: 'wish';
      readonly puppet: ReplicaId;
      readonly view: View;
      readonly to: readonly ReplicaId[];
    };

/** What a run must show. */
export type Expectation =
  | { readonly kind: 'clean' }
  | { readonly kind: 'violation'; readonly judge: JudgeName }
  | { readonly kind: 'event'; readonly condition: Condition }
  /**
   * Something was refused by this numbered rule. `for`: a rule that is a part of it, and that alone was broken (what a base
   * is made of is compared as a whole).
   */
  | { readonly kind: 'refusal'; readonly rule: string; readonly for?: string };

/** See the top of this file. */
export interface Script {
  readonly name: string;
  /** The comment lines at its top. */
  readonly story: readonly string[];
  readonly protocol: string;
  /** How much of the product runs; in `core` there are no puppets. */
  readonly fidelity: Fidelity;
  /** `outcomes`: only what is executed, signed and believed is judged, not the inside of replicas. */
  readonly judges: 'everything' | 'outcomes';
  readonly scenario: Scenario;
  /** Byzantine replicas that say what steps make them say, and nothing else; not among `scenario.byzantine`. */
  readonly puppets: readonly ReplicaId[];
  readonly steps: readonly { readonly line: number; readonly step: Step }[];
  readonly expect: readonly Expectation[];
  /** What must be seen instead when the product has this mistake in it (an id of `test/mutants`). */
  readonly mistakes: readonly { readonly mutant: string; readonly expect: Expectation }[];
}
