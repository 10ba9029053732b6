/**
 * The trusted process of the footprint `process`: a trusted program whose key and records lie in the state log of its
 * folder. Built into one file, trusted/trusted-process.mjs.
 */
import { readdirSync } from 'node:fs';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import { startModule } from '../../trusted/module.ts';
import { CarrierRefusal, runCarrier } from './carrier.ts';
import type { CarriedComponent } from './carrier.ts';
import { createEnvironment } from './environment.ts';
import type { MeasuredModule } from './program-file.ts';
import { StateLog } from './state-log.ts';
import type { Durability } from './state-log.ts';

/** The program of the current folder, continued after its records. */
function carry(found: MeasuredModule, durability: Durability): CarriedComponent {
  const log = StateLog.open('.', durability, RECENT_DEPTH);
  const program = startModule(found.module, createEnvironment(log, durability, found.measurement));
  log.begin(() => program.image?.());
  return { program, flush: () => log.flush(), close: () => log.close() };
}

async function create(found: MeasuredModule): Promise<CarriedComponent> {
  if (readdirSync('.').length > 0)
    throw new CarrierRefusal(`${process.cwd()} is not empty; a trusted component is never overwritten`);
  StateLog.create('.');
  return Promise.resolve(carry(found, 'fsync'));
}

void runCarrier({
  create,
  open: (found, durability) => Promise.resolve().then(() => carry(found, durability)),
});
