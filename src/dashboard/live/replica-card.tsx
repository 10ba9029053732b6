/** Card of one replica. Every row is there at all times, so that nothing jumps while values change. */
import type { ComponentChildren, JSX } from 'preact';
import type { Card } from './cards.ts';

const SIGNS = { agrees: '✓', differs: '✗', unknown: '·' } as const;
const AGREEMENT_CLASSES = { agrees: 'good', differs: 'bad', unknown: 'muted' } as const;

function Accusations({ card }: { readonly card: Card }): JSX.Element {
  if (card.accusations.length === 0) return <p class="accusations muted">No accusations.</p>;
  return (
    <ul class="accusations">
      {card.accusations.map(({ isProven, text, by }) => (
        <li key={`${isProven}${text}`}>
          <span class={isProven ? 'tag bad' : 'tag warn'}>{isProven ? 'proven' : 'suspected'}</span> {text}
          {by.length > 0 && <span class="muted">, says {by.join(', ')}</span>}
        </li>
      ))}
    </ul>
  );
}

/** See the top of this file; `children`: what can be done with the replica. */
export function ReplicaCard(props: {
  readonly card: Card;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { card, children } = props;
  const { state, words } = card.agreement;
  return (
    <article
      class={`card replica-card ${card.tone}`}
      aria-label={`Replica ${card.id}`}
      data-replica={card.id}
    >
      <div class="replica-head">
        <h3>Replica {card.id}</h3>
        <span class={`tag ${card.tone}`}>{card.role}</span>
      </div>
      <p class={`agreement ${AGREEMENT_CLASSES[state]}`}>
        <span aria-hidden="true">{SIGNS[state]}</span> {words}
      </p>
      <dl class="facts-grid">
        {card.rows.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
        <div class="whole-row">
          <dt>trusted component</dt>
          <dd>{card.component}</dd>
        </div>
      </dl>
      <p class="replica-note">{card.note}</p>
      <Accusations card={card} />
      {children}
    </article>
  );
}
