// A reviewer at the pages of collections in headless Chromium: progress, a film with its regions, a rectangle drawn with the pointer, decisions.
// Every page is photographed on a wide screen, a laptop and a phone, and searched by axe-core.
//
//     node collections.js URL SESSION FOLDER
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const [url, session, folder] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const faults = [];

async function look(page, name) {
  for (const [size, width, height] of [['-wide', 1440, 900], ['-phone', 400, 850]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(100);
    await page.screenshot({ path: path.join(folder, `${name}${size}.png`), fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 1) faults.push(`${name}${size}: ${wide} pixels wider than the window`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }));
    for (const found of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
      faults.push(`${name}${size}: ${found.id}: ${found.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
    }
  }
}

function must(condition, words) {
  if (!condition) throw new Error(words);
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addCookies([{ name: 'coxa', value: session, url }]);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`a script failed: ${error.message}`));
  page.on('console', (line) => line.type() === 'error' && faults.push(`on ${page.url()}: ${line.text()}`));

  // Waits for the page after a decision to say so.
  const decided = (words, wrong) => page.locator('#decided').filter({ hasText: words }).waitFor().catch(() => must(false, wrong));

  await page.goto(`${url}/collections`);
  await look(page, 'collections');
  await page.locator('#collection-hips a').click();
  await page.waitForURL(/collections\/hips$/);
  await look(page, 'collection');
  await page.locator('#review a').first().click();
  await page.waitForURL(/films\/17$/);
  await look(page, 'outline');

  await page.goto(`${url}/collections/films/films/1`);
  await look(page, 'film');
  // A rectangle from (20, 120) to (100, 150) of the film's 160 pixels.
  await page.setViewportSize({ width: 1440, height: 900 });
  const at = await page.evaluate(() => {
    const screen = document.getElementById('film').getScreenCTM();
    return [[20, 120], [100, 150]].map(([x, y]) => new DOMPoint(x, y).matrixTransform(screen)).map(({ x, y }) => [x, y]);
  });
  await page.mouse.move(...at[0]);
  await page.mouse.down();
  await page.mouse.move(...at[1], { steps: 4 });
  await page.mouse.up();
  const line = await page.locator('#lines tr').nth(2).locator('input').evaluateAll((fields) => fields.map((field) => Number(field.value)));
  must([20, 120, 80, 30].every((number, i) => Math.abs(number - line[i]) <= 1), `the rectangle is ${line}`);
  must((await page.locator('#drawn rect').count()) === 3, 'the rectangle is not drawn');
  await page.locator('#lines tr').nth(1).locator('select').selectOption('keep');
  must((await page.locator('#drawn rect.keep').count()) === 1, 'what stays is not shown');
  // More rectangles than there are lines.
  for (let i = 0; i < 3; i++) {
    await page.mouse.move(at[0][0], at[0][1] - 20 * i);
    await page.mouse.down();
    await page.mouse.move(at[0][0] + 30, at[0][1] - 20 * i + 12, { steps: 2 });
    await page.mouse.up();
  }
  must((await page.locator('#drawn rect').count()) === 6, 'a new line is missing');
  await look(page, 'drawn');
  await page.getByRole('button', { name: 'Decide by these rectangles' }).click();
  await decided(/Some regions become black/, 'the decision is not shown');
  must((await page.locator('#drawn rect').count()) === 6, 'the decision is not drawn');
  await page.getByRole('button', { name: 'Take the decision back' }).click();
  await decided(/Not decided yet/, 'the decision is not taken back');
  // By keyboard alone.
  await page.getByRole('button', { name: 'Blank the regions as found' }).focus();
  await page.keyboard.press('Enter');
  await decided(/Regions become black/, 'the regions are not accepted');
  await page.locator('a[rel=next]').click();
  await page.waitForURL(/films\/2$/);

  await context.clearCookies();
  await browser.close();
  if (faults.length) throw new Error(faults.join('\n'));
})().catch((error) => { console.error(String(error)); process.exit(1); });
