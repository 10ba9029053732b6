/**
 * The numbered rules of MinZyzzyva (decision E6): those of USIG streams and of conduct on them, which keep the names that
 * MinBFT gave them, and its own.
 */
import type { RuleDescription } from '../../core/protocol.ts';
import { USIG_REPLICA_RULES } from '../../smr/usig-replica/rules.ts';
import { USIG_STREAM_RULES } from '../../smr/usig-stream/rules.ts';

function guard(id: string, text: string): RuleDescription {
  return { id, text, kind: 'guard' };
}

function defence(id: string, text: string): RuleDescription {
  return { id, text, kind: 'defence' };
}

/** Rules that MinZyzzyva alone has. */
const MINZYZZYVA_OWN_RULES: readonly RuleDescription[] = [
  defence(
    'MinZyzzyva.STEP.1',
    'the history in a SPEC is judged by no stream rule; correct replicas put in the true one',
  ),
  defence('MinZyzzyva.ORD.1', 'the primary proposes as in MinBFT and executes when its PREPARE is sealed'),
  defence(
    'MinZyzzyva.ORD.2',
    'a backup answers the next proposal with a SPEC, executes in order and answers the clients',
  ),
  guard(
    'MinZyzzyva.ORD.3',
    'no speculative answer without an own sealed message for the order in the current view',
  ),
  defence(
    'MinZyzzyva.DUR.1',
    'an order is final on f+1 votes of streams in order, exactly where MinBFT executes it',
  ),
  guard('MinZyzzyva.DUR.2', 'what is final replaces what was executed otherwise, or not yet'),
  defence('MinZyzzyva.DUR.3', 'blocks are signed and checkpoints made of final orders only'),
  defence('MinZyzzyva.DUR.4', 'a request waits, with its deadline, until its order is final'),
  guard(
    'MinZyzzyva.CC.1',
    'a certificate of f+1 equal statements makes the replica bring up the streams of its members, no more',
  ),
  defence(
    'MinZyzzyva.CC.2',
    'the final answer is given for every final order that is asked for, whatever the view',
  ),
  defence('MinZyzzyva.CKPT.1', 'CHECKPOINT is made of final orders only'),
  defence(
    'MinZyzzyva.CKPT.2',
    'the window of MinBFT bounds how far an execution runs ahead of what is final',
  ),
  defence('MinZyzzyva.CKPT.3', 'a certified state that is the own one is final; another one is fetched'),
  defence('MinZyzzyva.VC.1', 'views are left and entered as in MinBFT'),
  guard(
    'MinZyzzyva.VC.2',
    'entering a view undoes what its base does not confirm, and nothing that is final',
  ),
  defence('MinZyzzyva.VC.3', 'orders of a base are answered by the message that entered the view'),
  defence('MinZyzzyva.VC.4', 'client certificates play no part in a view change'),
  defence('MinZyzzyva.VC.5', 'nothing above a gap below the base is executed before the state is fetched'),
  defence('MinZyzzyva.CLI.1', 'clients send to all replicas, with a timer'),
  defence(
    'MinZyzzyva.CLI.2',
    'clients count speculative answers together only if view, NEW-VIEW, order, history and proposal are equal',
  ),
  defence('MinZyzzyva.CLI.3', 'f+1 equal speculative answers become a certificate for all replicas'),
  defence('MinZyzzyva.CLI.4', 'f+1 equal final answers complete a request, whatever views they name'),
  defence('MinZyzzyva.CLI.5', 'clients ask again with doubled timers'),
  defence('MinZyzzyva.CLI.6', 'clients need not check seals of trusted components'),
];

/** Every rule of this protocol. */
export const MINZYZZYVA_RULES: readonly RuleDescription[] = [
  ...USIG_STREAM_RULES,
  ...USIG_REPLICA_RULES,
  ...MINZYZZYVA_OWN_RULES,
];
