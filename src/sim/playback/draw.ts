/** A schedule of the conformance suite as a script: what `moiety sim run --protocol P --seed S --f F` draws. */
import { PROTOCOLS, protocolNamed } from '../../protocols/catalogue.ts';
import { drawFamilyScenario } from '../family/plan.ts';
import { FAULT_KINDS } from '../scenario.ts';
import type { FaultKind } from '../scenario.ts';
import { scriptOf } from '../script/of-scenario.ts';
import { ScriptError } from '../script/script.ts';
import type { Script } from '../script/script.ts';
import type { DrawnSchedule } from './contract.ts';

/** Faults that a cluster may be made for here, at most. */
const DRAWN_F_MAX = 20;

/** See the top of this file. Throws `ScriptError` with a sentence if there is no such schedule. */
export function drawnScript({ protocol: name, seed, f, faults }: DrawnSchedule): Script {
  const protocol = protocolNamed(name);
  if (protocol === undefined)
    throw new ScriptError(
      0,
      `there is no protocol "${name}"; there are ${PROTOCOLS.map((one) => one.name).join(', ')}`,
    );
  if (!Number.isSafeInteger(seed) || seed < 0) throw new ScriptError(0, 'a seed is a whole number from 0 on');
  if (f !== undefined && (!Number.isSafeInteger(f) || f < 1 || f > DRAWN_F_MAX))
    throw new ScriptError(0, `f is a whole number from 1 to ${DRAWN_F_MAX}`);
  const stranger = faults?.find((kind) => !(FAULT_KINDS as readonly string[]).includes(kind));
  if (stranger !== undefined)
    throw new ScriptError(0, `"${stranger}" is not a family of faults; there are ${FAULT_KINDS.join(', ')}`);
  const scenario = drawFamilyScenario(protocol, seed, {
    ...(f === undefined ? {} : { f }),
    ...(faults === undefined ? {} : { faults: faults as readonly FaultKind[] }),
  });
  return scriptOf(scenario, {
    name: `${name}-seed-${seed}`,
    protocol: name,
    story: [],
    fidelity: 'core',
    judges: 'outcomes',
    expect: [{ kind: 'clean' }],
  });
}
