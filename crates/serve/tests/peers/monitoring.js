// An administrator at the monitoring pages in headless Chromium: chooses a baseline, uploads labels, has a calibration shown, takes it and
// returns to the network's own. Every page is photographed on a wide screen, a laptop and a phone, and searched by axe-core.
//
//     node monitoring.js URL SESSION FOLDER LABELS.csv
const fs = require('fs');
const path = require('path');
const shared = require('../../../testing/browser/look.js');
const { must } = shared;
const [url, session, folder, labels] = process.argv.slice(2);
const faults = [];

const SIZES = [['-wide', 1920, 1080], ['', 1366, 768], ['-phone', 390, 844]];
const look = (page, name) => shared.look(page, name, { folder, faults, sizes: SIZES });

(async () => {
  const browser = await shared.browser();
  const context = await browser.newContext();
  await context.addCookies([{ name: 'coxa', value: session, url }]);
  const page = await context.newPage();
  shared.watch(page, faults);

  await page.goto(`${url}/monitoring`);
  await look(page, 'no-reference');
  await page.fill('input[name=films]', '60');
  await page.locator('#drift form button').first().click();
  await page.waitForURL(/monitoring/);
  must(/baseline/.test(await page.locator('#drift').innerText()), 'no baseline');
  await look(page, 'monitoring');
  await page.selectOption('select[name=source]', 'XR2');
  await page.locator('form.filters button').click();
  must(new URL(page.url()).searchParams.get('source') === 'XR2', 'the filter is not in the address');
  await look(page, 'one-source');

  await page.goto(`${url}/monitoring/recalibration`);
  const bad = path.join(folder, 'faulty.csv');
  fs.writeFileSync(bad, 'sop_instance_uid,label\n=1+1,1\n2.25.7,yes\n');
  await page.setInputFiles('#file', bad);
  await page.getByRole('button', { name: 'Upload' }).click();
  must(/Row 3, column label/.test(await page.locator('#uploaded').innerText()), 'the faults are not shown');
  await look(page, 'labels-refused');
  await page.setInputFiles('#file', labels);
  await page.getByRole('button', { name: 'Upload' }).click();
  must(/50 films are labeled/.test(await page.locator('#uploaded').innerText()), 'the labels are not stored');
  await page.fill('#target', '90');
  await page.getByRole('button', { name: /what would change/ }).click();
  await page.waitForURL(/recalibration\/\d+$/);
  await look(page, 'proposal');
  await page.getByRole('button', { name: /Take calibration/ }).click();
  await page.waitForURL(/recalibration$/);
  must(/in use/.test(await page.locator('#calibrations').innerText()), 'the calibration is not taken');
  await look(page, 'recalibration');
  await page.getByRole('button', { name: /network’s own/ }).click();
  await page.waitForLoadState();
  must(/used before/.test(await page.locator('#calibrations').innerText()), 'the calibration is not taken back');

  await page.goto(`${url}/monitoring?period=all&source=XR1`);
  await browser.close();
  const real = faults.filter((fault) => !/status of 400/.test(fault));
  if (real.length) throw new Error(real.join('\n'));
})().catch((error) => { console.error(String(error)); process.exit(1); });
