// A reader study of 21 readers on real pages: three read in headless Chromium to the end, in two tabs each, the others by the same
// requests; one request in twenty is dropped before or after the server has it, and sessions end in the middle. Whoever calls this kills
// the server meanwhile.
//
//     node study.js URL FIRST-PASSWORD FOLDER FILMS.txt
//
// Prints a JSON line: the ratings that were exported, the answers that were given, and the times that browsers measured.
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const [url, first, folder, list] = process.argv.slice(2);
const films = fs.readFileSync(list, 'utf8').trim().split('\n');
const READERS = 21;
const IN_BROWSER = 3;

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
// The same drops in every run.
let turn = 1;
const chance = () => (turn = (turn * 48271) % 2147483647) / 2147483647;

// Somebody with cookies, as a browser keeps them.
class Person {
  constructor() {
    this.cookie = '';
    this.form = '';
  }

  async once(address, fields) {
    const headers = { cookie: this.cookie, accept: 'text/html', origin: url };
    const body = fields && new URLSearchParams(this.form ? { form: this.form, ...fields } : fields);
    const answer = await fetch(url + address, { method: fields ? 'POST' : 'GET', body, headers, redirect: 'manual' });
    const set = answer.headers.get('set-cookie');
    if (set) this.cookie = set.split(';')[0];
    const text = await answer.text();
    this.form = /name="form" value="([^"]+)"/.exec(text)?.[1] || this.form;
    return { status: answer.status, to: answer.headers.get('location') || '', text };
  }

  // Until the server answers: it is killed now and then.
  async ask(address, fields) {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await this.once(address, fields);
        if (answer.status < 500) return answer;
      } catch (error) {
        if (tries > 300) throw error;
      }
      await wait(100);
    }
  }

  async follow(address, fields) {
    let answer = await this.ask(address, fields);
    while (answer.to) answer = await this.ask(answer.to);
    return answer;
  }

  async enter(name, password, own) {
    await this.follow('/signin');
    await this.follow('/signin', { name, password });
    await this.follow('/signin/password', { password: own, again: own });
  }

  async open(link) {
    this.form = '';
    await this.follow(link);
    return this.follow(link, { specialty: 'orthopedics', grade: 'resident', years: '4', agrees: 'yes' });
  }
}

const answers = [];

// What a reader answers: any rule that the exported table can be checked by.
const ratingOf = (reader, item) => (7 * reader + item) % 2;

async function byRequests(reader, link, study, ended) {
  const person = new Person();
  let page = await person.open(link);
  for (;;) {
    const found = new RegExp(`action="/reading/${study}/(\\d+)"`).exec(page.text);
    if (!found) {
      if (/You have read every film/.test(page.text)) return;
      // The session has ended: the link leads back to the same film.
      page = await person.open(link);
      continue;
    }
    const item = Number(found[1]);
    const fields = { rating: String(ratingOf(reader, item)), milliseconds: '1000', by: 'script' };
    const drop = chance();
    if (drop < 0.025) {
      // Lost on its way: the server never had it.
    } else if (drop < 0.05) {
      // The server has it, and the answer is lost.
      await person.ask(`/reading/${study}/${item}`, fields);
    } else {
      const answer = await person.ask(`/reading/${study}/${item}`, fields);
      if (answer.status === 200) answers.push([reader, item]);
    }
    if (item === 50) ended(reader);
    page = await person.ask(`/reading/${study}`);
  }
}

async function inBrowser(browser, reader, link, study, times) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  // What is asked of the study: pages, pixels, answers. Scripts and styles stay in the browser's own cache.
  await context.route('**/reading/**', (route) => (chance() < 0.05 ? route.abort() : route.continue()));
  const tabs = [await context.newPage(), await context.newPage()];
  const load = async (page, address) => {
    for (let tries = 0; tries < 300; tries++) {
      try {
        const response = await page.goto(url + address, { waitUntil: 'domcontentloaded' });
        if (response && response.status() < 500) return;
      } catch { /* A dropped request, or the server is being started again. */ }
      await wait(100);
    }
    throw new Error(`${address} does not open`);
  };
  const enter = async (page) => {
    await load(page, link);
    if (await page.locator('#specialty').count()) {
      await page.selectOption('#specialty', 'radiology');
      await page.selectOption('#grade', 'specialist');
      await page.fill('#years', '12');
      await page.check('input[name=agrees]');
    }
    await page.locator('main form button').click();
    await page.waitForURL(/\/reading\//, { timeout: 5000 }).catch(() => {});
  };
  await enter(tabs[0]);
  for (let turns = 0; turns < 20 * films.length; turns++) {
    const page = tabs[turns % 2];
    await load(page, `/reading/${study}`);
    if (/signin|join/.test(page.url())) await enter(page);
    const text = await page.locator('main').innerText().catch(() => '');
    if (/You have read every film/.test(text)) return;
    // The film is painted, or its pixels were dropped: then the page is loaded again.
    const isPainted = await page.waitForFunction(
      () => document.body.dataset.painted || /cannot/.test(document.querySelector('#status')?.textContent || ''), null, { timeout: 10000 },
    ).then((state) => state.jsonValue()).then((state) => state === '1', () => false);
    if (!isPainted) continue;
    if (turns === 0) await page.screenshot({ path: path.join(folder, `reading-${reader}.png`) });
    const item = await page.evaluate(() => Number(document.querySelector('#answer').getAttribute('action').split('/').pop())).catch(() => null);
    if (item === null) continue;
    const key = ratingOf(reader, item) === 1 ? 'y' : 'n';
    const sent = page.waitForResponse((response) => response.request().method() === 'POST' && response.ok(), { timeout: 20000 }).catch(() => null);
    // From the moment when the page says that it is painted, by its own clock, to just before and just after the key: the page takes its own
    // time between the two.
    const stored = page.evaluate((key) => {
      const before = performance.now() - window.paintedAt;
      document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      return [before, performance.now() - window.paintedAt];
    }, key).catch(() => null);
    const seen = await stored;
    // Of an answer that a tab sends again until the server is back, and of the other tab's to the same film, the first to arrive counts.
    if (seen !== null) ((times[reader] ||= {})[item] ||= []).push(seen);
    await sent;
  }
  throw new Error(`reader ${reader} does not come to the end`);
}

(async () => {
  const admin = new Person();
  await admin.enter('admin', first, 'a keeper of simulated films');
  const people = await admin.follow('/people', { name: 'designer', reviewer: '1' });
  const password = /id="given">[^]*?<code class="large">([^<]+)</.exec(people.text)[1];
  const designer = new Person();
  await designer.enter('designer', password, 'somebody who plans simulated studies');
  await designer.follow('/studies');
  const design = `name = "21 readers"\nanswer = "yes_no"\narms = "unaided"\nreaders = ${READERS}\nseed = 3\nfilms = ${JSON.stringify(films)}\n`;
  const made = await designer.ask('/studies', { design });
  const links = [...made.text.matchAll(/<code class="link">([^<]+)</g)].map((found) => found[1]);
  if (links.length !== READERS) throw new Error(`${made.status}, ${links.length} links: ${/id="wrong">([^<]*)</.exec(made.text)?.[1] || made.text.slice(0, 500)}`);
  const study = Number(/action="\/studies\/(\d+)\//.exec(made.text)[1]);
  console.error('begun');

  // Half-way, an administrator ends the sessions of some readers.
  const endSession = async (reader) => {
    if (reader % 4 !== 1) return;
    const page = await admin.follow('/people');
    const row = new RegExp(`id="person-(\\d+)"[^]*?id="name-\\1">reader-${study}-${reader + 1} `).exec(page.text);
    if (row) await admin.ask(`/people/${row[1]}/sessions/end`, {});
  };
  const times = {};
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });
  const painted = () => {
    new MutationObserver(() => {
      if (document.body?.dataset.painted && !window.paintedAt) window.paintedAt = performance.now();
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ['data-painted'] });
  };
  const opened = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await opened(options);
    await context.addInitScript(painted);
    return context;
  };
  await Promise.all(links.map((link, reader) => (reader < IN_BROWSER
    ? inBrowser(browser, reader, link, study, times)
    : byRequests(reader, link, study, endSession))));
  await browser.close();

  const progress = await designer.follow(`/studies/${study}`);
  const count = /(\d+) of (\d+) answers/.exec(progress.text);
  await designer.ask(`/studies/${study}/lock`, {});
  const truth = `sop_instance_uid,truth\n${films.map((film, i) => `${film},${i % 2}`).join('\n')}\n`;
  const ratings = await designer.ask(`/studies/${study}/ratings.csv`, { truth });
  fs.writeFileSync(path.join(folder, 'ratings.csv'), ratings.text);
  console.log(JSON.stringify({ status: ratings.status, count: Number(count[1]), of: Number(count[2]), given: answers.length, times }));
})().catch((error) => { console.error(String(error.stack || error)); process.exit(1); });
