/** Opens an address in the browser of this machine. */
import { spawn } from 'node:child_process';
import { printNote } from './output.ts';

const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ['open'],
  win32: ['explorer'],
};

/** Whoever fails to do it is no reason to end: the address is printed as well. `opener`: another program. */
export function openBrowser(url: string, opener = OPENERS[process.platform] ?? ['xdg-open']): void {
  const [program = 'xdg-open', ...given] = opener;
  const child = spawn(program, [...given, url], { detached: true, stdio: 'ignore' });
  child.on('error', () => printNote(`No browser was opened (${program}): open the address yourself.`));
  child.unref();
}
