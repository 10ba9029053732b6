/**
 * Which owner proposes a client's requests: its home, one of the owners by the client's key. The others wait: if the home
 * does not propose in time, they do it in their own slots (no view change is needed to escape a censor), and executing
 * twice is impossible.
 */
import type { Bundle } from '../../core/request.ts';
import type { Digest, Milliseconds, ReplicaId } from '../../core/types.ts';
import { requestDelay } from '../../smr/usig-replica/execution.ts';
import type { ReplicaState } from '../../smr/usig-replica/state.ts';
import { ownersOf } from './slots.ts';

/** T_fwd: how long the home may take, as a part of the request timer. */
const FORWARD_OF_REQUEST = 1 / 5;

/** See the top of this file. */
export class HomeRequests {
  readonly #s: ReplicaState;
  /** Bundles of other homes, and when they are proposed here after all; oldest first. */
  readonly #foreign = new Map<Digest, Milliseconds>();

  constructor(s: ReplicaState) {
    this.#s = s;
  }

  onBundle(bundle: Bundle): void {
    const s = this.#s;
    const home = this.#homeOf(bundle);
    if (home === undefined || home === s.self) return;
    // Clients that know no better send to the coordinator alone.
    if (s.primaryOf(s.view) === s.self) s.emit({ kind: 'forward', bundle, to: home });
    const at = s.now + requestDelay(s) * FORWARD_OF_REQUEST;
    this.#foreign.set(bundle.digest, at);
    s.pending.markProposed(bundle.digest, s.own.state.newView.view);
    s.wakeAt('home', at);
  }

  /** The owner that proposes a client's requests; undefined before any view is known. */
  #homeOf({ clientKey }: Bundle): ReplicaId | undefined {
    const owners = ownersOf(this.#s.own.state.newView);
    const sum = clientKey.reduce((hash, byte) => (hash * 31 + byte) % 65_521, 7);
    return owners[sum % owners.length]?.replica;
  }

  /** Those whose home took too long are proposed here, unless somebody's proposal holds them. */
  reopenDue(): void {
    const s = this.#s;
    for (const [digest, at] of this.#foreign) {
      if (at > s.now) {
        s.wakeAt('home', at);
        break;
      }
      this.#foreign.delete(digest);
      if (!s.pending.has(digest)) continue;
      if (this.#isProposed(digest)) this.#foreign.set(digest, s.now + requestDelay(s) * FORWARD_OF_REQUEST);
      else s.pending.reopen(digest);
    }
  }

  #isProposed(digest: Digest): boolean {
    const s = this.#s;
    for (const { sequence, batchDigest } of s.groups.of(s.own.state.newView).proposals.values())
      if (
        sequence > s.executed &&
        s.bodies.get(batchDigest)?.bundles.some((bundle) => bundle.digest === digest)
      )
        return true;
    return false;
  }

  /** Everything is unproposed again: homes are those of the new owners. */
  onViewEntered(): void {
    this.#foreign.clear();
    for (const bundle of this.#s.pending.unproposed()) this.onBundle(bundle);
  }
}
