/** The page's colours and measures; both colour schemes keep text readable on every fill. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --page: #fcfcfb; --ink: #1d1d1b; --quiet: #5f5e5a; --rule: #dddbd5;
  --rows: #2f6fb2; --blocks: #c2571a; --answer: #2b8a6b; --segments: #8a5fb0; --message: #8d8b84; }
@media (prefers-color-scheme: dark) { :root { --page: #191918; --ink: #edece8; --quiet: #a9a79f;
  --rule: #3a3a37; --rows: #3f7fc0; --blocks: #cc6a2c; --answer: #2f9273; --segments: #9a72bd;
  --message: #7d7b75; } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 17px; margin: 36px 0 8px; }
.from { color: var(--quiet); margin: 0 0 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 8px; margin: 0; }
.tiles div { border: 1px solid var(--rule); border-radius: 6px; padding: 8px 10px; }
.tiles dt { color: var(--quiet); font-size: 13px; } .tiles dd { margin: 0; font-size: 19px; font-weight: 600; white-space: nowrap; }
.tiles small { color: var(--quiet); font-size: 12px; }
.warning { border-left: 4px solid var(--blocks); padding: 4px 10px; margin: 14px 0 0; font-size: 14px; }
figure { margin: 32px 0 0; } figcaption { font-weight: 600; margin-bottom: 6px; }
svg { width: 100%; height: auto; display: block; }
.legend { margin: 0 0 4px; font-size: 13px; color: var(--quiet); display: flex; flex-wrap: wrap; gap: 4px 16px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
.legend i.rows { background: var(--rows); } .legend i.blocks { background: var(--blocks); }
.legend i.answer { background: var(--answer); } .legend i.segments { background: var(--segments); }
.legend i.message { background: var(--message); } .legend i.faint { opacity: .28; }
rect.rows { fill: var(--rows); } rect.blocks { fill: var(--blocks); } rect.answer { fill: var(--answer); }
rect.segments { fill: var(--segments); } rect.message { fill: var(--message); }
rect.piece, rect.tile { stroke: var(--page); stroke-width: .6; } rect:hover { stroke: var(--ink); }
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--quiet); pointer-events: none; }
text.inside { fill: #fff; } text.onfaint { fill: var(--ink); } text.marked { fill: var(--ink); font-weight: 600; }
line.grid { stroke: var(--rule); } line.mark { stroke: var(--ink); stroke-dasharray: 5 4; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--rule); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { color: var(--quiet); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
`;
