// What happened in one cell, from the law to the line that shows it again.

import {h} from './dom.js';
import {mark, verdictOf, viewMark} from './cells.js';
import {conditionsOf} from './data.js';
import {curveOf, ladderOf, sharesOf, timelineLegend, timelineOf, worldPicture, worldsOf} from './pictures.js';
import {duration} from './words.js';

const part = (title, ...content) => (content.flat().filter(Boolean).length > 0 ? h('section', {}, h('h3', {}, title), content) : null);

function failureOf(failure, words) {
  return h('div', {class: 'failure'},
    h('dl', {}, h('dt', {}, words.expected), h('dd', {class: 'expected'}, failure.expected),
      h('dt', {}, words.actual), h('dd', {class: 'actual'}, failure.actual),
      h('dt', {}, words.looked), h('dd', {}, h('code', {}, failure.what), ' ', h('span', {class: 'tag'}, words[failure.view]), ' ',
        h('span', {class: 'soft'}, failure.where))),
    failure.believed && h('div', {}, h('h4', {}, words.believed), h('pre', {tabindex: '0'}, failure.believed)));
}

function happened(cell, data, words) {
  const moments = data.timelines[cell.t];
  if (!moments || moments.length === 0) return [h('p', {class: 'soft'}, words.noTimeline)];
  const worlds = worldsOf(moments);
  const pictures = worlds.map((world, i) => {
    const same = i > 0 && worlds[i - 1].what === world.what;
    return [same ? null : worldPicture(world, words), world.moments.length > 0 && timelineOf(world, words)];
  });
  return [...pictures, timelineLegend(words)];
}

/** The curves and values that this case measured on one director. */
function measuredBy(row, at, data, words) {
  const found = data.tables.flatMap(table => table.rows.filter(one => one.case === row.id && one.cells[at])
    .map(one => ({at: one.at.join(', '), cell: one.cells[at]})));
  return found.length > 0 && h('dl', {}, found.map(({at: given, cell}) => [h('dt', {}, given),
    h('dd', {}, cell.value, cell.points && h('div', {}, curveOf(cell.points, words)))]));
}

function copyButton(text, words) {
  const button = h('button', {type: 'button', class: 'copy', on: {click: () => {
    // A page from disk may have no clipboard; then the text is selected for the reader's own hands.
    const done = () => { button.textContent = words.copied; };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }}}, words.copy);
  return button;
}

function evidenceOf(cell, words) {
  if (!cell.ev) return h('p', {class: 'soft'}, words.noEvidence);
  const link = (href, text) => h('a', {href}, text);
  const files = [...(cell.files || [])].sort((a, b) => b.endsWith('.pcapng') - a.endsWith('.pcapng'));
  return h('p', {class: 'files'}, files.map(file => [link(`${cell.ev}/${encodeURIComponent(file)}`, file), ' ']), link(cell.ev + '/', '…/'));
}

export function storyOf(row, at, data, words, choose) {
  const cell = row.cells[at], column = data.columns[at];
  const law = ids => ids.map(id => h('p', {class: 'law'}, h('b', {}, id), ' ', data.words[id] || ''));
  const tabs = h('div', {class: 'tabs', role: 'group', 'aria-label': words.director}, row.cells.map((other, i) =>
    h('button', {type: 'button', 'aria-pressed': String(i === at), on: {click: () => choose(row, i)}}, data.columns[i].label, ' ', mark(verdictOf(other), words, false))));
  const unlike = data.columns.length > 1 && new Set(row.cells.map(verdictOf)).size > 1 &&
    conditionsOf(data).some(condition => condition.differs && ['lab', 'clock', 'kernel'].includes(condition.key));
  const head = [h('p', {class: 'soft path'}, row.id, ' ', h('span', {class: `tag ${row.level}`}, words.level[row.level])),
    h('h2', {id: 'story-title', tabindex: '-1'}, row.claim), tabs];
  if (cell === null) return [...head, h('p', {}, words.notRun), part(words.clause, law(row.clauses)), part(words.reports, law(row.reports))];
  return [...head,
    h('p', {class: 'verdictline'}, mark(cell.v, words, true), h('span', {class: 'soft'}, ' ', words.assertions(cell.a), ' · ', words.time(duration(cell.vs, words), duration(cell.wm / 1000, words)))),
    h('p', {class: 'viewline'}, viewMark(cell.o), ' ', words.outsideLong, ': ', looksText(cell.o, words), h('br'), viewMark(cell.i), ' ', words.insideLong, ': ', looksText(cell.i, words)),
    unlike && h('p', {class: 'unlike'}, '⚠ ', words.unlike),
    cell.f && part(`${words.expected} · ${words.actual}`, cell.f.map(failure => failureOf(failure, words))),
    !cell.f && cell.r && part(words.reason, h('p', {}, cell.r)),
    cell.f && row.likely && part(words.likely, h('p', {}, row.likely)),
    part(words.clause, law(row.clauses)),
    part(words.reports, law(row.reports)),
    part(words.measuredHere, measuredBy(row, at, data, words)),
    part(words.timeline, happened(cell, data, words)),
    part(words.share, sharesOf(data.timelines[cell.t] || [], words)),
    cell.l !== undefined && part(words.packets, ladderOf(data.ladders[cell.l], words)),
    part(words.evidence, evidenceOf(cell, words)),
    part(words.seeAgain, h('p', {class: 'again'}, h('code', {}, cell.again || column.rerun), copyButton(cell.again || column.rerun, words)))];
}

function looksText([held, failed], words) {
  if (held + failed === 0) return words.notLooked;
  return [held > 0 && `${held} ${words.held}`, failed > 0 && `${failed} ${words.failed}`].filter(Boolean).join(', ');
}
