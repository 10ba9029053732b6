/**
 * When a VIEW-CHANGE and a NEW-VIEW are valid, and what the latter begins with. Pure functions of the bytes and the
 * configuration; "too old for me" is not invalid.
 */
import type { Sealed } from '../../smr/attested/sealed.ts';
import { isOf } from '../../smr/attested/sealed.ts';
import type { Report } from './base.ts';
import type { Judging } from './certificates.ts';
import { certificateOf, isReason, lastOf, stableProofOf } from './certificates.ts';
import { History } from './history.ts';
import type { Message, NewView, ViewChange, ZyzzyvaContent } from './messages.ts';

/** The rule of the new view; `newHistory` but for the tests that show what older rules lead to. */
export type HistoryRule = (f: number, reports: readonly Report[]) => History | undefined;

/** What a VIEW-CHANGE says, or undefined if it is not valid (VC.4); every seal in it holds already. */
export function judgeViewChange(judging: Judging, message: Message<ViewChange>): Report | undefined {
  const { rule, quorum, checkpointQuorum } = judging;
  const { author, content, attestation } = message;
  const { view, label, digests } = content;
  const stable = stableProofOf(checkpointQuorum, content.checkpoints);
  const isProven =
    attestation.kind === 'host' && stable !== undefined && stable.view <= label && label < view;
  if (!rule('Zyzzyva.VC.4.STABLE', isProven, 'VIEW-CHANGE')) return undefined;
  // Of view 0 there need be no certificate: its base is empty.
  const isBare = label === 0 && content.certificate.length === 0;
  const certificate = isBare ? undefined : certificateOf(quorum, content.certificate);
  if (!rule('Zyzzyva.VC.4.LABEL', isBare || certificate?.view === label, 'VIEW-CHANGE')) return undefined;
  // How long it is first: hashing is work.
  const isInside = stable!.length + digests.length <= lastOf(judging, stable!);
  const history = isInside ? History.after(judging.link, stable!, digests) : undefined;
  const isChained = history?.end.history === content.history;
  if (!rule('Zyzzyva.VC.4.CHAIN', isChained, 'VIEW-CHANGE') || history === undefined) return undefined;
  const proven = certificate?.proven;
  const reaches = proven === undefined || proven.length <= history.start || history.has(proven);
  if (!rule('Zyzzyva.VC.4.REACH', reaches, 'VIEW-CHANGE')) return undefined;
  const why = isReason(judging, view - 1, content.reason);
  if (!rule('Zyzzyva.VC.4.REASON', why, 'VIEW-CHANGE')) return undefined;
  return { author, label, proven: proven?.length ?? 0, history };
}

/** The base of a NEW-VIEW, or undefined if it is not valid (NV.1, NV.2). */
export function judgeNewView(
  judging: Judging,
  historyRule: HistoryRule,
  message: Message<NewView>,
): History | undefined {
  const { content, author, attestation } = message;
  const { view, viewChanges } = content;
  const reports = reportsOf(judging, content);
  const isQuorum =
    attestation.kind === 'host' && author === judging.primaryOf(view) && reports?.length === judging.quorum;
  if (!judging.rule('Zyzzyva.NV.1', isQuorum && viewChanges.length === judging.quorum, 'NEW-VIEW'))
    return undefined;
  const base = historyRule(judging.f, reports!);
  const isBase = base !== undefined && base.has(content.base) && base.length === content.base.length;
  return judging.rule('Zyzzyva.NV.2.BASE', isBase, 'NEW-VIEW') ? base : undefined;
}

function reportsOf(judging: Judging, { view, viewChanges }: NewView): readonly Report[] | undefined {
  const reports = new Map<number, Report>();
  for (const one of viewChanges as readonly Sealed<ZyzzyvaContent>[]) {
    const report =
      isOf(one, 'VIEW-CHANGE') && one.content.view === view ? judgeViewChange(judging, one) : undefined;
    if (report === undefined || reports.has(report.author)) return undefined;
    reports.set(report.author, report);
  }
  return [...reports.values()];
}
