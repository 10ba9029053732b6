/** The built trusted programs that belong to this package: their sizes and measurements. */
import { readFileSync } from 'node:fs';

/** One module. */
export interface Artifact {
  readonly bytes: number;
  /** Its measurement, hexadecimal. */
  readonly sha256: string;
}

/** Modules by the name of their program, as trusted/measurements.json tells. */
export function readMeasurements(): ReadonlyMap<string, Artifact> {
  const text = readFileSync(new URL('../../../trusted/measurements.json', import.meta.url), 'utf8');
  const entries = Object.entries(JSON.parse(text) as Record<string, Artifact>);
  return new Map(
    entries.flatMap(([file, artifact]): [string, Artifact][] =>
      file.endsWith('.wasm') ? [[file.slice(0, -'.wasm'.length), artifact]] : [],
    ),
  );
}
