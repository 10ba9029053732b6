/** Shared libraries (Linux): those of this runtime, and those that another library needs. Nothing of them is run. */
import { spawnSync } from 'node:child_process';

const LIST_TIMEOUT_MS = 10_000;

let found: readonly string[] | undefined;

/** The shared libraries of this runtime, as its loader looks for them. */
export function runtimeLibraries(): readonly string[] {
  if (found === undefined) {
    // Without a look at the network, which could take long.
    Object.assign(process.report, { excludeNetwork: true });
    const report = process.report.getReport() as unknown as { readonly sharedObjects: readonly string[] };
    found = report.sharedObjects.filter((path) => path.startsWith('/') && /\.so(\.|$)/.test(path));
  }
  return found;
}

/**
 * What a library needs besides, as the loader of this machine would find it; empty if the loader cannot say. The loader
 * only lists: no code of the library runs.
 */
export function neededLibraries(library: string): readonly string[] {
  const loader = runtimeLibraries().find((path) => /\/ld-[^/]*\.so/.test(path));
  if (loader === undefined) return [];
  const { stdout, status } = spawnSync(loader, ['--list', library], {
    env: {},
    timeout: LIST_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  if (status !== 0) return [];
  const paths = [...stdout.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path]) => path!);
  return [...new Set(paths)];
}
