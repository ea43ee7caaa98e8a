// Pages and states of pages in headless Chromium: each is photographed on a wide screen and a phone, and searched by axe-core.
//
//     node pages.js URL PAGES.json FOLDER
//
// PAGES.json: a list of { name, path, session, status, stale }; without a session nobody is signed in, and where `stale` is set the list
// is looked at after the node has gone away.
const fs = require('fs');
const shared = require('../../../testing/browser/look.js');
const { must } = shared;
const [url, list, folder] = process.argv.slice(2);
const faults = [];
const SIZES = [['', 1440, 900], ['-phone', 390, 844]];

(async () => {
  const browser = await shared.browser();
  for (const { name, path, session, status = 200, stale } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const context = await browser.newContext();
    if (session) await context.addCookies([{ name: 'coxa', value: session, url }]);
    const page = await context.newPage();
    shared.watch(page, faults);
    const answer = await page.goto(url + path);
    must(answer.status() === status, `${path} answers ${answer.status()}`);
    if (/^\/(films|reading)\/\d+$/.test(path)) await page.waitForTimeout(500);
    if (stale) {
      await page.route('**/worklist*', (route) => route.abort());
      await page.locator('#stale').waitFor();
    }
    await shared.look(page, name, { folder, faults, sizes: SIZES, fullPage: false });
    await context.close();
  }
  await browser.close();
  // What a browser says of an answer that was meant to be refused, and of a request that the test stopped.
  const real = faults.filter((fault) => !/status of 40[0-9]|status of 422|ERR_FAILED/.test(fault));
  if (real.length) throw new Error(real.join('\n'));
})().catch((error) => { console.error(String(error)); process.exit(1); });
