/** How a replica of a development cluster (`up --dev`) gets its trusted component. Never loaded by the production entry. */
import { isWasmComponent, openWasmComponent, readStatementKey } from '../footprints/wasm/component-folder.ts';
import type { ReplicaProcessOptions } from '../node/replica-process.ts';

/**
 * Options of a replica whose component lies in `trustedFolder`; none if that is a trusted process. Throws an Error
 * whose message is for the operator.
 */
export function developmentComponent(trustedFolder: string): ReplicaProcessOptions {
  if (!isWasmComponent(trustedFolder)) return {};
  return {
    developmentStatementKey: readStatementKey(trustedFolder),
    openTrusted: () => Promise.resolve(openWasmComponent(trustedFolder)),
  };
}
