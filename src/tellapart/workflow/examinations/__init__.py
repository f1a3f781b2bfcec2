"""Further questions to a classifier, asked while it is evaluated.

::

    examined       what is examined: runs, images, logits
    examination    the outcome: figures, a page, a table; and writing it
    requested      the table of all examinations, and the type of what is asked
    matching       which image of one run's data is which of another's
    sampling       fewer images where all would take too long
    corrupted      the images, made worse in fifteen ways
    subgroups      the images by the values of a column
    against        the same images, answered by another run
    outside        images of another kind beside the classifier's own
    attacked       some images, changed so as to mislead the classifier
    coverage       sets of classes that hold the true one

An examination is a file here with a function from `Examined` and what was asked to an
`Examination`, and an entry in `requested`. Its arithmetic and its page are in the wing `trust`.
"""
