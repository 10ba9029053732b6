/** Profiles of V8 (`--cpu-prof`) of other processes, and what they say: the largest costs by function of ours. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One function and the share of busy time that it is charged for. */
export interface Cost {
  readonly name: string;
  /** File and line, from src/ on; empty for what is nobody's. */
  readonly place: string;
  readonly share: number;
}

/** What one process did. */
export interface ProfileOfProcess {
  /** Share of the time that it was not idle. */
  readonly busy: number;
  readonly costs: readonly Cost[];
}

/** The part of a profile that is used; times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const COSTS = 10;
const IDLE = ['(idle)', '(root)'];
/** Programs begin here; what they call besides is not charged to them. */
const OWN = /\/(src\/.*\.[jt]s)$/;

type Node = CpuProfile['nodes'][number];

/** Charges each sample of the last `seconds` to the innermost function of ours on its stack. */
export function largestCosts(profile: CpuProfile, seconds: number): ProfileOfProcess {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)),
  );
  const chargedTo = (node: Node): string => {
    for (let at: Node | undefined = node; at !== undefined; at = parents.get(at.id)) {
      const { functionName, url, lineNumber } = at.callFrame;
      if (functionName === '(garbage collector)') return '(garbage collector)|';
      const own = OWN.exec(url);
      if (own !== null) return `${functionName || '(anonymous)'}|${own[1]}:${lineNumber + 1}`;
    }
    return '(Node itself)|';
  };
  const times = new Map<string, number>();
  let left = seconds * 1e6;
  let busy = 0;
  let all = 0;
  for (let index = profile.samples.length - 1; index >= 0 && left > 0; index -= 1) {
    const node = nodes.get(profile.samples[index]!)!;
    const spent = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    left -= spent;
    all += spent;
    if (IDLE.includes(node.callFrame.functionName)) continue;
    busy += spent;
    const name = chargedTo(node);
    times.set(name, (times.get(name) ?? 0) + spent);
  }
  const costs = [...times]
    .sort(([x, a], [y, b]) => b - a || (x < y ? -1 : 1))
    .slice(0, COSTS)
    .map(([words, spent]) => {
      const [name, place] = words.split('|') as [string, string];
      return { name, place, share: Number((spent / busy).toFixed(4)) };
    });
  return { busy: all === 0 ? 0 : Number((busy / all).toFixed(3)), costs };
}

/** Lets every process that `body` starts write a profile when it ends; `body` may read them when they have ended. */
export async function withProfiles(
  body: (profileOf: (pid: number, seconds: number) => ProfileOfProcess) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-profiles-'));
  const before = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `${before ?? ''} --cpu-prof --cpu-prof-dir=${folder}`.trim();
  try {
    await body((pid, seconds) => {
      const file = readdirSync(folder).find((name) => name.split('.')[3] === String(pid));
      if (file === undefined) throw new Error(`process ${pid} has left no profile`);
      return largestCosts(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile, seconds);
    });
  } finally {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
    rmSync(folder, { recursive: true, force: true });
  }
}
