/** Where the dashboard of a local cluster is. The token lies behind #, which browsers do not send to any server. */
import { writeFileSync } from 'node:fs';
import type { DataFolder } from './data-folder.ts';

/** Address with the token that allows faults. */
export function dashboardUrl(port: number, token: string): string {
  return `http://127.0.0.1:${port}/#fault=${token}`;
}

/**
 * Writes a file that leads to the address, and gives its path: what a browser is started with can be seen by everybody
 * on this machine, a file only by its owner.
 */
export function writeOpener(folder: DataFolder, url: string): string {
  const path = folder.at('dashboard.html');
  const text = `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0; url=${url}">\n<a href="${url}">Dashboard</a>\n`;
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
