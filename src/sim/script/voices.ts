/** What puppets of a script made and heard, by the names that the script gave: bodies and certified messages. */
import type { Batch, Bundle, RecoverRequest } from '../../core/request.ts';
import type { ReplicaId } from '../../core/types.ts';
import type {
  CommitNewView,
  Checkpoint,
  FullNewView,
  LogEntry,
  MinbftMessage,
  NewViewHeader,
  NewViewProof,
  Prepare,
  ViewChange,
} from '../../smr/usig-stream/messages.ts';
import { labelOfMessage } from '../../host/message-label.ts';
import { encodeRegistry } from '../../smr/registry.ts';
import { stubOf } from '../../smr/usig-stream/builders.ts';
import type { WorldListener } from '../listener.ts';
import { fits } from './facts.ts';
import type { Puppet, Voice } from './puppet.ts';
import { ScriptError } from './script.ts';
import type { Reference, Statement, Step, Writing } from './script.ts';

type Made =
  | { readonly kind: 'body'; readonly batch: Batch }
  | { readonly kind: 'message'; readonly message: MinbftMessage };

/** See the top of this file. */
export class Voices {
  readonly #puppets = new Map<ReplicaId, Puppet>();
  readonly #made = new Map<string, Made>();
  readonly #second = new Map<ReplicaId, Voice>();
  /** The line that is played; complaints name it. */
  line = 0;
  /** Told of each counter value that a component gives a puppet. */
  onCertified: WorldListener['onCertified'];

  add(puppet: Puppet): void {
    this.#puppets.set(puppet.self, puppet);
  }

  /** The puppet in place of a replica, if there is one. */
  of(replica: ReplicaId): Puppet | undefined {
    return this.#puppets.get(replica);
  }

  /** Plays one line of a puppet. `bundles`: what clients sent so far, oldest first. */
  play(step: Step & { readonly puppet: ReplicaId }, bundles: readonly Bundle[], nowMs: number): void {
    const puppet = this.#puppets.get(step.puppet)!;
    switch (step.kind) {
      case 'batch': {
        const bundle = step.pick === 'first' ? bundles[0] : bundles.at(-1);
        if (bundle === undefined) this.#fail('no client has sent a request yet (wait until a request)');
        const recovers = (step.recovers ?? []).map((name) => this.#recover(puppet, name));
        const batch = puppet.batch(step.view, [bundle], Math.floor(nowMs), recovers);
        this.#made.set(step.name, { kind: 'body', batch });
        return;
      }
      case 'seal':
        this.#made.set(step.name, { kind: 'message', message: this.#certified(puppet, step) });
        return;
      case 'renew': {
        const { voice, recover } = puppet.secondVoice(step.but);
        this.#second.set(puppet.self, voice);
        this.#made.set(step.name, { kind: 'message', message: recover });
        return;
      }
      case 'rollback':
        return puppet.rollBack(step.fenced);
      case 'write':
        this.#made.set(step.name, { kind: 'message', message: this.#write(puppet, step.writing) });
        return;
      case 'wish':
        return puppet.wish(step.to, step.view);
      case 'show':
        for (const reference of step.what) {
          const made = this.#find(puppet, reference);
          if (made.kind === 'body') puppet.give(step.to, made.batch);
          else puppet.say(step.to, made.message);
        }
    }
  }

  #certified(puppet: Puppet, step: Step & { readonly kind: 'seal' }): MinbftMessage {
    const voice = step.anew === true ? this.#second.get(puppet.self) : puppet.voice;
    if (voice === undefined) this.#fail(`replica ${puppet.self} has no second component (renews)`);
    voice.changes = step.but ?? [];
    const message = this.#seal(puppet, voice, step.statement);
    if ('ui' in message) this.onCertified?.(puppet.self, undefined, message.ui.counter);
    return message;
  }

  #write(puppet: Puppet, writing: Writing): MinbftMessage {
    if (writing.kind === 'STREAM-SYNC') {
      const anchor = this.#checkpoint(puppet, writing.anchor);
      const vouchers = writing.vouchers.map((one) => this.#checkpoint(puppet, one));
      return { kind: 'STREAM-SYNC', author: anchor.ui.replica, anchor, vouchers };
    }
    const certificate = { checkpoints: writing.of.map((one) => this.#checkpoint(puppet, one)) };
    const registry = encodeRegistry(puppet.context.genesis);
    return {
      kind: 'CHECKPOINT-PROOF',
      certificate,
      links: writing.linked ? [{ certificate, registry }] : [],
    };
  }

  #seal(puppet: Puppet, voice: Voice, statement: Statement): MinbftMessage {
    switch (statement.kind) {
      case 'PREPARE': {
        const body = this.#find(puppet, { kind: 'named', name: statement.body });
        if (body.kind !== 'body') this.#fail(`${statement.body} is not a body`);
        const header =
          statement.newView === undefined
            ? undefined
            : this.#header(puppet, { kind: 'named', name: statement.newView });
        const sequence = statement.sequence ?? header!.end + 1;
        return voice.prepare(statement.view, sequence, body.batch, header?.ui.counter ?? 0);
      }
      case 'COMMIT':
        return voice.commit(this.#proposal(puppet, statement.of));
      case 'COMMIT-NEW-VIEW':
        return voice.enter(statement.of === undefined ? undefined : this.#header(puppet, statement.of));
      case 'CHECKPOINT': {
        const like = statement.like === undefined ? undefined : this.#checkpoint(puppet, statement.like);
        const stateDigest = like?.stateDigest ?? puppet.heard('PREPARE')?.batchDigest;
        if (stateDigest === undefined) this.#fail('no digest was heard yet that could stand for a state');
        const sees = (replica: ReplicaId): number => (replica === like?.ui.replica ? like.ui.counter : 0);
        const {
          last = { view: 0, primaryCounter: 1 },
          registryDigest = puppet.context.genesisRegistryDigest,
        } = like ?? {};
        return puppet.checkpoint(voice, statement.sequence, { stateDigest, last, registryDigest }, sees);
      }
      case 'VIEW-CHANGE': {
        const log = statement.log.map((one) => entryOf(this.#message(puppet, one)));
        const checkpoints = statement.stable.map((one) => this.#checkpoint(puppet, one));
        const newViews = log.flatMap((entry) => this.#proofOf(puppet, entry));
        return voice.viewChange(statement.view, {
          log,
          newViews,
          ...(statement.anchor === undefined ? {} : { anchor: this.#checkpoint(puppet, statement.anchor) }),
          vouchers: (statement.vouchers ?? []).map((one) => this.#checkpoint(puppet, one)),
          ...(checkpoints.length === 0 ? {} : { stable: { checkpoints } }),
        });
      }
      case 'NEW-VIEW':
        return puppet.newView(
          statement.of
            .map((one) => this.#viewChange(puppet, one))
            .sort((a, b) => a.ui.replica - b.ui.replica),
          statement.base?.map((one) => this.#proposal(puppet, one)),
        );
    }
  }

  /** A log that shows a COMMIT-NEW-VIEW must show the NEW-VIEW itself beside it. */
  #proofOf(puppet: Puppet, entry: LogEntry): NewViewProof[] {
    if (entry.kind !== 'COMMIT-NEW-VIEW') return [];
    const proof = puppet.heard('NEW-VIEW', ({ header }) => header.digest === entry.header?.digest);
    return proof === undefined ? [] : [proof];
  }

  #find(puppet: Puppet, reference: Reference): Made {
    if (reference.kind === 'named') {
      return this.#made.get(reference.name) ?? this.#fail(`nothing was called ${reference.name} before`);
    }
    const message = puppet.find((one) => fits(reference.message, labelOfMessage(one)));
    if (message === undefined)
      this.#fail(
        `replica ${puppet.self} has not heard ${show(reference)} (wait until ${puppet.self} heard ...)`,
      );
    return { kind: 'message', message };
  }

  #message(puppet: Puppet, reference: Reference): MinbftMessage {
    const made = this.#find(puppet, reference);
    return made.kind === 'message' ? made.message : this.#fail(`${show(reference)} is a body, not a message`);
  }

  #proposal(puppet: Puppet, reference: Reference): Prepare {
    const message = this.#message(puppet, reference);
    if (message.kind === 'COMMIT') return message.prepare;
    return message.kind === 'PREPARE' ? message : this.#fail(`${show(reference)} is no PREPARE`);
  }

  #recover(puppet: Puppet, name: string): RecoverRequest {
    const message = this.#message(puppet, { kind: 'named', name });
    return message.kind === 'RECOVER' ? message.request : this.#fail(`${name} is no RECOVER`);
  }

  #checkpoint(puppet: Puppet, reference: Reference): Checkpoint {
    const message = this.#message(puppet, reference);
    return message.kind === 'CHECKPOINT' ? message : this.#fail(`${show(reference)} is no CHECKPOINT`);
  }

  #viewChange(puppet: Puppet, reference: Reference): ViewChange {
    const message = this.#message(puppet, reference);
    return message.kind === 'VIEW-CHANGE' ? message : this.#fail(`${show(reference)} is no VIEW-CHANGE`);
  }

  #header(puppet: Puppet, reference: Reference): NewViewHeader {
    const message = this.#message(puppet, reference) as FullNewView | CommitNewView | MinbftMessage;
    if (message.kind === 'NEW-VIEW') return message.header;
    if (message.kind === 'COMMIT-NEW-VIEW' && message.header !== undefined) return message.header;
    return this.#fail(`${show(reference)} is no NEW-VIEW`);
  }

  #fail(text: string): never {
    throw new ScriptError(this.line, text);
  }
}

/** A message as it stands in a log. */
function entryOf(message: MinbftMessage): LogEntry {
  if (message.kind === 'VIEW-CHANGE') return stubOf(message);
  return message.kind === 'NEW-VIEW' ? message.header : (message as MinbftMessage & LogEntry);
}

function show(reference: Reference): string {
  if (reference.kind === 'named') return reference.name;
  const { kind = 'any', sequence, view, counter, author } = reference.message;
  const parts = [kind];
  if (sequence !== undefined) parts.push(`n${sequence}`);
  if (view !== undefined) parts.push(`of view ${view}`);
  if (counter !== undefined) parts.push(`counter ${counter}`);
  if (author !== undefined) parts.push(`by ${author}`);
  return parts.join(' ');
}
