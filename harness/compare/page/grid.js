// Directors across, promises down, by area. One cell is the current one; keys move it.

import {h} from './dom.js';
import {mark, toneOf, verdictOf, viewMark, viewsText} from './cells.js';
import {differs, kept} from './query.js';

export function makeGrid(data, words, story) {
  const entries = [];   // {row, line, buttons}, in the order of the page
  const areas = [];     // {head, count, entries}
  let current = {line: -1, col: 0};

  const cellButton = (row, cell, col) => h('button', {
    type: 'button', class: `cell ${toneOf(cell)}`, tabindex: '-1',
    'aria-label': `${data.columns[col].label}: ${words.verdict[verdictOf(cell)]}${cell === null ? '' : '. ' + viewsText(cell, words)}`,
    title: cell === null ? words.verdict.none : `${cell.v}${cell.r ? ': ' + cell.r : ''}\n${viewsText(cell, words)}`,
    on: {click: () => story(row, col)},
  }, mark(verdictOf(cell), words, false), cell !== null && h('span', {class: 'views'}, viewMark(cell.o), viewMark(cell.i)));

  const bodies = [];
  for (const suite of [...new Set(data.cases.map(row => row.suite))]) {
    const area = {suite, entries: [], counts: data.columns.map(() => h('span', {class: 'soft'}))};
    area.head = h('tr', {class: 'area'}, h('th', {scope: 'rowgroup'}, suite), area.counts.map(count => h('td', {}, count)));
    const body = h('tbody', {}, area.head);
    for (const row of data.cases.filter(one => one.suite === suite)) {
      const buttons = row.cells.map((cell, col) => cellButton(row, cell, col));
      const line = h('tr', {class: differs(row) ? 'differs' : ''},
        h('th', {scope: 'row'}, h('span', {class: 'claim'}, row.claim), h('span', {class: 'id'}, row.id.slice(suite.length + 1)),
          row.level !== 'must' && h('span', {class: `tag ${row.level}`}, words.level[row.level]),
          differs(row) && h('span', {class: 'tag differ'}, '≠ ', words.different_row)),
        buttons.map(button => h('td', {}, button)));
      const entry = {row, line, buttons, body};
      body.append(line);
      entries.push(entry);
      area.entries.push(entry);
    }
    areas.push(area);
    bodies.push(body);
    area.body = body;
  }

  const none = h('p', {class: 'soft none', hidden: true}, words.nothing);
  const element = h('div', {class: 'gridbox'}, h('table', {class: 'grid', vars: {columns: data.columns.length}},
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, words.promise), data.columns.map(column => h('th', {scope: 'col'}, h('span', {}, column.label))))), bodies), none);

  const visible = () => entries.filter(entry => !entry.line.hidden);

  function setCurrent(line, col, focus) {
    const before = entries[current.line];
    if (before) {
      before.line.classList.remove('current');
      before.buttons.forEach(button => { button.tabIndex = -1; });
    }
    current = {line, col: Math.min(Math.max(col, 0), data.columns.length - 1)};
    const now = entries[line];
    if (!now) return;
    now.line.classList.add('current');
    now.buttons[current.col].tabIndex = 0;
    if (focus) {
      now.buttons[current.col].focus({preventScroll: true});
      now.buttons[current.col].scrollIntoView({block: 'nearest', inline: 'nearest'});
    }
  }

  return {
    element,
    /** @returns how many rows fit. */
    filter(fits) {
      let count = 0;
      for (const entry of entries) {
        entry.line.hidden = !fits(entry.row);
        if (!entry.line.hidden) ++count;
      }
      for (const area of areas) {
        const shown = area.entries.filter(entry => !entry.line.hidden);
        area.body.hidden = shown.length === 0;
        area.counts.forEach((span, col) => {
          span.textContent = `${shown.filter(entry => kept(entry.row.cells[col])).length}/${shown.length}`;
        });
      }
      none.hidden = count > 0;
      if (!entries[current.line] || entries[current.line].line.hidden) {
        const first = entries.findIndex(entry => !entry.line.hidden);
        setCurrent(first, current.col, false);
      }
      return count;
    },
    /** Moves by rows and columns among what is shown. */
    move(rows, cols, focus = true) {
      const shown = visible();
      if (shown.length === 0) return null;
      const at = shown.indexOf(entries[current.line]);
      const next = shown[Math.min(Math.max(at + rows, 0), shown.length - 1)];
      setCurrent(entries.indexOf(next), current.col + cols, focus);
      return {row: next.row, col: current.col};
    },
    goTo(row, col, focus = false) { setCurrent(entries.findIndex(entry => entry.row === row), col, focus); },
    at: () => (entries[current.line] ? {row: entries[current.line].row, col: current.col} : null),
  };
}
