// Writes the list of commands and options in docs/cli.md anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { createProgram } from '../src/cli/main.ts';
import { withReference } from '../src/cli/reference.ts';

const page = new URL('../docs/cli.md', import.meta.url);
writeFileSync(page, withReference(readFileSync(page, 'utf8'), createProgram()));
