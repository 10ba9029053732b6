/** `footprint.json` in the folder of a trusted component: which program and footprint the folder is of. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatComponentSpec, parseComponentSpec } from './contract.ts';
import type { ComponentSpec } from './contract.ts';

const NOTE_FILE = 'footprint.json';
/** A folder that was made before there was a choice. */
const WITHOUT_NOTE: ComponentSpec = { program: 'usig', footprint: 'process', argument: '' };

/** Says in the component's folder what it is of; durable when this returns. */
export function writeComponentNote(folder: string, { program, footprint, argument }: ComponentSpec): void {
  for (const [path, flags] of [
    [join(folder, NOTE_FILE), 'w'],
    [folder, 'r'],
  ] as const) {
    const file = openSync(path, flags, 0o600);
    try {
      if (flags === 'w') writeFileSync(file, `${JSON.stringify({ footprint, program, argument })}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
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
