/** The report of a campaign: as an object for programs, as lines for people, as a page. */
import { coverageOf } from '../../sim/campaign/coverage.ts';
import type { RuleCoverage } from '../../sim/campaign/coverage.ts';
import { RECOVERY_BUCKETS } from '../../sim/campaign/tally.ts';
import type { Finding, Recovery, Tally } from '../../sim/campaign/tally.ts';
import type { Fidelity } from '../../sim/run-schedule.ts';
import { MINBFT_RULES } from '../../protocols/minbft/rules.ts';
import { durationText, plural } from '../output.ts';

/** Figures of one fidelity. */
export interface FidelityReport {
  readonly schedules: number;
  readonly violations: number;
  readonly cpuSeconds: number;
  readonly perCpuSecond: number;
  readonly eventsPerSchedule: number;
  readonly withViewChange: number;
  readonly withStateTransfer: number;
  readonly withRestart: number;
  readonly withByzantine: number;
  readonly byReplicas: Readonly<Record<number, number>>;
}

/** The report as `--json` prints it and `report.json` keeps it. */
export interface CampaignReport {
  readonly schedules: number;
  /** Schedules for each second of CPU time, of the core fidelity if it ran, else of the whole one. */
  readonly perCpuSecond: number;
  /** Schedules that a judge objected to. */
  readonly violations: number;
  readonly coverage: {
    readonly guards: number;
    readonly bothWays: number;
    /** Guards that never refused, or never let anything pass. */
    readonly neverRefused: readonly string[];
    readonly neverPassed: readonly string[];
    /** Distinct (state, message, rule, verdict) cells. */
    readonly cells: number;
    readonly traced: number;
    readonly rules: readonly RuleCoverage[];
  };
  readonly byFidelity: Readonly<Partial<Record<Fidelity, FidelityReport>>>;
  readonly slowestRecovery: Recovery | undefined;
  readonly recoveries: readonly { readonly upToSeconds: number | null; readonly schedules: number }[];
  readonly accusations: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly elapsedSeconds: number;
}

/** Makes the report. */
export function reportOf(tally: Tally, elapsedMs: number): CampaignReport {
  const { core, whole } = tally.byFidelity;
  const rules = coverageOf(MINBFT_RULES, tally.rules);
  const guards = rules.filter(({ kind }) => kind === 'guard');
  const speed = core.summary.schedules > 0 ? core : whole;
  return {
    schedules: core.summary.schedules + whole.summary.schedules,
    perCpuSecond: rounded((1000 * speed.summary.schedules) / Math.max(1, speed.cpuMs)),
    violations: core.summary.violating + whole.summary.violating,
    coverage: {
      guards: guards.length,
      bothWays: guards.filter(({ passed, refused }) => passed > 0 && refused > 0).length,
      neverRefused: guards.filter(({ refused }) => refused === 0).map(({ id }) => id),
      neverPassed: guards.filter(({ passed }) => passed === 0).map(({ id }) => id),
      cells: Object.keys(tally.cells).length,
      traced: tally.traced,
      rules,
    },
    byFidelity: {
      ...(core.summary.schedules > 0 ? { core: fidelityReport(core) } : {}),
      ...(whole.summary.schedules > 0 ? { whole: fidelityReport(whole) } : {}),
    },
    slowestRecovery: tally.slowest,
    recoveries: tally.recoverySeconds.map((schedules, bucket) => ({
      upToSeconds: Number.isFinite(RECOVERY_BUCKETS[bucket]!) ? RECOVERY_BUCKETS[bucket]! : null,
      schedules,
    })),
    accusations: tally.accusations,
    findings: tally.findings,
    elapsedSeconds: rounded(elapsedMs / 1000),
  };
}

function fidelityReport({ summary, cpuMs }: Tally['byFidelity'][Fidelity]): FidelityReport {
  const { schedules, violating, events, committed: _, ...shares } = summary;
  const { withViewChange, withStateTransfer, withRestart, withByzantine, byReplicas } = shares;
  return {
    schedules,
    violations: violating,
    cpuSeconds: rounded(cpuMs / 1000),
    perCpuSecond: rounded((1000 * schedules) / Math.max(1, cpuMs)),
    eventsPerSchedule: Math.round(events / Math.max(1, schedules)),
    withViewChange,
    withStateTransfer,
    withRestart,
    withByzantine,
    byReplicas,
  };
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(0)} %`;

/** A few names; the report has all. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => name.replace('MinBFT.', ''));
  return `${shown.join(', ')}${names.length > shown.length ? ` and ${names.length - shown.length} more` : ''}`;
}

/** The report in lines. */
export function reportLines(report: CampaignReport): string[] {
  const { coverage, byFidelity, slowestRecovery, findings } = report;
  const lines = [
    `${plural(report.schedules, 'schedule')} in ${durationText(report.elapsedSeconds)}, ${plural(report.violations, 'violation')}`,
  ];
  for (const [name, one] of Object.entries(byFidelity)) {
    const sizes = Object.entries(one.byReplicas).map(([n, count]) => `n=${n}: ${count}`);
    lines.push(
      `${name.padEnd(5)}  ${one.schedules} schedules (${sizes.join(', ')}), ${one.perCpuSecond} per CPU-second, ${one.eventsPerSchedule} events each; ` +
        `view change ${percent(one.withViewChange, one.schedules)}, state transfer ${percent(one.withStateTransfer, one.schedules)}, ` +
        `restart ${percent(one.withRestart, one.schedules)}, a liar ${percent(one.withByzantine, one.schedules)}`,
    );
  }
  lines.push(
    `rules  ${coverage.bothWays} of ${coverage.guards} guards seen both ways in ${plural(coverage.traced, 'traced schedule')}, ` +
      `${coverage.cells} cells of (state, message, rule, verdict)`,
  );
  if (coverage.neverRefused.length > 0) lines.push(`       never refused: ${some(coverage.neverRefused)}`);
  if (coverage.neverPassed.length > 0) lines.push(`       never passed: ${some(coverage.neverPassed)}`);
  if (slowestRecovery !== undefined)
    lines.push(
      `slowest recovery  ${(slowestRecovery.ms / 1000).toFixed(2)} s of virtual time after the faults: ${slowestRecovery.reproduce}`,
    );
  for (const { judge, atMs, text, reproduce } of findings.slice(0, 10))
    lines.push(`VIOLATION  ${judge} at ${atMs.toFixed(1)} ms: ${text}`, `           ${reproduce}`);
  if (findings.length > 10) lines.push(`… and ${findings.length - 10} more in the report`);
  return lines;
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function row(cells: readonly (string | number)[], tag: 'td' | 'th' = 'td'): string {
  return `<tr>${cells.map((cell) => `<${tag}>${escape(String(cell))}</${tag}>`).join('')}</tr>`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return `<div class="wide"><table><thead>${row(head, 'th')}</thead><tbody>${rows.map((cells) => row(cells)).join('\n')}</tbody></table></div>`;
}

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}th,td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884;vertical-align:top}
.wide{overflow-x:auto}code{font-size:.9em}.bad{color:#c22}.good{color:#281}`;

/** The report as one page without anything from elsewhere. */
export function reportPage(report: CampaignReport): string {
  const { coverage, byFidelity, findings, slowestRecovery } = report;
  const verdict =
    report.violations === 0
      ? '<span class="good">no violation</span>'
      : `<span class="bad">${plural(report.violations, 'violation')}</span>`;
  const fidelities = Object.entries(byFidelity).map(([name, one]) => [
    name,
    one.schedules,
    one.perCpuSecond,
    one.eventsPerSchedule,
    percent(one.withViewChange, one.schedules),
    percent(one.withStateTransfer, one.schedules),
    percent(one.withRestart, one.schedules),
    percent(one.withByzantine, one.schedules),
  ]);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Moiety: report of a campaign</title><style>${STYLE}</style></head><body>
<h1>Campaign: ${verdict}</h1>
<p>${plural(report.schedules, 'schedule')} in ${durationText(report.elapsedSeconds)}.</p>
${table(['fidelity', 'schedules', 'per CPU-second', 'events each', 'view change', 'state transfer', 'restart', 'liar'], fidelities)}
<h2>Violations</h2>
${
  findings.length === 0
    ? '<p>None.</p>'
    : table(
        ['judge', 'at', 'what', 'repeat it'],
        findings.map(({ judge, atMs, text, reproduce }) => [judge, `${atMs.toFixed(1)} ms`, text, reproduce]),
      )
}
<h2>Recovery after the faults</h2>
${table(
  ['up to', 'schedules'],
  report.recoveries.map(({ upToSeconds, schedules }) => [
    upToSeconds === null ? 'more' : `${upToSeconds} s`,
    schedules,
  ]),
)}
${slowestRecovery === undefined ? '' : `<p>Slowest: ${(slowestRecovery.ms / 1000).toFixed(2)} s, <code>${escape(slowestRecovery.reproduce)}</code></p>`}
<h2>Rules</h2>
<p>${coverage.bothWays} of ${coverage.guards} guards seen both ways in ${plural(coverage.traced, 'traced schedule')}; ${coverage.cells} cells of (state, message, rule, verdict). Defence rules refuse in constructed tests.</p>
${table(
  ['rule', 'kind', 'passed', 'refused', 'text'],
  coverage.rules.map(({ id, kind, passed, refused, text }) => [id, kind, passed, refused, text]),
)}
<h2>Accusations of Byzantine replicas</h2>
${table(['rule', 'schedules'], Object.entries(report.accusations))}
</body></html>
`;
}
