import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops import batch_norm, layer_norm

functional = torch.nn.functional


def normal(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


@given(
    batch=st.integers(2, 4),
    channels=st.integers(1, 3),
    places=st.lists(st.integers(1, 4), max_size=2),
    training=st.booleans(),
    tensors=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_batch_norm_is_torch_in_values_gradients_and_running_statistics(
    same_as_torch, batch, channels, places, training, tensors
):
    statistics = [(normal(channels), normal(channels).exp()) for _ in range(2)]

    def ours(images, *affine):
        mean, var = statistics[0]
        return batch_norm(
            images, *affine, running_mean=mean, running_var=var, training=training, momentum=0.3
        )

    def reference(images, *affine):
        mean, var = statistics[1]
        return functional.batch_norm(images, mean, var, *affine, training=training, momentum=0.3)

    images = 3.0 + 2.0 * normal(batch, channels, *places)
    same_as_torch(
        ours, reference, *(images, normal(channels, seed=1), normal(channels, seed=2))[:tensors]
    )
    torch.testing.assert_close(statistics[0], statistics[1])


@given(
    leading=st.lists(st.integers(1, 3), max_size=2),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    tensors=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_layer_norm_is_torch_in_values_and_gradients(same_as_torch, leading, shape, tensors):
    same_as_torch(
        lambda features, *affine: layer_norm(features, tuple(shape), *affine),
        lambda features, *affine: functional.layer_norm(features, shape, *affine),
        *(normal(*leading, *shape), normal(*shape, seed=1), normal(*shape, seed=2))[:tensors],
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept_and_half_images_go_with_float32_weights(same_as_torch, dtype):
    images = normal(4, 3, 5, 5, dtype=dtype)
    weight, bias = normal(3, dtype=torch.float32, seed=1), normal(3, dtype=torch.float32, seed=2)
    same_as_torch(
        lambda *tensors: batch_norm(*tensors, training=True),
        lambda images, *affine: functional.batch_norm(images, None, None, *affine, training=True),
        images,
        weight,
        bias,
    )
    features = normal(4, 8, dtype=dtype)
    same_as_torch(
        lambda features: layer_norm(features, (8,)),
        lambda features: functional.layer_norm(features, (8,)),
        features,
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_backward_pass_of_batch_norm_is_the_derivative(training: bool):
    tensors = (normal(3, 2, 2, 2), normal(2, seed=1), normal(2, seed=2))
    mean, var = normal(2, seed=3), normal(2, seed=4).exp()
    assert torch.autograd.gradcheck(
        lambda *tensors: batch_norm(
            *tensors, running_mean=mean.clone(), running_var=var.clone(), training=training
        ),
        tuple(tensor.requires_grad_() for tensor in tensors),
    )


def test_the_backward_pass_of_layer_norm_is_the_derivative():
    tensors = (normal(2, 3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2))
    assert torch.autograd.gradcheck(
        lambda features, *affine: layer_norm(features, (3, 4), *affine),
        tuple(tensor.requires_grad_() for tensor in tensors),
    )


def test_the_gradient_holds_no_common_shift_and_no_common_scale():
    images = normal(8, 1, 4, 4).requires_grad_()
    outputs = batch_norm(images, training=True, eps=0.0)
    (gradient,) = torch.autograd.grad(outputs, images, normal(8, 1, 4, 4, seed=1))
    assert gradient.sum().abs() < 1e-12
    assert (gradient * images).sum().abs() < 1e-12


def test_a_half_batch_far_from_zero_keeps_its_variance():
    images = (100.0 + normal(4096, 1)).bfloat16()
    outputs = batch_norm(images, training=True).float()
    assert outputs.mean().abs() < 0.02
    assert outputs.std().item() == pytest.approx(1.0, abs=0.02)


IMAGES = torch.zeros(4, 3, 2, 2)


@pytest.mark.parametrize(
    ("images", "arguments", "error", "message"),
    [
        (
            torch.zeros(4),
            {"training": True},
            ShapeError,
            r"images must be \(batch, channels, ...\), got \(4,\)",
        ),
        (
            IMAGES.int(),
            {"training": True},
            ShapeError,
            r"images must be floating point, got torch.int32; convert with images.float\(\)",
        ),
        (
            IMAGES,
            {"training": True, "weight": torch.zeros(4)},
            ShapeError,
            r"weight must be \(3,\), got \(4,\)",
        ),
        (
            IMAGES,
            {"training": True, "running_var": torch.zeros(2)},
            ShapeError,
            r"running_var must be \(3,\), got \(2,\)",
        ),
        (
            torch.zeros(1, 3),
            {"training": True},
            ShapeError,
            "images must hold more than one value per channel to train batch_norm, "
            r"got \(1, 3\); use a larger batch, or training=False",
        ),
        (
            IMAGES,
            {"training": False},
            ConfigError,
            "batch_norm needs running_mean and running_var to evaluate, got none; "
            "pass them, or training=True to use the batch's own",
        ),
        (
            IMAGES,
            {"training": True, "momentum": 2.0},
            ConfigError,
            r"momentum must lie in 0..1, got 2.0",
        ),
    ],
)
def test_what_batch_norm_refuses(images, arguments, error, message: str):
    with pytest.raises(error, match=f"^{message}$"):
        batch_norm(images, **arguments)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((4,), {}, r"features must end in normalized_shape \(4,\), got \(2, 3\)"),
        ((), {}, r"features must end in normalized_shape \(\), got \(2, 3\)"),
        ((3,), {"bias": torch.zeros(2)}, r"bias must be \(3,\), got \(2,\)"),
    ],
)
def test_what_layer_norm_refuses(shape, arguments, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        layer_norm(torch.zeros(2, 3), shape, **arguments)
