/** The button that chooses light or dark; without a choice the page is as the system is. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

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

/** Shows the theme that was chosen earlier, or else that of the system, also when it changes. Call it before anything is drawn. */
export function applyTheme(): void {
  show(storedTheme() ?? systemTheme());
  darkness().addEventListener('change', () => show(storedTheme() ?? systemTheme()));
}

/** See the top of this file. */
export function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState<Theme>(storedTheme() ?? systemTheme());
  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  const choose = (): void => {
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
