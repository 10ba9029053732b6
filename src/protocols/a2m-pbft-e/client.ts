/**
 * What a client believes: 2f+1 equal answers, each with the entry of the replica's execution log, all of
 * one history. Holds even if 2f of 3f+1 replicas are faulty: two such answers share a log, and a log has one history.
 */
import type { ClientRules } from '../../core/protocol.ts';
import type { AttestedMessage } from '../../smr/attested/sealed.ts';
import { isSealed } from '../../smr/attested/sealed.ts';
import { wireOf } from '../../smr/attested/wire.ts';
import type { ExecutionContent } from './messages.ts';
import { EXECUTION_LOG, EXECUTION_MESSAGES } from './messages.ts';

/** Encoding of this protocol's messages, and what has to hold in them. */
export const EXECUTION_WIRE = wireOf(EXECUTION_MESSAGES);

/** Whether the word given for an EXECUTED is an entry of the execution log at its sequence number. */
export function isLogEntry(message: AttestedMessage<ExecutionContent>): boolean {
  if (!isSealed(message) || message.content.kind !== 'EXECUTED') return false;
  const { attestation } = message;
  return (
    attestation.kind === 'object' &&
    attestation.form === 'log' &&
    attestation.strict === true &&
    attestation.object === EXECUTION_LOG &&
    attestation.value === message.content.sequence &&
    attestation.previous === attestation.value - 1 &&
    attestation.history !== undefined
  );
}

/** See the top of this file. */
export const A2M_PBFT_E_CLIENT: ClientRules = {
  needed: (standing, n, f) => (standing === 'final' ? n - f : undefined),
  provesFinal: true,
  readProof: (proof, replica, context) => {
    const message = EXECUTION_WIRE.decode(proof, context);
    if (message === undefined || !isLogEntry(message) || !isSealed(message)) return undefined;
    const { attestation, content } = message;
    if (message.author !== replica || attestation.kind !== 'object' || content.kind !== 'EXECUTED')
      return undefined;
    const key = `${content.sequence}/${content.digest}/${attestation.history}`;
    return { key, seals: EXECUTION_WIRE.seals(message) };
  },
};
