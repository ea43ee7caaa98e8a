// OHIF in headless Chromium over a DICOMweb root: opens a study, checks what it lists, and writes a screenshot.
//
//     node ohif.js DICOMWEB-ROOT STUDY-UID MODALITIES SCREENSHOT     (modalities that must be listed, with commas: DX,SR)
//
// The viewer's prebuilt files are served here, and the archive's answers passed through, so that both have one origin.
const http = require('http');
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const [root, study, wanted, screenshot] = process.argv.slice(2);
const files = path.join(process.env.NODE_PATH, '@ohif/app/dist');
const kinds = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html', '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.json': 'application/json' };
const settings = `window.config = { routerBasename: '/', extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 1,
  useCPURendering: true, defaultDataSourceName: 'dicomweb', dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: { friendlyName: 'archive', name: 'archive', wadoUriRoot: '/dicom-web', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
      qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
      supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true } }] };`;

const server = http.createServer((request, response) => {
  if (request.url.startsWith('/dicom-web')) {
    const to = new URL(root + request.url.slice('/dicom-web'.length));
    const asked = http.request(to, { method: request.method, headers: { ...request.headers, host: to.host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.writeHead(502).end());
    return request.pipe(asked);
  }
  const name = new URL(request.url, 'http://x').pathname;
  let file = path.join(files, path.normalize(name));
  if (!file.startsWith(files) || !fs.existsSync(file) || fs.statSync(file).isDirectory()) file = path.join(files, 'index.html');
  response.writeHead(200, {
    'content-type': kinds[path.extname(file)] || 'application/octet-stream',
    'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
  });
  response.end(name === '/app-config.js' ? settings : fs.readFileSync(file));
});

(async () => {
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--enable-unsafe-swiftshader'] });
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  await page.goto(`http://127.0.0.1:${server.address().port}/viewer?StudyInstanceUIDs=${study}`);
  // The list of series names each one's modality.
  for (const modality of wanted.split(',')) {
    await page.locator(`xpath=//*[normalize-space(text())='${modality}']`).first().waitFor({ timeout: 90000 });
  }
  await page.locator('canvas').first().waitFor({ timeout: 60000 });
  for (const name of ['Skip all', 'Confirm and hide']) {
    await page.getByText(name, { exact: true }).click({ timeout: 10000 }).catch(() => {});
  }
  await page.waitForTimeout(3000);
  await page.screenshot({ path: screenshot });
  const text = await page.locator('body').innerText();
  // The report in the viewer's own view of reports.
  await page.locator("xpath=//*[normalize-space(text())='SR']").first().dblclick();
  await page.waitForTimeout(4000);
  await page.screenshot({ path: screenshot.replace('.png', '-report.png') });
  const report = await page.locator('body').innerText();
  await browser.close();
  server.close();
  if (/error|went wrong/i.test(text + report)) throw new Error((text + report).slice(0, 2000));
  console.log(report.replace(/\s+/g, ' ').slice(0, 1000));
})().catch((error) => { console.error(String(error)); process.exit(1); });
