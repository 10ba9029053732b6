/**
 * Verification of evidence, offline: whoever has the evidence file and the public files of a cluster can tell that a
 * replica is faulty, without trusting who found it. Pure; explains in five lines. Two sorts: wrong signed replies need
 * the trust file; contradictory statements of trusted components need cluster.json, where their keys stand.
 */
import type { ClusterSettings } from '../core/config.ts';
import type { Seal } from '../core/protocol.ts';
import type { ReplicaId } from '../core/types.ts';
import { EVIDENCE_FORMAT, parseEvidenceDocument } from '../ledger/evidence-document.ts';
import type { EvidenceDocument } from '../ledger/evidence-document.ts';
import { verifyReplyEvidence, WRONG_REPLY } from '../ledger/reply-evidence.ts';
import type { ReplyEvidenceFault } from '../ledger/reply-evidence.ts';
import { trustOf } from '../ledger/trust.ts';
import type { Trust } from '../ledger/trust.ts';
import { PORTABLE_VERIFIER_CRYPTO } from '../ledger/verify.ts';
import type { VerifierCrypto } from '../ledger/verify.ts';
import { judgeProtocolEvidence } from '../protocols/evidence-verdict.ts';
import { createClusterVerifier } from './cluster-verifier.ts';

/** What is known of the cluster. `settings` is needed for everything but wrong replies. */
export type EvidenceTrust = { readonly trust: Trust } | { readonly settings: ClusterSettings };

/** Why an evidence file proves nothing (here). */
export type EvidenceFault =
  | 'notEvidence'
  | 'otherCluster'
  | 'needsClusterFile'
  | 'notTransferable'
  | 'renewedComponent'
  | 'badSeal'
  | 'provesNothing'
  | 'provesSomethingElse'
  | ReplyEvidenceFault;

/** Verdict on an evidence file. */
export interface EvidenceVerdict {
  readonly valid: boolean;
  /** Lines for people: what was checked, each beginning with "ok", "FAILED" or "skipped". */
  readonly lines: readonly string[];
  readonly reason?: EvidenceFault;
  /** Present if it is valid. */
  readonly replica?: ReplicaId;
  readonly rule?: string;
  readonly explanation?: string;
}

interface Finding {
  readonly replica: ReplicaId;
  readonly explanation: string;
  /** What holds it up: a sentence. */
  readonly seals: string;
}
type Judgement = Finding | { readonly fault: EvidenceFault; readonly says: string };

const REPLY_FAULTS: Readonly<Record<ReplyEvidenceFault, string>> = {
  notCanonical: 'The record is not in its canonical form.',
  otherCluster: 'The record is of another cluster.',
  otherConfiguration: 'The record is of another membership: get the trust file of that one.',
  wrongNumberOfWitnesses:
    'There must be f + 1 agreeing replies of distinct replicas, neither more nor fewer.',
  unknownReplica: 'It names a replica that is no member.',
  notFinal: 'A reply in it is not called final by its replica: it may have been undone, rightly, later.',
  witnessesDisagree: 'The replies that should agree do not.',
  noContradiction: 'The replies do not contradict each other: a correct replica may have signed it.',
  badSignature: 'A signature is wrong.',
};

function judgeReply(document: EvidenceDocument, trust: Trust, crypto: VerifierCrypto): Judgement {
  const verdict = verifyReplyEvidence(document.bytes, trust, crypto);
  if (!verdict.valid) return { fault: verdict.fault, says: REPLY_FAULTS[verdict.fault] };
  const { replica, explanation, witnesses } = verdict;
  const seals =
    `Host signatures of replica ${replica} and of replicas ${witnesses.join(', ')} hold: ${witnesses.length} agree, ` +
    'at least one of them is correct.';
  return { replica, explanation, seals };
}

function judgeStatements(
  document: EvidenceDocument,
  settings: ClusterSettings,
  crypto: VerifierCrypto,
): Judgement {
  if (settings.suite !== 'ed25519') {
    const says =
      'The trusted components share a development key (HMAC): whoever can verify could forge as well.';
    return { fault: 'notTransferable', says };
  }
  const verdict = judgeProtocolEvidence(settings, crypto.hash, document.bytes);
  if (verdict === undefined)
    return {
      fault: 'provesNothing',
      says: 'The record is malformed, or a correct replica may have done this.',
    };
  if (verdict.rule !== document.rule)
    return { fault: 'provesSomethingElse', says: `The record is about the rule ${verdict.rule}.` };
  const outcome = checkSeals(verdict.seals, settings, crypto);
  if (outcome === 'unknownKey') {
    const says =
      'A certificate in it is of a trusted component that was re-admitted by RECOVER after the cluster was made: ' +
      'cluster.json does not hold its key. The replicas know it and have checked it.';
    return { fault: 'renewedComponent', says };
  }
  if (outcome === 'invalid') return { fault: 'badSeal', says: 'A certificate or signature in it is wrong.' };
  const { replica, explanation } = verdict;
  const count = verdict.seals.length;
  return { replica, explanation, seals: `All ${count} certificates and signatures in it hold.` };
}

function checkSeals(
  seals: readonly Seal[],
  settings: ClusterSettings,
  crypto: VerifierCrypto,
): 'valid' | 'invalid' | 'unknownKey' {
  return createClusterVerifier(settings, crypto).verifyMany(seals);
}

function judge(document: EvidenceDocument, known: EvidenceTrust, crypto: VerifierCrypto): Judgement {
  const trust = 'trust' in known ? known.trust : trustOf(known.settings);
  if (document.rule === WRONG_REPLY) return judgeReply(document, trust, crypto);
  if ('settings' in known) return judgeStatements(document, known.settings, crypto);
  const says = 'The keys of trusted components stand in cluster.json, not in the trust file: give --cluster.';
  return { fault: 'needsClusterFile', says };
}

const SKIPPED = ['Cluster.', 'What the record says.', 'Signatures and certificates.', 'Who is faulty.'];

/**
 * Checks an evidence file against what is known of a cluster. Valid means: the replica that it names did what no
 * correct replica does. Never throws, whatever the text.
 */
export function verifyEvidence(
  text: string,
  known: EvidenceTrust,
  crypto: VerifierCrypto = PORTABLE_VERIFIER_CRYPTO,
): EvidenceVerdict {
  const lines: string[] = [];
  const failed = (reason: EvidenceFault, says: string): EvidenceVerdict => {
    lines.push(`FAILED  ${says}`);
    for (const about of SKIPPED.slice(lines.length - 1)) lines.push(`skipped ${about}`);
    return { valid: false, lines, reason };
  };
  const document = parseEvidenceDocument(text);
  if (document === undefined) return failed('notEvidence', `This is no evidence file (${EVIDENCE_FORMAT}).`);
  lines.push(`ok      The file is an evidence file (${EVIDENCE_FORMAT}).`);
  const { clusterId } = 'trust' in known ? known.trust : known.settings;
  if (document.clusterId !== clusterId)
    return failed('otherCluster', `It is of cluster ${document.clusterId.slice(0, 12)}…, not of this one.`);
  lines.push(`ok      It is of cluster ${clusterId.slice(0, 12)}….`);
  const judgement = judge(document, known, crypto);
  if ('fault' in judgement) return failed(judgement.fault, judgement.says);
  const { replica, explanation, seals } = judgement;
  if (replica !== document.replica)
    return failed('provesSomethingElse', `The record is about replica ${replica}.`);
  const sentence = `${explanation[0]!.toUpperCase()}${explanation.slice(1)}.`;
  lines.push(`ok      ${sentence}`, `ok      ${seals}`);
  lines.push(`ok      Replica ${replica} is proven faulty (${document.rule}): no correct replica does this.`);
  return { valid: true, lines, replica, rule: document.rule, explanation: sentence };
}
