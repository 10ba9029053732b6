/** Top of the page: which cluster, how it is in a sentence, and whether the page still hears from it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ThemeChoice } from '../theme/theme-choice.tsx';
import { typedToken } from './address.ts';
import { useCluster, useShared } from './context.tsx';
import type { Connection } from './feed.ts';
import { headlineOf, spokenOf } from './headline.ts';
import { clockText } from './live-scene.ts';
import { flowOf } from './rates.ts';
import { fieldsOf, jsonOf, textOf } from './shapes.ts';

const REASONS_SHOWN = 4;

/** Beginning of the cluster's name, once it is known. */
function useClusterId(isLive: boolean): string | undefined {
  const { client } = useShared();
  const [id, setId] = useState<string>();
  useEffect(() => {
    if (!isLive || id !== undefined) return;
    void client.ask({ path: '/v1/trust' }).then((answer) => {
      if (answer.ok) setId(textOf(fieldsOf(jsonOf(answer.text))?.['clusterId'], 16));
    });
  }, [client, isLive, id]);
  return id;
}

function ConnectionState({ connection }: { readonly connection: Connection }): JSX.Element {
  switch (connection.state) {
    case 'live':
      return <span class="tag good">live</span>;
    case 'connecting':
      return <span class="tag">connecting</span>;
    case 'denied':
      return <span class="tag warn">token needed</span>;
    case 'reconnecting':
      return (
        <span class="tag warn" title={connection.why}>
          reconnecting since {clockText(connection.sinceMs).slice(0, 8)} UTC
        </span>
      );
  }
}

function AccessForm(): JSX.Element {
  const { setToken } = useShared();
  const [text, setText] = useState('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        setToken('access', typedToken(text));
      }}
    >
      <label class="field">
        <span>Token of the gateway</span>
        <input
          type="password"
          autocomplete="off"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button primary">
        Connect
      </button>
    </form>
  );
}

/** The first reasons, and the others on demand: what is below shall not move far. */
function Reasons({ reasons }: { readonly reasons: readonly string[] }): JSX.Element | null {
  if (reasons.length === 0) return null;
  const more = reasons.slice(REASONS_SHOWN);
  const items = (some: readonly string[]): JSX.Element => (
    <ul class="reasons">
      {some.map((reason, index) => (
        <li key={index}>{reason}</li>
      ))}
    </ul>
  );
  return (
    <>
      {items(reasons.slice(0, REASONS_SHOWN))}
      {more.length > 0 && (
        <details>
          <summary>{more.length} more</summary>
          {items(more)}
        </details>
      )}
    </>
  );
}

/** See the top of this file. */
export function PageHead(): JSX.Element {
  const { status, connection, rates } = useCluster();
  const id = useClusterId(connection.state === 'live');
  const flow = flowOf(rates, status?.nowMs ?? 0);
  const headline = headlineOf(status, connection, flow);
  const spoken = spokenOf(headline);
  return (
    <header class="page-head">
      <div class="page-title">
        <h1>
          <a href="#/">Moiety</a>
          {id !== undefined && <span class="mono">cluster {id}</span>}
        </h1>
        <p class="facts">
          {status === undefined ? (
            <span class="muted">…</span>
          ) : (
            <>
              <span>{status.protocol}</span>
              <span>N = {status.replicas.length}</span>
              <span>f = {status.f}</span>
            </>
          )}
        </p>
        <div class="page-state">
          <ConnectionState connection={connection} />
          <ThemeChoice />
        </div>
      </div>
      <div class={`notice headline ${headline.tone}`}>
        <p class="sentence">{headline.sentence}</p>
        <Reasons reasons={headline.reasons} />
        {connection.state === 'denied' && <AccessForm />}
      </div>
      <p class="visually-hidden" aria-live="polite">
        {spoken}
      </p>
    </header>
  );
}
