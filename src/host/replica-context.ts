/** What a host gives its replica (`core/protocol.ts`). */
import type { Domain } from '../core/domain.ts';
import type { ReplicaContext, RuleTrace } from '../core/protocol.ts';
import type { HostOptions } from './host-options.ts';

/** `watcher`: who is told of rules at the moment, if anybody is, beside the trace of the options. */
export function replicaContext<M>(
  { self, settings, crypto, executor, seed, trace }: HostOptions<M>,
  domain: Domain,
  watcher: () => ((event: RuleTrace) => void) | undefined,
): ReplicaContext {
  const parts = {
    self,
    settings,
    domain,
    hash: crypto.hash,
    isExecuted: (bundle: Parameters<ReplicaContext['isExecuted']>[0]) =>
      executor.admit(bundle).kind !== 'new',
    signAsHost: (digest: Parameters<ReplicaContext['signAsHost']>[0]) => crypto.hostSigner.sign(digest),
    seed,
  };
  if (trace === undefined)
    return {
      ...parts,
      get trace() {
        return watcher();
      },
    };
  // Simulations have every rule told; whoever watches them hears of it, too.
  return {
    ...parts,
    trace: (event) => {
      trace(event);
      watcher()?.(event);
    },
  };
}
