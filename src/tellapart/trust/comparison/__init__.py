"""Whether one classifier is better than another, or on some images than on others.

::

    paired            two classifiers on the same images: McNemar's exact test
    paired_page       its page
    subgroups         accuracy by subgroup: Fisher's exact test, a permutation test
    subgroups_page    its page
"""
