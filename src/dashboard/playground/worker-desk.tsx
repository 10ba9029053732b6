/** The worker of this page: asked to play whatever is chosen. */
import type { Playback } from '../../sim/playback/contract.ts';
import { startWorker } from './held.tsx';
import type { RunSource } from './place.ts';
import { WorkerClient } from './worker-client.ts';
import type { WorkerLike } from './worker-client.ts';

let client: WorkerClient | undefined;

/** Plays it in the worker; errors are sentences. */
export async function playInWorker(source: RunSource): Promise<Playback> {
  if (source.kind === 'held') return source.playback;
  client ??= new WorkerClient(() => startWorker() as WorkerLike);
  return client.play(source);
}
