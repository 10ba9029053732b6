/** `moiety trusted create`: makes a trusted component alone, for a replica whose component is replaced. */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { ComponentSpec } from '../../footprints/contract.ts';
import { DEFAULT_COMPONENT, printableSpec, readComponentSpec, requireUsable } from '../component-choice.ts';
import { CommandFailure, messageOf } from '../failure.ts';
import { withJson } from '../options.ts';
import { printJson, printLine } from '../output.ts';

interface CreateOptions {
  readonly tc: ComponentSpec;
  readonly json?: boolean;
}

async function create(path: string, { tc, json }: CreateOptions): Promise<void> {
  const folder = resolve(path);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandFailure(
      `${folder} is not empty: a trusted component is never overwritten. Delete or move it first; what is deleted cannot be had again.`,
    );
  await requireUsable([tc]);
  const { createComponent } = await import('../../footprints/registry.ts');
  let made;
  try {
    made = await createComponent(folder, tc);
  } catch (error) {
    throw new CommandFailure(`${printableSpec(tc)} cannot be made: ${messageOf(error)}.`);
  }
  if (json === true) printJson(made);
  else
    printLine(
      `${printableSpec(tc)} made in ${folder}: tcEpoch ${made.tcEpoch}, measurement ${made.measurement}. ` +
        (tc.program === DEFAULT_COMPONENT.program
          ? 'The replica that is started with it next asks the others to admit it (RECOVER).'
          : 'No protocol re-admits a replica with a new component of this program: it is for trying it out.'),
    );
}

/** Adds the command. */
export function addCreateCommand(parent: Command): void {
  withJson(parent.command('create'))
    .argument('<folder>', 'folder to make, for example replica-0/trusted')
    .summary('make a component alone, to replace that of a replica')
    .description(
      'Makes a trusted component in a folder. Keys and component of a new member are made by "keygen"; this is for a ' +
        'replica whose component is lost, or is to run on another footprint. Stop the replica first.',
    )
    .addOption(
      new Option('--tc <component>', 'program@footprint[:argument]')
        .argParser(readComponentSpec)
        .default(DEFAULT_COMPONENT, 'usig@process'),
    )
    .addHelpText('after', '\nExample:\n  moiety trusted create alpha/trusted --tc usig@tpm\n')
    .exitOverride()
    .action(create);
}
