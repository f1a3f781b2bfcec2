"""When to doubt a classifier: does what it can do hold up, and is one better than another?

::

    paired            two classifiers on the same images: McNemar's exact test
    paired_page       its page
    outside_scores    how unlike the training images an image is: four scores

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
