/** `version` and `protocols`: what this program is and knows. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { withJson } from '../options.ts';
import { printJson, printLine, tableLines } from '../output.ts';

/** Version of this package. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function protocols(options: { json?: boolean }): Promise<void> {
  const { minbft } = await import('../../protocols/minbft/definition.ts');
  const list = [minbft].map(({ name, replicasFor }) => ({
    name,
    replicas: '2f+1',
    replicasForOneFault: replicasFor(1),
    trustedComponent: 'usig',
    model: 'hybrid',
  }));
  if (options.json === true) return printJson({ protocols: list });
  const rows = list.map(({ name, replicas, trustedComponent, model }) => [
    name,
    replicas,
    trustedComponent,
    model,
  ]);
  for (const line of tableLines(['protocol', 'replicas', 'trusted component', 'fault model'], rows))
    printLine(line);
}

function version(options: { json?: boolean }): void {
  const node = process.version;
  if (options.json === true) printJson({ version: packageVersion(), node });
  else printLine(`moiety ${packageVersion()} (Node ${node})`);
}

/** Adds the commands. */
export function addAbout(program: Command): void {
  withJson(program.command('protocols'))
    .summary('the protocols that this program knows')
    .description('Lists the protocols with their numbers of replicas and their trusted components.')
    .addHelpText('after', '\nExample:\n  moiety protocols --json\n')
    .action(protocols);
  withJson(program.command('version'))
    .summary('print the version')
    .description('Prints the version of Moiety and of the Node that runs it.')
    .addHelpText('after', '\nExample:\n  moiety version\n')
    .action(version);
}
