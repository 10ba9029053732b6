// Builds the trusted programs into trusted/ and writes their measurements. Same sources, same bytes: a test builds them
// again and compares. `node scripts/build-trusted.mjs [FOLDER]` writes elsewhere.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Carriers of footprints, each one file, by its name in trusted/, and where they begin. */
const CARRIERS = {
  'trusted-process.mjs': 'src/footprints/process/main.ts',
  'group-key.mjs': 'src/footprints/group/main-group.ts',
  'tpm-process.mjs': 'src/footprints/tpm/main-tpm.ts',
  'pkcs11-process.mjs': 'src/footprints/pkcs11/main-token.ts',
};

/** A single-file carrier: esbuild, nothing minified, so that it can be read. */
export async function buildCarrier(entry) {
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'silent',
    banner: {
      js: '// Built by scripts/build-trusted.mjs. Its SHA-256 is the carrier measurement (trusted/measurements.json).',
    },
  });
  return result.outputFiles[0].contents;
}

/** Sources of the trusted programs; each file at the top of this folder is one module. */
const PROGRAMS = 'src/trusted/programs/assembly';

/** One trusted program as a Wasm module: AssemblyScript without runtime. */
export async function buildModule(name) {
  const { default: asc } = await import('assemblyscript/asc');
  let bytes;
  const options = ['-O3', '--converge', '--runtime', 'stub', '--noAssert', '--outFile', `${name}.wasm`];
  const { error, stderr } = await asc.main([`${PROGRAMS}/${name}.ts`, ...options], {
    readFile: (file, base) => {
      const path = join(base === '.' || base === undefined ? root : join(root, base), file);
      return existsSync(path) ? readFileSync(path, 'utf8') : null;
    },
    writeFile: (_name, contents) => {
      bytes = contents;
    },
    listFiles: () => [],
  });
  if (error !== null && error !== undefined) throw new Error(`${error.message}\n${stderr.toString()}`);
  return bytes;
}

/** Names of all trusted programs. */
export function programNames() {
  return readdirSync(join(root, PROGRAMS))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => file.slice(0, -3))
    .sort();
}

/** Every artifact by its name in trusted/. */
export async function buildTrusted() {
  const programs = {};
  for (const [name, entry] of Object.entries(CARRIERS)) programs[name] = await buildCarrier(entry);
  for (const name of programNames()) programs[`${name}.wasm`] = await buildModule(name);
  const measurements = {};
  for (const [name, bytes] of Object.entries(programs))
    measurements[name] = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
  return {
    ...programs,
    'measurements.json': new TextEncoder().encode(`${JSON.stringify(measurements, null, 2)}\n`),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = process.argv[2] ?? join(root, 'trusted');
  mkdirSync(target, { recursive: true });
  for (const [name, bytes] of Object.entries(await buildTrusted())) {
    writeFileSync(join(target, name), bytes);
    console.log(`${join(target, name)}: ${bytes.length} bytes`);
  }
}
