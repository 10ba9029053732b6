/** The playground: protocols in a browser tab. */
import { render } from 'preact';
import '../theme/theme.css';
import { applyTheme } from '../theme/theme-choice.tsx';
import { App } from './app.tsx';
import './playground.css';

applyTheme();
render(<App />, document.getElementById('app')!);
