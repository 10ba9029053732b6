/** Runs the simulator beside the page. */
import { drawScenario } from '../../sim/scenario.ts';

addEventListener('message', ({ data }: MessageEvent<number>) => postMessage(drawScenario(data)));
