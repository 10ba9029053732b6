/** Fields of a form: a choice, and a whole number that counts only when it is within its bounds. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { wholeIn } from './choice-words.ts';

/** A choice of a few. */
export function Choice<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [T, string])[];
  readonly onChoose: (value: T) => void;
  readonly children?: ComponentChildren;
}): JSX.Element {
  const { label, value, options, onChoose } = props;
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value as T)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
      {props.children}
    </label>
  );
}

/** A whole number. What is out of bounds is said below the field and changes nothing. */
export function WholeNumber(props: {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly onChoose: (value: number) => void;
}): JSX.Element {
  const { label, value, low, high, onChoose } = props;
  const [text, setText] = useState(String(value));
  const id = useId();
  useEffect(() => setText(String(value)), [value]);
  const isWrong = wholeIn(text, low, high) === undefined;
  const settle = (): void => {
    const chosen = wholeIn(text, low, high);
    if (chosen !== undefined && chosen !== value) onChoose(chosen);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        inputMode="numeric"
        value={text}
        aria-invalid={isWrong}
        aria-describedby={isWrong ? `${id}-wrong` : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={settle}
        onKeyDown={(event) => {
          if (event.key === 'Enter') settle();
        }}
      />
      {isWrong && (
        <small id={`${id}-wrong`} class="wrong">
          A whole number from {low} to {high}.
        </small>
      )}
    </div>
  );
}
