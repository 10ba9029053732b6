/** The button that chooses light or dark; without a choice the page is as the system is. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

type Theme = 'light' | 'dark';
const STORED = 'moiety-theme';

function darkness(): MediaQueryList {
  return matchMedia('(prefers-color-scheme: dark)');
}

function systemTheme(): Theme {
  return darkness().matches ? 'dark' : 'light';
}

/** What was chosen; a browser may keep nothing for a page. */
function storedTheme(): Theme | undefined {
  try {
    const stored = localStorage.getItem(STORED);
    return stored === 'light' || stored === 'dark' ? stored : undefined;
  } catch {
    return undefined;
  }
}

function show(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
}

/** What was chosen on this visit, where a browser keeps nothing. */
let chosen: Theme | undefined;

function currentTheme(): Theme {
  return chosen ?? storedTheme() ?? systemTheme();
}

/** Shows the theme that was chosen earlier, or else that of the system, also when it changes. Call it before anything is drawn. */
export function applyTheme(): void {
  show(currentTheme());
  darkness().addEventListener('change', () => show(currentTheme()));
}

/** See the top of this file. */
export function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState<Theme>(currentTheme);
  useEffect(() => {
    const onChange = (): void => setTheme(currentTheme());
    const media = darkness();
    media.addEventListener('change', onChange);
    return () => media.removeEventListener('change', onChange);
  }, []);
  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  const choose = (): void => {
    chosen = other;
    show(other);
    try {
      localStorage.setItem(STORED, other);
    } catch {
      // Chosen for this visit only.
    }
    setTheme(other);
  };
  return (
    <button type="button" class="button" onClick={choose} title={`Show it ${other}`}>
      <span aria-hidden="true">{theme === 'dark' ? '☀' : '☾'}</span>
      <span class="visually-hidden">Show it {other}</span>
    </button>
  );
}
