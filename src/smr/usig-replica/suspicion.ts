/** Asking for another view: signed wishes. */
import type { View } from '../../core/types.ts';
import { requestViewChange, requestViewChangeDigest } from '../usig-stream/builders.ts';
import type { ReplicaState } from './state.ts';

/** Signs and broadcasts the wish for `target`, unless this replica has asked for it or a higher view already. */
export function requestViewChangeTo(s: ReplicaState, target: View): void {
  if (target <= s.requested) return;
  s.requested = target;
  const digest = requestViewChangeDigest(s.streamContext, s.self, target);
  const message = requestViewChange(s.streamContext, s.self, target, s.context.signAsHost(digest));
  s.peers[s.self]!.request = message;
  s.note('suspect', { view: s.view, target });
  s.broadcast(message);
}
