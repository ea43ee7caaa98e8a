// A day at the pages in headless Chromium: an administrator begins, a physician reviews a film by keyboard, an administrator mends what
// failed, an auditor verifies the log. Every page is photographed, and searched by axe-core for what shuts people out.
//
//     node day.js URL FIRST-PASSWORD FOLDER
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const [url, first, folder] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const faults = [];

async function look(page, name) {
  for (const [size, width, height] of [['', 1440, 900], ['-phone', 390, 844]]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(150);
    await page.screenshot({ path: path.join(folder, `${name}${size}.png`) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 1) faults.push(`${name}${size}: ${wide} pixels wider than the window`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }));
    for (const found of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
      faults.push(`${name}${size}: ${found.id}: ${found.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
    }
  }
  // At 200% zoom of a laptop's screen, and at the width that WCAG 1.4.10 names.
  for (const width of [640, 320]) {
    await page.setViewportSize({ width, height: 640 });
    await page.waitForTimeout(100);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 1) faults.push(`${name}: ${wide} pixels wider than a window of ${width}`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function enter(page, name, password, own) {
  await page.goto(`${url}/signin`);
  await page.fill('#name', name);
  await page.fill('#password', password);
  await page.keyboard.press('Enter');
  await page.fill('#again', own);
  await page.fill('#password', own);
  await page.keyboard.press('Enter');
  await page.waitForURL((to) => !to.pathname.startsWith('/signin')).catch(async (error) => {
    throw new Error(`${name}: ${await page.locator('main').innerText()}: ${error}`);
  });
}

async function add(page, name, role) {
  await page.goto(`${url}/people`);
  const form = page.locator('#add form');
  await form.locator('input[name=name]').fill(name);
  await form.locator(`input[name=${role}]`).check();
  await form.locator('button').click();
  return page.locator('#given code').innerText();
}

function must(condition, words) {
  if (!condition) throw new Error(words);
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
  const somebody = async () => {
    const page = await (await browser.newContext()).newPage();
    page.on('pageerror', (error) => faults.push(`a script failed: ${error.message}`));
    page.on('console', (line) => line.type() === 'error' && faults.push(`on ${page.url()}: ${line.text()}`));
    return page;
  };

  const admin = await somebody();
  await admin.goto(url);
  must(new URL(admin.url()).pathname === '/signin', 'a page opens without signing in');
  await look(admin, 'sign-in');
  await enter(admin, 'admin', first, 'a keeper of simulated films');
  await look(admin, 'worklist-administrator');
  const passwords = { doe: await add(admin, 'doe', 'physician'), audrey: await add(admin, 'audrey', 'auditor') };
  await look(admin, 'people');

  const doe = await somebody();
  await enter(doe, 'doe', passwords.doe, 'a physician of simulated films');
  await doe.goto(url);
  await doe.locator('#rows tr').first().waitFor();
  await look(doe, 'worklist');
  await doe.keyboard.press('j');
  await doe.keyboard.press('Enter');
  await doe.waitForURL(/\/films\//);
  await doe.waitForFunction(() => /full resolution/.test(document.querySelector('#status').textContent));
  await look(doe, 'film');
  const film = doe.url();
  await doe.keyboard.press('m');
  const box = await doe.locator('#canvas').boundingBox();
  await doe.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await doe.keyboard.press('c');
  await doe.keyboard.type('the line is a vessel <script>');
  await doe.keyboard.press('Escape');
  await doe.keyboard.press('d');
  await doe.waitForFunction(() => /disagree/i.test(document.querySelector('#reviews').textContent));
  await look(doe, 'film-reviewed');
  await doe.keyboard.press('j');
  await doe.waitForURL((to) => to.href !== film && to.pathname.startsWith('/films/'));
  must((await doe.request.get(`${url}/operations`)).status() === 403, 'a physician may see operations');

  await admin.goto(`${url}/operations`);
  await look(admin, 'operations');
  must(/KOXA/.test(await admin.locator('main').innerText()), 'the refused association is not shown');
  await admin.getByRole('button', { name: 'Allow it to store' }).click();
  await admin.locator('#allowed').waitFor();
  must(/STRANGER/.test(await admin.locator('#allowed').innerText()), 'the allowed peer is not shown');
  await look(admin, 'operations-allowed');
  const resend = admin.locator('form[action^="/operations/resend"] button').first();
  await resend.click();
  await admin.waitForLoadState();
  await look(admin, 'operations-resent');

  const audrey = await somebody();
  await enter(audrey, 'audrey', passwords.audrey, 'somebody who checks simulated films');
  await audrey.goto(`${url}/audit`);
  await look(audrey, 'audit');
  await audrey.getByRole('button', { name: /verify/i }).click();
  await audrey.waitForLoadState();
  await look(audrey, 'audit-verified');
  must(/whole|unchanged|no change|verified/i.test(await audrey.locator('main').innerText()), 'the log is not verified');
  await audrey.goto(`${url}/me`);
  await look(audrey, 'me');

  // The same pages in Chinese, by the button in the head of the page.
  for (const [page, addresses] of [[doe, { worklist: '/', film: new URL(film).pathname }], [admin, { operations: '/operations', people: '/people', me: '/me' }], [audrey, { audit: '/audit' }]]) {
    await page.goto(url + Object.values(addresses)[0]);
    await page.locator('.languages button').first().click();
    await page.waitForLoadState();
    for (const [name, address] of Object.entries(addresses)) {
      await page.goto(url + address);
      must((await page.locator('html').getAttribute('lang')) === 'zh-Hant-TW', `${address} is not in Chinese`);
      if (name === 'film') await page.waitForFunction(() => document.querySelector('#stage').dataset.resolution === 'full');
      await look(page, `${name}-zh`);
    }
  }
  await doe.goto(url);
  await doe.keyboard.press('?');
  await look(doe, 'keys-zh');
  await doe.keyboard.press('Escape');
  await doe.locator('.account button').click();
  await doe.waitForURL(/signin/);
  must(/登入/.test(await doe.locator('main').innerText()), 'the browser has not kept the language');
  await look(doe, 'sign-in-zh');

  await browser.close();
  // What a browser says of an answer that was meant to be refused.
  const real = faults.filter((fault) => !/status of 40[13]/.test(fault));
  if (real.length) throw new Error(real.join('\n'));
})().catch((error) => { console.error(String(error)); process.exit(1); });
