/**
 * When clients of MinZyzzyva believe an answer. MinZyzzyva.CLI.1, the request to all with a timer, and MinZyzzyva.CLI.5,
 * retries with doubled timers, are what every client does; the rest is said here.
 */
import type { ClientRules, DecodeContext } from '../../core/protocol.ts';
import type { StreamContext } from '../../smr/usig-stream/context.ts';
import { authorOf, decodeStatement, encodeCertificateOf, statementKey } from './messages.ts';

/** The rules, for clients that read statements in this context. */
export function minzyzzyvaClient(streams: (context: DecodeContext) => StreamContext): ClientRules {
  return {
    /**
     * MinZyzzyva.CLI.2: equal speculative answers of all replicas. MinZyzzyva.CLI.4: f+1 final ones, whatever views they
     * name: one is of a correct replica, where the order can never be undone.
     */
    needed: (standing, n, f) => {
      if (standing === 'speculative') return n;
      return standing === 'final' ? f + 1 : undefined;
    },
    /**
     * Views, histories and proposals never mix (MinZyzzyva.CLI.2). The seals are not the client's to check
     * (MinZyzzyva.CLI.6): among all replicas there are f+1 correct ones, and what certificates hold is checked by
     * replicas.
     */
    readProof: (proof, replica, context, standing) => {
      if (standing === 'final') return proof.length === 0 ? { key: '', seals: [] } : undefined;
      const statement = decodeStatement(streams(context), proof);
      if (statement === undefined || authorOf(statement).replica !== replica) return undefined;
      return { key: statementKey(statement), seals: [] };
    },
    /** MinZyzzyva.CLI.3: f+1 equal ones become a certificate, which makes replicas bring up each other's streams. */
    certificate: {
      needed: (_n, f) => f + 1,
      make: (proofs) => encodeCertificateOf(proofs.map(({ proof }) => proof)),
    },
  };
}
