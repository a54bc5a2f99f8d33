// A verdict, and the two views of it: told by sign and word as well as by colour.

import {h} from './dom.js';

const SIGNS = {PASS: '✓', FAIL: '✗', INFO: '≈', UNSUPPORTED: '–', 'ENV-SKIP': '○', INCONCLUSIVE: '?', XFAIL: '✓', XPASS: '!',
  'HARNESS-ERROR': '⚠', none: '·'};
const TONES = {PASS: 'good', FAIL: 'bad', INFO: 'note', UNSUPPORTED: 'soft', 'ENV-SKIP': 'soft', INCONCLUSIVE: 'warn', XFAIL: 'good',
  XPASS: 'bad', 'HARNESS-ERROR': 'warn', none: 'soft'};

export const verdictOf = cell => (cell === null ? 'none' : cell.v);
export const toneOf = cell => TONES[verdictOf(cell)];

export function mark(verdict, words, withWord) {
  return h('span', {class: `mark ${TONES[verdict]}`}, h('span', {class: 'sym', 'aria-hidden': 'true'}, SIGNS[verdict]),
    withWord ? ' ' + words.verdict[verdict] : h('span', {class: 'unseen'}, words.verdict[verdict]));
}

/** held: filled, failed: crossed, not looked at: hollow. */
export function viewMark([held, failed]) {
  return h('i', {class: `view ${failed > 0 ? 'failed' : held > 0 ? 'held' : 'blind'}`, 'aria-hidden': 'true'});
}

export function viewsText(cell, words) {
  return [words.view(words.outside, ...cell.o), words.view(words.inside, ...cell.i)].join('; ');
}
