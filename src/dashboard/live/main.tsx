/** The dashboard of a live cluster. */
import { render } from 'preact';
import '../theme/theme.css';
import { applyStoredTheme, ThemeChoice } from '../theme/theme-choice.tsx';

applyStoredTheme();
render(<ThemeChoice />, document.getElementById('app')!);
