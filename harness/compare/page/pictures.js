// What people look at instead of tables.

import {h, s} from './dom.js';
import {duration} from './words.js';

/** The server's place in the palette and the sign that goes with it; colour alone tells nothing. */
export function serverOf(name) {
  const number = name.match(/^real(\d+)$/);
  if (number) return {tone: ((Number(number[1]) - 1) % 7) + 1, sign: number[1]};
  return {tone: 8, sign: name === 'director' ? 'D' : name ? name[0].toUpperCase() : '?'};
}

const textAt = (x, y, text, attributes) => s('text', {x, y, ...attributes}, text);

function serverMark(x, y, name, times) {
  const {tone, sign} = serverOf(name);
  return s('g', {class: `server s${tone}`}, s('circle', {cx: x, cy: y, r: 8}),
    textAt(x, y + 3.5, sign, {class: 'sign', 'text-anchor': 'middle'}),
    times > 1 && textAt(x, y - 11, `×${times}`, {class: 'small', 'text-anchor': 'middle'}));
}

function noAnswerMark(x, y, times) {
  return s('g', {class: 'unanswered'}, s('rect', {x: x - 7, y: y - 7, width: 14, height: 14, rx: 2}),
    s('path', {d: `M${x - 4} ${y - 4} l8 8 m0 -8 l-8 8`}),
    times > 1 && textAt(x, y - 11, `×${times}`, {class: 'small', 'text-anchor': 'middle'}));
}

/** One world after the other: what a case built, each with its moments. */
export function worldsOf(moments) {
  const worlds = [];
  for (const moment of moments) {
    if (moment.kind === 'world' || worlds.length === 0) worlds.push({what: '', moments: []});
    const world = worlds[worlds.length - 1];
    if (moment.kind === 'world') world.what = moment.what;
    else world.moments.push(moment);
  }
  return worlds;
}

/**
 * Places moments from left to right. Those of one time stand side by side; a pause takes room by its logarithm, or
 * five minutes of silence would hide the second in which everything happens.
 */
function placed(moments, from) {
  const step = 22, ends = [], beside = new Map();
  let x = from, last = null;
  const spots = moments.map(moment => {
    if (last !== null && moment.at - last > 0.5) {
      x += 14 + 13 * Math.log2(1 + moment.at - last);
      beside.clear();
    } else if (last !== null && moment.kind !== 'template' && moment.kind !== 'no-template') {
      x += step;
    }
    if (last === null || moment.at - last > 0.5) ends.push({at: moment.at, x});
    last = moment.at;
    return x;
  });
  const scale = at => {
    // Where `at` would stand: between two known times, or behind the last one.
    let before = null;
    for (let i = 0; i < moments.length; ++i) {
      if (moments[i].at > at) {
        if (before === null) return spots[i];
        const part = (at - moments[before].at) / (moments[i].at - moments[before].at || 1);
        return spots[before] + part * (spots[i] - spots[before]);
      }
      before = i;
    }
    if (before === null) return from;
    return spots[before] + 14 + 13 * Math.log2(1 + at - moments[before].at);
  };
  return {spots, ends, scale, width: x};
}

const shortAddress = address => (address.length > 19 ? address.slice(0, 18) + '…' : address);

/** Clients as lanes, templates as bars below them, edits as lines across. */
export function timelineOf(world, words) {
  const moments = world.moments.filter(moment => moment.kind !== 'gap');
  const gap = world.moments.find(moment => moment.kind === 'gap');
  const lanes = new Map();
  for (const {kind, who} of moments)
    if (who && kind !== 'template' && !lanes.has(who)) lanes.set(who, {who, templates: []});
  for (const {kind, who} of moments)
    if (kind === 'template' && !lanes.has(who)) lanes.set(who, {who, templates: []});
  const left = 132, laneHeight = 34, barHeight = 17, top = 30;
  const {spots, ends, scale, width} = placed(moments, left + 16);
  // A template's bar goes from where it was seen to where it would end, or to the look that saw it otherwise.
  const bars = [];
  moments.forEach((moment, i) => {
    if (moment.kind !== 'template') return;
    const same = bars.find(bar => bar.who === moment.who && bar.what === moment.what && bar.by === moment.by);
    const piece = {from: spots[i], to: Math.max(spots[i] + 30, scale(moment.at + moment.left)), left: moment.left};
    if (same === undefined) {
      bars.push({who: moment.who, what: moment.what, by: moment.by, pieces: [piece]});
    } else {
      const before = same.pieces[same.pieces.length - 1];
      if (piece.from - before.from < 12) return;
      before.to = Math.min(before.to, piece.from - 2);
      same.pieces.push(piece);
    }
  });
  let y = top;
  for (const lane of lanes.values()) {
    lane.y = y + 17;
    y += laneHeight;
    lane.bars = bars.filter(bar => bar.who === lane.who).slice(0, 4);
    lane.bars.forEach(bar => { bar.y = y; y += barHeight; });
    y += 6;
  }
  const height = y + 8;
  const right = Math.max(width + 40, ...bars.flatMap(bar => bar.pieces.map(piece => piece.to + 8)));
  const edits = [];
  const drawn = [];
  for (const lane of lanes.values()) {
    drawn.push(s('line', {class: 'lane', x1: left, x2: right, y1: lane.y, y2: lane.y}),
      textAt(left - 8, lane.y + 4, shortAddress(lane.who), {'text-anchor': 'end', class: 'who'}));
    for (const bar of lane.bars) {
      const {tone} = serverOf(bar.by);
      drawn.push(textAt(left - 8, bar.y + 11, `${bar.what.split(' ')[0]} :${bar.what.split(':').pop()}`, {'text-anchor': 'end', class: 'small'}));
      for (const piece of bar.pieces)
        drawn.push(s('g', {class: `bar s${tone}`},
          s('rect', {x: piece.from, y: bar.y, width: Math.max(4, piece.to - piece.from), height: 14, rx: 3}),
          textAt(piece.from + 5, bar.y + 11, `${bar.by} ${duration(piece.left, words)}`, {class: 'small'}),
          s('title', {}, `${bar.what} → ${bar.by}, ${duration(piece.left, words)} ${words.left}`)));
    }
  }
  moments.forEach((moment, i) => {
    const x = spots[i], lane = lanes.get(moment.who);
    const title = s('title', {}, [duration(moment.at, words), moment.who, moment.what, moment.by].filter(Boolean).join('  '));
    if (moment.kind === 'answer') drawn.push(s('g', {}, serverMark(x, lane.y, moment.by, moment.times), title));
    else if (moment.kind === 'no-answer') drawn.push(s('g', {}, noAnswerMark(x, lane.y, moment.times), title));
    else if (moment.kind === 'sent') drawn.push(s('g', {class: 'sent'}, s('path', {d: `M${x - 5} ${lane.y - 6} l11 6 l-11 6 z`}), title));
    else if (moment.kind === 'edit' || moment.kind === 'step') {
      edits.push(moment);
      drawn.unshift(s('line', {class: moment.kind, x1: x, x2: x, y1: 18, y2: height - 4}));
      drawn.push(s('g', {class: 'editsign'}, s('rect', {x: x - 8, y: 4, width: 16, height: 15, rx: 3}),
        textAt(x, 15, String(edits.length), {'text-anchor': 'middle', class: 'small'}), title));
    } else if (moment.kind === 'no-template') {
      drawn.push(s('g', {class: 'none'}, s('path', {d: `M${x - 3} ${height - 13} l7 7 m0 -7 l-7 7`}), s('title', {}, words.noTemplate)));
    }
  });
  const times = ends.map(end => textAt(end.x - 6, height + 12, duration(end.at, words), {class: 'small'}));
  const axis = ends.map(end => s('line', {class: 'tick', x1: end.x, x2: end.x, y1: height - 3, y2: height + 3}));
  const said = moments.filter(moment => moment.kind === 'answer' || moment.kind === 'no-answer')
    .map(moment => `${duration(moment.at, words)} ${moment.who} ${moment.by}`).join('; ');
  return h('figure', {class: 'timeline'},
    h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': words.timeline},
      s('svg', {width: right + 4, height: height + 20, viewBox: `0 0 ${right + 4} ${height + 20}`, role: 'img', 'aria-label': said || words.timeline},
        s('line', {class: 'axis', x1: left, x2: right, y1: height, y2: height}), axis, times, drawn)),
    edits.length > 0 && h('ol', {class: 'edits'}, edits.map(edit =>
      h('li', {}, h('span', {class: 'soft'}, duration(edit.at, words)), ' ', edit.what))),
    gap && h('p', {class: 'soft'}, '… ', words.gap(gap.times)));
}

export function timelineLegend(words) {
  const sample = (draw, text) => h('span', {class: 'sample'}, s('svg', {width: 26, height: 22, viewBox: '0 0 26 22', 'aria-hidden': 'true'}, draw), text);
  return h('p', {class: 'legend soft'},
    sample(serverMark(13, 11, 'real2', 1), words.legendAnswer), sample(noAnswerMark(13, 11, 1), words.legendNone),
    sample(s('g', {class: 'sent'}, s('path', {d: 'M8 5 l11 6 l-11 6 z'})), words.legendSent),
    sample(s('g', {class: 'bar s2'}, s('rect', {x: 2, y: 5, width: 22, height: 12, rx: 3})), words.legendTemplate),
    sample(s('line', {class: 'edit', x1: 13, x2: 13, y1: 0, y2: 22}), words.legendEdit), words.compressed);
}

/** Clients, director and real servers, and the ways between them. */
export function worldPicture(world, words) {
  const number = pattern => Number((world.what.match(pattern) || [0, 0])[1]);
  const clients = Math.min(number(/(\d+) clients/), 6), servers = Math.min(number(/(\d+) real servers/), 8);
  if (!clients || !servers) return null;
  const reach = (world.what.split(', ')[2] || '').trim();
  const rows = Math.max(clients, servers), height = rows * 30 + 26;
  const middle = height / 2 + 4;
  const yOf = (i, n) => 28 + (rows - n) * 15 + i * 30;
  const parts = [];
  for (let i = 0; i < clients; ++i) parts.push(s('path', {class: 'way', d: `M104 ${yOf(i, clients)} C 150 ${yOf(i, clients)} 150 ${middle} 190 ${middle}`}));
  for (let i = 0; i < servers; ++i) {
    parts.push(s('path', {class: 'way', d: `M284 ${middle} C 330 ${middle} 330 ${yOf(i, servers)} 372 ${yOf(i, servers)}`}));
    if (reach === 'direct routing' && i === 0)
      parts.push(s('path', {class: 'way back', d: `M380 ${yOf(0, servers) - 12} C 320 6 170 6 96 ${yOf(0, clients) - 12}`}));
  }
  for (let i = 0; i < clients; ++i)
    parts.push(s('g', {class: 'node'}, s('rect', {x: 8, y: yOf(i, clients) - 11, width: 96, height: 22, rx: 11}),
      textAt(56, yOf(i, clients) + 4, `${words.client} ${i + 1}`, {'text-anchor': 'middle'})));
  parts.push(s('g', {class: 'node director'}, s('rect', {x: 190, y: middle - 17, width: 94, height: 34, rx: 5}),
    textAt(237, middle + 4, words.director, {'text-anchor': 'middle'})));
  if (world.what.includes('standby'))
    parts.push(s('g', {class: 'node'}, s('rect', {x: 190, y: middle + 21, width: 94, height: 20, rx: 5}),
      textAt(237, middle + 35, words.standby, {'text-anchor': 'middle', class: 'small'})));
  for (let i = 0; i < servers; ++i) {
    const {tone} = serverOf(`real${i + 1}`);
    parts.push(s('g', {class: `node server s${tone}`}, s('rect', {x: 372, y: yOf(i, servers) - 11, width: 84, height: 22, rx: 5}),
      textAt(414, yOf(i, servers) + 4, `real${i + 1}`, {'text-anchor': 'middle', class: 'sign'})));
  }
  return h('figure', {class: 'world'}, s('svg', {width: 464, height, viewBox: `0 0 464 ${height}`, role: 'img', 'aria-label': world.what}, parts),
    h('figcaption', {class: 'soft'}, world.what));
}

/** Who answered how often, of all answers of these moments. */
export function sharesOf(moments, words) {
  const counts = new Map();
  for (const moment of moments) {
    if (moment.kind === 'answer') counts.set(moment.by, (counts.get(moment.by) || 0) + moment.times);
    if (moment.kind === 'no-answer') counts.set('', (counts.get('') || 0) + moment.times);
  }
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  if (total < 2) return null;
  const names = [...counts.keys()].sort((a, b) => (a === '') - (b === '') || a.localeCompare(b));
  return h('figure', {class: 'shares'}, h('div', {class: 'stack'}, names.map(name => h('span', {
    class: name ? `s${serverOf(name).tone}` : 'nobody', vars: {part: counts.get(name)}, title: `${name || words.nobody} ${counts.get(name)}`,
  }, name ? serverOf(name).sign : '✕'))),
  h('figcaption', {class: 'soft'}, names.map(name => `${name || words.nobody} ${counts.get(name)}`).join(' · ')));
}

/** "60+ 119+ 142-": seconds, and whether the client was still remembered. */
export function curveOf(points, words) {
  const read = points.split(/\s+/).filter(Boolean).map(word => ({at: parseFloat(word), kept: word.endsWith('+')}));
  const last = read.length > 0 ? read[read.length - 1].at : 0;
  if (!(last > 0)) return null;
  const x = at => 6 + (196 * at) / last, y = kept => (kept ? 10 : 32);
  let path = `M6 10`;
  let before = true;
  for (const point of read) {
    path += ` L${x(point.at).toFixed(1)} ${y(before)} L${x(point.at).toFixed(1)} ${y(point.kept)}`;
    before = point.kept;
  }
  const turn = read.find(point => !point.kept);
  return s('svg', {class: 'curve', width: 210, height: 52, viewBox: '0 0 210 52', role: 'img', 'aria-label': `${words.curve}: ${points}`},
    s('title', {}, `${words.curve}: ${points}`), s('line', {class: 'axis', x1: 6, x2: 204, y1: 38, y2: 38}), s('path', {class: 'line', d: path}),
    read.map(point => s('circle', {class: point.kept ? 'kept' : 'gone', cx: x(point.at).toFixed(1), cy: y(point.kept), r: 3})),
    textAt(6, 49, '0', {class: 'small'}),
    turn && textAt(Math.min(x(turn.at), 172), 49, duration(turn.at, words), {class: 'small', 'text-anchor': 'middle'}),
    (!turn || last - turn.at > last / 4) && textAt(204, 49, duration(last, words), {class: 'small', 'text-anchor': 'end'}));
}

/** Nodes as lanes, packets as arrows, in their order. */
export function ladderOf(ladder, words) {
  const gap = 118, left = 54, step = 19;
  const xOf = i => left + i * gap;
  const height = 34 + ladder.rungs.length * step;
  const textX = xOf(ladder.nodes.length - 1) + 24;
  const parts = ladder.nodes.map((node, i) => [textAt(xOf(i), 14, node, {'text-anchor': 'middle', class: 'who'}),
    s('line', {class: 'lane', x1: xOf(i), x2: xOf(i), y1: 20, y2: height - 6})]);
  ladder.rungs.forEach(([from, to, text], i) => {
    const y = 32 + i * step, a = xOf(from), b = xOf(to), way = b > a ? -1 : 1;
    parts.push(s('line', {class: 'rung', x1: a, x2: b + way * 5, y1: y, y2: y}),
      s('path', {class: 'head', d: `M${b} ${y} l${way * 8} -4 l0 8 z`}), textAt(textX, y + 4, text, {class: 'mono'}));
  });
  const width = textX + 7 * Math.max(20, ...ladder.rungs.map(rung => rung[2].length));
  return h('figure', {}, h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': words.packets},
    s('svg', {class: 'ladder', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': words.packets}, parts)),
  ladder.left > 0 && h('p', {class: 'soft'}, '… ', words.gap(ladder.left)));
}
