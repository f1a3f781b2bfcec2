"""Giving a trained classifier the rule that flags images unlike its training images."""

from __future__ import annotations

import torch

from tellapart.models.classifier import Classifier
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.plan import Plan
from tellapart.runtime import generator
from tellapart.trust.outside.rule import MOST_REFERENCES, fit_outside

# More held-out images than this would not move the threshold.
_MOST_HELD_OUT = 2000


def with_outside_rule(classifier: Classifier, plan: Plan, callbacks: Callbacks) -> Classifier:
    """Return a trained classifier with its rule, or without one where too few images are held out.

    Args:
        classifier: on the device of the plan.
        plan: the run's images and seed.
        callbacks: is told why no image will be flagged, or why flags are weak.
    """
    device = plan.runtime.device
    order = training_order(plan)
    references, held_out = order[:MOST_REFERENCES], None
    split = plan.validation or plan.splits.get("calibration")
    if split is not None:
        images = split.images[:: -(-len(split) // _MOST_HELD_OUT)]
        held_out = images if len(images) else None
    elif plan.calibrated_on == "cross-validation":
        # The features are a network's that never saw these images: half of them are held out.
        references = order[: min(MOST_REFERENCES, len(order) // 2)]
        held_out = plan.train.images[order[len(references) :][:_MOST_HELD_OUT]]
    fit = fit_outside(classifier, plan.train.images[references], held_out, device)
    if fit.note:
        callbacks.note(fit.note)
    return fit.classifier


def training_order(plan: Plan) -> torch.Tensor:
    """Return the images of train in an order drawn by the run's seed, int64 (images,)."""
    made = generator(plan.recipe.training.seed, "references")
    return torch.randperm(len(plan.train), generator=made)
