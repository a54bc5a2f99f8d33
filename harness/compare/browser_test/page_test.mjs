// The page in a real browser, opened from disk: what an operator does with it. LVSPEC_SHOTS, where it is set, gets
// pictures to look at.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {resultsOf} from './results.mjs';

const require = createRequire(join(process.env.LVSPEC_BROWSER_MODULES, 'x.js'));
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const lvspec = process.env.LVSPEC;
const folder = mkdtempSync(join(tmpdir(), 'lvspec-page-'));
const shots = process.env.LVSPEC_SHOTS;
let browser;

const file = name => join(folder, name);
const address = (name, hash = '') => pathToFileURL(file(name)).href + hash;

function compare(out, files, ...options) {
  return spawnSync(lvspec, ['compare', ...files.map(file), '--out', file(out), ...options], {encoding: 'utf8'});
}

/** A page that fails the test at any request, error or warning. */
async function open(url, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
  const page = await context.newPage();
  const wrong = [];
  page.on('request', request => { if (!request.url().startsWith('file://' + folder)) wrong.push(`request ${request.url()}`); });
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) wrong.push(`console ${message.text()}`); });
  page.on('pageerror', error => wrong.push(`error ${error.message}`));
  await page.goto(url);
  return {page, done: async () => { await context.close(); assert.deepEqual(wrong, []); }};
}

async function picture(page, name, options = {}) {
  if (!shots) return;
  mkdirSync(shots, {recursive: true});
  await page.screenshot({path: join(shots, name), ...options});
}

const rows = page => page.locator('.grid tbody tr:not(.area):visible').count();

before(async () => {
  const write = (name, results) => writeFileSync(file(name), JSON.stringify(results));
  write('bundled.json', resultsOf('bundled'));
  write('ipvs.json', resultsOf('ipvs', {fails: i => i === 10 || i === 15, lab: 'uml', shift: 0.004}));
  for (const [i, name] of ['keepalived', 'haproxy', 'nginx', 'pen'].entries())
    write(`${name}.json`, resultsOf(name, {fails: at => at === 11 || at % (7 + i) === 3, lab: 'uml', shift: 0.01 * i}));
  const made = compare('six.html', ['bundled.json', 'ipvs.json', 'keepalived.json', 'haproxy.json', 'nginx.json', 'pen.json']);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(compare('two.html', ['bundled.json', 'ipvs.json']).status, 0);
  assert.equal(compare('zh.html', ['bundled.json', 'ipvs.json'], '--lang', 'zh').status, 0);
  browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox']});
});

after(async () => {
  await browser?.close();
  rmSync(folder, {recursive: true, force: true});
});

test('six directors by 350 cases: under 3 MB, and there within a second', async () => {
  assert.ok(statSync(file('six.html')).size < 3e6, `${statSync(file('six.html')).size} bytes`);
  const times = [];
  for (let i = 0; i < 3; ++i) {
    const {page, done} = await open(address('six.html'));
    times.push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
    assert.equal(await page.locator('button.cell').count(), 6 * 350);
    await done();
  }
  // Other tests share the machine; the best of three is what the page needs.
  console.log(`loaded after ${times.map(Math.round).join(', ')} ms`);
  assert.ok(Math.min(...times) < 1000, `loaded after ${times.join(', ')} ms`);
});

test('says first what was not alike, then where they differ', async () => {
  const {page, done} = await open(address('two.html'));
  const top = async selector => (await page.locator(selector).boundingBox()).y;
  assert.ok(await top('#conditions') < await top('#differences'));
  assert.match(await page.locator('#conditions').innerText(), /lab\s+host\s+uml/);
  assert.match(await page.locator('.headline').innerText(), /agree on 348 of 350 promises. They differ in 2/);
  assert.match(await page.locator('#differences').innerText(), /broken: ipvs/);
  assert.match(await page.locator('#differences').innerText(), /After an hour everyone is on another server/);
  await done();
});

test('search filters, and the address keeps it', async () => {
  const {page, done} = await open(address('six.html'));
  await page.keyboard.press('/');
  await page.keyboard.type('only:ipvs');
  assert.equal(await rows(page), 1);
  assert.match(page.url(), /#q=only%3Aipvs$/);
  await page.fill('#search', 'is:different FR-10');
  assert.equal(await rows(page), 1);
  await page.reload();
  assert.equal(await page.inputValue('#search'), 'is:different FR-10');
  assert.equal(await rows(page), 1);
  await page.fill('#search', 'none(pass) must');
  assert.equal(await rows(page), 0);
  assert.ok(await page.getByText('No promise fits this search.').isVisible());
  await page.keyboard.press('Escape');
  assert.equal(await rows(page), 350);
  await page.getByRole('button', {name: 'Different', exact: true}).click();
  assert.match(page.url(), /is%3Adifferent/);
  assert.equal(await page.getByRole('button', {name: 'Different', exact: true}).getAttribute('aria-pressed'), 'true');
  await done();
});

test('keys move, open a story, go through stories, and close', async () => {
  const {page, done} = await open(address('two.html', '#q=is%3Adifferent'));
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  const id = () => page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get('case'));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const first = await id();
  assert.ok(first);
  assert.match(page.url(), /col=1/);
  await page.keyboard.press('j');
  assert.notEqual(await id(), first);
  await page.keyboard.press('k');
  assert.equal(await id(), first);
  await page.keyboard.press('ArrowLeft');
  assert.match(page.url(), /col=0/);
  await page.keyboard.press('Escape');
  assert.equal(await id(), null);
  assert.equal(await page.locator('dialog.story').isVisible(), false);
  await page.keyboard.press('?');
  assert.ok(await page.locator('dialog.help').isVisible());
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog.help').isVisible(), false);
  await done();
});

test('the story of a failing cell', async () => {
  const {page, done} = await open(address('two.html', '#q=is%3Adifferent'));
  await page.locator('.grid tbody tr:visible button.cell.bad').first().click();
  const story = page.locator('dialog.story');
  const text = await story.innerText();
  for (const word of ['broken', 'is served by "real2"', 'answered by "real3" </script><b id="injected">', 'suites/pcc/pcc_test.cc:41',
    'The director’s tables then', 'TCP 192.0.2.1:0', 'ci/lvspec run --director ipvs', 'not run alike', '2 held, 1 failed'])
    assert.ok(text.includes(word), `${word} in ${text}`);
  assert.equal(await page.locator('#injected').count(), 0);
  assert.equal(await story.locator('.timeline g.server').count(), 3);  // a mark for each that was answered
  assert.equal(await story.locator('.timeline g.bar').count(), 1);
  assert.equal(await story.locator('.timeline line.edit').count(), 2);
  assert.equal(await story.locator('.timeline .unanswered').count(), 1);
  assert.equal(await story.locator('.world svg').count(), 1);
  assert.match(await story.locator('.shares').innerText(), /real2 2 · real3 4 · nobody answered 1/);
  await page.goBack();
  assert.equal(await story.isVisible(), false);
  await page.goForward();
  assert.ok(await story.isVisible());
  await picture(page, 'story.png');
  await done();
});

test('a real run with a deliberate fault: packets, evidence, the line that shows it again', async () => {
  for (const [name, options] of [['sound', []], ['faulty', ['--fault', 'pcc-key-includes-port']]])
    spawnSync(lvspec, ['run', '--director', 'bundled', '--case', 'pcc.same-client-all-ports', ...options, '--out', file(name)], {encoding: 'utf8'});
  const made = compare('real.html', ['sound', 'faulty']);
  assert.equal(made.status, 0, made.stderr);
  const {page, done} = await open(address('real.html', '#case=pcc.same-client-all-ports&col=1'));
  const story = page.locator('dialog.story');
  assert.ok(await story.locator('.ladder .rung').count() > 5);
  assert.ok(await story.locator('.timeline g.server').count() > 2);
  assert.match(await story.innerText(), /partial|broken/);
  const link = await story.locator('a', {hasText: '.pcapng'}).first().evaluate(a => a.href);
  assert.ok(statSync(new URL(link)).size > 0);
  assert.match(await story.locator('.again code').innerText(), /--fault pcc-key-includes-port/);
  assert.match(await page.locator('#glance').innerText(), /partial: 1 of \d+/);
  await picture(page, 'real.png');
  await done();
});

test('in Chinese there is no English word of ours', async () => {
  const {page, done} = await open(address('zh.html'));
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
  const text = await page.locator('main').innerText();
  assert.match(text, /哪里不同，为什么重要/);
  for (const word of ['differ', 'broken', 'kept', 'Where', 'conforms', 'search']) assert.ok(!text.replace(/kept to \d+ s/g, '').includes(word), word);
  await picture(page, 'zh.png');
  await done();
});

for (const [name, options, hash] of [['light', {}, ''], ['dark', {colorScheme: 'dark'}, ''], ['story-light', {}, '#case=pcc.promise-001&col=1'],
  ['story-dark', {colorScheme: 'dark'}, '#case=schedulers.promise-010&col=1'], ['phone', {viewport: {width: 390, height: 844}}, ''], ['six', {}, '']])
  test(`accessible: ${name}`, async () => {
    const {page, done} = await open(address(name === 'six' ? 'six.html' : 'two.html', hash), options);
    await picture(page, `${name}.png`);
    await page.evaluate(axe + ';0');
    const found = await page.evaluate(() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}));
    assert.deepEqual(found.violations.map(one => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`), []);
    if (name === 'phone') assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390, 'nothing is wider than the phone');
    await done();
  });

test('prints on two pages', async () => {
  const {page, done} = await open(address('two.html'));
  const pdf = await page.pdf({preferCSSPageSize: true, printBackground: true});
  if (shots) writeFileSync(join(shots, 'print.pdf'), pdf);
  assert.ok((pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) || []).length <= 2);
  await done();
});

test('bad input is named with its place, and nothing is written', () => {
  const bad = (name, change) => {
    const results = resultsOf('bundled', {count: 3});
    writeFileSync(file(name), change(results) ?? JSON.stringify(results));
    const made = compare('bad.html', ['bundled.json', name]);
    assert.equal(made.status, 2);
    assert.ok(!readdirSync(folder).some(entry => entry.includes('bad.html')));
    return made.stderr;
  };
  assert.match(bad('digest.json', results => { results.suite_digest = 'other'; }), /digest\.json: suite_digest: "other"/);
  assert.match(bad('version.json', results => { results.schema_version = 9; }), /version\.json: schema_version: 9/);
  assert.match(bad('verdict.json', results => { results.cases[2].verdict = 'PAS'; }), /verdict\.json: cases\[2\]\.verdict: "PAS"/);
  assert.match(bad('cut.json', results => JSON.stringify(results).slice(0, 900)), /cut\.json: not JSON: line 1/);
});
