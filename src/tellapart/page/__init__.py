"""The parts that all pages share: the report of a run, the check of a data set, the animations.

::

    markup      elements of HTML and SVG, with text escaped exactly once
    document    a complete page around its body; palette.css holds the colours
    svg         scales, ticks, axes and lines of charts
    images      tensors as PNG data URLs
"""
