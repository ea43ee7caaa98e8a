// Somebody of an identity provider in headless Chromium: refuses at the provider, then signs in through it, looks at their account, signs
// out. Pages are photographed.
//
//     node provider.js URL SUBJECT FOLDER
const path = require('path');
const { browser: launch, must } = require('../../../testing/browser/look.js');
const [url, subject, folder] = process.argv.slice(2);
const faults = [];

(async () => {
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const page = await context.newPage();
  const own = () => page.url().startsWith(`${url}/`);
  // The provider's page wants a style sheet of another host.
  await context.route(/^https:/, (route) => route.abort());
  page.on('pageerror', (error) => own() && faults.push(`a script failed: ${error.message}`));
  const through = page.getByRole('link', { name: /Sign in as/ });

  await page.goto(`${url}/me`);
  must(new URL(page.url()).pathname === '/signin', 'no sign-in is asked for');
  await page.screenshot({ path: path.join(folder, 'signin.png') });
  await through.click();
  must(!own(), 'the provider is not asked');
  await page.getByRole('button', { name: 'Deny' }).click();
  must(own() && await page.locator('h1').count() === 1, 'a refusal at the provider has no page');
  await page.screenshot({ path: path.join(folder, 'denied.png') });

  await page.goto(`${url}/signin?next=/me`);
  await through.click();
  await page.fill('input[name=sub]', subject);
  await page.getByRole('button', { name: 'Authorize' }).click();
  await page.waitForURL(`${url}/me`);
  must(/Jane Doe/.test(await page.locator('#who').innerText()), 'somebody else is signed in');
  must(await page.locator('#password-change').count() === 0, 'a password is asked for that is not here');
  must(await page.locator('#provider').count() === 1, 'the account does not name its provider');
  const cookies = await context.cookies(url);
  must(cookies.length === 1 && cookies[0].httpOnly, `cookies: ${cookies.map(({ name }) => name)}`);
  await page.screenshot({ path: path.join(folder, 'account.png') });
  await page.goto(`${url}/`);
  must(await page.locator('h1').count() === 1 && own(), 'the worklist does not open');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto(`${url}/me`);
  must(new URL(page.url()).pathname === '/signin', 'the session goes on after signing out');
  await browser.close();
  if (faults.length) throw new Error(faults.join('\n'));
  console.log('done');
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
