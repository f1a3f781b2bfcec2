"""Images changed so as to mislead a classifier.

::

    measuring    the accuracy under projected gradient descent, by strength
    page         its page
"""
