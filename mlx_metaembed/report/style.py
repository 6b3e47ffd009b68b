"""The page's style sheet: light and dark, phone, screen and paper.

Plots take their colours from the same variables, so they follow the scheme. Paper is always light.
"""

CSS = """
:root{--page:#fff;--ink:#1c2127;--soft:#5a6470;--line:#e1e5ea;--panel:#f6f8fa;
--before:#7a6a53;--after:#1a5fcc;--good:#0b7240;--bad:#b3261e}
@media screen and (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e7eaee;--soft:#a3adb9;--line:#30373f;
--panel:#1c2127;--before:#c9b28c;--after:#79aeff;--good:#5fd093;--bad:#ff938a}}
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:64rem;margin:0 auto;padding:2.5rem 1.25rem 3rem}
h1{font-size:1.9rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;font-weight:650;margin:3rem 0 .25rem}
p{margin:.25rem 0 1rem;color:var(--soft);max-width:46rem;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.75rem;margin:1.5rem 0 0;padding:0}
.tiles div{background:var(--panel);border-radius:.5rem;padding:.9rem 1rem 1rem}
.tiles dt{font-size:.85rem;color:var(--soft)}
.tiles dd{margin:0}
.tiles .figure{font-size:1.9rem;line-height:1.25;font-weight:300;letter-spacing:-.02em}
.tiles .note{font-size:.85rem;color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}.none{color:var(--soft)}
figure{margin:1rem 0 0}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;font-size:.9rem;margin-bottom:.25rem}
figcaption b{font-weight:600}figcaption span{color:var(--soft)}
svg{display:block;width:100%;height:auto;overflow:visible}
.narrow{display:none;max-width:34rem}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:.75rem 2rem;margin-top:1rem}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--soft);
font-variant-numeric:tabular-nums}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.curve{stroke:var(--after);stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round}
.raw{stroke:var(--after);stroke-width:1;fill:none;stroke-opacity:.3;stroke-linejoin:round}
.dot{fill:var(--after)}
.limit{stroke:var(--bad);stroke-width:1;stroke-dasharray:5 4;fill:none}
.reference{stroke:var(--before);stroke-width:1;stroke-dasharray:2 4;fill:none}
.leader{stroke:var(--soft);stroke-width:.75;fill:none;stroke-opacity:.7}
.before,.after,.alone{stroke-width:1.75;stroke-linejoin:round}
.after,.alone{paint-order:stroke}
.before{stroke:var(--before);fill:var(--page)}.after{stroke:var(--page);fill:var(--after)}
.alone{stroke:var(--page);fill:var(--soft)}
path.join{fill:none;stroke-opacity:.75}path.after{stroke:var(--after)}path.alone{stroke:var(--soft)}
svg text.name{fill:var(--ink);stroke:var(--page);stroke-width:3;stroke-linejoin:round;paint-order:stroke}
svg text.key{fill:var(--ink)}
.scroll{overflow-x:auto;margin-top:1rem}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--after);outline-offset:2px}
table{border-collapse:collapse;min-width:min(100%,40rem);font-size:.84rem;line-height:1.35;white-space:nowrap}
th,td{padding:.36rem .42rem;text-align:right;border-bottom:1px solid var(--line)}
thead th{font-weight:500;white-space:normal;color:var(--soft);vertical-align:bottom}
thead tr:first-child th[colspan]{text-align:center;color:var(--ink);font-weight:600;border-bottom-color:transparent;
padding-bottom:0}
tbody th{font-weight:500}
thead tr:first-child th:first-child,tbody th{text-align:left}
thead tr:first-child th:first-child,tbody th{position:sticky;left:0;background:var(--page);padding-left:0}
.open{padding-left:1rem}
td.one{text-align:center}
p.measures{font-size:.82rem;margin-top:.6rem;max-width:none}
details{border-bottom:1px solid var(--line)}
summary{cursor:pointer;padding:.6rem 0;overflow-wrap:anywhere}
summary b{font-weight:600}summary span{color:var(--soft);margin-left:.5rem;font-size:.86rem}
ol{margin:0 0 1.25rem;padding:0;list-style:none}
li{margin:0 0 .9rem}
.hit{display:flex;gap:.75rem;font-size:.86rem;margin-bottom:.25rem}
.hit span{color:var(--soft)}.hit b{font-weight:500;overflow-wrap:anywhere}
pre{margin:0;padding:.7rem .85rem;background:var(--panel);border-radius:.4rem;overflow-x:auto;
font:.78rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;tab-size:4}
pre i{font-style:normal;color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr));gap:.85rem 1.5rem;margin:1rem 0 0;
font-size:.9rem}
.facts dt{font-size:.8rem;color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3rem;font-size:.8rem;color:var(--soft)}
@media (max-width:40rem){main{padding:1.5rem 1rem 2rem}h1{font-size:1.5rem}h2{margin-top:2.25rem}.wide{display:none}
.narrow{display:block}.panels{grid-template-columns:1fr}}
@media print{@page{margin:14mm}body{font-size:10.5pt}main{max-width:none;padding:0}h2{break-after:avoid}
figure,.tiles div,li,tr,.facts div{break-inside:avoid}.tiles div,pre{border:1px solid var(--line)}
table{font-size:7pt}th,td{padding:.22rem .2rem}.open{padding-left:.5rem}
.tiles{grid-template-columns:repeat(3,1fr)}.tiles .figure{font-size:17pt}.scroll{overflow:visible}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
details::details-content{content-visibility:visible;block-size:auto;opacity:1}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
""".strip()
