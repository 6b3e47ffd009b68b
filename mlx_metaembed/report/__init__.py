"""One self-contained HTML page for a run: `report.write(path, title=, rows=, metrics=, facts=, answers=)`.

The plots are SVG made here, in plain Python; the page has no script and fetches nothing.
"""

from mlx_metaembed.report.html import page, write

__all__ = ["page", "write"]
