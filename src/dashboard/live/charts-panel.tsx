/** Throughput and latency over time, as charts, as a sentence each, and as a table. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { Chart } from './chart.tsx';
import type { ChartLine } from './chart.tsx';
import { useCluster } from './context.tsx';
import { clockText } from './live-scene.ts';
import { chartData, chartSentences, shortNumber } from './rates.ts';
import type { Rate } from './status-shape.ts';

/** Seconds of the table. */
const ROWS = 10;

function Key({ lines }: { readonly lines: readonly ChartLine[] }): JSX.Element {
  return (
    <ul class="chart-key">
      {lines.map(({ label, color, isDashed = false }) => (
        <li key={label}>
          <i class={`c-${color}${isDashed ? ' dashed' : ''}`} />
          {label}
        </li>
      ))}
    </ul>
  );
}

function RateTable({ rates }: { readonly rates: readonly Rate[] }): JSX.Element {
  const text = (value: number | null): string => (value === null ? '–' : shortNumber(value));
  return (
    <details>
      <summary>The last {ROWS} seconds as a table</summary>
      <div class="scroll-x">
        <table>
          <thead>
            <tr>
              <th>second (UTC)</th>
              <th class="number">transactions</th>
              <th class="number">p50, ms</th>
              <th class="number">p99, ms</th>
            </tr>
          </thead>
          <tbody>
            {rates
              .slice(-ROWS)
              .toReversed()
              .map(({ atMs, transactionsPerSecond, p50Ms, p99Ms }) => (
                <tr key={atMs}>
                  <td>{clockText(atMs).slice(0, 8)}</td>
                  <td class="number">{text(transactionsPerSecond)}</td>
                  <td class="number">{text(p50Ms)}</td>
                  <td class="number">{text(p99Ms)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** See the top of this file. */
export function ChartsPanel(): JSX.Element {
  const { rates, status } = useCluster();
  const data = useMemo(() => chartData(rates), [rates]);
  const sentences = chartSentences(rates, status?.nowMs ?? 0);
  const throughput: ChartLine[] = [
    { label: 'transactions a second', color: 'proposal', values: data.perSecond },
  ];
  const latency: ChartLine[] = [
    { label: 'p50', color: 'vote', values: data.p50Ms },
    { label: 'p99', color: 'view', isDashed: true, values: data.p99Ms },
  ];
  return (
    <section aria-label="Throughput and latency">
      <div class="two">
        <figure class="card">
          <figcaption>
            <h2>Throughput</h2>
            <Key lines={throughput} />
            <p class="muted">{sentences.rate}</p>
          </figcaption>
          <Chart seconds={data.seconds} lines={throughput} label={`Throughput. ${sentences.rate}`} />
        </figure>
        <figure class="card">
          <figcaption>
            <h2>Latency, milliseconds</h2>
            <Key lines={latency} />
            <p class="muted">{sentences.latency}</p>
          </figcaption>
          <Chart seconds={data.seconds} lines={latency} label={`Latency. ${sentences.latency}`} />
        </figure>
      </div>
      <RateTable rates={rates} />
    </section>
  );
}
