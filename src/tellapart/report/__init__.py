"""The report of a run: one self-contained page without scripts that loads nothing.

::

    learning, confusion, roc, reliability    one chart each
    headline       the numbers at the head of the page, and the words beside them
    tables         scores per class, nested settings
    html           the page; page.css is its style
    audit_page     the page of a check of a data set

The parts that all pages share are in `tellapart.page`.
"""

from tellapart.report.html import render_report

__all__ = ["render_report"]
