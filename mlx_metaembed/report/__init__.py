"""One self-contained HTML page for a run: `report.write(path, title=, rows=, metrics=, facts=, answers=)`.

`report.of_run(RUN)` makes it from what a run leaves. The plots are SVG made here, in plain Python; the page has no
script and fetches nothing.
"""

from mlx_metaembed.report import comparison
from mlx_metaembed.report.html import page, write
from mlx_metaembed.report.run import evaluations, keep, of_result, of_run, require_run

__all__ = ["comparison", "evaluations", "keep", "of_result", "of_run", "page", "require_run", "write"]
