"""When to doubt a classifier: how sure it is, whether it holds up, and whether one is better.

And when to doubt the labels that it learned from.

::

    certainty      sets of classes that hold the true one, and what leaving images unanswered buys
    outside        images of another kind than the training images
    corruptions    images made worse on purpose
    attacks        images changed so as to mislead
    comparison     two classifiers on the same images, and one on subgroups of them
    labels         which labels are probably wrong

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
