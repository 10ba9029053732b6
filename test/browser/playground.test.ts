/** The playground as a person uses it: runs are chosen, stepped through and linked to, and the tour is walked from end to end. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { readPage, servePage } from '../../src/cli/page-server.ts';
import type { ServedPage } from '../../src/cli/page-server.ts';
import { LESSONS } from '../../src/dashboard/playground/lessons/all.ts';
import { loadedRun } from '../../src/dashboard/playground/loaded-run.ts';
import { msWords } from '../../src/dashboard/playground/message-words.ts';
import { packScript } from '../../src/dashboard/playground/packing.ts';
import { ruleText } from '../../src/dashboard/playground/rule-texts.ts';
import { writeAddress } from '../../src/sim/playback/address.ts';
import type { Playback } from '../../src/sim/playback/contract.ts';
import { eventLogDigest } from '../../src/sim/playback/digest.ts';
import { drawnScript } from '../../src/sim/playback/draw.ts';
import { play } from '../../src/sim/playback/play.ts';
import { buildPages, SKIP, TestBrowser } from './browser.ts';
import type { PageSize } from './browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

/** Keeps what the page's own worker answers. */
const LISTEN = `window.Worker = class extends Worker {
  constructor(...of) {
    super(...of);
    this.addEventListener('message', ({ data }) => { window.played = data; });
  }
}`;

/** The run is there, and nothing moves. */
async function settled(page: Page): Promise<void> {
  await page.waitForSelector('main[aria-busy=false] .space-time');
  await page.waitForSelector('.transport-buttons [aria-label=Play]');
}

/** What axe finds against WCAG AA. */
async function offences(page: Page): Promise<unknown> {
  await page.evaluate(AXE);
  return page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target.join(' '))]))`);
}

/** How much wider the page is than the window, pixels. */
async function overflow(page: Page): Promise<unknown> {
  return page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.textContent(selector)) ?? '';
const choice = (label: string): string => `.choices label.field:has(> span:text-is("${label}")) select`;

describe('the playground', { skip: SKIP }, () => {
  let browser: TestBrowser;
  let served: ServedPage;

  before(async () => {
    buildPages();
    served = await servePage(readPage('playground'), 0);
    browser = await TestBrowser.start();
  });

  after(async () => {
    await served?.close();
    await browser?.close();
  });

  async function open(fragment: string, size: PageSize = WIDE): Promise<Page> {
    const { page } = await browser.open(`${served.url}${fragment}`, size);
    return page;
  }

  it('steps through a run by keys and buttons, and says what happens', async () => {
    const page = await open('');
    await settled(page);
    await page.focus('.space-time');
    await page.keyboard.press('Home');
    assert.equal(await textOf(page, '.clock'), '0.00 ms');
    await page.keyboard.press('ArrowRight');
    const first = await textOf(page, '.clock');
    assert.notEqual(first, '0.00 ms');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await textOf(page, '.clock'), first);
    await page.click('[aria-label="One step on"]');
    assert.notEqual(await textOf(page, '.clock'), first);
    await page.focus('.space-time');
    await page.keyboard.press(' ');
    await page.waitForSelector('.transport-buttons [aria-label=Pause]');
    await page.keyboard.press(' ');
    await page.waitForSelector('.transport-buttons [aria-label=Play]');
    await page.click('h1');
    await page.keyboard.press(' ');
    await page.waitForSelector('.transport-buttons [aria-label=Pause]');
    await page.keyboard.press(' ');
    await page.focus('.event-rows');
    await page.keyboard.press('End');
    const last = await textOf(page, '.event-row[aria-selected=true]');
    await page.keyboard.press('ArrowUp');
    assert.notEqual(await textOf(page, '.event-row[aria-selected=true]'), last);
    await page.keyboard.press('Home');
    assert.match(await textOf(page, '.event-row[aria-selected=true]'), /client 0 sends REQUEST to replica/);
    assert.equal(await textOf(page, '.details h2'), 'REQUEST');
  });

  it('tells of a message its fields, its seal and the rules, of a replica its state, of a run its sums', async () => {
    const page = await open('');
    await settled(page);
    assert.match(await textOf(page, '.details'), /messages between replicas[^]*checkers looked at this run/);
    await page.click('svg text:text-is("PREPARE n2 [0:2]")');
    const details = await textOf(page, '.details');
    assert.match(details, /Replica \d accepts it/);
    assert.match(details, /counter value 2 of replica 0/);
    assert.ok(details.includes('MinBFT.STEP.PREPARE') && details.includes(ruleText('MinBFT.STEP.PREPARE')!));
    await page.click('.lane-head:has-text("replica 2")');
    assert.match(await textOf(page, '.details'), /Replica 2[^]*executed up to/);
    await page.click('text=Whole run');
    assert.match(await textOf(page, '.details'), /calls of trusted components/);
  });

  it('has everything in its address: choices, seeds, places; and goes back', async () => {
    const page = await open('');
    await settled(page);
    await page.selectOption(choice('Protocol'), 'pbft');
    await page.waitForSelector('h1:has-text("PBFT, 4 replicas")');
    const linked = page.url();
    await page.selectOption(choice('Network'), 'lossy');
    await page.waitForFunction(`location.hash !== ${JSON.stringify(new URL(linked).hash)}`);
    await settled(page);
    await page.goBack();
    await page.waitForFunction(`document.querySelectorAll('.choices select')[2].value === 'calm'`);
    await page.goBack();
    await page.waitForSelector('h1:has-text("MinBFT, 3 replicas")');
    const other = await open(new URL(linked).hash);
    await settled(other);
    assert.match(await textOf(other, 'h1'), /^PBFT, 4 replicas/);
    assert.equal(await other.inputValue(choice('Protocol')), 'pbft');
    const drawn = await open('#protocol=minzyzzyva&f=1&seed=7&at=40');
    await settled(drawn);
    assert.match(await textOf(drawn, 'h1'), /^MinZyzzyva, 3 replicas for 1 faulty, seed 7/);
    assert.notEqual(await textOf(drawn, '.clock'), '0.00 ms');
  });

  /** Opens a link, and gives what the page then shows of it beside the run that its worker has played. */
  async function linked(fragment: string): Promise<{ readonly page: Page; readonly playback: Playback }> {
    const { page } = await browser.open(`${served.url}${fragment}`, WIDE, LISTEN);
    await settled(page);
    return { page, playback: await page.evaluate<Playback>('window.played.playback') };
  }

  /** Everything that the page counts at the end of a run, and what the checkers say, is that of the same run in Node. */
  async function assertSame(page: Page, playback: Playback, here: Playback): Promise<void> {
    assert.equal(eventLogDigest(playback.trace), eventLogDigest(here.trace));
    assert.equal(playback.trace.events.length, here.trace.events.length);
    const { rows } = loadedRun(here, false);
    await page.focus('.event-rows');
    await page.keyboard.press('End');
    await page.waitForSelector('.event-row[aria-selected=true]');
    const place = await page.getAttribute('[aria-label="Place in the run"]', 'aria-valuetext');
    assert.match(place!, new RegExp(`, ${rows.length} of ${rows.length} events$`));
    assert.ok((await textOf(page, '.event-row[aria-selected=true]')).endsWith(`ms: ${rows.at(-1)!.text}`));
    await page.click('text=Whole run');
    const said = await page.locator('.details section dl').first().innerText();
    const sums = new Map([...said.matchAll(/(.+)\n(.+)/g)].map(([, name, value]) => [name, value]));
    const past = here.trace.events.filter(({ at }) => at <= rows.at(-1)!.atMs);
    const count = (...kinds: readonly string[]): string =>
      String(past.filter(({ kind }) => kinds.includes(kind)).length);
    assert.equal(sums.get('messages between replicas'), count('send'));
    assert.equal(sums.get('messages of clients'), count('ask', 'answer'));
    assert.match(sums.get('calls of trusted components')!, new RegExp(`^${count('certify')} \\(replica 0: `));
    const quiet = here.checkers.filter(({ found }) => found.length === 0);
    await page.click(`summary:has-text("Checkers that found nothing (${quiet.length})")`);
    const names = await page.locator('.details details[open] dt').allInnerTexts();
    assert.deepEqual(
      names,
      quiet.map(({ judge }) => judge),
    );
  }

  it('shows of a link with a seed the run that the simulator makes of it in Node', async () => {
    const scenario = { kind: 'draw', protocol: 'minbft', f: 1, seed: 7 } as const;
    const { page, playback } = await linked(`#${writeAddress({ scenario })}`);
    const here = play(drawnScript(scenario));
    assert.match(await textOf(page, 'h1'), /^MinBFT, 3 replicas for 1 faulty, seed 7/);
    await assertSame(page, playback, here);
    assert.equal(
      await textOf(page, '.details .notice'),
      `${here.checkers.length} checkers looked at this run and found nothing wrong.`,
    );
    assert.ok(here.checkers.length >= 10 && here.trace.events.length > 100);
    assert.equal(await page.locator('.scrubber-marks i').count(), 0);
  });

  it('shows of a link to a run that forks what the checkers object to, and when', async () => {
    const file = new URL('../../scenarios/fork-by-rollback-without-fence.txt', import.meta.url);
    const text = readFileSync(file, 'utf8');
    const scenario = { kind: 'script', packed: await packScript(text) } as const;
    const { page, playback } = await linked(`#${writeAddress({ scenario })}`);
    const here = play(text);
    await assertSame(page, playback, here);
    assert.equal(await textOf(page, '.details .notice.bad'), 'A checker objects, first agreement.');
    const [agreement] = here.checkers.filter(({ judge }) => judge === 'agreement');
    const [objection] = agreement!.found;
    assert.equal(
      await textOf(page, '.details .notice.bad + ul'),
      `agreement at ${msWords(objection!.atMs)}: ${objection!.text}`,
    );
    assert.match(
      objection!.text,
      /^sequence 1: replica 2 executed batch [0-9a-f]{8}, replica 1 executed [0-9a-f]{8}$/,
    );
    assert.equal(await page.getAttribute('.scrubber-marks i', 'title'), 'agreement objects here');
  });

  it('says in a sentence what is wrong with an address, a script or a choice', async () => {
    for (const [fragment, words] of [
      ['#lesson=12', /There is no lesson 12/],
      ['#script=AAAA', /damaged/],
      ['#what=ever', /does not know/],
    ] as const) {
      const page = await open(fragment);
      assert.match(await textOf(page, '[role=alert]'), words);
      await page.click('text=Show a run of MinBFT instead');
      await settled(page);
    }
    const page = await open('');
    await settled(page);
    await page.click('text=As a script');
    await page.fill('textarea', 'scenario mine\nexpect clean\nfoo\n');
    await page.click('text=Play this script');
    assert.match(await textOf(page, '#script-problem'), /line 3: "foo" is not a verb/);
    await page.fill('textarea', 'scenario mine\nreplicas 5\nexpect clean\nclients 1 bundles 1\n');
    await page.click('text=Play this script');
    await page.waitForSelector('h1:has-text("MinBFT, 5 replicas")');
    const pbft = await open('#protocol=pbft&seed=1');
    await settled(pbft);
    await pbft.click('.tabs >> text=Choose');
    await pbft.selectOption(choice('Adversary'), 'clone');
    assert.match(await textOf(pbft, '[role=alert]'), /no trusted component that could be cloned/);
  });

  it('finds the fork that a cloned component makes, and runs the trusted program as WebAssembly', async () => {
    const page = await open('');
    await settled(page);
    await page.selectOption(choice('Adversary'), 'clone');
    await page.waitForSelector('.details .notice.bad');
    assert.match(await textOf(page, '.details'), /agreement at/);
    assert.ok((await page.locator('.scrubber-marks i').count()) > 0);
    await page.click('text=Replicas as deployed');
    await page.waitForSelector('.details .notice.good');
  });

  it('walks through every step of the tour, and every lesson can be tried', async () => {
    const page = await open('#lesson=1');
    for (const [index, lesson] of LESSONS.entries()) {
      for (const step of lesson.steps) {
        await page.waitForSelector(`.lesson h2:text-is("${step.title.replaceAll('"', '\\"')}")`);
        await settled(page);
        assert.equal(await textOf(page, '.step-text'), step.text);
        await page.click('.step-buttons >> text=Next');
      }
      assert.equal(await textOf(page, '.step-text'), lesson.question);
      await page.click('text=Show the answer');
      assert.ok(await page.isVisible(`.answer p`));
      if (index + 1 < LESSONS.length) await page.click('text=Next lesson');
    }
    await page.click('text=Try it yourself');
    await page.waitForSelector('textarea');
    await settled(page);
    assert.match(await page.inputValue('textarea'), /scenario component-taken-in/);
  });

  for (const [name, size] of [
    ['1280 pixels, light', WIDE],
    ['1280 pixels, dark', { ...WIDE, dark: true }],
    ['390 pixels, light', NARROW],
    ['390 pixels, dark', { ...NARROW, dark: true }],
  ] as const)
    it(`keeps WCAG AA and its width at ${name}`, async () => {
      const page = await open('', size);
      await settled(page);
      assert.deepEqual([await offences(page), await overflow(page)], [[], 0], 'explore');
      await page.selectOption(choice('Adversary'), 'lie');
      await page.click('text=Add a fault');
      await settled(page);
      assert.deepEqual([await offences(page), await overflow(page)], [[], 0], 'choices');
      await page.click('text=As a script');
      await page.mouse.move(0, 0);
      assert.deepEqual([await offences(page), await overflow(page)], [[], 0], 'script');
      const tour = await open('#lesson=3&at=5', size);
      await settled(tour);
      await tour.click('.step-rules summary');
      assert.deepEqual([await offences(tour), await overflow(tour)], [[], 0], 'tour');
      const transport = await tour.locator('.transport').boundingBox();
      assert.ok(
        transport !== null && transport.y + transport.height <= size.height + 1,
        'the bar is in sight',
      );
    });
});
