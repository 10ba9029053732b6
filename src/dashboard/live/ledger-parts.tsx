/** Parts that the pages of blocks, transactions and keys share. */
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { fragmentOf, keyRoute, searchRoute } from './address.ts';
import { operationWords } from './ledger.ts';
import type { TransactionView } from './ledger.ts';

/** Rows of a list of transactions before one asks for more. */
const ROWS_STEP = 50;

/** Name and text, one below the other. */
export function FieldList(props: {
  readonly fields: readonly (readonly [string, ComponentChildren])[];
}): JSX.Element {
  return (
    <dl class="fields wide">
      {props.fields.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Date and time, UTC. */
export function dateText(ms: number): string {
  const date = new Date(ms);
  return Number.isFinite(date.getTime()) ? `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC` : '?';
}

/** Link to a transaction. */
export function TransactionLink({ id }: { readonly id: string }): JSX.Element {
  return (
    <a class="mono" href={fragmentOf({ page: 'transaction', id })} title={id}>
      {id.slice(0, 12)}…
    </a>
  );
}

/** Search by height, transaction id or key. */
export function SearchForm(): JSX.Element {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const isNumber = /^[1-9]\d*$/.test(text.trim());
  const go = (route: ReturnType<typeof searchRoute>): void => {
    if (route === undefined) setProblem('Type a height, a transaction id or a key.');
    else if (route.page === 'unknown') setProblem(route.sentence);
    else location.hash = fragmentOf(route);
  };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        go(searchRoute(text));
      }}
    >
      <label class="field">
        <span>Height, transaction id or key</span>
        <input
          type="search"
          value={text}
          maxLength={1_100}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setProblem('');
          }}
        />
      </label>
      <button type="submit" class="button">
        Find
      </button>
      <button type="button" class="button" disabled={!isNumber} onClick={() => go(keyRoute(text.trim()))}>
        As a key
      </button>
      <p class="search-problem" role="status">
        {problem}
      </p>
    </form>
  );
}

/** Head of a page that is not the overview. */
export function PageTop({ title }: { readonly title: string }): JSX.Element {
  return (
    <div class="page-top">
      <a href="#/">← Cluster</a>
      <h2 tabIndex={-1}>{title}</h2>
      <SearchForm />
    </div>
  );
}

/** Transactions of a block. */
export function TransactionTable(props: { readonly transactions: readonly TransactionView[] }): JSX.Element {
  const [shown, setShown] = useState(ROWS_STEP);
  const more = props.transactions.length - shown;
  return (
    <>
      <div class="scroll-x" tabIndex={0} role="region" aria-label="Transactions">
        <table>
          <thead>
            <tr>
              <th class="number">index</th>
              <th>transaction</th>
              <th>operation</th>
              <th>result</th>
              <th>organisation</th>
            </tr>
          </thead>
          <tbody>
            {props.transactions.slice(0, shown).map((one) => (
              <tr key={one.index}>
                <td class="number">{one.index}</td>
                <td>
                  <TransactionLink id={one.txId} />
                </td>
                <td class="cut">{operationWords(one)}</td>
                <td>{one.result}</td>
                <td>{one.organisation}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more > 0 && (
        <button type="button" class="button" onClick={() => setShown(shown + ROWS_STEP)}>
          Show {Math.min(more, ROWS_STEP)} more of {more}
        </button>
      )}
    </>
  );
}
