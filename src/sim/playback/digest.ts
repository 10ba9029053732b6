/** One name for all that happened in a run: equal runs have equal ones, on every machine and in every browser. */
import { bytesToHex } from '../../core/bytes.ts';
import { portableHash } from '../../crypto/portable.ts';
import type { Trace } from '../trace/trace.ts';

/** SHA-256 over every event and every content of a trace, each as canonical JSON (keys in order) on a line of its own. */
export function eventLogDigest({ events, contents }: Pick<Trace, 'events' | 'contents'>): string {
  const lines = [...events, ...contents].map((one) => `${canonical(one)}\n`).join('');
  return bytesToHex(portableHash(new TextEncoder().encode(lines)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}
