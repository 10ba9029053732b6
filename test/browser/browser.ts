/**
 * Chromium for tests of pages: Debian's own, without a window. It may reach nothing but this machine, and whatever goes
 * wrong in a page or in its workers fails the test: errors that are uncaught or on the console, requests that fail, that are
 * answered with an error that the test has not announced, or that want to leave this machine.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, ConsoleMessage, Page, Request, Response } from 'playwright-core';

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
  // Nobody listens there; what is on this machine is reached without it.
  '--proxy-server=http://127.0.0.1:9',
];
const HERE: readonly string[] = ['127.0.0.1', 'localhost'];
/** Addresses that are no place: `data:`, `blob:` and the like. */
const REMOTE: readonly string[] = ['http:', 'https:', 'ws:', 'wss:'];
/** What Chromium says on the console of an answer; the answer itself is judged. */
const ANSWERED = /^Failed to load resource: the server responded with a status of/;

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
  /** See the top of this file. */
  readonly complaints: readonly string[];
  /** From now on this status of answers from such an address is part of the test; one that does not come fails it. */
  announce(status: number, address: RegExp): void;
}

/** How a page is looked at. */
export interface PageSize {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
}

interface Announced {
  readonly status: number;
  readonly address: RegExp;
  hasCome: boolean;
}

function isHere(address: string): boolean {
  const { hostname, protocol } = new URL(address);
  return HERE.includes(hostname) || !REMOTE.includes(protocol);
}

/** Everything that goes wrong in a context: in its pages, those that they open, and their workers. */
class Watch {
  readonly #complaints: string[] = [];
  readonly #announced: Announced[] = [];
  #isOver = false;

  constructor(context: BrowserContext) {
    context.on('console', (message) => this.#onConsole(message));
    context.on('weberror', (error) => this.#complain(`uncaught: ${String(error.error())}`));
    context.on('request', (request) => this.#onRequest(request.url()));
    context.on('requestfailed', (request) => this.#onFailed(request));
    context.on('response', (response) => this.#onResponse(response));
    context.on('page', (page) => {
      page.on('crash', () => this.#complain('the page has crashed'));
      page.on('websocket', (socket) => this.#onRequest(socket.url()));
    });
  }

  get complaints(): readonly string[] {
    const missing = this.#announced.filter(({ hasCome }) => !hasCome);
    return [
      ...this.#complaints,
      ...missing.map(({ status, address }) => `announced and not answered: ${status} of ${address}`),
    ];
  }

  announce(status: number, address: RegExp): void {
    this.#announced.push({ status, address, hasCome: false });
  }

  /** What a page does while it is closed is not looked at. */
  end(): void {
    this.#isOver = true;
  }

  #complain(text: string): void {
    if (!this.#isOver) this.#complaints.push(text);
  }

  #onConsole(message: ConsoleMessage): void {
    const text = message.text();
    if (message.type() === 'error' && !ANSWERED.test(text)) this.#complain(`console: ${text}`);
  }

  #onRequest(address: string): void {
    if (!isHere(address)) this.#complain(`wants ${address}`);
  }

  #onFailed(request: Request): void {
    this.#complain(`failed: ${request.url()} (${request.failure()?.errorText ?? 'for no reason'})`);
  }

  #onResponse(response: Response): void {
    const status = response.status();
    if (status < 400) return;
    const known = this.#announced.filter((one) => one.status === status && one.address.test(response.url()));
    for (const one of known) one.hasCome = true;
    if (known.length === 0) this.#complain(`answered with ${status}: ${response.url()}`);
  }
}

/** See the top of this file. */
export class TestBrowser {
  readonly #browser: Browser;
  readonly #watches: Watch[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    assert.ok(CHROMIUM !== undefined, 'tests that need a browser are skipped where there is none');
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, headless: true });
    return new TestBrowser(browser);
  }

  /** A page of its own, with no memory of others. `script` runs in it before anything of its own does. */
  async open(
    url: string,
    size: PageSize = { width: 1280, height: 900 },
    script?: string,
  ): Promise<WatchedPage> {
    const { width, height, dark = false } = size;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
      serviceWorkers: 'block',
    });
    const watch = new Watch(context);
    this.#watches.push(watch);
    await context.route('**/*', (route) =>
      isHere(route.request().url()) ? route.continue() : route.abort(),
    );
    if (script !== undefined) await context.addInitScript(script);
    const page = await context.newPage();
    await page.goto(url);
    return {
      page,
      get complaints() {
        return watch.complaints;
      },
      announce: (status, address) => watch.announce(status, address),
    };
  }

  /** Ends it; any complaint of any page is an error. */
  async close(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    await this.#browser.close();
    assert.deepEqual(
      this.#watches.flatMap(({ complaints }) => complaints),
      [],
    );
  }
}
