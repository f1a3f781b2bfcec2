"""When to doubt a classifier: how sure is it, does it hold up, is one better than another?

::

    conformal             sets of classes that hold the true one with a chosen chance
    set_coverage          how often they do, and how large they are; sets_page is its page
    abstention            the accuracy that leaving images unanswered buys
    paired                two classifiers on the same images: McNemar's exact test
    paired_page           its page
    outside_scores        how unlike the training images an image is: four scores
    outside               the rule by which a classifier flags such images
    separation            how well a score separates images of another kind, with intervals
    outside_comparison    a classifier's own images beside images of another kind
    outside_page          its page

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
