"""Data sets: where they come from, how they are read, checked, split and augmented.

Arrows point down: `sets` turns what a person names into a data set, and `quality` reports what is
wrong with it; both read image files with `images`. Beside them lie the image set itself, hold-out
splits, the selection of classes, and augmentation.
"""
