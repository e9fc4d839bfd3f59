"""The report's style sheet: two palettes, system fonts, and which of a picture's two widths is shown."""

from typing import Final

STYLE: Final = """
:root {
  --page: #faf9f6; --card: #ffffff; --ink: #1c1f26; --soft: #666b76; --line: #e4e1da; --track: #eceae4;
  --personal: #d9480f; --generic: #2563c9; --alone: #6b7280; --own: #7aa5ec;
  --head: #14532d; --medium: #2b8f5a; --tail: #e0a100; --tail-ink: #8f6400; --faint: #cfccc3;
  --m0: #d9480f; --m1: #0072b2; --m2: #009e73; --m3: #a45a8c; --m4: #8a6d00;
  --wash: 0.2; --better: #17803d; --worse: #c02626; --up: #d9480f; --down: #2563c9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161b; --card: #1c1f26; --ink: #e9e7e2; --soft: #a0a4ae; --line: #30343d; --track: #2a2e37;
    --personal: #ff8a4c; --generic: #6ea8ff; --alone: #a8aeb9; --own: #4a72b5;
    --head: #2f9e64; --medium: #7fd6a4; --tail: #f5c542; --tail-ink: #f5c542; --faint: #454a55;
    --m0: #ff8a4c; --m1: #56b4e9; --m2: #2fc79a; --m3: #e3a3cb; --m4: #f0e442;
    --wash: 0.32; --better: #57d58b; --worse: #ff7b7b; --up: #ff8a4c; --down: #6ea8ff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 56px 24px 80px; max-width: 1008px; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: clamp(28px, 4.4vw, 42px); line-height: 1.12; letter-spacing: -0.02em; margin: 0 0 16px;
  text-wrap: balance; overflow-wrap: break-word; }
h2 { font-size: clamp(21px, 3vw, 28px); line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 12px;
  text-wrap: balance; overflow-wrap: break-word; }
h3 { font-size: 16px; margin: 28px 0 0; }
p { margin: 0 0 16px; max-width: 70ch; }
.kicker { margin: 0 0 8px; font-size: 13px; font-weight: 600; letter-spacing: 0.04em; color: var(--personal); }
.lead, figcaption { color: var(--soft); max-width: 72ch; }
.soft { color: var(--soft); }
.note { padding: 10px 14px; border-left: 4px solid var(--tail); background: var(--card); }
section { margin-top: 72px; }
figure { margin: 0; }
figcaption { margin-bottom: 16px; }
footer { margin-top: 72px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 14px; }

.bars { margin: 28px 0; display: grid; gap: 14px; }
.bars dt span { color: var(--soft); }
.bars dd { margin: 4px 0 0; display: grid; grid-template-columns: 1fr auto; gap: 12px; align-items: center;
  font-size: 20px; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bars dd b { min-width: 3.6em; text-align: right; }
@media (min-width: 721px) { .bars div { display: grid; grid-template-columns: 280px 1fr; align-items: center; }
  .bars dd { margin: 0; } }
.bars .track { height: 26px; border-radius: 6px; background: var(--track); overflow: hidden; }
.bars .fill { display: block; height: 100%; border-radius: 6px; background: var(--c); }

.cards { margin: 0; padding: 0; list-style: none; display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); }
.cards.two-rows { grid-template-columns: repeat(4, 1fr); }
.cards li { padding: 16px; border: 1px solid var(--line); border-radius: 12px; background: var(--card); }
.cards b, .cards span, .cards small { display: block; }
.cards b { font-size: 24px; line-height: 1.2; white-space: nowrap;
  letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.cards span { font-weight: 600; font-size: 14px; }
.cards small { margin-top: 6px; color: var(--soft); font-size: 12.5px; line-height: 1.4; }

.alone { --c: var(--alone); } .generic { --c: var(--generic); } .personal { --c: var(--personal); }
.own { --c: var(--own); } .head { --c: var(--head); } .medium { --c: var(--medium); } .tail { --c: var(--tail); }
.faint { --c: var(--faint); } .up { --c: var(--up); } .down { --c: var(--down); } .missing { --c: var(--worse); }
.better { --c: var(--better); } .worse { --c: var(--worse); } .even { --c: var(--soft); }
.ideal { --c: var(--ink); }
.method-0 { --c: var(--m0); } .method-1 { --c: var(--m1); } .method-2 { --c: var(--m2); }
.method-3 { --c: var(--m3); } .method-4 { --c: var(--m4); }
.ink { color: var(--c, inherit); } .ink.tail { --c: var(--tail-ink); }

svg { display: block; width: 100%; height: auto; font-size: 13px; font-variant-numeric: tabular-nums; }
.label { fill: var(--ink); } .label.soft { fill: var(--soft); } .label.ink { fill: var(--c, var(--ink)); }
.middle { text-anchor: middle; } .end { text-anchor: end; } .strong { font-weight: 650; }
.label.inside { fill: var(--page); font-weight: 650; pointer-events: none; } .tail .inside { fill: #1c1f26; }
.halo { paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }

.mark { fill: var(--c); } .wash { fill: var(--c); opacity: var(--wash); }
.stroke { fill: none; stroke: var(--c); stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round; }
.own .stroke { stroke-dasharray: 5 5; } .stroke.open { fill: var(--page); }
.outlined { stroke: var(--page); stroke-width: 1.2; }
.bubble { fill-opacity: 0.88; }
.grid { stroke: var(--line); stroke-width: 1; } .base { stroke: var(--soft); stroke-width: 1; }
.mean { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 3 4; opacity: 0.55; }
.leader { stroke: var(--soft); stroke-width: 1; opacity: 0.7; }
.ray { stroke: var(--c); stroke-width: 1.2; opacity: 0.6; } .stroke.behind { stroke-width: 1.5; stroke-dasharray: 3 4; }
.reach { stroke: var(--c); stroke-width: 2; stroke-linecap: round; }
.whisker { stroke: var(--ink); stroke-width: 1.5; } .whisker.under { stroke: var(--page); stroke-width: 4; }
.median { stroke: var(--ink); stroke-width: 2; }
.bracket { stroke: var(--c); stroke-width: 3; stroke-linecap: round; }
.row { fill: transparent; } .row.emphasis { fill: var(--track); opacity: 0.7; }
.line-of-row:hover .row { fill: var(--track); }
g:hover .mark, .mark:hover { filter: brightness(1.12); }

.legend { margin: 0 0 14px; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 6px 20px;
  font-size: 14px; }
.swatch { display: inline-block; width: 13px; height: 13px; margin-right: 8px; border-radius: 4px;
  background: var(--c); vertical-align: -1px; }
.swatch.line { height: 0; width: 20px; border-radius: 0; border-top: 3px solid var(--c); background: none;
  vertical-align: 4px; }
.swatch.line.own { border-top-style: dashed; }
.swatch.shape-alone { border-radius: 50%; background: none; border: 2.5px solid var(--c); }
.swatch.shape-personal { border-radius: 50%; }
.swatch.shape-generic, .swatch.missing { border-radius: 1px; width: 10px; height: 10px; rotate: 45deg; }

details { margin-top: 16px; } summary { cursor: pointer; color: var(--soft); font-size: 14px; width: fit-content; }
.scroll { overflow-x: auto; margin-top: 12px; border: 1px solid var(--line); border-radius: 12px;
  background: var(--card); }
.scroll + p { margin-top: 12px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 10px; text-align: right; white-space: nowrap; overflow-wrap: normal; }
th { color: var(--soft); font-weight: 600; border-bottom: 1px solid var(--line); }
tbody tr + tr td { border-top: 1px solid var(--line); }
th:first-child, td:first-child, td:not(.number) { text-align: left; }
.texts-2 th:nth-child(-n+2), .texts-3 th:nth-child(-n+3), .closing th:last-child { text-align: left; }
.closing td:last-child { white-space: normal; min-width: 200px; }
.dense { font-size: 12.5px; } .dense th { white-space: normal; vertical-align: bottom; min-width: 3.4em; }
.dense th, .dense td { padding: 7px 5px; } .dense mark::after { content: "●"; }
.dense th:first-child, .dense td:first-child { position: sticky; left: 0; background: var(--card); padding-left: 12px; }
.total td { font-weight: 650; background: var(--track); }
mark { background: none; color: var(--c); font-weight: 700; }
mark::after { content: " ●"; font-size: 0.6em; vertical-align: 0.25em; }

.config { margin: 0 0 16px; display: grid; gap: 1px 32px; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); }
.config div { display: flex; justify-content: space-between; gap: 16px; padding: 7px 0;
  border-bottom: 1px solid var(--line); font-size: 14px; }
.config dt { color: var(--soft); white-space: nowrap; } .config dd { margin: 0; text-align: right; }

.config .long { grid-column: 1 / -1; }

.narrow { display: none; }
@media (max-width: 720px) {
  body { padding: 32px 16px 56px; }
  section { margin-top: 56px; }
  td:not(.number) { white-space: normal; min-width: 7.5em; }
  .wide { display: none; } .narrow { display: block; max-width: 560px; }
  .cards, .cards.two-rows { grid-template-columns: repeat(2, 1fr); }
}
@media print { details { display: none; } section { break-inside: avoid; } }
"""
