"""Data sets: where they come from, how they are read, checked, split and shown.

Arrows point down: ``sources`` finds what a person names, in ``catalogue``, an ``idx_folder``, a
``folder`` of pictures, a ``manifest`` or ``arrays``; ``picture_files`` brings files through
``decoding`` and the ``picture_cache`` into splits; ``audit`` says what is wrong with the result.
"""
