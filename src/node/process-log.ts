/** What a replica process leaves for its operator: the log, and a note of why it stopped. */
import fs from 'node:fs';
import path from 'node:path';
import pino from 'pino';
import type { Logger } from 'pino';
import { writeFileAtomically } from './disk.ts';
import { foldersOf } from './data-folder.ts';
import type { NodeConfig } from './node-config.ts';
import { PipeLog } from './pipe-log.ts';

/** A structured log (JSON lines) to standard error or a file. Nothing secret is ever given to it. */
export function createLogger(config: NodeConfig): Logger {
  const { logFile, logLevel, replica } = config;
  if (logFile !== undefined) fs.mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
  // To a file it is written at once: what a process said before it died is what one wants to read.
  const isFile = logFile !== undefined || fs.fstatSync(2).isFile();
  const destination = isFile ? pino.destination({ dest: logFile ?? 2, sync: true }) : new PipeLog(2);
  return pino({ level: logLevel, base: { replica }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** Why a replica stopped by itself; read by `moiety status` of a local cluster. */
export interface StopNote {
  readonly reason: string;
  readonly exitCode: number;
  readonly at: string;
}

/** Writes the note; a disk that does not take it is no further problem. */
export function writeStopNote(folder: string, reason: string, exitCode: number): void {
  const note: StopNote = { reason, exitCode, at: new Date().toISOString() };
  try {
    writeFileAtomically(foldersOf(folder).stopped, `${JSON.stringify(note)}\n`);
  } catch {
    // The log has it, too.
  }
}

/** Removes the note of an earlier stop. */
export function clearStopNote(folder: string): void {
  fs.rmSync(foldersOf(folder).stopped, { force: true });
}

/** The note of the last stop; undefined if the replica runs or was stopped in order. */
export function readStopNote(folder: string): StopNote | undefined {
  try {
    return JSON.parse(fs.readFileSync(foldersOf(folder).stopped, 'utf8')) as StopNote;
  } catch {
    return undefined;
  }
}
