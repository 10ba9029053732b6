/** The dashboard of a live cluster. */
import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import '../theme/theme.css';
import './live.css';
import { applyStoredTheme } from '../theme/theme-choice.tsx';
import { App } from './app.tsx';

applyStoredTheme();
render(<App />, document.getElementById('app')!);
