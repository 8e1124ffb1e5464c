// Opens the API explorer in a real browser, offline but for the server, and tries a call as the
// user who is logged in to the web app.
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../../web/package.json', import.meta.url))('playwright-core');
const { URL: url, EMAIL: email, PASSWORD: password, SHOTS: shots, OPERATIONS: operations } = process.env;
mkdirSync(shots, { recursive: true });

function check(ok, what) {
  if (!ok) throw new Error(what);
  console.log(`ok ${what}`);
}

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light' })).newPage();
page.setDefaultTimeout(60_000);
const complaints = [];
page.on('pageerror', (e) => complaints.push(`page error: ${e.message}`));
page.on('console', (m) => {
  if (m.type() === 'error') complaints.push(`console: ${m.text()}`);
});
page.on('request', (r) => {
  if (!r.url().startsWith(url) && !/^(data|blob):/.test(r.url())) complaints.push(`asked elsewhere: ${r.url()}`);
});

try {
  await page.goto(url);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: 'Devices' }).first().waitFor();

  await page.goto(`${url}/docs`);
  const operation = page.locator('#operations-auth-getCurrentUser');
  await operation.scrollIntoViewIfNeeded();
  check((await operation.innerText()).includes('/api/auth/user'), 'the explorer lists the operations');
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table .response');
  await answer.waitFor();
  check((await answer.locator('.response-col_status').innerText()).includes('200'), 'a call is answered');
  check((await answer.innerText()).includes(email), 'as the user who is logged in');
  await page.screenshot({ path: join(shots, 'explorer.png') });

  // What is not looked at is not there yet.
  const seen = new Set();
  for (let turns = 0; seen.size < Number(operations) && turns < 2000; turns++) {
    for (const id of await page.$$eval('.opblock', (blocks) => blocks.map((b) => b.id))) seen.add(id);
    await page.mouse.wheel(0, 600);
    await page.waitForTimeout(10);
  }
  check(seen.size === Number(operations), `all ${operations} operations are there: ${seen.size}`);
  check(complaints.length === 0, `no complaints: ${complaints.join('; ')}`);
  console.log('done');
} catch (error) {
  await page.screenshot({ path: join(shots, 'explorer-failure.png') }).catch(() => undefined);
  console.error(error, complaints);
  process.exitCode = 1;
} finally {
  await browser.close();
}
