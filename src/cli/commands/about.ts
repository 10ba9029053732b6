/** `version`: what this program is. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { withJson } from '../options.ts';
import { printJson, printLine } from '../output.ts';

/** Version of this package. */
function packageVersion(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function version(options: { json?: boolean }): void {
  const node = process.version;
  if (options.json === true) printJson({ version: packageVersion(), node });
  else printLine(`moiety ${packageVersion()} (Node ${node})`);
}

/** Adds the command. */
export function addAbout(program: Command): void {
  withJson(program.command('version'))
    .summary('print the version')
    .description('Prints the version of Moiety and of the Node that runs it.')
    .addHelpText('after', '\nExample:\n  moiety version\n')
    .action(version);
}
