/** Processor time and resident memory of other processes, from `/proc`. Linux only; elsewhere nothing is told. */
import { readFileSync } from 'node:fs';
import { rounded } from './measured.ts';

/** What one process used while it was measured. */
export interface ProcessUse {
  readonly name: string;
  /** 1 = one core for the whole time. */
  readonly cores: number;
  /** At the end of the window. */
  readonly residentBytes: number;
  /** The most that was seen in it. */
  readonly residentBytesMax: number;
}

/** Ticks of `utime` and `stime` a second; fixed in the interface of Linux. */
const TICKS = 100;
const SAMPLE_MS = 500;

/** Processor seconds that a process has used; undefined if it is gone or this is not Linux. */
function processorSeconds(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; what follows it is regular.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

/** Bytes of a process that are in memory; undefined if it is gone or this is not Linux. */
function residentBytes(pid: number): number | undefined {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]) * 1024;
  } catch {
    return undefined;
  }
}

interface Watched {
  readonly name: string;
  readonly pid: number;
  readonly secondsBefore: number;
  bytesMax: number;
}

/** Where figures of processes come from. */
interface ProcessTable {
  readonly processorSeconds: (pid: number) => number | undefined;
  readonly residentBytes: (pid: number) => number | undefined;
}

/** Watches processes from `begin` to `end`. */
export class ProcessMeter {
  readonly #table: ProcessTable;
  #watched: Watched[] = [];
  #beginMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(table: ProcessTable = { processorSeconds, residentBytes }) {
    this.#table = table;
  }

  /** Names may occur more than once: what belongs together is added up. */
  begin(pids: readonly (readonly [name: string, pid: number])[]): void {
    this.#beginMs = performance.now();
    this.#watched = pids.flatMap(([name, pid]) => {
      const secondsBefore = this.#table.processorSeconds(pid);
      return secondsBefore === undefined
        ? []
        : [{ name, pid, secondsBefore, bytesMax: this.#table.residentBytes(pid) ?? 0 }];
    });
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
  }

  #sample(): void {
    for (const one of this.#watched)
      one.bytesMax = Math.max(one.bytesMax, this.#table.residentBytes(one.pid) ?? 0);
  }

  /** What each used. A process that ended meanwhile is left out. */
  end(): readonly ProcessUse[] {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#beginMs) / 1000;
    const uses = new Map<string, ProcessUse>();
    for (const { name, pid, secondsBefore, bytesMax } of this.#watched) {
      const after = this.#table.processorSeconds(pid);
      const bytes = this.#table.residentBytes(pid);
      if (after === undefined || bytes === undefined) continue;
      const before = uses.get(name);
      uses.set(name, {
        name,
        cores: rounded((before?.cores ?? 0) + (after - secondsBefore) / seconds, 3),
        residentBytes: (before?.residentBytes ?? 0) + bytes,
        residentBytesMax: (before?.residentBytesMax ?? 0) + Math.max(bytesMax, bytes),
      });
    }
    return [...uses.values()];
  }
}
