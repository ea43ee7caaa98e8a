// A physician at the viewer in headless Chromium: tiles, an earlier film beside, a mark that is taken away, and judgments that are not lost.
//
//     node viewer.js URL SESSION ANOTHER-SESSION FILM FOLDER
const shared = require('../../../testing/browser/look.js');
const { must } = shared;
const [url, session, another, film, folder] = process.argv.slice(2);
const faults = [];

(async () => {
  const browser = await shared.browser();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const enter = (value) => context.addCookies([{ name: 'coxa', value, url }]);
  await enter(session);
  const page = await context.newPage();
  shared.watch(page, faults);
  const look = (name) => shared.look(page, name, { folder, faults, sizes: [['', 1440, 900], ['-phone', 390, 844]], fullPage: false });
  const whole = () => page.waitForFunction(() => document.querySelector('#stage').dataset.resolution === 'full');
  const stored = (text) => page.waitForFunction((text) => document.querySelector('#stored').textContent.includes(text), text);
  const reviews = () => page.locator('#reviews li').count();
  const draft = () => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('draft-')).map((key) => sessionStorage.getItem(key)).join());

  // Tiles: the film is a ramp from left to right, so that a tile in the wrong place is a step.
  const asked = [];
  page.on('response', (response) => response.url().includes('/tiles/') && asked.push(response.status()));
  await page.goto(`${url}/films/${film}`);
  await whole();
  must(asked.length === 6 && asked.every((status) => status === 200), `tiles: ${asked.join(' ')}`);
  must(await page.evaluate(() => performance.getEntriesByName('first-paint-of-film').length === 1), 'the first paint is not marked');
  for (const key of ['z', '0']) {
    await page.keyboard.press(key);
    await page.waitForTimeout(200);
    const ramp = await page.evaluate(() => {
      const canvas = document.querySelector('#canvas');
      const { data, width } = canvas.getContext('2d').getImageData(0, canvas.height >> 1, canvas.width, 1);
      return Array.from({ length: width }, (_, x) => data[4 * x]);
    });
    const shown = ramp.slice(ramp.findIndex((gray) => gray > 0), ramp.findLastIndex((gray) => gray > 0) + 1);
    must(shown.length > 200 && shown.every((gray, x) => x === 0 || Math.abs(gray - shown[x - 1]) < 12), `steps at ${key}: ${shown.join(' ')}`);
    must(shown.at(-20) - shown[20] > 60, `no ramp at ${key}`);
  }

  // Each window of the film is a preset with its name.
  await page.keyboard.press('5');
  must((await page.locator('#status').innerText()) === 'SOFT' && (await page.getByRole('button', { name: 'SOFT' }).getAttribute('aria-pressed')) === 'true', 'the second window is not chosen');
  await page.waitForTimeout(200);
  await look('window');
  await page.keyboard.press('1');
  must((await page.getByRole('button', { name: 'SOFT' }).getAttribute('aria-pressed')) === 'false', 'the first preset does not end the second window');

  // An earlier film beside it, by key and by button.
  must(await page.locator('#earlier').isHidden(), 'an earlier film is shown unasked');
  await page.keyboard.press('e');
  await page.waitForFunction(() => document.querySelector('#earlier-picture').naturalWidth > 0);
  must(/59 days earlier/.test(await page.locator('#earlier').innerText()), 'the earlier film has no date');
  await look('earlier');
  await page.locator('#earlier-tool').click();
  must(await page.locator('#earlier').isHidden(), 'the earlier film stays');

  // A mark that was placed by mistake.
  const box = await page.locator('#canvas').boundingBox();
  await page.keyboard.press('m');
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  must(await page.locator('#mark-words').isVisible() && (await draft()) !== '', 'the mark is not placed');
  await page.locator('#canvas').focus();
  await page.keyboard.press('x');
  must(await page.locator('#mark-words').isHidden() && (await draft()) === '', 'the mark is not removed');

  // The network is away, the page is loaded again, and the same person has signed in anew in another tab meanwhile.
  await page.route('**/reviews', (route) => route.abort());
  await page.fill('#note', 'a vessel');
  await page.locator('#canvas').focus();
  await page.keyboard.press('d');
  await stored('Not stored');
  await page.unroute('**/reviews');
  await page.reload();
  await whole();
  must((await page.locator('#note').inputValue()) === 'a vessel', 'the note is lost');
  must(/Not stored yet/.test(await page.locator('#stored').innerText()), 'the judgment is lost');
  await look('draft');
  await enter(another);
  await page.keyboard.press('d');
  await stored('Stored');
  must((await reviews()) === 1 && (await draft()) === '', 'the judgment is not stored after a new sign-in');
  must(/a vessel/.test(await page.locator('#reviews').innerText()), 'the note is not stored');

  // The draft is there while a judgment is under way, and a second key meanwhile is not lost.
  let go = () => {};
  const held = new Promise((done) => (go = done));
  await page.route('**/reviews', async (route) => {
    await held;
    await route.continue();
  });
  await page.keyboard.press('a');
  await page.waitForTimeout(100);
  must(/"verdict":"agree"/.test(await draft()), 'no draft while a judgment is under way');
  await page.keyboard.press('d');
  must(/"verdict":"disagree"/.test(await draft()), 'the second judgment is not kept');
  go();
  await page.waitForFunction(() => document.querySelectorAll('#reviews li').length === 3);
  await stored('Stored');
  await page.unroute('**/reviews');
  must((await draft()) === '' && /Disagreed/.test(await page.locator('#reviews li').first().innerText()), 'the second judgment is not stored');

  // The session has ended: the judgment is there after the sign-in.
  await context.clearCookies();
  await page.keyboard.press('u');
  await page.waitForURL(/\/signin\?next=/);
  await enter(another);
  await page.goto(`${url}/films/${film}`);
  must(/Not stored yet/.test(await page.locator('#stored').innerText()), 'the judgment is lost with the session');
  await page.keyboard.press('u');
  await stored('Stored');
  must((await reviews()) === 4, 'the judgment is not stored after the sign-in');

  // Rows that move keep the focus.
  const focus = await page.evaluate(() => {
    const list = (ids) => {
      const list = document.createElement('ul');
      for (const id of ids) list.innerHTML += `<li id="row-${id}"><a id="link-${id}" href="#">${id}</a></li>`;
      return list;
    };
    const shown = list('abcdef');
    document.body.append(shown);
    shown.querySelector('#link-c').focus();
    let blurs = 0;
    shown.addEventListener('focusout', () => blurs++);
    return ['cabdef', 'fedcba', 'xcf', 'abcdefgh', 'hc', 'c'].map((ids) => {
      Coxa.renew(shown, list(ids));
      return [[...shown.children].map((row) => row.textContent).join('') === ids, document.activeElement.id === 'link-c', blurs === 0].join();
    }).join(' ');
  });
  must(/^(true,true,true ?){6}$/.test(focus), `focus: ${focus}`);

  await browser.close();
  const real = faults.filter((fault) => !/status of 40[13]|ERR_FAILED/.test(fault));
  if (real.length) throw new Error(real.join('\n'));
})().catch((error) => { console.error(String(error.stack || error)); process.exit(1); });
