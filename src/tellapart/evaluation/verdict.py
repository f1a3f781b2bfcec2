"""Whether a classifier is of any use: the one thing that must never be overlooked."""

from __future__ import annotations

import math

from tellapart.evaluation.evaluation import Evaluation

# Answers are "nearly one class" above the first, where of all other images at most the second
# are classified correctly: a set that is 99 % one class may rightly be answered so.
_NEARLY_ALL = 0.95
_HARDLY_ANY = 0.1
_SIGNIFICANT = 0.05
_MOST_COUNTED_EXACTLY = 1000


def verdict(evaluation: Evaluation) -> str | None:
    """What is wrong with the classifier as a whole; None where it is of use.

    It is of no use where it answers (nearly) one class for everything, or is not significantly
    better than always answering the most frequent class: McNemar's exact test, one-sided at 5 %,
    on the images that exactly one of the two gets right. If classes are of unequal size, it is
    enough that the 95 % interval of balanced accuracy lies above 1/k, what one answer gives of k
    classes. Images of one class alone do not tell. A decision threshold trades accuracy for recall
    on purpose, so only the first is then judged.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions",
    1947.
    """
    matrix, names = evaluation.confusion_matrix, evaluation.class_names
    total = evaluation.num_images
    predicted = [sum(row[label] for row in matrix) for label in range(len(names))]
    commonest = max(range(len(names)), key=lambda label: predicted[label])
    others = total - sum(matrix[commonest])
    if not others:
        return None  # images of one class alone, and answered so: nothing tells use from no use
    right_elsewhere = evaluation.num_correct - matrix[commonest][commonest]
    if predicted[commonest] >= _NEARLY_ALL * total and right_elsewhere <= _HARDLY_ANY * others:
        everything = "everything" if predicted[commonest] == total else "nearly everything"
        return (
            f"the classifier answers {names[commonest]!r} for {everything} "
            f"({predicted[commonest]:,} of {total:,} images), so it is of no use"
        )
    if evaluation.thresholds:
        return None  # whoever sets a threshold gives up accuracy for the recall of a class
    if evaluation.is_unbalanced and _tells_classes_apart(evaluation):
        return None  # with weights or balanced sampling, accuracy may lie below that of one answer
    return _no_better_than_the_most_frequent(evaluation)


def _tells_classes_apart(evaluation: Evaluation) -> bool:
    """Whether balanced accuracy is significantly above that of always answering one class."""
    num_present = sum(row.support > 0 for row in evaluation.per_class)
    return evaluation.balanced_accuracy_interval[0] > 1 / num_present


def _no_better_than_the_most_frequent(evaluation: Evaluation) -> str | None:
    matrix, names = evaluation.confusion_matrix, evaluation.class_names
    frequent = names.index(evaluation.majority_class)
    support = sum(matrix[frequent])
    if support == evaluation.num_images:
        return None
    gained = evaluation.num_correct - matrix[frequent][frequent]
    lost = support - matrix[frequent][frequent]
    if _chance_of_at_least(gained, gained + lost) <= _SIGNIFICANT:
        return None
    return (
        f"the accuracy of {100 * evaluation.accuracy:.1f} % is not significantly better than "
        f"always answering {evaluation.majority_class!r}, the most frequent class "
        f"({100 * evaluation.majority_baseline:.1f} % of {evaluation.num_images:,} images)"
    )


def _chance_of_at_least(successes: int, trials: int) -> float:
    """The probability of at least so many heads in so many tosses of a fair coin."""
    if trials > _MOST_COUNTED_EXACTLY:
        return 0.5 * math.erfc((successes - 0.5 - trials / 2) / math.sqrt(trials / 2))
    return sum(math.comb(trials, k) for k in range(successes, trials + 1)) / float(2**trials)
