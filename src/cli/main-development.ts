/**
 * Entry of a replica process of a development cluster (`up --dev`): `--config node.json`. Its trusted component is the
 * Wasm module inside this process, with a key that its host can read (decisions A1 and A2): it protects nothing.
 */
import { parseArgs } from 'node:util';
import { isWasmComponent } from '../footprints/wasm/component-folder.ts';
import { EXIT, readNodeConfig } from '../node/node-config.ts';
import type { ReplicaProcessOptions } from '../node/replica-process.ts';
import { runReplica } from '../node/run-replica.ts';
import { developmentComponent } from './development-component.ts';

function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(EXIT.badConfig);
}

function optionsFor(configFile: string): ReplicaProcessOptions {
  try {
    const { trustedFolder } = readNodeConfig(configFile);
    if (isWasmComponent(trustedFolder)) return developmentComponent(trustedFolder);
    return refuse(
      `${trustedFolder} holds no development component: start this replica with "moiety replica".`,
    );
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { values } = parseArgs({ options: { config: { type: 'string' } }, strict: true });
if (values.config === undefined) refuse('usage: main-development --config node.json');
await runReplica(values.config, optionsFor(values.config));
