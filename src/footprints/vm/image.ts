/**
 * Images of virtual machines: a kernel and an archive with one static program and the modules that it loads, nothing
 * else: no shell, no libraries, no disk. Same inputs, same bytes. Built once, then found in the cache by content.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MissingRequirement } from '../contract.ts';
import { packArchive } from './archive.ts';
import { cached, hasProgram, runTool, sha256Of } from './cache.ts';
import { cachedKernel, kernelPackage, loadKernel } from './kernel.ts';
import type { Kernel } from './kernel.ts';

/** Own C sources: carrier.c (holds a program), relay.c (passes on), and what both share. */
const SOURCES = fileURLToPath(new URL('../../../native/carrier/', import.meta.url));
const MODULES = new URL('../../../trusted/', import.meta.url);
const WASM2C_RUNTIME = '/usr/share/wabt/wasm2c';
const RUNTIME_FILES = ['wasm-rt-impl.c', 'wasm-rt-impl.h'];
const SODIUM_PLACES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/local/lib'];
const PROGRAM_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Bounds are checked in the program itself, not by page faults; a trap ends the machine (trap.h). */
const RUNTIME_FLAGS = ['-DWASM_RT_MEMCHECK_SIGNAL_HANDLER=0', '-include', 'trap.h'];
const COMPILER_FLAGS = [
  '-std=gnu11',
  '-O2',
  '-D_GNU_SOURCE',
  '-D_FORTIFY_SOURCE=2',
  '-fstack-protector-strong',
  '-static',
  '-s',
  '-Wl,-z,relro,-z,now,-z,noexecstack,--build-id=none',
];

/**
 * What the kernel is told. It says nothing, and ends the machine when its only process ends (with QEMU's -no-reboot).
 */
export const KERNEL_WORDS = 'quiet panic=-1 oops=panic';

/** An image, ready to be started. */
export interface MachineImage {
  readonly kernel: string;
  readonly archive: string;
  /** SHA-256 over kernel, archive and the kernel's command line, each with its length. */
  readonly measurement: string;
  /** SHA-256 of the module in it; absent in the image of the relay. */
  readonly program?: string;
  /** The guest's program as a file, which also runs outside of a machine, over its standard input and output. */
  readonly executable: string;
}

/** Written beside an image, for whoever wants to make it again. */
interface ImageNote {
  readonly guest: string;
  readonly measurement: string;
  readonly program?: string;
  readonly kernel: string;
  readonly toolchain: string;
}

function findSodium(): string | undefined {
  return SODIUM_PLACES.map((folder) => join(folder, 'libsodium.a')).find((path) => existsSync(path));
}

/** What this machine lacks for building and running images. */
export async function missingForImages(): Promise<readonly MissingRequirement[]> {
  const missing: MissingRequirement[] = [];
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return [{ what: 'trusted virtual machines are built on Linux for x86-64 only' }];
  const needProgram = (name: string, debianPackage: string): void => {
    if (!hasProgram(name)) missing.push({ what: `the program ${name} is not installed`, debianPackage });
  };
  needProgram('qemu-system-x86_64', 'qemu-system-x86');
  needProgram('gcc', 'gcc');
  needProgram('wasm2c', 'wabt');
  if (findSodium() === undefined)
    missing.push({ what: 'the static library libsodium.a is not installed', debianPackage: 'libsodium-dev' });
  if (cachedKernel() === undefined) {
    needProgram('dpkg-deb', 'dpkg');
    if ((await kernelPackage()) === undefined)
      missing.push({ what: 'there is no kernel yet, and the package lists name none: run apt-get update' });
  }
  return missing;
}

/** What decides, besides the sources, which bytes come out. */
async function toolchain(): Promise<string> {
  const versions = [await runTool('gcc', ['-dumpfullversion']), await runTool('wasm2c', ['--version'])];
  const sodium = findSodium();
  if (sodium === undefined) throw new Error('libsodium.a is missing: install libsodium-dev');
  const libraries = [sodium, ...RUNTIME_FILES.map((name) => join(WASM2C_RUNTIME, name))];
  const digests = libraries.map((path) => sha256Of(readFileSync(path)).slice(0, 16));
  return [...versions.map((text) => text.trim()), ...digests].join(' ');
}

/** Translates and compiles in `folder`, where all names are relative: no path gets into the bytes. */
async function compile(folder: string, module: Uint8Array | undefined): Promise<void> {
  for (const name of readdirSync(SOURCES)) copyFileSync(join(SOURCES, name), join(folder, name));
  const common = ['channel.c', 'guest.c'];
  if (module === undefined) {
    await runTool('gcc', [...COMPILER_FLAGS, 'relay.c', ...common, '-o', 'init'], folder);
    return;
  }
  for (const name of RUNTIME_FILES) copyFileSync(join(WASM2C_RUNTIME, name), join(folder, name));
  writeFileSync(join(folder, 'program.wasm'), module);
  const measurement = [...createHash('sha256').update(module).digest()].join(', ');
  writeFileSync(
    join(folder, 'measurement.h'),
    `static const unsigned char MEASUREMENT[32] = {${measurement}};\n`,
  );
  await runTool('wasm2c', ['program.wasm', '-n', 'program', '-o', 'program.c'], folder);
  const translated = ['program.c', 'wasm-rt-impl.c', 'carrier.c', ...common];
  const args = [...COMPILER_FLAGS, ...RUNTIME_FLAGS, '-I.', ...translated, '-lsodium', '-lm', '-o', 'init'];
  await runTool('gcc', args, folder);
}

/** Builds an image into `folder`; the archive alone is what the machine gets. */
async function build(
  folder: string,
  guest: string,
  kernel: Kernel,
  module: Uint8Array | undefined,
): Promise<void> {
  const work = join(folder, 'work');
  mkdirSync(work);
  await compile(work, module);
  const init = readFileSync(join(work, 'init'));
  const archive = packArchive([
    { path: 'dev' },
    { path: 'modules' },
    ...kernel.modules.map(({ name, content }) => ({ path: `modules/${name}.ko`, content })),
    { path: 'init', content: init, executable: true },
  ]);
  const note: ImageNote = {
    guest,
    measurement: sha256Of(readFileSync(kernel.path), archive, KERNEL_WORDS),
    ...(module === undefined ? {} : { program: createHash('sha256').update(module).digest('hex') }),
    kernel: kernel.version,
    toolchain: await toolchain(),
  };
  writeFileSync(join(folder, 'archive'), archive);
  writeFileSync(join(folder, 'init'), init, { mode: 0o755 });
  writeFileSync(join(folder, 'image.json'), `${JSON.stringify(note, null, 2)}\n`);
  rmSync(work, { recursive: true });
}

async function imageOf(guest: string, module: Uint8Array | undefined, fresh: boolean): Promise<MachineImage> {
  const kernel = await loadKernel();
  const sources = readdirSync(SOURCES).sort();
  const key = sha256Of(
    ...sources.flatMap((name) => [name, readFileSync(join(SOURCES, name))]),
    module ?? '',
    kernel.digest,
    KERNEL_WORDS,
    [...COMPILER_FLAGS, ...RUNTIME_FLAGS].join(' '),
    await toolchain(),
  ).slice(0, 24);
  const name = fresh ? `${guest}-again-${process.pid}-${performance.now()}` : `${guest}-${key}`;
  const folder = await cached(name, (draft) => build(draft, guest, kernel, module));
  const note = JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as ImageNote;
  return {
    kernel: kernel.path,
    archive: join(folder, 'archive'),
    executable: join(folder, 'init'),
    measurement: note.measurement,
    ...(note.program === undefined ? {} : { program: note.program }),
  };
}

/**
 * The image that carries a program, the same module as on every other footprint. `fresh`: built although it may be in
 * the cache, to compare. Rejects with a sentence for the operator.
 */
export function programImage(program: string, fresh = false): Promise<MachineImage> {
  const module = new URL(`${program}.wasm`, MODULES);
  if (!PROGRAM_NAME.test(program) || !existsSync(module))
    return Promise.reject(new Error(`there is no trusted program "${program}" in this installation`));
  return imageOf(program, readFileSync(module), fresh);
}

/** The image of the replica's side of footprint (e): passes requests on to the program outside. */
export function relayImage(): Promise<MachineImage> {
  return imageOf('relay', undefined, false);
}
