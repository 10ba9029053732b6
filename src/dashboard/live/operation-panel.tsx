/** The form that writes and reads. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { fragmentOf } from './address.ts';
import { useShared } from './context.tsx';
import { TransactionLink } from './ledger-parts.tsx';
import { carryOut, listedKeyText, OPERATIONS } from './operations.ts';
import type { OperationForm, OperationName, OperationOutcome } from './operations.ts';
import { shortNumber, wholeText } from './rates.ts';

const NAMES: Readonly<Record<OperationName, string>> = {
  put: 'Put',
  get: 'Get',
  delete: 'Delete',
  cas: 'Swap',
  list: 'List',
};
const EMPTY: OperationForm = { operation: 'put', key: '', value: '', expected: '', onlyIfAbsent: false };

function Entries({ outcome }: { readonly outcome: OperationOutcome }): JSX.Element {
  return (
    <div class="scroll-x entries" tabIndex={0} role="region" aria-label="Entries">
      <table>
        <thead>
          <tr>
            <th>key</th>
            <th>value</th>
          </tr>
        </thead>
        <tbody>
          {(outcome.entries ?? []).map(({ key, value }) => (
            <tr key={key}>
              <td class="cut">
                <a href={fragmentOf({ page: 'key', key })}>{listedKeyText(key)}</a>
              </td>
              <td class="cut">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Outcome(props: {
  readonly outcome: OperationOutcome | undefined;
  readonly onNext: (after: string) => void;
}): JSX.Element {
  const { outcome, onNext } = props;
  if (outcome === undefined)
    return <p class="muted">The answer comes here, with its transaction and its time.</p>;
  const { isGood, sentence, tookMs, txId, height, value, entries, next } = outcome;
  return (
    <>
      <div class={`notice ${isGood ? 'good' : 'warn'}`}>
        <p>
          {sentence} <span class="muted">{shortNumber(tookMs)} ms.</span>
        </p>
        {txId !== undefined && (
          <p>
            Transaction <TransactionLink id={txId} />
            {height !== undefined && (
              <>
                {' '}
                in block <a href={`#/block/${height}`}>{wholeText(height)}</a>
              </>
            )}
          </p>
        )}
      </div>
      {value !== undefined && <pre class="value">{value}</pre>}
      {entries !== undefined && entries.length > 0 && <Entries outcome={outcome} />}
      {next !== undefined && (
        <button type="button" class="button" onClick={() => onNext(next)}>
          Next page
        </button>
      )}
    </>
  );
}

function Choice(props: {
  readonly chosen: OperationName;
  readonly onChoose: (operation: OperationName) => void;
}): JSX.Element {
  return (
    <fieldset class="choice">
      <legend class="visually-hidden">Operation</legend>
      {OPERATIONS.map((operation) => (
        <label key={operation}>
          <input
            type="radio"
            name="operation"
            value={operation}
            checked={props.chosen === operation}
            onChange={() => props.onChoose(operation)}
          />
          <span>{NAMES[operation]}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Inputs(props: {
  readonly form: OperationForm;
  readonly change: (change: Partial<OperationForm>) => void;
}): JSX.Element {
  const { form, change } = props;
  const { operation } = form;
  const takesValue = operation === 'put' || operation === 'cas';
  return (
    <>
      <label class="field">
        <span>{operation === 'list' ? 'Keys that begin with' : 'Key'}</span>
        <input
          value={form.key}
          maxLength={1_024}
          autocomplete="off"
          onInput={(event) => change({ key: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span>Value</span>
        <textarea
          rows={2}
          value={form.value}
          disabled={!takesValue}
          onInput={(event) => change({ value: event.currentTarget.value })}
        />
      </label>
      <div class="swap" hidden={operation !== 'cas'}>
        <label class="field">
          <span>Only if the value now is</span>
          <input
            value={form.expected}
            disabled={form.onlyIfAbsent}
            onInput={(event) => change({ expected: event.currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={form.onlyIfAbsent}
            onChange={(event) => change({ onlyIfAbsent: event.currentTarget.checked })}
          />
          only if there is none
        </label>
      </div>
    </>
  );
}

/** See the top of this file. */
export function OperationPanel(): JSX.Element {
  const { client } = useShared();
  const [form, setForm] = useState(EMPTY);
  const [outcome, setOutcome] = useState<OperationOutcome>();
  const [isBusy, setBusy] = useState(false);
  const perform = async (after?: string): Promise<void> => {
    setBusy(true);
    // The answer to the operation before would pass for that of this one.
    setOutcome(undefined);
    setOutcome(await carryOut(client, form, () => performance.now(), after));
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="operation">
      <h2 id="operation">Write and read</h2>
      <form
        class="operation"
        onSubmit={(event) => {
          event.preventDefault();
          void perform();
        }}
      >
        <Choice chosen={form.operation} onChoose={(operation) => setForm({ ...form, operation })} />
        <Inputs form={form} change={(change) => setForm({ ...form, ...change })} />
        <button type="submit" class="button primary" disabled={isBusy}>
          {isBusy ? 'Waiting …' : NAMES[form.operation]}
        </button>
      </form>
      <div class="outcome" role="status">
        <Outcome outcome={outcome} onNext={(after) => void perform(after)} />
      </div>
    </section>
  );
}
