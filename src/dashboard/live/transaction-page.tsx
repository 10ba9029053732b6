/** Page of a transaction: what it did, its receipt, and the verification of that in this page. */
import type { JSX } from 'preact';
import { fragmentOf, keyText } from './address.ts';
import { useShared } from './context.tsx';
import { askTransaction } from './ledger.ts';
import type { TransactionView } from './ledger.ts';
import { FieldList, PageTop } from './ledger-parts.tsx';
import { Loaded, useFound } from './loading.tsx';
import { wholeText } from './rates.ts';
import { ReceiptPanel } from './receipt-panel.tsx';

function fieldsOf(one: TransactionView, height: number): Parameters<typeof FieldList>[0]['fields'] {
  const { op, key, value, expected } = one;
  return [
    ['block', <a href={`#/block/${height}`}>{wholeText(height)}</a>],
    ['index in the block', `${one.index}`],
    ['operation', op],
    ...(key === undefined
      ? []
      : ([['key', <a href={fragmentOf({ page: 'key', key })}>{keyText(key)}</a>]] as const)),
    ...(expected === undefined
      ? []
      : ([['expected', expected === null ? 'no value' : <pre class="value">{expected}</pre>]] as const)),
    ...(value === undefined ? [] : ([['value', <pre class="value">{value}</pre>]] as const)),
    ['result', one.result],
    ['organisation', one.organisation],
    ['client', <code>{one.client}</code>],
    ['session and request', `${one.session}, ${one.number}`],
  ];
}

/** See the top of this file. */
export function TransactionPage({ id }: { readonly id: string }): JSX.Element {
  const { client } = useShared();
  const found = useFound(() => askTransaction(client, id), [client, id]);
  return (
    <section class="card">
      <PageTop title="Transaction" />
      <p>
        <code class="break">{id}</code>
      </p>
      <Loaded found={found}>
        {(seen) =>
          seen.state === 'other' ? (
            <p class="notice">{seen.sentence}</p>
          ) : (
            <>
              <FieldList fields={fieldsOf(seen.transaction, seen.height)} />
              <ReceiptPanel id={id} />
            </>
          )
        }
      </Loaded>
    </section>
  );
}
