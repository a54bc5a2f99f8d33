// What is typed into the search box: words that all have to fit a case.
//
//   is:different  is:same  is:failing  is:kept
//   only:NAME                               NAME alone breaks what all the others keep
//   NAME:fail                               what one column said
//   none(pass) all(pass) any(fail) one(fail)
//   must  should  info  suite:pcc
//   outside:failed  inside:failed
//   FR-61  TPL-06                           cited by the case
//   -word                                   not

const KEPT = new Set(['PASS', 'XFAIL', 'INFO']);
const ASKED_NOT = new Set(['UNSUPPORTED', 'ENV-SKIP']);

export const kept = cell => cell !== null && KEPT.has(cell.v);
export const broken = cell => cell !== null && (cell.v === 'FAIL' || cell.v === 'XPASS');
export const asked = cell => cell !== null && !ASKED_NOT.has(cell.v);

/** Whether two columns gave different verdicts; who was not asked (no result at all) has no say. */
export function differs(row) {
  const verdicts = new Set(row.cells.filter(cell => cell !== null).map(cell => cell.v));
  return verdicts.size > 1;
}

const lower = text => text.toLowerCase();

/** "pass" fits PASS, "skip" fits ENV-SKIP, "error" fits HARNESS-ERROR; "none" is a column without a result. */
function says(cell, word) {
  if (cell === null) return word === 'none' || word === 'missing';
  const verdict = lower(cell.v);
  return verdict === word || verdict.split('-').includes(word);
}

const QUANTIFIERS = {
  none: (cells, fits) => !cells.some(fits),
  all: (cells, fits) => cells.every(fits),
  any: (cells, fits) => cells.some(fits),
  one: (cells, fits) => cells.filter(fits).length === 1,
};

const STATES = {
  different: differs,
  same: row => !differs(row),
  failing: row => row.cells.some(broken),
  kept: row => row.cells.every(kept),
  partial: row => row.cells.some(cell => cell === null),
};

function term(word, columns, textOf) {
  const call = word.match(/^(none|all|any|one)\(([a-z-]+)\)$/);
  if (call) return row => QUANTIFIERS[call[1]](row.cells, cell => says(cell, call[2]));
  const level = word.match(/^(?:level:)?(must|should|info)$/);
  if (level) return row => row.level === level[1];
  const colon = word.indexOf(':');
  if (colon > 0) {
    const key = word.slice(0, colon), value = word.slice(colon + 1);
    if (key === 'is' && value in STATES) return STATES[value];
    if (key === 'suite' || key === 'area') return row => row.suite === value;
    if (key === 'outside' || key === 'inside') {
      const view = key === 'outside' ? 'o' : 'i';
      const place = value === 'held' ? 0 : 1;
      return row => row.cells.some(cell => cell !== null && cell[view][place] > 0);
    }
    // A column may be called "exec:./lb": the longest name wins over the colon.
    const named = text => columns.findIndex(column => lower(column.label) === text || lower(column.name) === text);
    if (key === 'only' && named(value) >= 0) {
      const own = named(value);
      return row => broken(row.cells[own]) && row.cells.every((cell, i) => i === own || cell === null || kept(cell));
    }
    const last = word.lastIndexOf(':');
    const at = named(word.slice(0, last));
    if (at >= 0) return row => says(row.cells[at], word.slice(last + 1));
  }
  if (/^[a-z][a-z0-9]*-[0-9]+$/.test(word))
    return row => row.clauses.some(id => lower(id) === word) || row.reports.some(id => lower(id) === word);
  return row => textOf(row).includes(word);
}

/** Words, where "two words" in quotes are one. */
export function wordsOf(text) {
  return [...lower(text).matchAll(/(-?)"([^"]*)"|(\S+)/g)].map(match => match[3] ?? match[1] + match[2]);
}

/**
 * @param text     as typed
 * @param columns  [{label, name}]
 * @param textOf   all text of a row, in small letters
 * @returns row => whether it fits
 */
export function queryOf(text, columns, textOf) {
  const terms = wordsOf(text).filter(word => word !== '-').map(word => {
    if (word.startsWith('-')) {
      const fits = term(word.slice(1), columns, textOf);
      return row => !fits(row);
    }
    return term(word, columns, textOf);
  });
  return row => terms.every(fits => fits(row));
}

/** "#q=is%3Adifferent&case=pcc.same&col=1" and back. */
export function stateOf(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ''));
  return {q: values.get('q') || '', at: values.get('case') || '', col: Number(values.get('col')) || 0};
}

export function hashOf({q, at, col}) {
  const values = new URLSearchParams();
  if (q) values.set('q', q);
  if (at) values.set('case', at);
  if (at) values.set('col', String(col));
  const text = values.toString();
  return text ? '#' + text : '#';
}
