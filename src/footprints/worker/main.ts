/** The worker thread of the `worker` footprint: makes or opens a component in its own memory and answers for it. */
import { parentPort, workerData } from 'node:worker_threads';
import { encodeTrustedRequest } from '../../trusted/frames.ts';
import { createVolatileFolder, startVolatile } from './volatile-folder.ts';
import { alone } from './messages.ts';
import type { WorkerOrder, WorkerReport } from './messages.ts';

const { folder, program } = workerData as WorkerOrder;
const port = parentPort!;

function report(message: WorkerReport): void {
  port.postMessage(message);
}

try {
  if (program !== undefined) createVolatileFolder(folder, program);
  const component = startVolatile(folder);
  report({ ready: alone(component.handle(encodeTrustedRequest({ op: 'identify' }))) });
  port.on('message', (requests: readonly Uint8Array[]) => {
    report({ answers: requests.map((request) => alone(component.handle(request))) });
  });
} catch (error) {
  report({ refused: (error as Error).message });
}
