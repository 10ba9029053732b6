/**
 * The numbered rules of a replica's own conduct on USIG streams (decision E6); MinBFT named them first, and protocols
 * that share the code keep the names. They are part of the denominator of coverage: a guard must be seen both ways.
 */
import type { RuleDescription } from '../../core/protocol.ts';

function guard<const I extends string>(id: I, text: string): { id: I; text: string; kind: 'guard' } {
  return { id, text, kind: 'guard' };
}

function defence<const I extends string>(id: I, text: string): { id: I; text: string; kind: 'defence' } {
  return { id, text, kind: 'defence' };
}

/** Rules of a replica's own conduct: what it does and leaves undone, given valid messages. */
export const USIG_REPLICA_RULES = [
  guard('MinBFT.LEADER.1', 'proposes only inside the window of its own and the stable checkpoint'),
  guard('MinBFT.LEADER.2', 'proposes at most min(32, L) orders beyond execution'),
  guard(
    'MinBFT.LEADER.3',
    'stops creating PREPARE, COMMIT and CHECKPOINT two windows before the bound of the log (B7)',
  ),
  guard('MinBFT.LEADER.4', 'pads to the next checkpoint boundary while a RECOVER is not covered'),
  guard('MinBFT.LEADER.5', 'holds a RECOVER that comes within 2cp orders of the previous one'),
  defence('MinBFT.BACKUP.1', 'commits only in the view of its own stream'),
  // Proposals come out of the primary's stream: PREPARE.5 gives them ascending numbers, the counter ascending values.
  defence('MinBFT.BACKUP.2', 'commits to the next order, skipping only what own and stable checkpoint cover'),
  guard('MinBFT.BACKUP.3', 'commits only with the body at hand and every seal in it valid'),
  guard('MinBFT.BACKUP.4', 'commits only inside the window of its own and the stable checkpoint'),
  guard('MinBFT.BACKUP.5', 'defers the COMMIT while the time of the batch is more than 5 s ahead (D4)'),
  guard('MinBFT.BACKUP.6', 'the RECOVERs of the header are those of the body'),
  guard('MinBFT.EXEC.1', 'executes an order on f+1 explicit votes in the executing view'),
  guard('MinBFT.EXEC.2', 'executes nothing of a base before f+1 replicas committed to its NEW-VIEW'),
  guard('MinBFT.EXEC.3', 'counts a vote only under the incarnation that the registry names before the order'),
  guard('MinBFT.EXEC.4', 'does not count a replica for the order that holds its own RECOVER'),
  guard('MinBFT.EXEC.5', 'executes nothing in a view below that of the checkpoint it was installed from'),
  guard(
    'MinBFT.EXEC.6',
    'executes only what its own incarnation of the view allows (COMMIT-NV by incarnation)',
  ),
  defence('MinBFT.CKPT.1', 'a stable checkpoint is the state that was executed here'),
  guard('MinBFT.CKPT.2', 'the own log is cut only at an anchor that R1 to R3 allow'),
  guard('MinBFT.CKPT.3', 'a stream is skipped only to an anchor that f others vouch for'),
  guard('MinBFT.CKPT.4', 'a certificate is made only of keys known before it'),
  guard('MinBFT.VC.1', 'leaves a view when f+1 replicas ask for a higher one'),
  guard('MinBFT.VC.2', 'suspects the primary when a request is overdue'),
  guard(
    'MinBFT.VC.3',
    'suspects the primary when its stream is dead or cannot be shown again, or its proposal is not authentic',
  ),
  guard('MinBFT.VC.4', 'runs the new-view timer once f+1 replicas asked for the view or a higher one'),
  guard('MinBFT.VC.5', 'joins a view whose NEW-VIEW is valid'),
  guard('MinBFT.VC.6', 'commits to a NEW-VIEW only with all bodies of its base above execution'),
  guard('MinBFT.RECOVER.1', 'a RECOVER is formally effective'),
  guard('MinBFT.RECOVER.2', 'a primary whose incarnation was retired does not lead on'),
  guard('MinBFT.RECOVER.3', 'seals only under the incarnation that is registered and covered'),
  guard(
    'MinBFT.RECOVER.4',
    'after a start seals nothing before f peers told what they hold of the own stream',
  ),
] as const satisfies readonly RuleDescription[];

/** Id of a rule of conduct. */
export type UsigReplicaRule = (typeof USIG_REPLICA_RULES)[number]['id'];
