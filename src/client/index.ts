/** Public entry `moiety/client`. */
export { connect } from './client.ts';
export type { ConnectOptions } from './client.ts';
export type * from './contract.ts';
export { ClientError } from './errors.ts';
export type { ClientErrorCode } from './errors.ts';
export { openKeyFile, readKeyFile } from './keys.ts';
export { readClusterSettings } from './read-cluster.ts';
export { verifyEvidence } from './evidence.ts';
export type { EvidenceFault, EvidenceTrust, EvidenceVerdict } from './evidence.ts';
export type { FoundEvidence } from './reply-watch.ts';
