#include "engine/report/style.h"

namespace pawl::report {

const std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #5b6570; --rule: #e1e5ea; --code: #eef1f4;
  --red: #c02b1d; --red-soft: #fdecea; --green: #1a7f37; --green-soft: #e6f5ea; --grey: #5b6570;
  --grey-soft: #eceff2; --amber: #8a5a00; --amber-soft: #fdf3dc; --run: #1763d1; --base: #8b96a3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1116; --card: #161b22; --text: #e4e9ef; --soft: #9aa5b1; --rule: #2b323b; --code: #212831;
    --red: #ff7b6e; --red-soft: #3a1a18; --green: #56d078; --green-soft: #12301c; --grey: #9aa5b1;
    --grey-soft: #222931; --amber: #e0ab4a; --amber-soft: #33280f; --run: #6cabff; --base: #77828e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
header.verdict, section {
  background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 1rem 1.25rem; margin-bottom: 1rem;
}
header.verdict { border-left: 8px solid var(--tone); }
.red { --tone: var(--red); --tone-soft: var(--red-soft); }
.green { --tone: var(--green); --tone-soft: var(--green-soft); }
.grey { --tone: var(--grey); --tone-soft: var(--grey-soft); }
.top { display: flex; flex-wrap: wrap; gap: .35rem .75rem; align-items: baseline; }
.badge {
  background: var(--tone-soft); color: var(--tone); font-weight: 700; letter-spacing: .03em;
  border-radius: 6px; padding: .1rem .6rem; font-size: 1.05rem;
}
h1 { font-size: 1.3rem; line-height: 1.35; margin: .6rem 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
section > p:last-child { margin: .7rem 0 0; }
.soft, .facts { color: var(--soft); }
.facts { margin: 0; font-size: .9rem; overflow-wrap: anywhere; }
.facts b { color: var(--text); font-weight: 600; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { background: var(--code); border-radius: 4px; padding: .05rem .3rem; font-size: .9em; overflow-wrap: anywhere; }
td code { overflow-wrap: break-word; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-top: 1px solid var(--rule); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap; }
td.num, th.num { text-align: right; white-space: nowrap; }
td.wide { min-width: 15rem; }
td.word { white-space: nowrap; }
tr.at td { background: var(--red-soft); }
.no { color: var(--red); font-weight: 600; }
.ok { color: var(--green); }
.warn { color: var(--amber); font-weight: 600; }
.finding { border-left: 4px solid var(--tone); padding: .1rem 0 .1rem .85rem; margin: 0 0 .9rem; }
.finding:last-child { margin-bottom: 0; }
.finding p { margin: .15rem 0; overflow-wrap: anywhere; }
.amber { --tone: var(--amber); --tone-soft: var(--amber-soft); }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg .grid { stroke: var(--rule); }
svg .tick { fill: var(--soft); font-size: 12px; }
svg .run, svg .base { fill: none; stroke: var(--run); stroke-width: 1.8; stroke-linejoin: round; }
svg .base { stroke: var(--base); stroke-dasharray: 5 4; }
svg .green { fill: var(--green); opacity: .18; }
svg .limit { fill: none; stroke: var(--green); stroke-width: 1.5; stroke-dasharray: 2 3; }
svg .limit-dot { fill: var(--green); }
svg .run-dot { fill: var(--run); } svg .base-dot { fill: var(--base); }
svg .mark { stroke: var(--red); stroke-width: 1.5; }
svg .mark-label { fill: var(--red); font-size: 12px; font-weight: 600; }
svg .warning { stroke: var(--amber); stroke-dasharray: 2 3; } svg .warning-label { fill: var(--amber); }
svg .cross { fill: none; stroke: var(--red); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .85rem; color: var(--soft); margin: 0 0 .4rem; }
.legend i { display: inline-block; width: 1.5rem; border-top: 2px solid var(--run); vertical-align: middle; margin-right: .4rem; }
.legend i.base { border-top: 2px dashed var(--base); }
.legend i.green { border-top: .7rem solid var(--green); opacity: .3; }
.legend i.limit { border-top: 2px dotted var(--green); }
.legend i.mark { border-top: 0; border-left: 2px solid var(--red); width: 0; height: .9rem; }
details > summary { cursor: pointer; font-weight: 600; }
pre { background: var(--code); border-radius: 6px; padding: .75rem; margin: .6rem 0 0; overflow: auto; max-height: 28rem; font-size: .82rem; line-height: 1.4; }
footer { color: var(--soft); font-size: .85rem; }
@media (max-width: 34rem) { header.verdict, section { padding: .85rem .9rem; } h1 { font-size: 1.12rem; } }
@media print { body { background: #fff; } pre { max-height: none; } header.verdict, section { break-inside: avoid; } }
)css";

}  // namespace pawl::report
