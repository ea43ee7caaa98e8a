// A reviewer at the pages of collections in headless Chromium: progress, a film with its regions, a rectangle drawn with the pointer, decisions.
// Every page is photographed on a wide screen, a laptop and a phone, and searched by axe-core.
//
//     node collections.js URL SESSION FOLDER
const shared = require('../../../testing/browser/look.js');
const { must } = shared;
const [url, session, folder] = process.argv.slice(2);
const faults = [];

const SIZES = [['-wide', 1440, 900], ['-phone', 400, 850]];
const look = (page, name) => shared.look(page, name, { folder, faults, sizes: SIZES });

(async () => {
  const browser = await shared.browser();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addCookies([{ name: 'coxa', value: session, url }]);
  const page = await context.newPage();
  shared.watch(page, faults);

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
  await page.waitForURL(/films\/2$/, { waitUntil: 'networkidle' });

  await browser.close();
  if (faults.length) throw new Error(faults.join('\n'));
})().catch((error) => { console.error(String(error)); process.exit(1); });
