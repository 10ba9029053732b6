/** Makes views change, for lies that need it: mute as primary for a while, and the first to ask for another view. */
import { requestViewChange, requestViewChangeDigest } from '../../smr/usig-stream/builders.ts';
import type { MinbftMessage } from '../../smr/usig-stream/messages.ts';
import type { LiarDesk, Strategy } from './strategy.ts';

/** The strategy, in a cluster whose views it makes change in most schedules. */
export function provoking(desk: LiarDesk, strategy: Strategy): Strategy {
  const { random, self, context } = desk;
  const quiet = !desk.eager && random.chance(0.3);
  if (quiet) return strategy;
  let patience = random.pick([2, 6, 15, 30]);
  const rounds = random.pick([1, 2, 4]);
  let mutedView = -1;
  let round = 0;

  const wish = (view: number): void => {
    if (desk.sign === undefined) return;
    const signature = desk.sign(requestViewChangeDigest(context, self, view));
    const message = requestViewChange(context, self, view, signature);
    for (let to = 0; to < desk.n; to += 1) desk.send(to, message);
  };
  const mayTell = (message: MinbftMessage): boolean => {
    if (message.kind !== 'PREPARE' || message.ui.replica !== self || message.view !== mutedView) return true;
    return desk.inspect().view > mutedView;
  };
  return {
    ...strategy,
    sealed: (message) => {
      if (message.kind === 'PREPARE' || message.kind === 'COMMIT') {
        patience -= 1;
        const { view } = message.kind === 'PREPARE' ? message : message.prepare;
        if (patience < 0 && round < rounds) {
          round += 1;
          patience = random.between(4, 20);
          // A primary falls mute; a backup asks first, so that one correct replica's doubt is enough where f is 1.
          if (message.kind === 'PREPARE') mutedView = view;
          wish(view + 1);
        }
      }
      strategy.sealed?.(message);
    },
    tells: (message, to) => {
      if (!mayTell(message)) return [];
      return strategy.tells?.(message, to) ?? [message];
    },
  };
}
