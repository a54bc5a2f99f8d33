// What the search box understands.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {hashOf, queryOf, stateOf, wordsOf} from '../page/query.js';

const columns = [{label: 'bundled', name: 'bundled'}, {label: 'ipvs (Linux 6.1)', name: 'ipvs'}, {label: 'exec:./lb', name: 'exec:./lb'}];
const cell = (v, o = [1, 0], i = [0, 0]) => ({v, o, i});
const row = (id, level, cells, clauses = [], reports = []) => ({id, level, suite: id.split('.')[0], cells, clauses, reports, text: id});
const rows = [
  row('pcc.same', 'must', [cell('PASS'), cell('PASS'), cell('PASS')], ['TPL-06']),
  row('pcc.ports', 'must', [cell('PASS'), cell('FAIL', [0, 1]), cell('PASS')], ['TPL-13'], ['FR-61']),
  row('sync.late', 'should', [cell('FAIL', [1, 0], [0, 2]), cell('FAIL'), cell('UNSUPPORTED')], [], ['FR-6']),
  row('passport.key', 'info', [cell('INFO'), cell('INFO'), null]),
];
const found = text => rows.filter(queryOf(text, columns, one => one.text)).map(one => one.id);

test('states, columns and levels', () => {
  assert.deepEqual(found(''), rows.map(one => one.id));
  assert.deepEqual(found('is:different'), ['pcc.ports', 'sync.late']);
  assert.deepEqual(found('is:same'), ['pcc.same', 'passport.key']);
  assert.deepEqual(found('only:ipvs'), ['pcc.ports']);
  assert.deepEqual(found('only:bundled'), []);
  assert.deepEqual(found('"only:ipvs (Linux 6.1)"'), ['pcc.ports']);
  assert.deepEqual(found('bundled:fail'), ['sync.late']);
  assert.deepEqual(found('exec:./lb:unsupported'), ['sync.late']);
  assert.deepEqual(found('must'), ['pcc.same', 'pcc.ports']);
  assert.deepEqual(found('suite:sync'), ['sync.late']);
});

test('quantifiers', () => {
  assert.deepEqual(found('all(pass)'), ['pcc.same']);
  assert.deepEqual(found('none(pass)'), ['sync.late', 'passport.key']);
  assert.deepEqual(found('any(fail)'), ['pcc.ports', 'sync.late']);
  assert.deepEqual(found('one(fail)'), ['pcc.ports']);
  assert.deepEqual(found('any(none)'), ['passport.key']);
});

test('citations are whole words, free words are parts, and all have to fit', () => {
  assert.deepEqual(found('FR-6'), ['sync.late']);
  assert.deepEqual(found('fr-61'), ['pcc.ports']);
  assert.deepEqual(found('TPL-06'), ['pcc.same']);
  assert.deepEqual(found('pcc -ports'), ['pcc.same']);
  assert.deepEqual(found('pcc is:different'), ['pcc.ports']);
  assert.deepEqual(found('inside:failed'), ['sync.late']);
  assert.deepEqual(found('nowhere'), []);
  assert.deepEqual(found('none('), []);
  assert.deepEqual(wordsOf('a  "b c" -"d e"'), ['a', 'b c', '-d e']);
});

test('the address keeps what is seen', () => {
  const state = {q: 'is:different FR-61 100%', at: 'pcc.ports', col: 1};
  assert.deepEqual(stateOf(hashOf(state)), state);
  assert.equal(hashOf({q: '', at: '', col: 2}), '#');
  assert.deepEqual(stateOf('#case=x&col=abc'), {q: '', at: 'x', col: 0});
});
