"""When to doubt a classifier: does what it can do hold up, and is one better than another?

And when to doubt the labels that it learned from.

::

    paired              two classifiers on the same images: McNemar's exact test
    paired_page         its page
    labels              confident learning: which labels are probably wrong
    label_folds         the folds of a cross-validation, of classes, near duplicates and groups
    cross_validation    class probabilities of every image, by classifiers that never saw it
    label_check         the suspicious labels of a data set, the most suspicious first
    label_page          the page that shows them

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
