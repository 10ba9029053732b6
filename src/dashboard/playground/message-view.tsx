/** A message: what stands on it, what it says, and the numbered rules that its receiver asked. */
import type { JSX } from 'preact';
import type { MessageStory } from './happened.ts';
import { fieldLines, headLines, ruleGroups, verdictWords } from './message-words.ts';
import type { RuleLine } from './message-words.ts';
import { Pairs } from './pairs.tsx';

/** Rules with their texts. */
export function RuleList({ rules }: { readonly rules: readonly RuleLine[] }): JSX.Element {
  return (
    <ul class="rules">
      {rules.map(({ rule, text, outcome, times }) => (
        <li key={`${rule}/${outcome}`} class={outcome.replaceAll(' ', '-')}>
          <span>
            <b class="mono">{rule}</b> <span class="tag">{outcome}</span>
            {times > 1 && <small> {times} times</small>}
          </span>
          {text !== '' && <span>{text}</span>}
        </li>
      ))}
    </ul>
  );
}

/** See the top of this file. `isBrief`: what it says is to be unfolded. */
export function MessageView(props: { readonly story: MessageStory; readonly isBrief: boolean }): JSX.Element {
  const { story, isBrief } = props;
  const { sending, arrivals, fields } = story;
  const { about, beside } = ruleGroups(story);
  const isRefused =
    arrivals.length === 0 ||
    story.later !== undefined ||
    (arrivals.at(-1)!.verdict !== undefined && story.refusesAnother !== true);
  return (
    <section aria-label="Message">
      <h2>{sending.message}</h2>
      <p class={`notice ${isRefused ? 'warn' : 'good'}`}>{verdictWords(story)}</p>
      <Pairs lines={headLines(story)} />
      {about.length > 0 && (
        <>
          <h3>Rules about it</h3>
          <RuleList rules={about} />
        </>
      )}
      {beside.length > 0 && (
        <details>
          <summary>
            <h3>Other rules asked meanwhile ({beside.length})</h3>
          </summary>
          <RuleList rules={beside} />
        </details>
      )}
      {fields !== undefined && (
        <details open={!isBrief}>
          <summary>
            <h3>What it says</h3>
          </summary>
          <ul class="fields mono">
            {fieldLines(fields).map(([name, value]) => (
              <li key={name}>
                <span>{name}</span> {value}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
