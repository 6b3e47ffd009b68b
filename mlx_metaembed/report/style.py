"""The page's style sheet: light and dark, phone, screen and paper.

Plots take their colours from the same variables, so they follow the scheme. Paper is always light.
"""

CSS = """
:root{--page:#fff;--ink:#1c2127;--soft:#5a6470;--line:#e1e5ea;--panel:#f6f8fa;
--before:#7a6a53;--after:#1a5fcc;--good:#0b7240;--bad:#b3261e;
--s1:#1a5fcc;--s2:#a14500;--s3:#0b7240;--s4:#8a3ab9;--s5:#8f6a00;--s6:#b3261e}
@media screen and (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e7eaee;--soft:#a3adb9;--line:#30373f;
--panel:#1c2127;--before:#c9b28c;--after:#79aeff;--good:#5fd093;--bad:#ff938a;
--s1:#79aeff;--s2:#ffb27a;--s3:#5fd093;--s4:#d9a2ff;--s5:#e6c65c;--s6:#ff938a}}
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
figure{margin:1.75rem 0 0}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;font-size:.9rem;margin-bottom:.25rem}
figcaption b{font-weight:600}figcaption span{color:var(--soft)}
svg{display:block;width:100%;height:auto;overflow:visible}
.narrow{display:none;max-width:34rem}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:.75rem 2rem;margin-top:1rem}
.losses{margin-top:1.5rem}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--soft);
font-variant-numeric:tabular-nums}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.curve{stroke:var(--after);stroke-width:2;fill:none;stroke-linejoin:round;stroke-linecap:round}
.raw{stroke:var(--after);stroke-width:1;fill:none;stroke-opacity:.3;stroke-linejoin:round}
.dot{fill:var(--after)}
.s1{stroke:var(--s1)}.s2{stroke:var(--s2);stroke-dasharray:7 3}.s3{stroke:var(--s3);stroke-dasharray:2 4}
.s4{stroke:var(--s4);stroke-dasharray:9 3 2 3}.s5{stroke:var(--s5);stroke-dasharray:4 2}.s6{stroke:var(--s6)}
.planned{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:2 3;fill:none}
.limit{stroke:var(--bad);stroke-width:1;stroke-dasharray:5 4;fill:none}
.reference{stroke:var(--before);stroke-width:1;stroke-dasharray:2 4;fill:none}
.leader{stroke:var(--soft);stroke-width:.75;fill:none;stroke-opacity:.7}
.before,.after,.alone{stroke-width:1.75;stroke-linejoin:round}
.after,.alone{paint-order:stroke}
.before{stroke:var(--before);fill:var(--page)}.after{stroke:var(--page);fill:var(--after)}
.alone{stroke:var(--page);fill:var(--soft)}
path.whisker{fill:none;stroke-width:1.25;stroke-opacity:.55}path.whisker.after{stroke:var(--after)}
path.whisker.alone{stroke:var(--soft)}
path.join{fill:none;stroke-opacity:.75}path.after{stroke:var(--after)}path.alone{stroke:var(--soft)}
svg text.name{fill:var(--ink);stroke:var(--page);stroke-width:3;stroke-linejoin:round;paint-order:stroke}
table{border-collapse:collapse;width:100%;max-width:44rem;margin-top:1rem;font-size:.9rem;line-height:1.35}
caption{text-align:left;color:var(--soft);font-size:.82rem;padding-bottom:.35rem}caption b{color:var(--ink);
font-weight:600}
th,td{padding:.36rem .5rem;text-align:right;border-bottom:1px solid var(--line)}
td{white-space:nowrap}
thead th{font-weight:500;color:var(--soft);vertical-align:bottom}
tbody th{font-weight:500;overflow-wrap:anywhere}
th:first-child{text-align:left;padding-left:0}td:last-child,th:last-child{padding-right:0}
.range{display:block;font-size:.76rem;font-weight:400;color:var(--soft)}
td.after{font-weight:600}td.was{color:var(--soft)}
summary:focus-visible{outline:2px solid var(--after);outline-offset:2px}
details{border-bottom:1px solid var(--line)}
summary{cursor:pointer;padding:.6rem 0;overflow-wrap:anywhere}
summary b{font-weight:600}summary>span{color:var(--soft);margin-left:.6rem;font-size:.88rem}
.fold{max-width:44rem}.folded{padding-bottom:1rem}.folded table{margin-top:0}
h3{font-size:.85rem;font-weight:600;margin:.25rem 0 .5rem;color:var(--soft)}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:0 1.75rem}
.sides>div{min-width:0;margin-bottom:.9rem}
ol{margin:0 0 1rem;padding:0;list-style:none}
li{margin:0 0 .9rem}
.hit{display:flex;flex-wrap:wrap;gap:0 .7rem;font-size:.86rem;margin-bottom:.25rem}
.hit span{color:var(--soft)}.hit b{font-weight:500;overflow-wrap:anywhere}
.hit em{font-style:normal;font-weight:600;color:var(--good)}
pre{margin:0;padding:.7rem .85rem;background:var(--panel);border-radius:.4rem;white-space:pre-wrap;
overflow-wrap:anywhere;tab-size:4;
font:.78rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre i{font-style:normal;color:var(--soft)}
ul.key{display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;margin:.25rem 0 .5rem;padding:0;list-style:none;font-size:.82rem}
ul.key li{display:flex;align-items:center;gap:.4rem;margin:0}
ul.key svg{width:18px;height:14px;flex:none}
.plain{fill:none;stroke:var(--ink);stroke-width:1.5;stroke-linejoin:round}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(13.5rem,1fr));gap:.85rem 1.5rem;margin:1rem 0 0;
font-size:.9rem}
.facts dt{font-size:.8rem;color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3rem;font-size:.8rem;color:var(--soft)}
@media (max-width:40rem){table{font-size:.8rem}th,td{padding:.36rem .28rem}.facts{grid-template-columns:1fr 1fr}
main{padding:1.5rem 1rem 2rem}h1{font-size:1.5rem}h2{margin-top:2.25rem}.wide{display:none}
.narrow{display:block}.panels{grid-template-columns:1fr}}
@media (max-width:40rem){.sets thead{display:none}.sets tr{display:grid;grid-template-columns:1fr 1fr;gap:.1rem 1rem;
padding:.5rem 0;border-bottom:1px solid var(--line)}.sets th{grid-column:1/-1;text-align:left;border:0;font-weight:600}
.sets td{display:flex;justify-content:space-between;gap:.5rem;border:0}
.sets td::before{content:attr(data-name);color:var(--soft);white-space:normal}}
@media print{@page{margin:14mm}body{font-size:10.5pt}main{max-width:none;padding:0}h2{break-after:avoid}
figure,.tiles div,li,tr,.facts div{break-inside:avoid}.tiles div,pre{border:1px solid var(--line)}
table{font-size:9pt}
.tiles{grid-template-columns:repeat(3,1fr)}.tiles .figure{font-size:17pt}
.sides{grid-template-columns:1fr 1fr}
.answer::details-content{content-visibility:visible;block-size:auto;opacity:1}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
""".strip()
