import pytest
import torch

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops import channel_dropout, dropout


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_dropped_and_the_expectation_are_right(probability: float):
    values = torch.ones(100_000)
    dropped = dropout(values, probability, generator=seeded())
    # Five standard deviations of a binomial fraction.
    tolerance = 5 * (probability * (1 - probability) / len(values)) ** 0.5
    assert (dropped == 0).double().mean().item() == pytest.approx(probability, abs=tolerance)
    assert dropped.mean().item() == pytest.approx(1.0, abs=tolerance / (1 - probability))
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))


def test_the_generator_decides_and_nothing_else():
    values = torch.ones(50)
    torch.manual_seed(1)
    first = dropout(values, generator=seeded(3))
    torch.manual_seed(2)
    assert torch.equal(first, dropout(values, generator=seeded(3)))
    assert not torch.equal(first, dropout(values, generator=seeded(4)))


def test_whole_channels_are_dropped():
    images = torch.ones(20, 30, 4, 4)
    dropped = channel_dropout(images, 0.25, generator=seeded())
    of_channel = dropped.flatten(2)
    assert torch.equal(of_channel.amin(2), of_channel.amax(2))
    assert 0.15 < (of_channel[..., 0] == 0).double().mean() < 0.35
    assert not torch.equal(of_channel[0], of_channel[1])  # each image has its own


@pytest.mark.parametrize("operation", [dropout, channel_dropout])
def test_the_gradient_passes_where_the_value_passed(operation):
    images = torch.randn(3, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    outputs = operation(images, 0.5, generator=seeded())
    (gradient,) = torch.autograd.grad(outputs.sum(), images)
    torch.testing.assert_close(gradient * images, outputs)
    assert gradient.unique().tolist() == [0.0, 2.0]
    assert torch.autograd.gradcheck(
        lambda images: operation(images, 0.5, generator=seeded()), (images,)
    )


@pytest.mark.parametrize("operation", [dropout, channel_dropout])
def test_nothing_happens_in_evaluation_and_with_probability_zero(operation):
    images = torch.randn(2, 3, 4, 4)
    generator = seeded()
    assert operation(images, 0.5, generator=generator, training=False) is images
    assert operation(images, 0.0, generator=generator) is images
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_probability_one_drops_everything_without_dividing_by_zero():
    values = torch.randn(1000, requires_grad=True)
    dropped = dropout(values, 1.0, generator=seeded())
    dropped.sum().backward()
    assert dropped.count_nonzero() == 0
    assert values.grad is not None
    assert values.grad.count_nonzero() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_types_are_kept(dtype: torch.dtype):
    assert dropout(torch.ones(10, dtype=dtype), generator=seeded()).dtype == dtype


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_probability_outside_its_range_is_refused(probability: float):
    with pytest.raises(ConfigError, match=f"^probability must lie in 0..1, got {probability}$"):
        dropout(torch.ones(3), probability, generator=seeded())


def test_what_is_not_an_image_or_not_floating_is_refused():
    with pytest.raises(ShapeError, match=r"^images must be \(batch, channels, height, width\)"):
        channel_dropout(torch.ones(3, 4, 4), generator=seeded())
    with pytest.raises(ShapeError, match=r"^values must be floating point, got torch.int64"):
        dropout(torch.tensor([1]), generator=seeded())
