"""Logits come in the order of the images, and every submodule gets its own mode back."""

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError, ShapeError
from tellapart.evaluation import predict_logits

CPU = torch.device("cpu")


class MeanBrightness(nn.Module):
    """Gives an image's mean and its negative; batch norm and dropout betray a training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.dropout = nn.Dropout(0.5)
        self.batch_sizes = []

    def forward(self, images):
        assert images.dtype == torch.uint8
        assert not torch.is_grad_enabled()
        self.batch_sizes.append(len(images))
        mean = images.double().mean((1, 2, 3)).float()
        return self.dropout(self.norm(torch.stack([mean, -mean], 1)))


def images_of(count):
    return torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 2, 2)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 1000])
def test_logits_come_in_the_order_of_the_images_whatever_the_batch_size(batch_size):
    classifier = MeanBrightness()
    logits = predict_logits(classifier, images_of(10), batch_size=batch_size, device=CPU)
    scale = (1 + classifier.norm.eps) ** -0.5
    expected = torch.arange(10.0) * scale
    torch.testing.assert_close(logits, torch.stack([expected, -expected], 1))
    assert logits.dtype == torch.float32
    assert sum(classifier.batch_sizes) == 10
    assert max(classifier.batch_sizes) == min(batch_size, 10)


def test_every_submodule_gets_its_own_mode_back_even_after_an_error():
    classifier = MeanBrightness()
    classifier.train()
    classifier.norm.eval()  # frozen
    modes = [part.training for part in classifier.modules()]
    predict_logits(classifier, images_of(3), device=CPU)
    assert [part.training for part in classifier.modules()] == modes == [True, False, True]
    with pytest.raises(ConnectionError):
        predict_logits(classifier, images_of(3), device=CPU, autocast=unavailable)
    assert [part.training for part in classifier.modules()] == modes


def unavailable():
    raise ConnectionError


def test_logits_are_ordinary_tensors_that_autograd_accepts():
    logits = predict_logits(MeanBrightness(), images_of(3), device=CPU)
    temperature = torch.ones(1, requires_grad=True)
    (logits * temperature).square().sum().backward()
    assert temperature.grad is not None
    assert not logits.requires_grad


def test_autocast_surrounds_every_batch_and_logits_are_float32_still():
    classifier = nn.Sequential(Flat(), nn.Linear(4, 2))
    half = predict_logits(
        classifier, images_of(6), device=CPU, autocast=lambda: torch.autocast("cpu", torch.bfloat16)
    )
    full = predict_logits(classifier, images_of(6), device=CPU)
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.02, atol=0.05)


class Flat(nn.Module):
    def forward(self, images):
        return images.flatten(1).float()


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8), images_of(0)]
)
def test_images_of_another_kind_are_refused(images):
    with pytest.raises(ShapeError, match=r"images must be uint8 .* at least one image, got torch"):
        predict_logits(MeanBrightness(), images, device=CPU)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        predict_logits(MeanBrightness(), images_of(2), batch_size=0, device=CPU)


def test_a_module_that_gives_no_logits_is_refused():
    with pytest.raises(ShapeError, match=r"logits \(2, classes\) .* got \(2, 1, 2, 2\)"):
        predict_logits(nn.Identity(), images_of(2), device=CPU)
