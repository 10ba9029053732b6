/** What the details say of a replica. */
import type { ReplicaState } from '../../sim/playback/contract.ts';
import type { Line } from './message-words.ts';

const MODES: Readonly<Record<string, string>> = {
  active: 'takes part',
  changing: 'has left its view and waits for the next one',
  recovering: 'waits to be taken in with a new trusted component',
};
const PHASES: Readonly<Record<string, string>> = {
  starting: 'starting',
  running: 'running',
  halted: 'stopped itself: its state cannot be trusted any more',
};

/** Lines of name and value about a replica. */
export function replicaLines(state: ReplicaState): readonly Line[] {
  const { view, mode, phase, sequence, stable, counter, peers } = state;
  const lines: Line[] = [
    ['is', PHASES[phase] ?? phase],
    ['mode', MODES[mode] ?? mode],
    ['view', String(view)],
    ['executed up to', sequence === 0 ? 'nothing yet' : `n${sequence}`],
    ['stable checkpoint', stable === 0 ? 'the beginning' : `n${stable}`],
    ['counter value', counter === 0 ? 'none yet' : String(counter)],
  ];
  const dead = peers.filter((peer) => peer.dead).map((peer) => peer.replica);
  if (dead.length > 0)
    lines.push(['listens no more to', `replica ${dead.join(', ')}, which was proven to lie`]);
  for (const { replica: other, incarnation } of peers)
    if (incarnation > 0)
      lines.push([`replica ${other}`, `has its trusted component number ${incarnation + 1}`]);
  return lines;
}
