"""Data sets: where they come from, how they are read, checked, split and shown.

Arrows point down: ``sources`` loads what ``catalogue`` lists, through ``download``, ``idx``,
``idx_folder`` and ``image_set``; ``split`` and ``pictures`` stand beside it.
"""
