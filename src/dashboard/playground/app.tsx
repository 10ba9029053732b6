/** The playground: its head, and Explore or the tour below. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ThemeChoice } from '../theme/theme-choice.tsx';
import { Explore } from './explore.tsx';
import { DEFAULT_PLACE } from './place.ts';
import type { Place } from './place.ts';
import { Tour } from './tour.tsx';
import { usePlace } from './use-place.tsx';

const TOUR_START: Place = { kind: 'tour', lesson: 1, step: 1 };

function Head({
  place,
  go,
}: {
  readonly place: Place | undefined;
  readonly go: (place: Place) => void;
}): JSX.Element {
  return (
    <header class="head">
      <p class="name">Moiety playground</p>
      <nav aria-label="Parts of the playground">
        <button
          type="button"
          class="button"
          aria-pressed={place?.kind === 'explore'}
          onClick={() => go(DEFAULT_PLACE)}
        >
          Explore
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={place?.kind === 'tour'}
          onClick={() => go(TOUR_START)}
        >
          Tour
        </button>
      </nav>
      <ThemeChoice />
    </header>
  );
}

/** For those who come for the first time. */
function Welcome({
  onTour,
  onClose,
}: {
  readonly onTour: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  return (
    <section class="notice welcome" aria-label="Welcome">
      <p>
        Here run the protocols of Moiety: replicas of a service that agree although some of them lie. New to
        this? Eight short lessons show it from the beginning.
      </p>
      <div>
        <button type="button" class="button primary" onClick={onTour}>
          Take the tour
        </button>{' '}
        <button type="button" class="button" onClick={onClose}>
          Not now
        </button>
      </div>
    </section>
  );
}

function WrongAddress({
  text,
  onDefault,
}: {
  readonly text: string;
  readonly onDefault: () => void;
}): JSX.Element {
  return (
    <main class="wrong-address">
      <h1>This address leads nowhere</h1>
      <p role="alert">{text}</p>
      <button type="button" class="button primary" onClick={onDefault}>
        Show a run of MinBFT instead
      </button>
    </main>
  );
}

/** See the top of this file. */
export function App(): JSX.Element {
  const { place, go, stand, isFirst } = usePlace();
  const [isWelcome, setWelcome] = useState(true);
  return (
    <div class="page">
      <Head place={place} go={go} />
      {isFirst && isWelcome && place?.kind === 'explore' && (
        <Welcome onTour={() => go(TOUR_START)} onClose={() => setWelcome(false)} />
      )}
      {place?.kind === 'explore' && (
        <Explore
          source={place.source}
          at={place.at}
          onRun={(source) => go({ kind: 'explore', source, at: undefined })}
          onStand={stand}
        />
      )}
      {place?.kind === 'tour' && (
        <Tour
          lesson={place.lesson}
          step={place.step}
          onGo={(lesson, step) => go({ kind: 'tour', lesson, step })}
          onTry={(source) => go({ kind: 'explore', source, at: undefined })}
        />
      )}
      {place?.kind === 'wrong' && <WrongAddress text={place.text} onDefault={() => go(DEFAULT_PLACE)} />}
    </div>
  );
}
