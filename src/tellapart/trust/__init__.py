"""When to doubt a classifier: does what it can do hold up, and is one better than another?

::

    corruptions    images made worse on purpose, and the accuracy on them
    attacks        images changed so as to mislead a classifier
    attacks_page   its page
    paired         two classifiers on the same images: McNemar's exact test
    paired_page    its page
    subgroups      accuracy by subgroup: Fisher's exact test, a permutation test
    subgroups_page its page

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
