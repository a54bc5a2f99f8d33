// Puts the page together, and keeps search and story in the address.

import {h, replace} from './dom.js';
import {open} from './data.js';
import {makeGrid} from './grid.js';
import {mark} from './cells.js';
import {hashOf, queryOf, stateOf, wordsOf} from './query.js';
import {storyOf} from './story.js';
import {conditions, differences, directorCards, headline, whereRun} from './summary.js';
import {measuredTables} from './tables.js';
import {wordsFor} from './words.js';

const data = open(JSON.parse(document.getElementById('data').textContent));
const words = wordsFor(data.lang);
let state = stateOf(location.hash);

document.documentElement.lang = data.lang === 'zh' ? 'zh-Hans' : 'en';
document.title = `${words.title}: ${data.columns.map(column => column.label).join(', ')}`;

const search = h('input', {type: 'search', id: 'search', autocomplete: 'off', spellcheck: 'false', placeholder: words.searchHint,
  'aria-label': words.search, on: {input: () => { state.q = search.value; showSearch(); keep(false); }}});
const count = h('output', {class: 'count', for: 'search', 'aria-live': 'polite'});
const filters = [['', words.all], ['is:different', words.different], ['is:failing', words.failing], ['must', words.must]]
  .filter(([query]) => data.columns.length > 1 || query !== 'is:different')
  .map(([query, text]) => h('button', {type: 'button', 'aria-pressed': 'false', 'data-query': query, on: {click: () => searchFor(query)}}, text));

const panel = h('div', {class: 'panel', role: 'document'});
const dialog = h('dialog', {class: 'story', 'aria-labelledby': 'story-title', on: {close: () => { if (state.at) leaveStory(); }, click: event => { if (event.target === dialog) dialog.close(); }}},
  h('div', {class: 'bar'}, h('button', {type: 'button', title: `${words.previous} (k)`, 'aria-label': words.previous, on: {click: () => step(-1, 0)}}, '↑'),
    h('button', {type: 'button', title: `${words.next} (j)`, 'aria-label': words.next, on: {click: () => step(1, 0)}}, '↓'), h('span', {class: 'room'}),
    h('button', {type: 'button', class: 'closing', title: `${words.close} (Esc)`, on: {click: () => dialog.close()}}, words.close, ' ✕')), panel);
const help = h('dialog', {class: 'help', 'aria-labelledby': 'help-title', on: {click: event => { if (event.target === help) help.close(); }}},
  h('div', {class: 'bar'}, h('h2', {id: 'help-title'}, words.helpTitle), h('span', {class: 'room'}), h('button', {type: 'button', on: {click: () => help.close()}}, words.close, ' ✕')),
  h('div', {class: 'panel'}, [words.helpKeys, words.helpWords].map(rows => h('dl', {}, rows.map(([key, text]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, text)])))));

const grid = makeGrid(data, words, openStory);

function showSearch() {
  count.textContent = words.shown(grid.filter(queryOf(state.q, data.columns, row => row.text)), data.cases.length);
  for (const button of filters) button.setAttribute('aria-pressed', String(button.dataset.query === wordsOf(state.q).join(' ')));
}

function searchFor(query) {
  state.q = search.value = query;
  showSearch();
  keep(false);
  document.getElementById('grid').scrollIntoView();
}

/** The address tells what is seen; a story is a step that Back undoes, a letter typed is not. */
function keep(isStep) {
  history[isStep ? 'pushState' : 'replaceState'](null, '', hashOf(state));
}

function showStory() {
  const row = data.cases.find(one => one.id === state.at);
  if (!row) {
    if (dialog.open) dialog.close();
    return;
  }
  state.col = Math.min(Math.max(Math.trunc(state.col) || 0, 0), data.columns.length - 1);
  replace(panel, storyOf(row, state.col, data, words, openStory));
  grid.goTo(row, state.col);
  if (!dialog.open) dialog.showModal();
  panel.scrollTop = 0;
  document.getElementById('story-title').focus({preventScroll: true});
}

function openStory(row, col) {
  const fresh = state.at === '';
  state = {...state, at: row.id, col};
  keep(fresh);
  showStory();
}

function leaveStory() {
  state = {...state, at: ''};
  keep(false);
  grid.move(0, 0);
}

function step(rows, cols) {
  const now = grid.move(rows, cols, !dialog.open);
  if (now && dialog.open) openStory(now.row, now.col);
}

const KEYS = {
  j: () => step(1, 0), ArrowDown: () => step(1, 0), k: () => step(-1, 0), ArrowUp: () => step(-1, 0),
  ArrowLeft: () => step(0, -1), ArrowRight: () => step(0, 1),
  '/': () => { if (dialog.open) dialog.close(); search.focus(); search.select(); },
  '?': () => help.showModal(),
  Escape: () => searchFor(''),
};

addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === search;
  if (typing && event.key === 'Enter') { event.preventDefault(); step(0, 0); return; }
  if (typing && event.key === 'Escape') { event.preventDefault(); searchFor(''); search.blur(); return; }
  // Arrows scroll what has the focus and can be scrolled; a dialog closes by itself.
  const scrolls = event.target.matches?.('.scroll, pre') || (dialog.open && event.key.startsWith('ArrowUp')) || (dialog.open && event.key === 'ArrowDown');
  if (typing || help.open || (scrolls && event.key.startsWith('Arrow'))) return;
  if (event.key === 'Escape' && dialog.open) return;
  if (event.key === 'Enter' && event.target === document.body && grid.at()) { openStory(grid.at().row, grid.at().col); return; }
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

addEventListener('popstate', () => {
  state = stateOf(location.hash);
  search.value = state.q;
  showSearch();
  if (state.at) showStory();
  else if (dialog.open) dialog.close();
});

const themes = {toggle() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
}};

const legend = h('section', {class: 'legendbox'}, h('p', {}, Object.keys(words.verdict).map(verdict => [mark(verdict, words, true), ' '])),
  h('p', {class: 'soft'}, words.views_legend, ' ', h('i', {class: 'view held'}), ' ', words.held, '  ', h('i', {class: 'view failed'}), ' ', words.failed, '  ', h('i', {class: 'view blind'}), ' ', words.notLooked));

document.body.append(
  h('a', {class: 'skip', href: '#grid', on: {click: event => { event.preventDefault(); document.getElementById('grid').scrollIntoView(); grid.move(0, 0); }}}, words.skip),
  h('header', {class: 'top'}, h('div', {class: 'wrap'}, h('p', {class: 'brand'}, words.title, h('span', {class: 'soft'}, ' · ', words.subtitle), h('span', {class: 'room'}),
    h('button', {type: 'button', class: 'round', title: words.theme, 'aria-label': words.theme, on: {click: themes.toggle}}, '◐'),
    h('button', {type: 'button', class: 'round', title: `${words.help} (?)`, 'aria-label': words.help, on: {click: () => help.showModal()}}, '?')),
  h('h1', {}, data.columns.map((column, i) => [i > 0 && h('span', {class: 'versus'}, i === data.columns.length - 1 ? ' · ' : ' · '), column.label])),
  h('p', {class: 'headline'}, headline(data, words)))),
  h('main', {class: 'wrap'},
    conditions(data, words),
    h('section', {class: 'glance', id: 'glance'}, h('h2', {}, words.verdicts), directorCards(data, words, searchFor)),
    differences(data, words, openStory, searchFor),
    h('section', {class: 'gridsection', id: 'grid'}, h('h2', {}, words.grid),
      h('div', {class: 'tools', role: 'search'}, search, h('div', {class: 'filters'}, filters), count), grid.element, legend),
    measuredTables(data, words, openStory),
    whereRun(data, words)),
  h('footer', {class: 'wrap soft'}, h('p', {}, `lvspec ${data.columns[0].lvspec} · ${data.made} · ${data.digest}`)),
  dialog, help);

search.value = state.q;
showSearch();
if (state.at) showStory();
