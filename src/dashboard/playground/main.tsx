/** The playground: protocols in a browser tab. */
import { render } from 'preact';
import '../theme/theme.css';
import { applyStoredTheme } from '../theme/theme-choice.tsx';
import { App } from './app.tsx';
import './playground.css';

applyStoredTheme();
render(<App />, document.getElementById('app')!);
