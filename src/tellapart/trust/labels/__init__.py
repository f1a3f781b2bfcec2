"""Which labels of a data set are probably wrong.

::

    confident_learning    which labels contradict class probabilities, and in what order
    folds                 the folds of a cross-validation, of classes, near duplicates and groups
    cross_validation      class probabilities of every image, by classifiers that never saw it
    check                 the suspicious labels of a data set, the most suspicious first
    page                  the page that shows them
"""
