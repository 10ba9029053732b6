/** What the colours of the diagram mean, as far as they occur. */
import type { JSX } from 'preact';
import { PURPOSE_TEXTS, purposeOf } from './kinds.ts';
import type { Purpose } from './kinds.ts';
import type { Scene } from './scene.ts';

/** See the top of this file. */
export function Legend({ scene, hasThreePhases }: { scene: Scene; hasThreePhases: boolean }): JSX.Element {
  const found = new Set(scene.arrows.map(({ kind }) => purposeOf(kind, hasThreePhases)));
  const purposes = (Object.keys(PURPOSE_TEXTS) as Purpose[]).filter((purpose) => found.has(purpose));
  return (
    <ul class="legend">
      {purposes.map((purpose) => (
        <li key={purpose} class={`p-${purpose}`}>
          <i />
          {PURPOSE_TEXTS[purpose]}
        </li>
      ))}
    </ul>
  );
}
