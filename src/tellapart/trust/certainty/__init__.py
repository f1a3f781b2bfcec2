"""How sure an answer is: sets of classes that hold the true one, and leaving images unanswered.

::

    conformal       sets of classes that hold the true one with a chosen chance
    set_coverage    how often they do, and how large they are
    sets_page       its page
    abstention      the accuracy that is bought by leaving images unanswered
"""
