/**
 * The playground: protocols in a browser tab. The same script is the page and its worker, which both need the protocols:
 * they are loaded once.
 */
import { render } from 'preact';
import '../theme/theme.css';
import { applyTheme } from '../theme/theme-choice.tsx';
import { App } from './app.tsx';
import './playground.css';
import { answerQuestions } from './main-worker.ts';

if (typeof document === 'undefined') answerQuestions();
else {
  applyTheme();
  render(<App />, document.getElementById('app')!);
}
