"""The report of a run: one self-contained page that needs no network and runs no script.

::

    markup         elements of HTML and SVG, escaped once and only once
    wording        numbers as a reader wants them
    svg            scales, ticks, axes, lines
    learning, confusion, roc, reliability    a chart each
    tables         scores by class, nested settings
    pictures       tensors as PNG data addresses
    html           the page; page.css beside it is its style
"""

from tellapart.report.html import render_report

__all__ = ["render_report"]
