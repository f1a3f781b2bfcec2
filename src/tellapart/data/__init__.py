"""Data sets: finding, reading, checking, splitting and augmenting them.

From the top down: `quality` finds faults of a data set; `sets` loads one from a name or a path;
`hold_out` makes splits, `selection` picks classes and shots, `augment` varies batches; all work on
the types of `image_set`; `images` reads and caches image files; `preparation` describes their form
and splits. docs/README.md draws it.
"""
