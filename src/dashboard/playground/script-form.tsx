/** The scenario script of the run, to be read, changed and played. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** See the top of this file. */
export function ScriptForm(props: {
  readonly text: string;
  /** What is wrong with the script that was tried last. */
  readonly problem: string | undefined;
  readonly onPlay: (text: string) => void;
}): JSX.Element {
  const { text, problem, onPlay } = props;
  const [draft, setDraft] = useState(text);
  useEffect(() => setDraft(text), [text]);
  return (
    <form
      class="choices"
      onSubmit={(event) => {
        event.preventDefault();
        onPlay(draft);
      }}
    >
      <label class="field">
        <span>Scenario script, one line for each thing; # begins a comment</span>
        <textarea
          class="mono script"
          rows={22}
          spellcheck={false}
          value={draft}
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : 'script-problem'}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
      </label>
      {problem !== undefined && (
        <p id="script-problem" class="notice bad" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="button primary">
        Play this script
      </button>
    </form>
  );
}
