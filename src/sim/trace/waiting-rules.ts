/**
 * Rules that name the message that was looked at and still do not judge it: with what is there so far, something may not be
 * done yet. A message that one of them keeps waiting was not refused.
 */
const WAITING: ReadonlySet<string> = new Set([
  'CheapBFT.S2',
  'CheapBFT.S4',
  'CheapBFT.S8',
  'EBAWA.VC.1',
  'FlexiBFT.13.commit',
  'FlexiBFT.NV.bodies',
  'FlexiBFT.NV.certified',
  'FlexiBFT.NV.once',
  'MinBFT.LEADER.5',
  'ReMinBFT.M.active',
  'ReMinBFT.M.early',
  'ReMinBFT.M.signed',
  'ReMinBFT.P.join',
  'RePBFT.M.count',
  'Zyzzyva.CKPT.1',
  'Zyzzyva.CKPT.7',
  'Zyzzyva.ENTER.1.LOWER',
  'Zyzzyva.ENTER.1.QUORUM',
  'Zyzzyva.NV.2.ONCE',
  'Zyzzyva.VC.2',
]);

/** Whether a rule that did not pass says "not yet" instead of "no". */
export function isWaitingRule(rule: string): boolean {
  return WAITING.has(rule);
}
