/**
 * Writes ever more log lines to standard error until about three megabytes were offered, one batch each turn, then writes
 * "done" to standard output and waits for the end of its standard input. What a replica would do whose log nobody reads.
 */
import { createLogger } from '../../src/node/process-log.ts';
import type { NodeConfig } from '../../src/node/node-config.ts';

const logger = createLogger({ logLevel: 'info', replica: 0, logFile: undefined } as unknown as NodeConfig);
let lines = 0;

function turn(): void {
  for (let count = 0; count < 50; count += 1)
    logger.info({ number: (lines += 1), text: 'y'.repeat(500) }, 'a line');
  if (lines < 6_000) setImmediate(turn);
  else process.stdout.write('done\n');
}

process.stdin.on('end', () => {
  logger.info('last words');
  process.exit(0);
});
process.stdin.resume();
turn();
