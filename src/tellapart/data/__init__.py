"""Data sets: where they come from, how they are read, checked, split and augmented.

From the top down: `quality` reports what is wrong with a data set; `sets` turns what a person names
into one; `hold_out` makes splits, `selection` picks classes and shots, `augment` changes batches;
`image_set` is what they all work on; `images` reads and caches files of images; `preparation` tells
in which form they are wanted. docs/README.md draws it.
"""
