"""The report of a run: one self-contained page that needs no network and runs no script.

::

    learning, confusion, roc, reliability    a chart each
    tables         scores by class, nested settings
    html           the page; page.css beside it is its style

What it is written with is in `tellapart.page`.
"""

from tellapart.report.html import render_report

__all__ = ["render_report"]
