/**
 * Chromium for tests of pages: Debian's own, without a window. It may reach nothing but this machine, and what a page
 * complains about on its console fails the test.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Nothing of this leaves the machine or waits for something outside of it. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--disable-features=OptimizationHints,MediaRouter,Translate',
];

/** Where the browser is; undefined if there is none. */
export const CHROMIUM: string | undefined = PATHS.find((path) => existsSync(path));

/** Why tests that need a browser are skipped; false if there is one. */
export const SKIP: string | false =
  CHROMIUM === undefined ? 'there is no chromium ("apt-get install chromium" brings it)' : false;

/** Builds the pages if a source is newer. */
export function buildPages(): void {
  const script = fileURLToPath(new URL('../../scripts/build-pages.mjs', import.meta.url));
  execFileSync(process.execPath, [script, '--if-stale', '--quiet'], { stdio: 'inherit' });
}

/** A page, and what it did that it should not. */
export interface WatchedPage {
  readonly page: Page;
  /** Console errors, uncaught errors of the page, and requests that wanted to leave this machine. */
  readonly complaints: readonly string[];
}

/** How a page is looked at. */
export interface PageSize {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
}

/** See the top of this file. */
export class TestBrowser {
  readonly #browser: Browser;
  readonly #watched: WatchedPage[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    assert.ok(CHROMIUM !== undefined, 'tests that need a browser are skipped where there is none');
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, headless: true });
    return new TestBrowser(browser);
  }

  /** A page of its own, with no memory of others. */
  async open(url: string, size: PageSize = { width: 1280, height: 900 }): Promise<WatchedPage> {
    const { width, height, dark = false } = size;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
    });
    const complaints: string[] = [];
    await context.route('**/*', async (route) => {
      const wanted = new URL(route.request().url());
      const isHere =
        ['127.0.0.1', 'localhost'].includes(wanted.hostname) ||
        !['http:', 'https:'].includes(wanted.protocol);
      if (!isHere) complaints.push(`wants ${wanted.href}`);
      await (isHere ? route.continue() : route.abort());
    });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    const watched = { page, complaints };
    this.#watched.push(watched);
    await page.goto(url);
    return watched;
  }

  /** Ends it; any complaint of any page is an error, unless the test has taken it out of the list. */
  async close(): Promise<void> {
    await this.#browser.close();
    assert.deepEqual(
      this.#watched.flatMap(({ complaints }) => complaints),
      [],
    );
  }
}
