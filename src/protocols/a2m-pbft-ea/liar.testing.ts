/**
 * One Byzantine replica that draws what it does: it sees every message, says anything that its host key signs and its
 * component gives a slot for, to whom it likes, and hides what it likes. The links of the others lose what they like.
 */
import type { Prng } from '../../core/prng.ts';
import type { Digest, ReplicaId, View } from '../../core/types.ts';
import type { Sealed } from '../../smr/attested/sealed.ts';
import { isSealed } from '../../smr/attested/sealed.ts';
import type { ChainEntry, NewView, ViewChange, ViewProof } from '../../smr/slot-chain/messages.ts';
import { slotOf } from '../../smr/slot-chain/slots.ts';
import {
  computeTerms,
  digestOfTerms,
  fitsAttestor,
  judgeViewChange,
} from '../../smr/slot-chain/view-change.ts';
import type { EaContent, EaOrder } from './messages.ts';
import { LOG } from './messages.ts';
import type { EaStage } from './scenes.testing.ts';
import { order } from './scenes.testing.ts';

type Message = Sealed<EaContent>;

/** Views and orders that it speaks of. */
const VIEWS = 5;
const ORDERS = 3;

/** See the top of this file. */
export class Liar {
  readonly #stage: EaStage;
  readonly #self: ReplicaId;
  readonly #random: Prng;
  readonly #digests: readonly Digest[];
  /** Everything that anybody has said, by digest. */
  readonly #seen = new Map<Digest, Message>();
  /** Own slots of q2, ascending. */
  readonly #chain: Message[] = [];

  constructor(stage: EaStage, self: ReplicaId, random: Prng, digests: readonly Digest[]) {
    this.#stage = stage;
    this.#self = self;
    this.#random = random;
    this.#digests = [...digests, stage.rules.nothing];
    stage.takeOver(self);
  }

  /** Draws how the links of the others are for a while: whole, losing some, or cut. */
  drawLinks(): void {
    const loss = this.#random.pick([0, 0.3, 1, 1]);
    this.#stage.passes = (_from, _to, message) => {
      if (isSealed(message)) this.#seen.set(message.digest, message);
      return !this.#random.chance(loss);
    };
  }

  /** Does one thing. */
  act(): void {
    switch (this.#random.between(0, 9)) {
      case 0:
        return this.#say({ kind: 'REQ-VIEW-CHANGE', view: this.#near() });
      case 1:
      case 2:
        return this.#leave(Math.max(1, this.#near()));
      case 3:
        return this.#lead(Math.max(1, this.#near()));
      case 4:
        return this.#acknowledge();
      case 5:
        return this.#propose();
      default:
        // It agrees with others more often than not: only so it is believed.
        return this.#agree();
    }
  }

  #propose(): void {
    const random = this.#random;
    const sequence = random.chance(0.7) ? 1 : random.between(2, ORDERS);
    this.#say(order('PRE-PREPARE', this.#near(), sequence, random.pick(this.#digests)));
  }

  /** A view that somebody is in, or the one after. */
  #near(): View {
    const views = this.#stage.views.map((view) => Math.abs(view));
    return Math.min(VIEWS, this.#random.pick(views) + this.#random.between(0, 1));
  }

  #messages(kind: EaContent['kind']): Message[] {
    return [...this.#seen.values()].filter((message) => message.kind === kind);
  }

  /** Says something, if the component lets it, to some. */
  #say(content: EaContent): void {
    const message = this.#stage.tryBy(this.#self, content);
    if (message === undefined) return;
    this.#seen.set(message.digest, message);
    const { attestation } = message;
    if (attestation.kind === 'object' && attestation.object === LOG.commit) this.#chain.push(message);
    this.#tell(message);
  }

  #tell(message: Message): void {
    for (const [id, { halted }] of this.#stage.machines.entries())
      if (halted === undefined && this.#random.chance(0.7)) this.#stage.deliver(this.#self, id, message);
  }

  /** Votes for a proposal, mostly for one of the latest. */
  #agree(): void {
    const proposals = this.#messages('PRE-PREPARE').slice(this.#random.chance(0.8) ? -3 : 0);
    if (proposals.length === 0) return;
    const { view, sequence, digest } = this.#random.pick(proposals).content as EaOrder;
    this.#say(order('PREPARE', view, sequence, digest));
    this.#say(order('COMMIT', view, sequence, digest));
  }

  /** What shows that an own COMMIT was due, as far as it was said. */
  #proofOf(own: Message): Message[] {
    const { view, sequence, digest } = own.content as EaOrder;
    const same = [...this.#seen.values()].filter(
      ({ content }) =>
        (content.kind === 'PRE-PREPARE' || content.kind === 'PREPARE') &&
        content.view === view &&
        content.sequence === sequence &&
        content.digest === digest,
    );
    const proposal = same.find(({ kind }) => kind === 'PRE-PREPARE');
    const prepares = same.filter(({ kind }) => kind === 'PREPARE').slice(0, this.#stage.settings.f);
    return proposal === undefined ? prepares : [proposal, ...prepares];
  }

  /** Views that it can prove to have entered. */
  #entered(): (ViewProof<EaOrder> | undefined)[] {
    const { rules } = this.#stage;
    const found: (ViewProof<EaOrder> | undefined)[] = [undefined];
    for (const { content } of this.#messages('NEW-VIEW')) {
      const { terms } = content as NewView<EaOrder>;
      const digest = digestOfTerms(rules, terms);
      const acks = this.#messages('NV-ACK').filter(
        (ack) => 'digest' in ack.content && ack.content.digest === digest,
      );
      if (acks.length >= rules.quorum) found.push({ terms, acks: acks.slice(0, rules.quorum) });
    }
    return found;
  }

  /** Leaves for a view, and hides what it likes. */
  #leave(view: View): void {
    const random = this.#random;
    this.#say({ kind: 'BARRIER', view });
    const entered = random.pick(this.#entered());
    const from = slotOf(entered?.terms.view ?? 0, 0);
    const kept = this.#chain.filter((message) => {
      const value = message.attestation.kind === 'object' ? message.attestation.value : 0;
      return value > from && value <= slotOf(view, 0);
    });
    const hides = random.chance(0.5);
    const chain = kept
      .filter(({ kind }) => !hides || kind === 'BARRIER' || random.chance(0.3))
      .map((message): ChainEntry<EaOrder> => ({
        message,
        proof: message.kind === 'COMMIT' ? this.#proofOf(message) : [],
      }));
    this.#say({ kind: 'VIEW-CHANGE', view, checkpoints: [], entered, chain });
  }

  /** Makes a NEW-VIEW of any VIEW-CHANGEs that are believed, true or not. */
  #lead(view: View): void {
    const { rules } = this.#stage;
    if (view % this.#stage.n !== this.#self) return;
    const left = this.#messages('VIEW-CHANGE').filter(
      (message) => (message.content as ViewChange<EaOrder>).view === view && fitsAttestor(rules, message),
    );
    const own = left.find(({ author }) => author === this.#self);
    const others = left.filter(({ author }) => author !== this.#self);
    if (own === undefined || others.length === 0) return;
    const viewChanges = [own, this.#random.pick(others)];
    const facts = viewChanges.flatMap((message) => judgeViewChange(rules, message) ?? []);
    if (facts.length < viewChanges.length) return;
    const terms = computeTerms(rules, view, facts);
    const lie = this.#random.chance(0.2) ? { ...terms, orders: terms.orders.slice(1) } : terms;
    this.#say({ kind: 'NEW-VIEW', view, viewChanges, terms: lie });
  }

  #acknowledge(): void {
    const views = this.#messages('NEW-VIEW');
    if (views.length === 0) return;
    const { view, terms } = this.#random.pick(views.slice(-2)).content as NewView<EaOrder>;
    this.#say({ kind: 'NV-ACK', view, digest: digestOfTerms(this.#stage.rules, terms) });
  }
}
