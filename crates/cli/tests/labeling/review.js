// Reviewers label films, and judge heat maps, in headless Chromium by the keyboard alone.
//
//     node review.js URL FOLDER PLAN.json
//
// PLAN.json: a list of `{ "name", "password", "labeling", "turn", "films" }`, where `films` holds the keys that are pressed on each film,
// in the order in which the reviewer sees them. Those of one turn work at the same time. Pictures are left in FOLDER. Prints a JSON line: how many
// films each decided, and how many milliseconds passed between a film's key and the next film on the screen.
const fs = require('fs');
const shared = require('../../../testing/browser/look.js');
const [url, folder, list] = process.argv.slice(2);
const plans = JSON.parse(fs.readFileSync(list, 'utf8'));

// A small canvas is painted sooner.
const SMALL = { width: 800, height: 600 };
const PASSWORD = 'seven quiet herons walk';

async function enter(page, name, password) {
  await page.goto(`${url}/signin`);
  await page.fill('input[name=name]', name);
  await page.fill('input[name=password]', password);
  await page.keyboard.press('Enter');
  await page.waitForURL(/signin\/password/);
  await page.fill('input[name=password]', PASSWORD);
  await page.fill('input[name=again]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => !location.pathname.startsWith('/signin'));
}

// Until another film than the one before, or the last page, is on the screen.
const shown = (page, before) => page.waitForFunction((before) => {
  if (document.querySelector('#over, section.empty')) return true;
  return document.body.dataset.painted && document.querySelector('#answer').action !== before;
}, before, { polling: 10 });
const action = (page) => page.evaluate(() => document.querySelector('#answer')?.action || '');

const faults = [];
const SIZES = [['-1440', 1440, 900], ['-400', 400, 800]];

async function pictures(page, name) {
  await shared.look(page, name, { folder, faults, sizes: SIZES });
  await page.setViewportSize(SMALL);
}

const signedIn = {};

async function decide(browser, { name, password, labeling, films }, done) {
  const page = signedIn[name] || (await (await browser.newContext({ viewport: SMALL })).newPage());
  if (!signedIn[name]) {
    shared.watch(page, faults);
    await enter(page, name, password);
  }
  signedIn[name] = page;
  await page.goto(`${url}/labeling/${labeling}/next`);
  await shown(page, '');
  const times = [];
  let count = 0;
  for (const keys of films) {
    const before = await action(page);
    if (!before) throw new Error(`${name} has no film after ${count}`);
    if (count === 2) await pictures(page, `film-${labeling}-${name}`);
    for (const key of keys.slice(0, -1)) await page.keyboard.press(key);
    const begun = Date.now();
    await page.keyboard.press(keys.at(-1));
    await shown(page, before);
    times.push(Date.now() - begun);
    count++;
  }
  if (await action(page)) throw new Error(`${name} is not done`);
  await page.goto(`${url}/labeling/${labeling}`);
  await pictures(page, `labeling-${labeling}-${name}`);
  done.push({ name, labeling, count, median: times.sort((a, b) => a - b)[times.length >> 1] });
}

(async () => {
  const browser = await shared.browser();
  const done = [];
  for (const turn of [...new Set(plans.map((plan) => plan.turn))].sort()) {
    await Promise.all(plans.filter((plan) => plan.turn === turn).map((plan) => decide(browser, plan, done)));
  }
  const page = Object.values(signedIn)[0];
  await page.goto(`${url}/labeling`);
  await pictures(page, 'labelings');
  await browser.close();
  if (faults.length) throw new Error(faults.join('\n'));
  console.log(JSON.stringify(done));
})().catch((error) => { console.error(String(error.stack || error)); process.exit(1); });
