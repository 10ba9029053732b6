/** The page: connects, keeps the tokens, and shows the cluster or what the address names. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { keepToken, keptTokens, routeOf, tokensOf } from './address.ts';
import type { Route, Tokens } from './address.ts';
import { BlockPage } from './block-page.tsx';
import { ChartsPanel } from './charts-panel.tsx';
import { SharedContext, useCluster, useShared } from './context.tsx';
import type { Shared } from './context.tsx';
import { DiagramPanel } from './diagram-panel.tsx';
import { ExplorerPanel } from './explorer-panel.tsx';
import { Feed } from './feed.ts';
import { GatewayClient } from './gateway-client.ts';
import { KeyPage } from './key-page.tsx';
import { OperationPanel } from './operation-panel.tsx';
import { PageHead } from './page-head.tsx';
import { ReplicasPanel } from './replicas-panel.tsx';
import { LiveStore } from './store.ts';
import { TransactionPage } from './transaction-page.tsx';
import { useFaultMenu } from './use-fault-menu.tsx';

/** A page that is hidden for so long is not told anything until it is seen again. */
const HIDDEN_MS = 60_000;

/** Tokens of the address, which are removed from it, and those that this tab knows already. */
function firstTokens(): Tokens {
  const given = tokensOf(location.hash);
  if (given === undefined) return keptTokens(sessionStorage);
  history.replaceState(null, '', location.pathname + location.search);
  for (const name of ['fault', 'access'] as const)
    if (given[name] !== undefined) keepToken(sessionStorage, name, given[name]);
  return { ...keptTokens(sessionStorage), ...given };
}

/** Resolves after a time, or at once when the signal is aborted. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}

function useRoute(takeTokens: (tokens: Tokens) => void): Route {
  const [route, setRoute] = useState<Route>(() => routeOf(location.hash));
  useEffect(() => {
    const read = (): void => {
      const tokens = tokensOf(location.hash);
      if (tokens !== undefined) {
        history.replaceState(null, '', location.pathname + location.search);
        takeTokens(tokens);
      }
      setRoute(routeOf(location.hash));
    };
    addEventListener('hashchange', read);
    return () => removeEventListener('hashchange', read);
  }, [takeTokens]);
  return route;
}

/** What lasts as long as the page: the gateway and what is known of the cluster; and the tokens, which change. */
function useSharedParts(): Shared & { readonly takeTokens: (tokens: Tokens) => void } {
  const [tokens, setTokens] = useState<Tokens>(firstTokens);
  const latest = useRef(tokens);
  latest.current = tokens;
  const lasting = useMemo(() => {
    const client = new GatewayClient(
      (input, init) => fetch(input, init),
      () => latest.current.access,
    );
    const store = new LiveStore(
      (tell, ms) => void setTimeout(tell, ms),
      () => Date.now(),
    );
    const setToken = (name: keyof Tokens, token: string | undefined): void => {
      keepToken(sessionStorage, name, token);
      setTokens(({ [name]: _, ...others }) => (token === undefined ? others : { ...others, [name]: token }));
    };
    const takeTokens = (given: Tokens): void => {
      for (const name of ['fault', 'access'] as const)
        if (given[name] !== undefined) setToken(name, given[name]);
    };
    return { client, store, setToken, takeTokens };
  }, []);
  return useMemo(() => ({ ...lasting, tokens }), [lasting, tokens]);
}

/** Whether the page is looked at; false only after it was hidden for a while. */
function useIsWatched(): boolean {
  const [isWatched, setWatched] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = (): void => {
      clearTimeout(timer);
      if (document.visibilityState === 'visible') setWatched(true);
      else timer = setTimeout(() => setWatched(false), HIDDEN_MS);
    };
    document.addEventListener('visibilitychange', changed);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', changed);
    };
  }, []);
  return isWatched;
}

/** Follows the cluster; replicas write down what they do only while somebody does. */
function useFeed({ client, store, tokens }: Shared): void {
  const isWatched = useIsWatched();
  const feed = useMemo(
    () => new Feed({ client, wait, now: () => Date.now() }, (event) => store.take(event)),
    [client, store],
  );
  useEffect(() => {
    if (!isWatched) return;
    const leaving = new AbortController();
    void feed.run(leaving.signal);
    return () => leaving.abort();
  }, [feed, isWatched, tokens.access]);
}

function Overview(): JSX.Element {
  const { menu, problem, refresh } = useFaultMenu();
  return (
    <>
      <ReplicasPanel menu={menu} problem={problem} refresh={refresh} />
      <ChartsPanel />
      <DiagramPanel menu={menu} />
      <div class="two">
        <ExplorerPanel />
        <OperationPanel />
      </div>
    </>
  );
}

function Shown({ route }: { readonly route: Route }): JSX.Element {
  switch (route.page) {
    case 'cluster':
      return <Overview />;
    case 'block':
      return <BlockPage key={route.height} height={route.height} />;
    case 'transaction':
      return <TransactionPage key={route.id} id={route.id} />;
    case 'key':
      return <KeyPage key={route.key} name={route.key} />;
    case 'unknown':
      return (
        <section class="card">
          <p>{route.sentence}</p>
          <a href="#/">Show the cluster</a>
        </section>
      );
  }
}

function Page({ route }: { readonly route: Route }): JSX.Element {
  useFeed(useShared());
  const { unreadable } = useCluster();
  const shown = useRef(route);
  const place = useRef(0);
  useLayoutEffect(() => {
    const before = shown.current;
    shown.current = route;
    if (before === route) return;
    // Back to where one was in the overview; any other page from its beginning.
    scrollTo({ top: route.page === 'cluster' ? place.current : 0 });
    if (route.page !== 'cluster') document.querySelector<HTMLElement>('main h2')?.focus();
  }, [route]);
  useEffect(() => {
    const moved = (): void => {
      if (shown.current.page === 'cluster') place.current = scrollY;
    };
    addEventListener('scroll', moved, { passive: true });
    return () => removeEventListener('scroll', moved);
  }, []);
  return (
    <div class="page">
      <PageHead />
      {unreadable !== '' && <p class="notice warn">{unreadable}</p>}
      <main>
        <Shown route={route} />
      </main>
    </div>
  );
}

/** See the top of this file. */
export function App(): JSX.Element {
  const shared = useSharedParts();
  const route = useRoute(shared.takeTokens);
  return (
    <SharedContext.Provider value={shared}>
      <Page route={route} />
    </SharedContext.Provider>
  );
}
