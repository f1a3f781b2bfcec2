"""Train an image classifier from zero, evaluate it honestly, and see what it learned."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tellapart.config.recipe import Recipe, load_recipe
    from tellapart.data.image_set import DataSet, ImageSet
    from tellapart.data.sets.sources import load_data_set
    from tellapart.errors import TellapartError
    from tellapart.evaluation import Evaluation
    from tellapart.models.checkpoint import load_classifier, save_classifier
    from tellapart.models.classifier import Classifier
    from tellapart.runs.callbacks import Watcher
    from tellapart.workflow.evaluate import EvaluationResult, evaluate
    from tellapart.workflow.finetune import compare, finetune
    from tellapart.workflow.predict import Prediction, predict
    from tellapart.workflow.reproduce import reproduce
    from tellapart.workflow.show import (
        show_activation,
        show_convolution,
        show_network,
        show_pooling,
    )
    from tellapart.workflow.train import TrainingResult, train

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
    "EvaluationResult": "tellapart.workflow.evaluate",
    "ImageSet": "tellapart.data.image_set",
    "Prediction": "tellapart.workflow.predict",
    "Recipe": "tellapart.config.recipe",
    "TellapartError": "tellapart.errors",
    "TrainingResult": "tellapart.workflow.train",
    "Watcher": "tellapart.runs.callbacks",
    "compare": "tellapart.workflow.finetune",
    "evaluate": "tellapart.workflow.evaluate",
    "finetune": "tellapart.workflow.finetune",
    "load_classifier": "tellapart.models.checkpoint",
    "load_data_set": "tellapart.data.sets.sources",
    "load_recipe": "tellapart.config.recipe",
    "predict": "tellapart.workflow.predict",
    "reproduce": "tellapart.workflow.reproduce",
    "save_classifier": "tellapart.models.checkpoint",
    "show_activation": "tellapart.workflow.show",
    "show_convolution": "tellapart.workflow.show",
    "show_network": "tellapart.workflow.show",
    "show_pooling": "tellapart.workflow.show",
    "train": "tellapart.workflow.train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
