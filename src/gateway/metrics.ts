/** Prometheus metrics of the gateway. Labels are from closed sets, so that nobody can grow them. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What is measured. */
export interface GatewayMetrics {
  readonly registry: Registry;
  /** One answered request. */
  answered(route: string, method: string, status: number, seconds: number): void;
}

/** Metrics with their own registry. `viewers` is asked when they are read. */
export function createMetrics(viewers: () => number): GatewayMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'moiety_gateway_' });
  const requests = new Counter({
    name: 'moiety_gateway_requests_total',
    help: 'HTTP requests by route and status',
    labelNames: ['route', 'method', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'moiety_gateway_request_seconds',
    help: 'Time to answer, by route',
    labelNames: ['route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  new Gauge({
    name: 'moiety_gateway_event_viewers',
    help: 'Open event streams',
    registers: [registry],
    collect() {
      this.set(viewers());
    },
  });
  return {
    registry,
    answered: (route, method, status, took) => {
      requests.inc({ route, method, status: String(status) });
      seconds.observe({ route }, took);
    },
  };
}
