"""Predicting a whole image set, and what the predictions are worth."""

from tellapart.evaluation.evaluation import (
    ClassScores,
    ConfusedPair,
    Evaluation,
    Mistake,
    evaluate_logits,
    evaluation_mode,
    most_confident_mistakes,
    most_confused,
    predict_logits,
    roc_curves,
)

__all__ = [
    "ClassScores",
    "ConfusedPair",
    "Evaluation",
    "Mistake",
    "evaluate_logits",
    "evaluation_mode",
    "most_confident_mistakes",
    "most_confused",
    "predict_logits",
    "roc_curves",
]
