/** The kernel of the virtual machines: Debian's for clouds, out of its package, which is unpacked and never installed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheFolder, runTool, sha256Of } from './cache.ts';

/** Names the newest kernel by what it depends on. */
const META_PACKAGE = 'linux-image-cloud-amd64';
const KERNEL_PREFIX = 'kernel-';
const KERNEL_FILE = 'vmlinuz';

/** Modules that the guest loads, in the order of native/carrier/guest.c. */
const MODULE_NAMES: readonly string[] = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio-rng',
  'virtio_console',
];

/** A kernel as it lies in the cache. */
export interface Kernel {
  /** For example `6.1.0-56-cloud-amd64`. */
  readonly version: string;
  readonly path: string;
  /** SHA-256 of the kernel file. */
  readonly digest: string;
  /** Those modules that are not built in, in their order. */
  readonly modules: readonly { readonly name: string; readonly content: Uint8Array }[];
}

/** Version of the kernel in the cache, the newest if there are several. */
export function cachedKernel(): string | undefined {
  if (!existsSync(cacheFolder())) return undefined;
  const byNumber = new Intl.Collator('en', { numeric: true }).compare;
  return readdirSync(cacheFolder())
    .filter((name) => name.startsWith(KERNEL_PREFIX))
    .map((name) => name.slice(KERNEL_PREFIX.length))
    .sort(byNumber)
    .at(-1);
}

/** Name of the package to download; undefined if this system knows none. */
export async function kernelPackage(): Promise<string | undefined> {
  try {
    const text = await runTool('apt-cache', ['depends', '--important', META_PACKAGE]);
    return /Depends: (linux-image-[0-9][^\s]*-cloud-amd64)/.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

function findModule(folder: string, name: string): string | undefined {
  const file = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(`/${name}.ko`),
  );
  return file === undefined ? undefined : join(folder, file);
}

function isBuiltIn(folder: string, name: string): boolean {
  const list = readFileSync(join(folder, 'modules.builtin'), 'latin1');
  return list.split('\n').some((line) => line.endsWith(`/${name}.ko`));
}

async function download(folder: string, packageName: string, version: string): Promise<void> {
  try {
    await runTool('apt-get', ['download', packageName], folder);
  } catch (error) {
    throw new Error(
      `the kernel package ${packageName} cannot be downloaded (${(error as Error).message}); a trusted virtual ` +
        'machine needs the network when its image is built for the first time',
    );
  }
  const archive = readdirSync(folder).find((name) => name.endsWith('.deb'))!;
  const unpacked = join(folder, 'unpacked');
  await runTool('dpkg-deb', ['-x', archive, unpacked], folder);
  renameSync(join(unpacked, 'boot', `vmlinuz-${version}`), join(folder, KERNEL_FILE));
  const modules = join(unpacked, 'lib', 'modules', version);
  mkdirSync(join(folder, 'modules'));
  for (const name of MODULE_NAMES) {
    const module = findModule(modules, name);
    if (module !== undefined) renameSync(module, join(folder, 'modules', `${name}.ko`));
    else if (!isBuiltIn(modules, name)) throw new Error(`the kernel ${version} has no module ${name}`);
  }
  rmSync(unpacked, { recursive: true });
  rmSync(join(folder, archive));
}

/** The kernel, from the cache or from the network. Rejects with a sentence for the operator. */
export async function loadKernel(): Promise<Kernel> {
  let version = cachedKernel();
  if (version === undefined) {
    const packageName = await kernelPackage();
    if (packageName === undefined)
      throw new Error(`this system has no package ${META_PACKAGE}: run apt-get update (Debian, amd64)`);
    version = packageName.slice('linux-image-'.length);
    await cached(`${KERNEL_PREFIX}${version}`, (folder) => download(folder, packageName, version!));
  }
  const folder = join(cacheFolder(), `${KERNEL_PREFIX}${version}`);
  const path = join(folder, KERNEL_FILE);
  const modules = MODULE_NAMES.filter((name) => existsSync(join(folder, 'modules', `${name}.ko`)));
  return {
    version,
    path,
    digest: sha256Of(readFileSync(path)),
    modules: modules.map((name) => ({
      name,
      content: readFileSync(join(folder, 'modules', `${name}.ko`)),
    })),
  };
}
