/** `moiety explain`: why nothing commits, in sentences: which quorum lacks whose messages, and what is known of them. */
import type { Command } from 'commander';
import { explain } from '../../gateway/explain/explain.ts';
import { readStatus } from '../cluster-status.ts';
import { EXIT } from '../failure.ts';
import { withGateway, withJson } from '../options.ts';
import type { ClusterOptions } from '../options.ts';
import { printJson, printLine } from '../output.ts';

async function explainCluster(options: ClusterOptions & { readonly json?: boolean }): Promise<void> {
  const { replicas, f, waiting: own, problem } = await readStatus(options);
  const { sentences, stuck, waiting, grounds } = explain({ replicas, f, waiting: own });
  const words = problem === undefined ? sentences : [...sentences, problem.message];
  if (options.json === true) printJson({ stuck, waiting, explanation: words, grounds });
  else if (words.length > 0) for (const word of words) printLine(word);
  else
    printLine(
      waiting === 0
        ? 'Nothing is wrong. No request waits to be ordered, as far as the replicas say.'
        : 'Nothing is wrong. Requests are being ordered.',
    );
  if (words.length > 0) process.exitCode = EXIT.failed;
}

/** Adds the command. */
export function addExplain(program: Command): void {
  withJson(withGateway(program.command('explain')))
    .summary('why nothing commits: which quorum lacks whose messages')
    .description(
      'Says in sentences why nothing commits and what else is wrong, most important first: which quorum lacks whose ' +
        'messages, and what is known of those replicas. What is seen or proved is said plainly; what a replica says, of ' +
        'itself or of others, is said as its word: it may lie.',
    )
    .addHelpText(
      'after',
      `
Exit codes: ${EXIT.ok} nothing is wrong, ${EXIT.failed} something is, ${EXIT.unreachable} no cluster answers.

Examples:
  moiety explain
  moiety explain --json | jq -r '.explanation[]'
`,
    )
    .action(explainCluster);
}
