/** Copies the address of the page: it holds the whole run. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

/** See the top of this file. */
export function CopyLink(): JSX.Element {
  const [outcome, setOutcome] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(location.href);
      setOutcome('Copied.');
    } catch {
      setOutcome('The browser does not let the page copy: take it from the address bar.');
    }
  };
  return (
    <p class="copy-link">
      <button type="button" class="button" onClick={() => void copy()}>
        Copy link
      </button>{' '}
      <small role="status">{outcome}</small>
    </p>
  );
}
