// Drives the page in a real browser. Steps that need the server's other side are printed as
// lines (`ask post 21.5`), and go on when the test that runs this answers with a line.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const { chromium } = createRequire(new URL('../../web/package.json', import.meta.url))('playwright-core');
const { URL: url, EMAIL: email, PASSWORD: password, SHOTS: shots } = process.env;
mkdirSync(shots, { recursive: true });

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what) {
  console.log(`ask ${what}`);
  const { value } = await lines.next();
  return value;
}

function check(ok, what) {
  if (!ok) throw new Error(what);
  console.log(`ok ${what}`);
}

// The flags keep the browser from looking for hosts on the Internet.
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let failed = true;
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light' });
const page = await context.newPage();
page.setDefaultTimeout(60_000);
const complaints = [];
page.on('pageerror', (e) => complaints.push(`page error: ${e.message}`));
page.on('console', (m) => {
  // The browser itself complains of a server that is gone and of refused logins.
  if (m.type() === 'error' && !/ERR_|WebSocket|status of (401|503)/.test(m.text())) complaints.push(`console: ${m.text()}`);
});
const shot = (name, p = page) => p.screenshot({ path: join(shots, `${name}.png`) });
const chart = () => page.getByTestId('chart').first();
const attribute = async (name) => Number(await chart().getAttribute(name));
// Waits for what only the page knows.
async function until(what, ok) {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    if (await ok().catch(() => false)) return check(true, what);
    await page.waitForTimeout(50);
  }
  throw new Error(`waited in vain: ${what}`);
}

try {
  // Log in: a wrong password is told, the right one leads to the devices.
  await page.goto(url);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').filter({ hasText: 'Invalid username or password' }).waitFor();
  check(true, 'a wrong password is told');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByTestId('device-This machine').waitFor();
  await shot('devices-light');

  // Search narrows the list.
  await page.getByLabel('Search devices').fill('hourly');
  await page.getByTestId('device-This machine').waitFor({ state: 'detached' });
  await page.getByTestId('device-Seattle hourly normals').waitFor();
  await page.getByLabel('Search devices').fill('');

  // A value changes without a reload.
  await page.getByTestId('device-live').click();
  const latest = page.getByTestId('latest-temperature');
  await latest.waitFor();
  const marker = await page.evaluate(() => (window.__same = Math.random()));
  await ask('post 21.5');
  await until('a posted value is on the page', async () => (await latest.innerText()).trim() === '21.5');
  await ask('post 22.75');
  await until('and the next one', async () => (await latest.innerText()).trim() === '22.75');
  check((await page.evaluate(() => window.__same)) === marker, 'the page was not loaded again');

  // The server dies and comes back: the page says so and goes on.
  await ask('kill');
  await page.getByText('Connection lost').waitFor();
  await shot('connection-lost');
  const setup = await ask('start');
  await page.getByText('Reconnected').waitFor();
  check((await latest.innerText()).trim() === '22.75', 'the value survived the crash');
  await ask('post 23.5');
  await until('a value posted after the crash is on the page', async () => (await latest.innerText()).trim() === '23.5');
  check((await page.evaluate(() => window.__same)) === marker, 'the page was not loaded again after the crash');
  await shot('device-live');

  // A history of another year: chart, aggregation, zoom, reset.
  await page.goto(`${url}/devices`);
  await page.getByTestId('device-Seattle hourly normals').click();
  await chart().waitFor();
  await page.locator('label').filter({ hasText: /^All$/i }).first().click();
  await until('the whole history is drawn', async () => (await chart().getAttribute('data-state')) === 'ready' && (await attribute('data-points')) > 10);
  for (const agg of ['MAX', 'COUNT', 'AVG']) {
    await page.getByLabel('Aggregation').selectOption(agg);
    await until(`${agg} is drawn`, async () => (await chart().getAttribute('data-agg')) === agg && (await chart().getAttribute('data-state')) === 'ready' && (await attribute('data-points')) > 10);
  }
  await shot('history-light');
  const before = (await attribute('data-to')) - (await attribute('data-from'));
  const box = await page.locator('.u-over').first().boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2, { steps: 8 });
  await page.mouse.up();
  await until('dragging zooms in', async () => (await attribute('data-to')) - (await attribute('data-from')) < before / 3);
  await until('the zoomed span has points', async () => (await chart().getAttribute('data-state')) === 'ready' && (await attribute('data-points')) > 5);
  await shot('history-zoomed');
  const from = await attribute('data-from');
  await page.getByRole('button', { name: 'Later' }).click();
  await until('panning moves the span', async () => (await attribute('data-from')) > from);
  await page.getByRole('button', { name: 'Reset zoom' }).click();
  await until('reset shows everything again', async () => (await attribute('data-to')) - (await attribute('data-from')) > before * 0.9);

  // The dashboard of the demonstration, live.
  await page.goto(`${url}/dashboards`);
  await page.getByText('Tidewire demonstration').first().click();
  const cpu = page.getByTestId('value-memory_used_percent').first();
  await cpu.waitFor();
  await until('every widget of the dashboard is whole', async () => (await page.getByLabel('Broken widget').count()) === 0 && (await page.getByTestId('chart').count()) >= 3);
  await until('its charts are drawn', async () => (await page.locator('[data-testid=chart][data-state=ready]').count()) >= 3);
  await shot('dashboard-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot('dashboard-dark');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${url}/devices`);
  await page.getByTestId('device-This machine').waitFor();
  await shot('devices-phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wide <= 0, 'nothing sticks out on a phone');

  // An API token is shown once, lets a program in, and after it was revoked does not.
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.goto(`${url}/tokens`);
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByLabel('Name', { exact: false }).first().fill('grafana');
  await page.getByRole('button', { name: 'Create token' }).click();
  const token = (await page.getByTestId('token-text').innerText()).trim();
  await shot('token-text');
  await page.getByRole('button', { name: 'Done' }).click();
  const program = async () => {
    const query = JSON.stringify({ entityFilter: { type: 'entityType', entityType: 'DEVICE' } });
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    return (await fetch(`${url}/api/entitiesQuery/count`, { method: 'POST', headers, body: query })).status;
  };
  check((await program()) === 200, 'the token lets a program in');
  await page.getByRole('cell', { name: 'grafana', exact: true }).waitFor();
  await shot('tokens');
  await page.getByRole('button', { name: 'Change grafana' }).click();
  await page.getByRole('menuitem', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke token' }).click();
  await page.getByText('No API tokens yet').waitFor();
  check((await program()) === 401, 'a revoked token does not');

  // What was done stands in the audit log, and can be taken along; the login is among the sessions.
  await page.goto(`${url}/audit`);
  await page.getByLabel('Search the audit log').fill('login');
  await page.getByText('Failed').first().waitFor();
  await shot('audit');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  check(file.suggestedFilename() === 'audit.csv' && readFileSync(await file.path(), 'utf8').includes('LOGIN'), 'the audit log is downloaded');
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Your sessions' }).click();
  await page.getByText('This one').waitFor();
  await shot('sessions');

  // A key of one's own lets a program in as oneself, unless it is switched off.
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Your API keys' }).click();
  await page.getByRole('button', { name: 'New key' }).click();
  await page.getByLabel('Description', { exact: false }).first().fill('nightly report');
  await page.getByRole('button', { name: 'Create key' }).click();
  const key = (await page.getByTestId('token-text').innerText()).trim();
  await page.getByRole('button', { name: 'Done' }).click();
  const report = async () => (await fetch(`${url}/api/auth/user`, { headers: { 'X-Authorization': `ApiKey ${key}` } })).status;
  check((await report()) === 200, 'the key lets a program in');
  const lets = page.getByRole('switch', { name: 'nightly report lets in' });
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await shot('keys');
  await lets.focus();
  await page.keyboard.press('Space');
  await until('the key is switched off', async () => !(await lets.isChecked()) && (await report()) === 401);
  await page.getByRole('button', { name: 'Delete nightly report' }).click();
  await page.getByRole('button', { name: 'Delete key' }).click();
  await page.getByText('No API keys yet').waitFor();

  // The setup link makes a tenant of one's own, and a system administrator who may ask for backups.
  const fresh = await (await browser.newContext()).newPage();
  fresh.setDefaultTimeout(60_000);
  await fresh.goto(setup);
  await fresh.getByLabel('E-mail', { exact: true }).fill('ada@example.org');
  await fresh.getByLabel('E-mail of the system administrator').fill('root@example.org');
  for (const field of await fresh.locator('input[type=password]').all()) await field.fill('correct horse battery');
  await fresh.locator('button[type=submit]').click();
  await fresh.getByRole('button', { name: /device/i }).first().waitFor();
  check((await fresh.getByTestId('device-This machine').count()) === 0, 'another tenant sees nothing of the demonstration');
  await shot('setup-empty', fresh);
  const root = await fresh.request.post(new URL('/api/auth/login', setup).href, { data: { username: 'root@example.org', password: 'correct horse battery' } });
  check(root.ok(), 'the system administrator logs in');
  const asked = await fresh.request.get(new URL('/api/system/backup', setup).href, { headers: { 'X-Authorization': `Bearer ${(await root.json()).token}` } });
  check(asked.status() !== 403, 'and may ask for backups');

  check(complaints.length === 0, `the browser has no complaint ${complaints.join('; ')}`);
  failed = false;
  console.log('done');
} finally {
  if (failed) await shot('failure');
  await browser.close();
}
process.exit(0);
