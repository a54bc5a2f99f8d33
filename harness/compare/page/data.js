// Opens what compare_data() of page_data.cc has packed.

const KINDS = ['world', 'answer', 'no-answer', 'sent', 'edit', 'step', 'template', 'no-template', 'gap'];

/** [at, kind, who, what, by, left, times], texts by their place in `strings`, defaults at the end left out. */
function momentOf(packed, strings) {
  const [at, kind, who = 0, what = 0, by = 0, left = 0, times = 1] = packed;
  return {at, kind: KINDS[kind], who: strings[who], what: strings[what], by: strings[by], left, times};
}

export function open(packed) {
  const data = {...packed};
  data.timelines = packed.timelines.map(moments => moments.map(moment => momentOf(moment, packed.strings)));
  for (const row of data.cases) {
    row.suite = row.id.split('.')[0];
    row.text = [row.id, row.claim, ...row.clauses, ...row.reports, ...row.cells.map(cell => (cell ? cell.r : ''))]
      .join('\n').toLowerCase();
  }
  return data;
}

/** Rows where the columns were not run alike: [{key, values}], one value a column. */
export function conditionsOf(data) {
  const rows = [];
  const add = (key, of) => {
    const values = data.columns.map(column => String(of(column) ?? ''));
    rows.push({key, values, differs: new Set(values).size > 1});
  };
  for (const key of ['lab', 'clock', 'kernel', 'machine', 'cpus']) add(key, column => column[key]);
  add('privilege', column => (column.root ? 'root' : 'none'));
  add('lvspec', column => column.lvspec);
  add('selected', column => `${column.selected} / ${column.catalogue}`);
  const sysctls = new Set(data.columns.flatMap(column => Object.keys(column.sysctls)));
  for (const name of [...sysctls].sort()) add(name, column => column.sysctls[name]);
  return rows;
}
