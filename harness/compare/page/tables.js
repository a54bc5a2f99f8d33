// What was measured: the server-gone matrix, the passports side by side.

import {h} from './dom.js';
import {curveOf} from './pictures.js';

const differing = row => (new Set(row.cells.filter(Boolean).map(cell => cell.value)).size > 1 ? 1 : 0);

/** Rows in which the columns differ go first: they are what the reader came for. */
export function measuredTables(data, words, story) {
  const order = name => (name === 'server-gone' ? 0 : name === 'passport' ? 1 : 2);
  return [...data.tables].sort((a, b) => order(a.name) - order(b.name)).map(table => {
    const rowOf = new Map(data.cases.map(row => [row.id, row]));
    const heading = words.table[table.name] || `${words.measured}: ${table.name}`;
    return h('section', {class: 'measured', id: `table-${table.name}`}, h('h2', {}, heading),
      words.tableWhy[table.name] && h('p', {class: 'soft'}, words.tableWhy[table.name]),
      h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': heading}, h('table', {},
        h('thead', {}, h('tr', {}, table.heads.map(head => h('th', {scope: 'col'}, head)), data.columns.map(column => h('th', {scope: 'col'}, column.label)))),
        h('tbody', {}, [...table.rows].sort((a, b) => differing(b) - differing(a)).map(row => {
          const values = new Set(row.cells.filter(Boolean).map(cell => cell.value));
          return h('tr', {class: values.size > 1 ? 'differs' : ''},
            row.at.map((value, i) => i === 0 ? h('th', {scope: 'row'}, value, values.size > 1 && h('span', {class: 'tag differ'}, '≠ ', words.different_row)) : h('td', {}, value)),
            row.cells.map((cell, at) => h('td', {}, cell === null ? h('span', {class: 'soft'}, words.notMeasured)
              : [h('button', {type: 'button', class: 'link plain', on: {click: () => story(rowOf.get(row.case), at)}}, cell.value),
                cell.points && h('div', {}, curveOf(cell.points, words))])));
        })))));
  });
}
