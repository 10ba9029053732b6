/** What all parts of the page share: the gateway, what is known of the cluster, and the tokens. */
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Tokens } from './address.ts';
import type { ClusterState } from './cluster-state.ts';
import type { GatewayClient } from './gateway-client.ts';
import type { LiveStore } from './store.ts';

/** See the top of this file. */
export interface Shared {
  readonly client: GatewayClient;
  readonly store: LiveStore;
  readonly tokens: Tokens;
  readonly setToken: (name: keyof Tokens, token: string | undefined) => void;
}

/** Given by `App`. */
export const SharedContext = createContext<Shared | undefined>(undefined);

/** What is shared; only below `App`. */
export function useShared(): Shared {
  return useContext(SharedContext)!;
}

/** What is known of the cluster now; draws again when it changes. */
export function useCluster(): ClusterState {
  const { store } = useShared();
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe(() => setState(store.state));
  }, [store]);
  return state;
}
