/** Opens something in the browser of this machine. */
import { spawn } from 'node:child_process';
import { messageOf } from './failure.ts';
import { printNote } from './output.ts';

/** What opens a file or an address in the browser, by platform. */
const OPENERS: Readonly<Record<string, string>> = { darwin: 'open', win32: 'explorer' };
const DEFAULT_OPENER = 'xdg-open';
/** An opener that has not failed by then has found a browser. */
const OPEN_MS = 3_000;

/** Opens a file or an address; rejects with a reason. `opener`: another program. */
export function openInBrowser(
  target: string,
  opener = OPENERS[process.platform] ?? DEFAULT_OPENER,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(opener, [target], { detached: true, stdio: 'ignore' });
    const settle = (problem?: string): void => {
      clearTimeout(timer);
      child.removeAllListeners().unref();
      if (problem === undefined) resolve();
      else reject(new Error(problem));
    };
    const timer = setTimeout(settle, OPEN_MS);
    child.once('error', (error) => settle(messageOf(error)));
    // The explorer of Windows answers 1 when it has done it.
    child.once('exit', (code) =>
      settle(code === 0 || opener === 'explorer' ? undefined : `${opener} failed`),
    );
  });
}

/** The same for an address that is printed as well: whoever fails to open it is no reason to end. */
export async function offerInBrowser(url: string, opener?: string): Promise<void> {
  await openInBrowser(url, opener).catch((error: unknown) =>
    printNote(`No browser was opened (${messageOf(error)}): open the address yourself.`),
  );
}
