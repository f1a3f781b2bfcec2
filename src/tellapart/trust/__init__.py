"""When to doubt a classifier: how sure it is, whether it holds up, and whether one is better.

And when to doubt the labels that it learned from.

::

    conformal             sets of classes that hold the true one with a chosen chance
    set_coverage          how often they do, and how large they are
    sets_page             its page
    abstention            the accuracy that is bought by leaving images unanswered
    outside_scores        how unlike the training images an image is: four scores
    outside               the rule by which a classifier flags such images
    separation            how well a score separates images of another kind, with intervals
    outside_comparison    a classifier's own images beside images of another kind
    outside_page          its page
    corruptions           images made worse on purpose, the accuracy on them, its page
    attacks               images changed so as to mislead a classifier
    attacks_page          its page
    paired                two classifiers on the same images: McNemar's exact test
    paired_page           its page
    subgroups             accuracy by subgroup: Fisher's exact test, a permutation test
    subgroups_page        its page
    labels                confident learning: which labels are probably wrong
    label_folds           the folds of a cross-validation, of classes, near duplicates and groups
    cross_validation      class probabilities of every image, by classifiers that never saw it
    label_check           the suspicious labels of a data set, the most suspicious first
    label_page            the page that shows them

Every file takes tensors and finished figures and knows no verb; the joining with a run and its data
is done in `tellapart.workflow`.
"""
