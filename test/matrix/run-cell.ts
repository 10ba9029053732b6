/** Runs conformance checks of a program on a footprint, over its own connection, in a folder that is gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Prng } from '../../src/core/prng.ts';
import type { FootprintEntry } from '../../src/footprints/catalogue.ts';
import type { Footprint, TrustedConnection } from '../../src/footprints/contract.ts';
import { createPortableCheck } from './check-signature.ts';
import type { ConformanceCheck, NamedCheck } from '../../src/trusted/conformance/harness.ts';

const ANSWER_MS = 60_000;

function askAll(
  connection: TrustedConnection,
  requests: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  return Promise.all(
    requests.map(
      (request) =>
        new Promise<Uint8Array>((done, fail) => {
          const timer = setTimeout(() => fail(new Error('no answer in time')), ANSWER_MS);
          connection.send(request, (response) => {
            clearTimeout(timer);
            if (response === undefined) fail(new Error('the component was lost'));
            else done(response);
          });
        }),
    ),
  );
}

/** A component that a check talks to, and how it is restarted. */
class Subject {
  readonly #footprint: Footprint;
  readonly #options: { readonly folder: string; readonly program: string; readonly argument: string };
  #connection: TrustedConnection | undefined;

  constructor(footprint: Footprint, options: { folder: string; program: string; argument: string }) {
    this.#footprint = footprint;
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#footprint.create(this.#options);
    this.#connection = await this.#footprint.open(this.#options);
  }

  async run(check: ConformanceCheck): Promise<void> {
    for (let step = check.next(); step.done !== true;) {
      if (step.value.kind === 'restart') {
        this.#connection!.close();
        await this.#footprint.stop(this.#options.folder);
        this.#connection = await this.#footprint.open(this.#options);
        step = check.next([]);
      } else {
        step = check.next(await askAll(this.#connection!, step.value.requests));
      }
    }
  }

  async stop(): Promise<void> {
    this.#connection?.close();
    await this.#footprint.stop(this.#options.folder);
  }
}

/** Makes a component and runs the checks on it, one after the other; rejects with the first that fails, by its name. */
export async function runCell(
  footprint: Footprint,
  entry: FootprintEntry,
  program: string,
  checks: readonly NamedCheck[],
  calls: number,
): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'moiety-matrix-'));
  const argument = entry.developmentArgument ?? '';
  const subject = new Subject(footprint, { folder: join(parent, 'component'), program, argument });
  try {
    await subject.start();
    for (const { name, run } of checks) {
      const context = { prng: new Prng(7), calls, checkSignature: createPortableCheck() };
      try {
        await subject.run(run(context));
      } catch (error) {
        throw new Error(`${program}@${footprint.name}, ${name}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  } finally {
    await subject.stop();
    rmSync(parent, { recursive: true, force: true });
  }
}
