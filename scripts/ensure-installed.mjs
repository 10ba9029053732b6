// Installs the locked dependencies if what is in node_modules is not what the lock says, so that `npm start` and
// `npm test` work from a clean clone. Plain JavaScript: it runs on whatever Node the machine has.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What is installed, as npm itself wrote it down; empty if nothing is. */
function installedPackages() {
  try {
    return JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/** True if every package of the lock is there in its version; optional ones (other platforms) may be missing. */
function isInstalled() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const installed = installedPackages();
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .every(([path, { version, optional }]) => {
      const found = installed[path];
      return found === undefined ? optional === true : found.version === version;
    });
}

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) {
  console.error(`Moiety needs Node 20 or newer to install itself; this is Node ${process.versions.node}.`);
  process.exit(1);
}
if (!isInstalled()) {
  console.error('Installing the locked dependencies (once) ...');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Settings of the npm that called us (a dry run of `npm pack`, say) are not meant for this installation.
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_config_(dry_run|json|global|omit|include)$/i.test(name),
    ),
  );
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    // Standard output belongs to the command that needed the installation.
    stdio: ['inherit', process.stderr, 'inherit'],
    env: environment,
  });
  if (result.status !== 0) {
    console.error('npm ci failed: see its message above. Moiety needs the npm registry once, to install.');
    process.exit(result.status ?? 1);
  }
}
