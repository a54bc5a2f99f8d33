// The first minute: who keeps how much, what was not alike, where they differ and why it matters.

import {h} from './dom.js';
import {mark, toneOf, verdictOf} from './cells.js';
import {asked, broken, differs, kept} from './query.js';
import {conditionsOf} from './data.js';
import {duration} from './words.js';

const LEVELS = ['must', 'should', 'info'];

export function headline(data, words) {
  const all = data.cases.length;
  if (data.columns.length < 2) return [words.oneOnly(data.cases.filter(row => kept(row.cells[0])).length, all)];
  const different = data.cases.filter(differs);
  const must = different.filter(row => row.level === 'must').length;
  return [words.agree(all - different.length, all), ' ',
    h('strong', {}, different.length > 0 ? words.differ(different.length) : words.noDifference),
    different.length > 0 && must > 0 ? ' ' + words.differMust(must) : ''];
}

function levelBar(data, at, level, words) {
  const cells = data.cases.filter(row => row.level === level).map(row => row.cells[at]).filter(asked);
  if (cells.length === 0) return null;
  const counts = new Map();
  for (const cell of cells) counts.set(toneOf(cell), (counts.get(toneOf(cell)) || 0) + 1);
  const held = cells.filter(kept).length;
  return h('div', {class: 'level'}, h('span', {class: 'name'}, words.level[level]),
    h('span', {class: 'bar', 'aria-hidden': 'true'}, ['good', 'note', 'warn', 'bad'].filter(tone => counts.has(tone))
      .map(tone => h('span', {class: `fill ${tone}`, vars: {part: counts.get(tone)}}))),
    h('span', {class: 'count'}, h('b', {}, held), ` ${words.of} ${cells.length}`));
}

export function directorCards(data, words, search) {
  return h('div', {class: 'cards'}, data.columns.map((column, at) => {
    const failing = data.cases.filter(row => broken(row.cells[at]));
    const alone = failing.filter(row => row.cells.every((cell, i) => i === at || cell === null || kept(cell)));
    const silent = data.cases.filter(row => !asked(row.cells[at]) || row.cells[at] === null).length;
    const link = (text, query) => h('button', {type: 'button', class: 'link', on: {click: () => search(query)}}, text);
    const quoted = /\s/.test(column.label) ? `"${column.label}` : column.label;
    const end = quoted.startsWith('"') ? '"' : '';
    return h('article', {class: `card ${column.partial ? 'warn' : failing.length ? 'bad' : 'good'}`},
      h('h3', {}, column.label), h('p', {class: 'soft version'}, [column.version, column.profile, column.lab].filter(Boolean).join(' · ')),
      h('p', {class: 'word'}, words.word(column.word)),
      LEVELS.map(level => levelBar(data, at, level, words)),
      h('p', {class: 'facts'}, failing.length > 0 && link(words.breaks(failing.length), `${quoted}:fail${end}`),
        data.columns.length > 1 && alone.length > 0 && [', ', link(words.alone(alone.length), (end ? `"only:${column.label}"` : `only:${column.label}`))],
        silent > 0 && h('span', {class: 'soft'}, failing.length > 0 ? ' · ' : '', words.notAsked(silent))));
  }));
}

export function conditions(data, words) {
  const rows = conditionsOf(data).filter(row => row.differs);
  if (data.columns.length < 2) return null;
  if (rows.length === 0) return h('p', {class: 'soft alike'}, '✓ ', words.sameConditions);
  return h('section', {class: 'conditions', id: 'conditions'}, h('h2', {}, '⚠ ', words.conditions), h('p', {}, words.conditionsWhy),
    h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': words.conditions}, h('table', {},
      h('thead', {}, h('tr', {}, h('td', {}), data.columns.map(column => h('th', {scope: 'col'}, column.label)))),
      h('tbody', {}, rows.map(row => h('tr', {}, h('th', {scope: 'row'}, words.key[row.key] || row.key),
        row.values.map(value => h('td', {}, value || '–'))))))));
}

const weight = row => LEVELS.indexOf(row.level) * 2 + (row.cells.some(broken) ? 0 : 1);

export function differences(data, words, story, search) {
  const different = data.cases.filter(differs);
  if (data.columns.length < 2 || different.length === 0) return null;
  const shown = 8;
  const first = [...different].sort((a, b) => weight(a) - weight(b) || b.reports.length - a.reports.length).slice(0, shown);
  return h('section', {class: 'differences', id: 'differences'}, h('h2', {}, words.differences), h('p', {class: 'soft'}, words.differencesWhy),
    h('ol', {}, first.map(row => {
      const worst = Math.max(0, row.cells.findIndex(broken));
      const met = row.reports.map(id => data.words[id]).find(Boolean);
      const groups = new Map();
      row.cells.forEach((cell, i) => {
        const verdict = verdictOf(cell);
        groups.set(verdict, [...(groups.get(verdict) || []), data.columns[i].label]);
      });
      return h('li', {}, h('button', {type: 'button', class: 'claim', on: {click: () => story(row, worst)}},
        h('span', {class: `tag ${row.level}`}, words.level[row.level]), ' ', row.claim),
      h('p', {class: 'who'}, [...groups].map(([verdict, names]) =>
        h('span', {}, mark(verdict, words, true), ': ', h('b', {}, names.join(', '))))),
      met && h('p', {class: 'soft met'}, words.met, ': ', met));
    })),
    different.length > shown && h('button', {type: 'button', class: 'link', on: {click: () => search('is:different')}}, words.more(different.length)));
}

export function whereRun(data, words) {
  const facts = column => [['director', column.name], ['version', column.version], ...['lab', 'clock', 'kernel', 'machine', 'cpus'].map(key => [key, column[key]]),
    ['selected', `${column.selected} / ${column.catalogue}`], ['started', column.started], ['lvspec', column.lvspec], ['file', column.file]];
  return h('section', {class: 'where', id: 'where'}, h('h2', {}, words.where), h('div', {class: 'cards'}, data.columns.map(column =>
    h('article', {class: 'card'}, h('h3', {}, column.label), h('dl', {}, facts(column).filter(([, value]) => value).map(([key, value]) =>
      [h('dt', {}, words.key[key] || words[key]), h('dd', {}, String(value))]),
    h('dt', {}, words.capabilities), h('dd', {}, column.capabilities.join(', ') || words.noCapabilities),
    h('dt', {}, words.again), h('dd', {}, h('code', {}, column.rerun))),
    h('p', {class: 'soft'}, words.time(duration(column.virtual_s, words), duration(column.wall_s, words)))))));
}
