"""Early stopping waits its patience out and remembers the best weights, not the last."""

import math

import pytest
import torch

from tellapart.training.early_stopping import EarlyStopping


def run(patience, losses):
    """The watcher after these losses, and the epoch at which it said stop."""
    callbacks = EarlyStopping(patience)
    for epoch, loss in enumerate(losses, start=1):
        callbacks.observe(epoch, loss, {"w": torch.tensor(float(epoch))})
        if callbacks.should_stop(epoch):
            return callbacks, epoch
    return callbacks, None


@pytest.mark.parametrize(
    ("patience", "losses", "best", "stop"),
    [
        (2, [3, 2, 1, 2, 2, 0], 3, 5),
        (1, [3, 2, 2.5, 1], 2, 3),
        (3, [1, 2, 2, 2, 0], 1, 4),
        (2, [3, 4, 2, 3, 1], 5, None),
        (2, [1, 1, 1], 1, 3),  # as low is not lower
        (2, [math.nan, 2, math.nan, math.nan], 2, 4),
        (2, [math.inf, math.inf], 0, 2),
    ],
)
def test_it_stops_after_patience_epochs_without_a_lower_loss(patience, losses, best, stop):
    callbacks, stopped = run(patience, losses)
    assert stopped == stop
    assert callbacks.best_epoch == best
    if best:
        assert callbacks.best_loss == losses[best - 1]
        assert callbacks.best_weights["w"].item() == best


def test_without_patience_it_never_stops_and_copies_nothing():
    callbacks, stopped = run(0, [1, 2, 3, 4])
    assert stopped is None
    assert callbacks.best_weights == {}


def test_the_best_weights_are_a_copy():
    weights = {"w": torch.ones(2)}
    callbacks = EarlyStopping(1)
    callbacks.observe(1, 0.5, weights)
    weights["w"].zero_()
    assert torch.equal(callbacks.best_weights["w"], torch.ones(2))
