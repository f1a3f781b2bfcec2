"""Images of another kind than those that a classifier was trained on.

::

    scores        how unlike the training images an image is: four scores
    rule          the rule by which a classifier flags such images
    separation    how well a score separates images of another kind, with intervals
    comparison    a classifier's own images beside images of another kind
    page          its page
"""
