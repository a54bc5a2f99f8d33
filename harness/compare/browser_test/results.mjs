// Results as lvspec writes them, of a catalogue as large as one wishes.

const moments = shift => [
  {at: 0, kind: 'world', what: '2 clients, 3 real servers, direct routing'},
  {at: 0, kind: 'edit', what: 'add TCP 198.51.100.10:0 rr persistent 300'},
  {at: 0, kind: 'answer', who: '192.0.2.1', what: 'connect 198.51.100.10:80', by: 'real2'},
  {at: 0, kind: 'answer', who: '192.0.2.2', what: 'connect 198.51.100.10:80', by: 'real3', times: 4},
  {at: 0, kind: 'template', who: '192.0.2.1', what: 'TCP 198.51.100.10:0', by: 'real2', left: 300},
  {at: 299 + shift, kind: 'answer', who: '192.0.2.1', what: 'connect 198.51.100.10:443', by: 'real2'},
  {at: 299 + shift, kind: 'edit', what: 'edit in TCP 198.51.100.10:0: real2 weight 0'},
  {at: 600 + shift, kind: 'no-answer', who: '192.0.2.1', what: 'connect 198.51.100.10:443', by: 'refused'},
  {at: 600 + shift, kind: 'sent', who: '192.0.2.2', what: 'datagram of 8 bytes'},
  {at: 600 + shift, kind: 'no-template'},
];

const looks = (held, failed) => ({held, failed});

function caseOf(i, director, failing, shift) {
  const suite = ['expiry', 'pcc', 'ppc', 'schedulers', 'sync', 'tables', 'udp'][i % 7];
  const level = i % 50 === 49 ? 'info' : i % 20 === 19 ? 'should' : 'must';
  const verdict = level === 'info' ? 'INFO' : failing ? 'FAIL' : 'PASS';
  return {
    id: `${suite}.promise-${String(i).padStart(3, '0')}`, suite, title: `Promise ${i}: a client that has come before reaches the same server again, on whatever port.`,
    level, clauses: [`TPL-${10 + (i % 40)}`, `TIM-${10 + (i % 9)}`], field_reports: i % 5 === 0 ? [`FR-${i % 90}`] : [], test: `Suite.Case${i}`, director, verdict,
    reason: failing ? 'expected real2, got real3' : '', assertions: 5, views: {outside: looks(failing ? 2 : 3, failing ? 1 : 0), inside: looks(2, 0)},
    failures: verdict === 'FAIL' ? [{what: 'bench.client(1).connect(kVip, 443)', expected: 'is served by "real2"', actual: `answered by "real3" </script><b id="injected">`,
      where: 'suites/pcc/pcc_test.cc:41', believed: 'TCP 192.0.2.1:0 -> 198.51.100.10:0 real2', view: 'outside'}] : [],
    virtual_s: 600, wall_ms: 41, evidence: '', rerun: `ci/lvspec run --director ${director} --case ${suite}.promise-${i}`,
    measurements: level === 'info' ? [{table: 'passport', at: [{name: 'property', value: `window ${i}`}], value: failing ? 'kept to 60 s' : 'kept to 300 s', parts: {points: '60+ 299+ 301-'}}] : [],
    timeline: moments(shift),
  };
}

/** @param fails  i => whether case i fails on this director */
export function resultsOf(name, {count = 350, fails = () => false, lab = 'host', catalogue = count, digest = 'digest', shift = 0} = {}) {
  const cases = Array.from({length: count}, (_, i) => caseOf(i, name, fails(i), shift));
  const place = {lab, clock: `${lab}: its own`, kernel: lab === 'host' ? 'Linux 6.6' : 'Linux 6.1.176'};
  return {
    tool: 'lvspec', schema_version: 1, version: '0.1.0', suite_digest: digest, started_at: '2026-12-01T00:00:00Z', rerun: `ci/lvspec run --director ${name}`,
    wall_s: 12, selected: count, catalogue, shard: {index: 1, of: 1}, environment: {...place, machine: 'x86_64', cpus: 2, root: true, sysctls: {}},
    directors: [{name, version: '1.0', capabilities: ['ipv4', 'tables'], passport: {}, ...place, profile: 'ipvs', selected: count, catalogue}],
    words: {'TPL-11': 'A template of port 0 covers all ports.', 'FR-10': 'After an hour everyone is on another server.'}, likely_causes: {}, summary: {}, cases,
  };
}
