/** `moiety playground`: the simulator in a page of the browser. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { wholeNumber } from '../options.ts';
import type { PageFiles } from '../../gateway/built-pages.ts';
import { offerInBrowser } from '../open-browser.ts';
import { printLine, printNote } from '../output.ts';
import { freshPage, servePage } from '../page-server.ts';

/** Where a page is shown. */
export interface ShowOptions {
  readonly port?: number;
  readonly open?: boolean;
}

/** Serves a page until Ctrl-C. */
export async function showPage(files: PageFiles, { port = 0, open = false }: ShowOptions): Promise<void> {
  const served = await servePage(files, port);
  printLine(served.url);
  printNote('Open this address in a browser; Ctrl-C ends it.');
  if (open) void offerInBrowser(served.url);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await served.close();
}

/** Adds the command. */
export function addPlayground(program: Command): void {
  program
    .command('playground')
    .summary('play with all protocols in the browser')
    .description(
      'Serves a page on 127.0.0.1 in which protocols, trusted programs and the simulator run: choose faults and liars, step ' +
        'through every message. It needs no cluster and no network. Ends with Ctrl-C.',
    )
    .addOption(
      new Option('--port <number>', 'port of 127.0.0.1 (default: a free one)').argParser(
        wholeNumber(1, 65_535),
      ),
    )
    .option('--open', 'also open it in the browser')
    .addHelpText('after', '\nExamples:\n  moiety playground\n  moiety playground --port 8080 --open\n')
    .action((options: ShowOptions) => showPage(freshPage('playground'), options));
}
