/** Page of a key: its value now. */
import type { JSX } from 'preact';
import { keyText } from './address.ts';
import { useShared } from './context.tsx';
import { PageTop } from './ledger-parts.tsx';
import { Loaded, useFound } from './loading.tsx';
import { askKey } from './operations.ts';

/** See the top of this file; `name` is percent-encoded. */
export function KeyPage({ name }: { readonly name: string }): JSX.Element {
  const { client } = useShared();
  const found = useFound(() => askKey(client, name), [client, name]);
  return (
    <section class="card">
      <PageTop title={`Key ${keyText(name)}`} />
      <Loaded found={found}>
        {({ sentence, value }) => (
          <>
            <p>{sentence}</p>
            <pre class="value">{value}</pre>
          </>
        )}
      </Loaded>
    </section>
  );
}
