/**
 * The dashboard as an operator uses it, on a cluster of real processes: a key is put and found in a block, its receipt is
 * verified in the page and offline, the primary is killed and the view change is seen, and when nothing commits the page says why.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { parseTrust } from '../../src/ledger/trust.ts';
import { verifyReceipt } from '../../src/ledger/verify.ts';
import { buildPages, SKIP, TestBrowser } from './browser.ts';
import type { PageSize, WatchedPage } from './browser.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATIENCE_MS = 60_000;

/** A port with free ones behind it: the gateway's, then those of three replicas. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port > 60_000 ? port - 5_000 : port;
}

/** What axe finds against WCAG AA. */
async function offences(page: Page): Promise<unknown> {
  await page.evaluate(AXE);
  return page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target.join(' '))]))`);
}

describe('the dashboard', { skip: SKIP }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-dashboard-'));
  let cluster: ChildProcess | undefined;
  let browser: TestBrowser;
  let address = '';

  before(async () => {
    buildPages();
    const port = await freePort();
    cluster = spawn(process.execPath, [MAIN, 'up', '--data', folder, '--port', `${port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      cluster!.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (/^ready/m.test(said)) resolve();
      });
      cluster!.once('exit', () => reject(new Error(`up ended: ${said}`)));
    });
    assert.doesNotMatch(said, /fault=/, 'what a file may keep holds no token');
    const printed = execFileSync(process.execPath, [MAIN, 'dashboard', '--data', folder, '--json']);
    ({ url: address } = JSON.parse(printed.toString()) as { url: string });
    browser = await TestBrowser.start();
  });

  after(async () => {
    try {
      await browser?.close();
    } finally {
      // Also if a page has complained: nothing of the cluster may stay.
      cluster?.kill('SIGTERM');
      if (cluster !== undefined && cluster.exitCode === null)
        await new Promise((resolve) => cluster!.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    }
  });

  async function watch(size?: PageSize): Promise<WatchedPage> {
    const watched = await browser.open(address, size);
    watched.page.setDefaultTimeout(PATIENCE_MS);
    await watched.page.getByText('live', { exact: true }).waitFor();
    return watched;
  }

  const open = async (size?: PageSize): Promise<Page> => (await watch(size)).page;
  const cardOf = (page: Page, id: number): Locator => page.locator(`[aria-label="Replica ${id}"]`);

  async function kill(page: Page, id: number): Promise<void> {
    await cardOf(page, id).getByRole('button', { name: 'Kill', exact: true }).click();
    await cardOf(page, id).getByText('unreachable', { exact: true }).waitFor();
  }

  async function startAgain(page: Page, id: number): Promise<void> {
    await cardOf(page, id).getByRole('button', { name: 'Restart' }).click();
    await cardOf(page, id)
      .getByText(/^(primary|backup)$/)
      .waitFor();
  }

  /** Waits for a block with this key among the latest ones, which are asked for when they are in sight. */
  async function blockOf(page: Page, key: string): Promise<void> {
    await page.locator('#ledger').scrollIntoViewIfNeeded();
    await page.locator('table.blocks tbody tr', { hasText: key }).first().waitFor();
  }

  const sentenceOf = (page: Page, text: RegExp): Promise<void> =>
    page.locator('.page-head').getByText(text).first().waitFor();

  it('takes the token out of the address, and nothing of it stays there', async () => {
    const page = await open();
    assert.doesNotMatch(page.url(), /fault=/);
    assert.match(address, /#fault=[0-9a-f]{32,}$/);
    await page.getByRole('button', { name: 'Kill', exact: true }).first().waitFor();
  });

  it('puts a key, shows it in a block, and verifies its receipt in the page and offline', async () => {
    const page = await open();
    await page.getByLabel('Key', { exact: true }).fill('greeting');
    await page.getByLabel('Value', { exact: true }).fill('hello from the page');
    await page.getByRole('button', { name: 'Put', exact: true }).last().click();
    const outcome = page.locator('.outcome');
    await outcome
      .getByText(/block|height/i)
      .first()
      .waitFor();
    await blockOf(page, 'greeting');
    await outcome.locator('a[href^="#/tx/"]').first().click();
    await page.getByText('hello from the page').first().waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: /download/i }).click();
    const file = await (await downloading).path();
    const receipt = readFileSync(file, 'utf8');
    const trust = parseTrust(readFileSync(join(folder, 'trust.json'), 'utf8'));
    assert.equal(verifyReceipt(receipt, trust!).valid, true);
    await page.getByRole('button', { name: /verify/i }).click();
    await page.locator('.receipt .notice.good').waitFor();
  });

  it('shows blocks that were made before it was opened, and finds one by its height', async () => {
    const page = await open();
    await blockOf(page, 'greeting');
    await page.getByLabel('Height, transaction id or key').fill('1');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByRole('heading', { name: /Block 1/ }).waitFor();
  });

  it('passes the checks of WCAG AA in light and dark, wide and narrow, and is never wider than the window', async () => {
    for (const size of [
      { width: 1280, height: 900 },
      { width: 390, height: 844, dark: true },
    ]) {
      const page = await open(size);
      await blockOf(page, 'greeting');
      assert.deepEqual(await offences(page), []);
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      assert.ok(Number(await page.evaluate(overflow)) <= 0, `${size.width} pixels`);
    }
  });

  it('kills the primary: the view changes, messages of it are drawn, and the sentence says what happened', async () => {
    const page = await open();
    await cardOf(page, 0).getByText('primary').waitFor();
    await kill(page, 0);
    await page.getByLabel('Key', { exact: true }).fill('after');
    await page.getByRole('button', { name: 'Put', exact: true }).last().click();
    await cardOf(page, 1).getByText('primary').waitFor();
    await sentenceOf(page, /Replica 0.*(not running|stopped|unreachable)/);
    await page
      .getByText(/NEW-VIEW/)
      .first()
      .waitFor();
    await blockOf(page, 'after');
  });

  it('says which quorum lacks whose messages when nothing commits any more', async () => {
    const page = await open();
    await kill(page, 1);
    await sentenceOf(page, /No quorum: 1 of 3 replicas take part, 2 are needed/);
    for (const id of [0, 1]) await startAgain(page, id);
  });

  it('says that a put waits and for whom, and that it is committed once there is a quorum again', async () => {
    const watched = await watch();
    const { page } = watched;
    const head = page.locator('.page-head .headline');
    const submit = page.locator('form.operation button[type=submit]');
    const says = (text: string | RegExp): Promise<void> => head.getByText(text).first().waitFor();
    for (const id of [0, 1]) await kill(page, id);
    await says(/^No quorum: 1 of 3 replicas take part, 2 are needed\. .* No request waits for that now/);
    // The gateway gives up waiting for it; the cluster does not.
    watched.announce(504, /\/v1\/kv\/stuck$/);
    await page.getByLabel('Key', { exact: true }).fill('stuck');
    await page.getByLabel('Value', { exact: true }).fill('written without a quorum');
    await submit.click();
    await page.getByRole('button', { name: 'Waiting …', exact: true }).waitFor();
    assert.equal(await submit.isDisabled(), true);
    await says('Nothing commits: one request bundle waits.');
    await says(
      /^No quorum: 1 of 3 replicas take part, 2 are needed\. Nothing is ordered until more are back\.$/,
    );
    await says(
      /^Replica 2 says that it waits for the [A-Z-]+ of one more of replicas 0, 1 for .*\(1 of 2 there\), for [\d.]+ s: replica 0 is not running \(killed by 'moiety fault kill'\); replica 1 is not running \(killed by 'moiety fault kill'\)\.$/,
    );
    await says(
      /^The gateway's oldest request waits for the answers of 2 more of replicas 0, 1, 2 \(0 of 2 there\), for [\d.]+ s\.$/,
    );
    for (const id of [0, 1])
      await cardOf(page, id)
        .getByText(/its process is stopped: killed by/i)
        .waitFor();
    await page
      .locator('.outcome')
      .getByText(/^Too few equal answers in time; the operation may still be executed/)
      .waitFor();
    assert.equal(await submit.textContent(), 'Put');
    // Programs can tell as well that these are dead, and not merely out of reach.
    const status = await fetch(new URL('/v1/status', address));
    const { replicas } = (await status.json()) as { replicas: { supervised: object }[] };
    const dead = { state: 'stopped', reason: 'killed by "moiety fault kill"' };
    for (const id of [0, 1])
      assert.partialDeepStrictEqual(replicas[id], { role: 'unreachable', supervised: dead });
    assert.partialDeepStrictEqual(replicas[2], {
      reachable: true,
      supervised: { state: 'running', reason: null },
    });
    const transaction = page.locator('.outcome a[href^="#/tx/"]').first();
    const fragment = (await transaction.getAttribute('href'))!;
    await transaction.click();
    await page.getByText('It waits to be ordered, or to be final.').waitFor();
    await page.goBack();
    for (const id of [0, 1]) await startAgain(page, id);
    await blockOf(page, 'stuck');
    await head
      .getByText(/No quorum|waits? for|Nothing commits/)
      .first()
      .waitFor({ state: 'detached' });
    assert.doesNotMatch(await head.innerText(), /No quorum|waits? for|not running|Nothing commits/);
    await page.goto(new URL(fragment, page.url()).href);
    await page.getByText('written without a quorum').first().waitFor();
  });
});
