/** Entry of one replica process: `node src/node/main-replica.ts --config node.json`. */
import { parseArgs } from 'node:util';
import { runReplica } from './run-replica.ts';

const { values } = parseArgs({ options: { config: { type: 'string' } }, strict: true });
if (values.config === undefined) {
  process.stderr.write('usage: main-replica --config node.json\n');
  process.exit(2);
}
await runReplica(values.config);
