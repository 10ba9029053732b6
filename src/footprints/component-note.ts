/** `footprint.json` in the folder of a trusted component: which program and footprint the folder is of. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from './durable-file.ts';
import { formatComponentSpec, parseComponentSpec } from './contract.ts';
import type { ComponentSpec } from './contract.ts';

const NOTE_FILE = 'footprint.json';
/** A folder that was made before there was a choice. */
const WITHOUT_NOTE: ComponentSpec = { program: 'usig', footprint: 'process', argument: '' };

/** Says in the component's folder what it is of; durable when this returns. */
export function writeComponentNote(folder: string, { program, footprint, argument }: ComponentSpec): void {
  writeWhole(join(folder, NOTE_FILE), `${JSON.stringify({ footprint, program, argument })}\n`);
}

/** Which program and footprint a folder is of. Throws an Error whose message is for the operator. */
export function readComponentFolder(folder: string): ComponentSpec {
  const path = join(folder, NOTE_FILE);
  if (!existsSync(path)) return WITHOUT_NOTE;
  try {
    const { program, footprint, argument } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ComponentSpec>;
    const isWhole = [program, footprint, argument].every((part) => typeof part === 'string');
    const text = isWhole ? formatComponentSpec({ program, footprint, argument } as ComponentSpec) : '';
    const spec = parseComponentSpec(text);
    if (spec !== undefined) return spec;
  } catch {
    // Said below.
  }
  throw new Error(`${path} is damaged: put it back from a copy of the folder`);
}
