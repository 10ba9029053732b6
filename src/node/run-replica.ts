/** Runs one replica as this process: signals, exit codes, the last words. Shared by production and development entries. */
import fs from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { StoreDamaged } from './journal.ts';
import { KeyFileError } from './keys.ts';
import { LinkSwitch } from './link-switch.ts';
import { EXIT, readNodeConfig, StartRefused } from './node-config.ts';
import { writeStopNote } from './process-log.ts';
import { ReplicaProcess } from './replica-process.ts';
import type { ReplicaProcessOptions } from './replica-process.ts';

/**
 * V8 would let its old generation grow to four times what lives in it before it collects, and frames and batches, which it
 * only points to, with it: double keeps it within bounds. And it would make lists of requests old as soon as they are made,
 * if a few of them were seen to live long: garbage then, with all that is in them, until the next big collection
 * (docs/benchmarks.md, "What was made faster").
 */
const HEAP_FLAGS = ['--heap-growing-percent=100', '--no-allocation-site-pretenuring'];

function exitCodeOf(error: unknown): number {
  if (error instanceof StartRefused) return error.exitCode;
  if (error instanceof KeyFileError) return EXIT.badConfig;
  return error instanceof StoreDamaged ? EXIT.storeRefused : EXIT.failed;
}

function sentenceOf(error: unknown): string {
  const isForOperator =
    error instanceof StartRefused || error instanceof KeyFileError || error instanceof StoreDamaged;
  if (isForOperator) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Starts the replica of a config file and keeps this process until SIGTERM or SIGINT (exit 0) or a failure (see `EXIT`).
 * Prints `ready PORT` to standard output when it listens. If the parent opened an IPC channel and it closes, the
 * replica stops, so that no replica outlives the `up` that started it.
 */
export async function runReplica(configFile: string, options: ReplicaProcessOptions = {}): Promise<void> {
  let folder: string | undefined;
  for (const flag of HEAP_FLAGS) setFlagsFromString(flag);
  const links = new LinkSwitch();
  if (process.send !== undefined) process.on('message', (message) => links.obey(message));
  try {
    const config = readNodeConfig(configFile);
    folder = config.folder;
    const replica = new ReplicaProcess(config, {
      ...options,
      links,
      onStopped: (exitCode) => {
        options.onStopped?.(exitCode);
        process.exit(exitCode);
      },
    });
    const stop = (): void => void replica.stop();
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    process.once('disconnect', stop);
    process.on('unhandledRejection', (error) => replica.failed(error));
    await replica.start();
    process.stdout.write(`ready ${replica.port}\n`);
    process.send?.({ ready: replica.port });
  } catch (error) {
    const sentence = sentenceOf(error);
    const exitCode = exitCodeOf(error);
    // A folder that another process uses is not ours to write to.
    if (folder !== undefined && fs.existsSync(folder) && !sentence.includes('is in use by another replica'))
      writeStopNote(folder, sentence, exitCode);
    process.stderr.write(`${sentence}\n`);
    process.exit(exitCode);
  }
}
