"""Further questions to a classifier, asked while it is evaluated.

::

    examined       what is examined: runs, images, logits
    examination    the outcome: figures, a page, a table; and writing it
    requested      the table of all examinations, and the type of what is asked
    against        the same images, answered by another run
    outside        images of another kind beside the classifier's own

An examination is a file here with a function from `Examined` and what was asked to an
`Examination`, and an entry in `requested`. Its arithmetic and its page are in the wing `trust`.
"""
