"""Train an image classifier from zero, evaluate it honestly, and see what it learned."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tellapart.checkpoint import load_classifier, save_classifier
    from tellapart.config.recipe import Recipe, load_recipe
    from tellapart.data.image_set import DataSet, ImageSet
    from tellapart.data.sources import load_data_set
    from tellapart.errors import TellapartError
    from tellapart.evaluation import Evaluation
    from tellapart.models.classifier import Classifier
    from tellapart.workflow.evaluating import EvaluationResult, evaluate
    from tellapart.workflow.finetuning import compare, finetune
    from tellapart.workflow.predicting import Prediction, predict
    from tellapart.workflow.reproducing import reproduce
    from tellapart.workflow.showing import (
        show_activation,
        show_convolution,
        show_network,
        show_pooling,
    )
    from tellapart.workflow.training import TrainingResult, train
    from tellapart.workflow.watcher import Watcher

__all__ = [
    "Classifier",
    "DataSet",
    "Evaluation",
    "EvaluationResult",
    "ImageSet",
    "Prediction",
    "Recipe",
    "TellapartError",
    "TrainingResult",
    "Watcher",
    "compare",
    "evaluate",
    "finetune",
    "load_classifier",
    "load_data_set",
    "load_recipe",
    "predict",
    "reproduce",
    "save_classifier",
    "show_activation",
    "show_convolution",
    "show_network",
    "show_pooling",
    "train",
]

# Where each public name lives. Looked up on first use: importing the package loads no torch.
_HOMES = {
    "Classifier": "tellapart.models.classifier",
    "DataSet": "tellapart.data.image_set",
    "Evaluation": "tellapart.evaluation",
    "EvaluationResult": "tellapart.workflow.evaluating",
    "ImageSet": "tellapart.data.image_set",
    "Prediction": "tellapart.workflow.predicting",
    "Recipe": "tellapart.config.recipe",
    "TellapartError": "tellapart.errors",
    "TrainingResult": "tellapart.workflow.training",
    "Watcher": "tellapart.workflow.watcher",
    "compare": "tellapart.workflow.finetuning",
    "evaluate": "tellapart.workflow.evaluating",
    "finetune": "tellapart.workflow.finetuning",
    "load_classifier": "tellapart.checkpoint",
    "load_data_set": "tellapart.data.sources",
    "load_recipe": "tellapart.config.recipe",
    "predict": "tellapart.workflow.predicting",
    "reproduce": "tellapart.workflow.reproducing",
    "save_classifier": "tellapart.checkpoint",
    "show_activation": "tellapart.workflow.showing",
    "show_convolution": "tellapart.workflow.showing",
    "show_network": "tellapart.workflow.showing",
    "show_pooling": "tellapart.workflow.showing",
    "train": "tellapart.workflow.training",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
