/** Where the programs of this package are: sources in a clone, built files in the published package. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXTENSION = extname(fileURLToPath(import.meta.url));

function entry(url: URL): string {
  return fileURLToPath(url).replace(/\.ts$/, EXTENSION);
}

/** The replica process: the production entry. */
export function replicaEntry(): string {
  return entry(new URL('../../node/main-replica.ts', import.meta.url));
}

/** The replica process of a `--dev` cluster. */
export function developmentEntry(): string {
  return entry(new URL('../main-development.ts', import.meta.url));
}

/** The replica process that misbehaves: development only. */
export function byzantineEntry(): string {
  return entry(new URL('../main-byzantine.ts', import.meta.url));
}

/** The gateway process. */
export function gatewayEntry(): string {
  return entry(new URL('../../gateway/main-gateway.ts', import.meta.url));
}
