/** The playground: protocols in a browser tab. */
import { render } from 'preact';
import { Legend } from '../diagram/legend.tsx';
import { SpaceTime } from '../diagram/space-time.tsx';
import '../theme/theme.css';
import { applyStoredTheme } from '../theme/theme-choice.tsx';

applyStoredTheme();
const scene = { lanes: [], arrows: [], marks: [] };
render(
  <>
    <SpaceTime scene={scene} label="No run yet" />
    <Legend scene={scene} hasThreePhases={false} />
  </>,
  document.getElementById('app')!,
);
