/** The dashboard of a live cluster. */
import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import '../theme/theme.css';
import './live.css';
import { applyTheme } from '../theme/theme-choice.tsx';
import { App } from './app.tsx';

applyTheme();
render(<App />, document.getElementById('app')!);
