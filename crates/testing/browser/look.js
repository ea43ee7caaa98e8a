// What tests in headless Chromium share: the browser, what goes wrong on its pages, pictures of them, and axe-core's search for what shuts people out.
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];

exports.browser = () => chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] });

exports.must = (condition, words) => {
  if (!condition) throw new Error(words);
};

// Adds what fails on a page to `faults`.
exports.watch = (page, faults) => {
  page.on('pageerror', (error) => faults.push(`a script failed: ${error.message}`));
  page.on('console', (line) => line.type() === 'error' && faults.push(`on ${page.url()}: ${line.text()}`));
};

// How many pixels a page is wider than its window.
const excess = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
exports.excess = excess;

// A page at each size, `[suffix of the picture's name, width, height]`: a picture in `folder`, and in `faults` what axe-core finds
// serious and where the page is wider than the window.
exports.look = async (page, name, { folder, faults, sizes, fullPage = true }) => {
  for (const [size, width, height] of sizes) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(150);
    await page.screenshot({ path: path.join(folder, `${name}${size}.png`), fullPage });
    const wide = await excess(page);
    if (wide > 1) faults.push(`${name}${size}: ${wide} pixels wider than the window`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate((runOnly) => axe.run(document, { runOnly }), RULES);
    for (const found of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
      faults.push(`${name}${size}: ${found.id}: ${found.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
    }
  }
};
