#pragma once

namespace lvspec {

/// The style sheet of index.html. Colours are Okabe and Ito's, darkened for text on white and lightened for text on
/// black to a contrast of at least 4.5; nothing is said by colour alone.
inline constexpr char kHtmlStyle[] = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1b1f24; --soft: #59636e; --line: #d8dde3; --code: #eef1f4;
  --good: #00694c; --bad: #a83c00; --note: #0060a0; --warn: #7a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1d2125; --text: #e6e9ec; --soft: #a0a9b2; --line: #343a41; --code: #272c32;
    --good: #4fcfa6; --bad: #ff9a62; --note: #7cc0f0; --warn: #e8c25a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; }
a { color: var(--note); }
code, pre { font: .88em/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); } .note { color: var(--note); } .warn { color: var(--warn); }
.sym { display: inline-block; width: 1.1em; text-align: center; font-weight: 700; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
section > .card { overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .8rem; margin-top: 1.2rem; }
.cards .card { padding: .8rem 1rem; }
.cards h3 { margin: 0; font-size: 1rem; }
.cards ul, .look ul { list-style: none; margin: .4rem 0 0; padding: 0; }
.look { padding: .4rem 1rem .6rem; }
.look li { padding: .35rem 0; border-top: 1px solid var(--line); }
.look li:first-child { border-top: 0; }
.grid { display: grid; grid-template-columns: minmax(14rem, 1fr) 4.5rem repeat(var(--directors), 9.5rem);
  gap: .2rem .8rem; align-items: baseline; }
.head { padding: .5rem 1rem; color: var(--soft); font-size: .85rem; }
details.case { border-top: 1px solid var(--line); }
details.case > summary { padding: .5rem 1rem; cursor: pointer; list-style: none; }
details.case > summary::-webkit-details-marker { display: none; }
details.case > summary:hover { background: var(--code); }
details.case > summary:focus-visible { outline: 2px solid var(--note); outline-offset: -2px; }
summary .id::before { content: "\25B8"; display: inline-block; width: 1.1em; color: var(--soft); }
details[open] > summary .id::before { content: "\25BE"; }
.id { font-weight: 600; overflow-wrap: anywhere; }
.verdict { white-space: nowrap; font-weight: 600; font-size: .88rem; }
.verdict .of { display: none; font-weight: 400; color: var(--soft); }
.body { padding: .2rem 1rem 1rem 2.1rem; }
.body > p:first-child { margin-top: 0; }
.result { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .8rem; margin-top: .9rem; }
.result.bad { border-color: var(--bad); color: inherit; } .result.warn { border-color: var(--warn); color: inherit; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem .9rem; margin: .4rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
dl.failure { background: var(--code); border-radius: 6px; padding: .5rem .8rem; }
.again { user-select: all; background: var(--code); border-radius: 4px; padding: .1rem .4rem; overflow-wrap: anywhere; }
table.measured { border-collapse: collapse; font-size: .88rem; width: 100%; }
table.measured th, table.measured td { text-align: left; vertical-align: top; padding: .3rem .7rem;
  border-top: 1px solid var(--line); }
table.measured a { color: inherit; text-decoration-color: var(--line); }
table.measured tr.differs td { background: var(--code); font-weight: 600; }
footer { margin-top: 2rem; font-size: .85rem; color: var(--soft); }
footer .verdict { margin-right: .9rem; }
@media (max-width: 40rem) {
  body { font-size: 16px; }
  .grid { display: flex; flex-wrap: wrap; }
  .grid.head { display: none; }
  .grid .id { flex: 1 0 100%; }
  summary .verdict .of { display: inline; }
  .body { padding-left: 1rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dt { margin-top: .35rem; font-size: .85rem; }
}
@media print {
  body { background: none; font-size: 10pt; }
  main { max-width: none; padding: 0; }
  details.case, .card { break-inside: avoid; }
  a { color: inherit; }
}
)css";

}  // namespace lvspec
