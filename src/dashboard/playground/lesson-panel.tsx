/** The text of a lesson, step by step, with the rules at work, and the question at the end. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { LESSONS } from './lessons/all.ts';
import type { Lesson, LessonStep } from './lessons/lesson.ts';
import { RuleList } from './message-view.tsx';
import { ruleText } from './rule-texts.ts';

interface PanelProps {
  /** From 1 on. */
  readonly number: number;
  /** From 1 on; one more than there are steps: the question. */
  readonly step: number;
  /** What the checkers found in the run of this step. */
  readonly violations: readonly string[];
  readonly onGo: (lesson: number, step: number) => void;
  readonly onTry: () => void;
}

function Step({
  step,
  violations,
}: {
  readonly step: LessonStep;
  readonly violations: readonly string[];
}): JSX.Element {
  const rules = (step.rules ?? []).map(({ rule, passed }) => ({
    rule,
    outcome: passed ? ('holds' as const) : ('refuses it' as const),
    times: 1,
    text: ruleText(rule) ?? '',
  }));
  return (
    <>
      <p class="step-text">{step.text}</p>
      {step.figure === 'pairs' && <PairsFigure />}
      {step.at.kind === 'violation' &&
        violations.map((text) => (
          <blockquote key={text} class="notice bad mono">
            {text}
          </blockquote>
        ))}
      {rules.length > 0 && (
        <details class="step-rules">
          <summary>{rules.length === 1 ? 'The rule at work here' : 'The rules at work here'}</summary>
          <RuleList rules={rules} />
        </details>
      )}
    </>
  );
}

/** Two pairs out of three replicas share one. */
function PairsFigure(): JSX.Element {
  const places = [34, 120, 206];
  return (
    <svg
      class="pairs-figure"
      viewBox="0 0 240 84"
      role="img"
      aria-label="Replicas 0 and 1 are one pair, replicas 0 and 2 are the other: replica 0 is in both."
    >
      <rect x="8" y="16" width="138" height="36" rx="18" class="one" />
      <rect x="94" y="10" width="138" height="48" rx="24" class="other" />
      {places.map((x, index) => (
        <g key={x}>
          <circle cx={x} cy="34" r="12" />
          <text x={x} y="38" text-anchor="middle">
            {[1, 0, 2][index]}
          </text>
        </g>
      ))}
      <text x="34" y="76" text-anchor="middle" class="under">
        one pair
      </text>
      <text x="120" y="76" text-anchor="middle" class="under">
        in both
      </text>
      <text x="206" y="76" text-anchor="middle" class="under">
        the other
      </text>
    </svg>
  );
}

function Question({
  lesson,
  number,
  onGo,
}: { readonly lesson: Lesson } & Pick<PanelProps, 'number' | 'onGo'>): JSX.Element {
  return (
    <>
      <p class="step-text">{lesson.question}</p>
      <details class="answer">
        <summary>Show the answer</summary>
        <p>{lesson.answer}</p>
      </details>
      {lesson.shortcut !== undefined && (
        <p>
          <button type="button" class="button" onClick={() => onGo(lesson.shortcut!.lesson, 1)}>
            {lesson.shortcut.text}
          </button>
        </p>
      )}
      {number < LESSONS.length ? (
        <p>
          <button type="button" class="button primary" onClick={() => onGo(number + 1, 1)}>
            Next lesson: {LESSONS[number]!.title}
          </button>
        </p>
      ) : (
        <p>This was the last lesson. In Explore you can set up runs of your own.</p>
      )}
    </>
  );
}

function LessonChoice({ number, onGo }: Pick<PanelProps, 'number' | 'onGo'>): JSX.Element {
  return (
    <label class="field">
      <span>Lesson</span>
      <select value={number} onChange={(event) => onGo(Number(event.currentTarget.value), 1)}>
        {LESSONS.map(({ title }, index) => (
          <option key={title} value={index + 1}>
            {index + 1}. {title}
          </option>
        ))}
      </select>
    </label>
  );
}

/** See the top of this file. */
export function LessonPanel(props: PanelProps): JSX.Element {
  const { number, step, violations, onGo, onTry } = props;
  const lesson = LESSONS[number - 1]!;
  const shown = lesson.steps[step - 1];
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    // Who reads by ear hears the new step; not when the page opens.
    if (!isFirst.current) {
      heading.current?.focus({ preventScroll: true });
      heading.current?.scrollIntoView({ block: 'nearest' });
    }
    isFirst.current = false;
  }, [number, step]);
  const last = lesson.steps.length + 1;
  return (
    <section class="panel lesson" aria-label={`Lesson ${number}`}>
      <LessonChoice number={number} onGo={onGo} />
      {step === 1 && <p class="muted">{lesson.summary}</p>}
      <p class="step-count">
        {shown === undefined ? 'A question' : `Step ${step} of ${lesson.steps.length}`}
        {shown !== undefined && lesson.runs.length > 1 && (
          <span class="tag">{lesson.runs[shown.run ?? 0]!.label}</span>
        )}
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {shown === undefined ? 'Can you say it?' : shown.title}
      </h2>
      {shown === undefined ? (
        <Question lesson={lesson} number={number} onGo={onGo} />
      ) : (
        <Step step={shown} violations={violations} />
      )}
      <div class="step-buttons">
        <button
          type="button"
          class="button"
          disabled={number === 1 && step === 1}
          onClick={() =>
            step > 1 ? onGo(number, step - 1) : onGo(number - 1, LESSONS[number - 2]!.steps.length + 1)
          }
        >
          Back
        </button>
        {step < last && (
          <button type="button" class="button primary" onClick={() => onGo(number, step + 1)}>
            Next
          </button>
        )}
        <button type="button" class="button" onClick={onTry}>
          Try it yourself
        </button>
      </div>
    </section>
  );
}
