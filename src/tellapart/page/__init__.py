"""What every page of this package is written with: the report of a run, and the pages that move.

::

    markup      elements of HTML and SVG, escaped once and only once
    document    a whole page around its body; palette.css beside it holds the colours
    svg         scales, ticks, axes, lines
    pictures    tensors as PNG data addresses
"""
