// A day at the pages in headless Chromium: an administrator begins, a physician reviews a film by keyboard, an administrator mends what
// failed, an auditor verifies the log. Every page is photographed, and searched by axe-core for what shuts people out.
//
//     node day.js URL FIRST-PASSWORD FOLDER
const shared = require('../../../testing/browser/look.js');
const { must } = shared;
const [url, first, folder] = process.argv.slice(2);
const faults = [];

const SIZES = [['', 1440, 900], ['-phone', 390, 844]];

async function look(page, name) {
  await shared.look(page, name, { folder, faults, sizes: SIZES, fullPage: false });
  // At 200% zoom of a laptop's screen, and at the width that WCAG 1.4.10 names.
  for (const width of [640, 320]) {
    await page.setViewportSize({ width, height: 640 });
    await page.waitForTimeout(100);
    const wide = await shared.excess(page);
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

(async () => {
  const browser = await shared.browser();
  const somebody = async () => {
    const page = await (await browser.newContext()).newPage();
    shared.watch(page, faults);
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
  const letter = await admin.locator('tr[id^="dead-"]').first().getAttribute('id');
  await admin.locator(`#${letter} button`).click();
  await admin.waitForLoadState();
  await look(admin, 'operations-resent');
  // What was resent is no dead letter any more: it waits, or the archive has it.
  for (let tries = 0; await admin.locator(`#${letter}`).count(); tries++) {
    must(tries < 20, `${letter} is still dead`);
    await admin.waitForTimeout(500);
    await admin.goto(`${url}/operations`);
  }

  // Every page of the navigation, and that of the interfaces; those above were looked at with something on them.
  const places = await admin.locator('header nav a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  must(places.length > 5, `the navigation leads to ${places.join(' ')} alone`);
  for (const place of [...places, '/api']) {
    const status = (await admin.goto(url + place)).status();
    must(status === 200, `${place} answers ${status}`);
    await look(admin, `all-${place.slice(1) || 'worklist'}`);
  }

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
