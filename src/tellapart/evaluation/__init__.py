"""Predict a whole image set and measure how good the predictions are.

::

    predicting    logits, batch by batch
    evaluation    accuracy, scores per class, calibration, confusion matrix
    mistakes      the most confident mistakes, the most frequent confusions
    roc           ROC curves
    threshold     the probability from which on a class is answered
    calibration   the temperature, and the calibration error that chance alone gives
    rejection     accuracy by the fraction of the images that is answered
    metrics       the formulas
"""

from tellapart.evaluation.evaluation import ClassScores, Evaluation, evaluate_logits
from tellapart.evaluation.mistakes import (
    ConfusedPair,
    Mistake,
    most_confident_mistakes,
    most_confused,
)
from tellapart.evaluation.predicting import evaluation_mode, predict_logits
from tellapart.evaluation.roc import RocCurve, roc_curves

__all__ = [
    "ClassScores",
    "ConfusedPair",
    "Evaluation",
    "Mistake",
    "RocCurve",
    "evaluate_logits",
    "evaluation_mode",
    "most_confident_mistakes",
    "most_confused",
    "predict_logits",
    "roc_curves",
]
