/**
 * What the pure validity rules may ask this replica for: the chain of incarnations, and the contents of NEW-VIEWs.
 * Everything in here is certified or content-addressed, so replicas that know it agree on it.
 */
import type { Digest, Incarnation, ReplicaId, SequenceNumber, TcEpoch, View } from '../../core/types.ts';
import type { TrustedKey } from '../../core/protocol.ts';
import type { IncarnationEntry, Registry } from '../registry.ts';
import { entryOf, trustedKeyOf } from '../registry.ts';
import type { StreamContext } from '../usig-stream/context.ts';
import { validRegistryLink } from '../usig-stream/links.ts';
import type { OwnRule, UsigStreamRule } from '../usig-stream/rules.ts';
import { registryDigest } from '../usig-stream/context.ts';
import { makeFullNewView } from '../usig-stream/nested.ts';
import type { Checkpoint, NewViewHeader, NewViewProof, RegistryLink } from '../usig-stream/messages.ts';
import type { StreamLookup } from '../usig-stream/stream.ts';
import type { Validity } from '../usig-stream/validity.ts';
import { need } from '../usig-stream/validity.ts';
import type { ValidationKnowledge, ValidNewView } from '../usig-stream/validation.ts';
import { ValidationCache } from '../usig-stream/validation.ts';
import { validNewView, validViewChange } from '../usig-stream/view-change.ts';

/** Contents of NEW-VIEWs kept, at most; those in use are never dropped. */
const NEW_VIEWS_MAX = 64;
const NO_PROOFS: readonly NewViewProof[] = [];
const NO_KEYS: readonly TrustedKey[] = [];

/** The registry as it was after order `n`, which must not be above the order that `registry` belongs to. */
export function registryAfter(registry: Registry, n: SequenceNumber): Registry {
  if (registry.members.every((entries) => entries.at(-1)!.since <= n)) return registry;
  return { members: registry.members.map((entries) => entries.filter((entry) => entry.since <= n)) };
}

/** Chain of incarnations. */
class IncarnationBook {
  readonly #context: StreamContext;
  /** By replica. */
  readonly #entries: readonly Map<TcEpoch, IncarnationEntry>[];
  readonly #registries = new Map<Digest, Registry>();
  /** What was learned last: nearly every order leaves it as it is. */
  #latest: Registry | undefined;
  readonly #links: {
    readonly link: RegistryLink;
    readonly sequence: SequenceNumber;
    readonly registry: Registry;
  }[] = [];

  constructor(context: StreamContext) {
    this.#context = context;
    this.#entries = context.genesis.members.map(() => new Map<TcEpoch, IncarnationEntry>());
    this.learn(context.genesis);
  }

  /** Takes in a registry that this replica executed, installed or verified. Returns the keys that are new. */
  learn(registry: Registry): readonly TrustedKey[] {
    if (registry === this.#latest) return NO_KEYS;
    this.#latest = registry;
    const fresh: TrustedKey[] = [];
    // Entries are never removed, so a registry tells every earlier one.
    const changes = new Set<SequenceNumber>();
    for (const entries of registry.members) for (const { since } of entries) changes.add(since);
    for (const n of changes) {
      const earlier = registryAfter(registry, n);
      const { genesis, genesisRegistryDigest } = this.#context;
      const digest = earlier === genesis ? genesisRegistryDigest : registryDigest(this.#context, earlier);
      this.#registries.set(digest, earlier);
    }
    for (const [replica, entries] of registry.members.entries()) {
      const known = this.#entries[replica]!;
      for (const entry of entries) {
        if (known.has(entry.tcEpoch)) continue;
        known.set(entry.tcEpoch, entry);
        fresh.push(trustedKeyOf(replica, entry));
      }
    }
    return fresh;
  }

  byDigest(digest: Digest): Registry | undefined {
    return this.#registries.get(digest);
  }

  incarnationOf(replica: ReplicaId, tcEpoch: TcEpoch): Incarnation | undefined {
    return this.#entries[replica]?.get(tcEpoch)?.incarnation;
  }

  /** The newest registry that a link certifies; genesis without links. */
  get linked(): Registry {
    return this.#links.at(-1)?.registry ?? this.#context.genesis;
  }

  get links(): readonly RegistryLink[] {
    return this.#links.map(({ link }) => link);
  }

  /**
   * Adds a link whose certificate holds: its keys were known before it (LINK.1) and its registry only adds to the one
   * before (LINK.2). Undefined if it does not fit; otherwise the keys that are new. `onRefused` is told by which rule it
   * does not.
   */
  addLink(
    link: RegistryLink,
    onRefused?: (rule: UsigStreamRule | OwnRule) => void,
  ): readonly TrustedKey[] | undefined {
    const sequence = link.certificate.checkpoints[0]?.sequence ?? 0;
    if (this.#links.some((other) => other.sequence >= sequence)) return undefined;
    const judged = validRegistryLink(this.#context, this.linked, link);
    if (judged.kind !== 'valid') {
      if (judged.kind === 'invalid') onRefused?.(judged.rule);
      return undefined;
    }
    this.#links.push({ link, sequence, registry: judged.value });
    return this.learn(judged.value);
  }

  /** Whether the key of a CHECKPOINT was certified below it (rule 9): else it cannot be part of a certificate. */
  mayCertify(checkpoint: Checkpoint): boolean {
    const { replica, tcEpoch } = checkpoint.ui;
    if (entryOf(this.#context.genesis, replica, tcEpoch) !== undefined) return true;
    const link = this.#links.find(({ registry }) => entryOf(registry, replica, tcEpoch) !== undefined);
    return link !== undefined && link.sequence < checkpoint.sequence;
  }
}

/** Contents of NEW-VIEWs by the digest of their header, with verdicts. */
class NewViewStore {
  readonly #proofs = new Map<Digest, NewViewProof[]>();
  /** No view above this one was ever put in. */
  highestView: View = -1;

  /** Keeps a proof; `inUse` names digests that must not be displaced. True if it is new. */
  put(proof: NewViewProof, inUse: (digest: Digest) => boolean): boolean {
    const { digest } = proof.header;
    const held = this.#proofs.get(digest) ?? [];
    if (held.some((other) => sameProof(other, proof))) return false;
    if (held.length >= 4) held.shift();
    held.push(proof);
    this.#proofs.set(digest, held);
    this.highestView = Math.max(this.highestView, proof.header.view);
    for (const other of [...this.#proofs.keys()]) {
      if (this.#proofs.size <= NEW_VIEWS_MAX) break;
      if (other !== digest && !inUse(other)) this.#proofs.delete(other);
    }
    return true;
  }

  of(digest: Digest): readonly NewViewProof[] {
    return this.#proofs.get(digest) ?? [];
  }

  /** What is held of one NEW-VIEW; best what tells its base. */
  best(digest: Digest): NewViewProof | undefined {
    const held = this.of(digest);
    return held.find((proof) => proof.kind === 'NEW-VIEW' || proof.base !== undefined) ?? held[0];
  }

  /** Everything held, oldest first. */
  all(): readonly NewViewProof[] {
    if (this.#proofs.size === 0) return NO_PROOFS;
    return [...this.#proofs.values()].flat();
  }
}

function sameUi(a: NewViewHeader, b: NewViewHeader): boolean {
  return a.ui.replica === b.ui.replica && a.ui.tcEpoch === b.ui.tcEpoch && a.ui.counter === b.ui.counter;
}

function sameProof(a: NewViewProof, b: NewViewProof): boolean {
  if (a.kind !== b.kind || !sameUi(a.header, b.header)) return false;
  if (a.kind === 'NEW-VIEW-CERTIFICATE' && b.kind === 'NEW-VIEW-CERTIFICATE')
    return a.base !== undefined || b.base === undefined;
  return true;
}

/** Knowledge of one replica. `version` grows whenever something is learned that may turn a "need" into a verdict. */
export class Knowledge {
  readonly book: IncarnationBook;
  readonly newViews = new NewViewStore();
  readonly validation: ValidationKnowledge;
  readonly lookup: StreamLookup;
  /** For replaying the own log. */
  readonly replayLookup: StreamLookup;
  /**
   * For an own message before it is sealed. An own NEW-VIEW was judged when it was put together, and a verdict on one
   * without its seal must not be remembered.
   */
  readonly previewLookup: StreamLookup;
  version = 0;
  readonly #context: StreamContext;

  constructor(context: StreamContext) {
    this.#context = context;
    this.book = new IncarnationBook(context);
    this.validation = {
      byDigest: (digest) => this.book.byDigest(digest),
      incarnationOf: (replica, tcEpoch) => this.book.incarnationOf(replica, tcEpoch),
      newViewProof: (digest) => this.newViews.best(digest),
      cache: new ValidationCache(),
    };
    const incarnationOf = this.validation.incarnationOf;
    const newView: StreamLookup['newView'] = (header, attached) =>
      attached === undefined ? this.judgeHeader(header) : validNewView(context, attached, this.validation);
    this.lookup = {
      incarnationOf,
      newView,
      viewChange: (message) => validViewChange(context, message, this.validation),
    };
    // What the own log entered was judged before it was sealed; what is lacking now is fetched when it is needed.
    const replayed: StreamLookup['newView'] = (header) => {
      const verdict = this.judgeHeader(header);
      return verdict.kind === 'need' ? { kind: 'valid', value: undefined } : verdict;
    };
    this.replayLookup = { incarnationOf, newView: replayed, viewChange: undefined };
    const trusting: StreamLookup['newView'] = () => ({ kind: 'valid', value: undefined });
    this.previewLookup = { ...this.lookup, newView: trusting };
  }

  /** Verdict on a NEW-VIEW of which only the header came, from the contents held for exactly this header. */
  judgeHeader(header: NewViewHeader): Validity<ValidNewView> {
    let verdict: Validity<ValidNewView> | undefined;
    for (const proof of this.newViews.of(header.digest)) {
      const fitting = fitProof(proof, header);
      if (fitting === undefined) continue;
      const judged = validNewView(this.#context, fitting, this.validation);
      // Verdicts are remembered by name; the header at hand is the one with the seal.
      const own: Validity<ValidNewView> =
        judged.kind === 'valid' ? { kind: 'valid', value: { ...judged.value, header } } : judged;
      if (own.kind === 'valid' && own.value.base !== undefined) return own;
      if (verdict === undefined || verdict.kind === 'need' || own.kind === 'valid') verdict = own;
    }
    return verdict ?? need({ kind: 'newView', digest: header.digest, view: header.view });
  }

  /** Content of a NEW-VIEW that a stream refers to, with its base if that is known. */
  contentOf(reference: {
    readonly digest: Digest;
    readonly counter: number;
    readonly incarnation: Incarnation;
  }): ValidNewView | undefined {
    let best: ValidNewView | undefined;
    for (const proof of this.newViews.of(reference.digest)) {
      const { ui } = proof.header;
      if (ui.counter !== reference.counter) continue;
      if (this.book.incarnationOf(ui.replica, ui.tcEpoch) !== reference.incarnation) continue;
      const judged = validNewView(this.#context, proof, this.validation);
      if (judged.kind !== 'valid') continue;
      const content = { ...judged.value, header: proof.header };
      if (content.base !== undefined) return content;
      best = content;
    }
    return best;
  }
}

/** The proof as one of this header: a Byzantine primary may have certified one content twice. */
function fitProof(proof: NewViewProof, header: NewViewHeader): NewViewProof | undefined {
  if (sameUi(proof.header, header)) return proof;
  return proof.kind === 'NEW-VIEW' ? makeFullNewView(header, proof.viewChanges) : undefined;
}
