// Takes the pictures of README and docs from the running product: a local cluster with its dashboard, and the playground.
// Needs a Chromium of the system. Writes docs/images/*.png anew.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const images = join(root, 'docs', 'images');
const PORT = 4720;
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  existsSync,
);
if (executablePath === undefined) {
  console.error('There is no chromium: install one ("apt-get install chromium") and run this again.');
  process.exit(1);
}
const { chromium } = await import('playwright-core');

/** Starts a command of the product; resolves with the part of its output that `pattern` finds. */
async function start(args, pattern) {
  const child = spawn(process.execPath, [join(root, 'src', 'cli', 'main.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const found = await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += chunk;
      const match = pattern.exec(said);
      if (match !== null) resolve(match[1]);
    });
    child.once('exit', () => reject(new Error(`moiety ${args[0]} ended:\n${said}`)));
  });
  return {
    found,
    stop: () => new Promise((resolve) => child.once('exit', resolve) && child.kill('SIGTERM')),
  };
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });

async function open(url, viewport, colorScheme) {
  const context = await browser.newContext({
    viewport,
    colorScheme,
    reducedMotion: 'reduce',
    deviceScaleFactor: 1,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return page;
}

async function picture(page, name) {
  await page.screenshot({ path: join(images, `${name}.png`) });
  console.log(`docs/images/${name}.png`);
}

async function dashboard() {
  const folder = mkdtempSync(join(tmpdir(), 'moiety-pictures-'));
  const cluster = await start(['up', '--data', folder, '--port', `${PORT}`], /^(ready)/m);
  const main = join(root, 'src', 'cli', 'main.ts');
  const printed = execFileSync(process.execPath, [main, 'dashboard', '--data', folder, '--json']);
  const { url } = JSON.parse(printed.toString());
  let isOver = false;
  /** Work to be seen: some writes a second. */
  const work = (async () => {
    for (let count = 1; !isOver; count += 1) {
      const key = `harbour/${['lisbon', 'bergen', 'odessa', 'haifa'][count % 4]}`;
      await fetch(`http://127.0.0.1:${PORT}/v1/kv/${encodeURIComponent(key)}`, {
        method: 'PUT',
        body: `berth ${count}`,
      }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
  })();
  try {
    const wide = await open(url, WIDE, 'light');
    const narrow = await open(url, NARROW, 'dark');
    await wide.waitForTimeout(20_000);
    await picture(wide, 'dashboard');
    await picture(narrow, 'dashboard-narrow');
    await wide.locator('#messages').scrollIntoViewIfNeeded();
    await wide.evaluate("document.getElementById('messages').scrollIntoView()");
    await wide.waitForTimeout(1_500);
    await picture(wide, 'dashboard-messages');
    await wide.evaluate('scrollTo(0, 0)');
    for (const id of [1, 2])
      await wide
        .locator(`[aria-label="Replica ${id}"]`)
        .getByRole('button', { name: 'Kill', exact: true })
        .click();
    await wide
      .locator('.page-head')
      .getByText(/No quorum/)
      .first()
      .waitFor();
    await wide.evaluate('scrollTo(0, 0)');
    await wide.waitForTimeout(4_000);
    await picture(wide, 'dashboard-no-quorum');
  } finally {
    isOver = true;
    await cluster.stop();
    await work;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function playground() {
  const served = await start(['playground', '--port', `${PORT + 10}`], /(http:\/\/127\.0\.0\.1:\d+\S*)/);
  try {
    for (const [name, fragment, viewport, scheme] of [
      ['playground', '#lesson=4&at=5', WIDE, 'light'],
      ['playground-narrow', '#lesson=5&at=3', NARROW, 'dark'],
      ['playground-fork', '#lesson=8&at=4', WIDE, 'dark'],
    ]) {
      const page = await open(`${served.found}${fragment}`, viewport, scheme);
      await page.waitForSelector('main[aria-busy=false] .space-time');
      await page.waitForTimeout(1_500);
      await picture(page, name);
    }
  } finally {
    await served.stop();
  }
}

mkdirSync(images, { recursive: true });
await dashboard();
await playground();
await browser.close();
