from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops import conv2d

FORMS = ("loops", "windows", "matrix", "fourier")
PAIRS = st.tuples(st.integers(1, 2), st.integers(1, 2))


@st.composite
def convolutions(
    draw: st.DrawFn,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Images, weight, bias and arguments that fit together, in float64."""
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    channels, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    arguments = {
        "stride": draw(PAIRS),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": draw(PAIRS),
        "groups": groups,
    }
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    images = normal(draw(st.integers(1, 2)), channels, draw(st.integers(5, 6)), 6)
    return images, normal(outputs, channels // groups, *kernel), normal(outputs), arguments


@pytest.mark.parametrize("form", FORMS)
@given(case=convolutions())
@settings(max_examples=40, deadline=None)
def test_every_form_is_torch_in_values_and_gradients(same_as_torch, form: str, case):
    *tensors, arguments = case
    same_as_torch(
        lambda images, weight, bias: conv2d(images, weight, bias, form=form, **arguments),
        lambda images, weight, bias: torch.nn.functional.conv2d(images, weight, bias, **arguments),
        *tensors,
    )


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_types_are_kept(same_as_torch, form: str, dtype: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 4, 7, 7, generator=generator).to(dtype)
    weight = (torch.randn(6, 4, 3, 3, generator=generator) / 6).to(dtype)
    same_as_torch(
        lambda images, weight: conv2d(images, weight, padding=1, form=form),
        lambda images, weight: torch.nn.functional.conv2d(images, weight, padding=1),
        images,
        weight,
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_backward_pass_is_the_derivative(form: str):
    generator = torch.Generator().manual_seed(0)
    images, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((1, 2, 4, 5), (4, 1, 2, 2), (4,))
    )
    assert torch.autograd.gradcheck(
        lambda *tensors: conv2d(
            *tensors, stride=2, padding=1, dilation=(1, 2), groups=2, flip=True, form=form
        ),
        (images, weight, bias),
    )


@pytest.mark.parametrize("channels_last", [False, True])
def test_layout_and_strides_of_the_images_do_not_matter(same_as_torch, channels_last: bool):
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.randn(3, 8, 9, 9, generator=generator).contiguous(memory_format=layout)
    weight = torch.randn(4, 8, 3, 3, generator=generator).contiguous(memory_format=layout)
    same_as_torch(
        lambda images, weight: conv2d(images[:, :, ::2].mT, weight),
        lambda images, weight: torch.nn.functional.conv2d(images[:, :, ::2].mT, weight),
        images,
        weight,
    )


def test_depthwise_separable_is_two_convolutions(same_as_torch):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 6, 8, 8, generator=generator, dtype=torch.float64)
    depthwise = torch.randn(6, 1, 3, 3, generator=generator, dtype=torch.float64)
    pointwise = torch.randn(10, 6, 1, 1, generator=generator, dtype=torch.float64)
    reference = torch.nn.functional.conv2d
    same_as_torch(
        lambda images, depthwise, pointwise: conv2d(
            conv2d(images, depthwise, padding=1, groups=6), pointwise
        ),
        lambda images, depthwise, pointwise: reference(
            reference(images, depthwise, padding=1, groups=6), pointwise
        ),
        images,
        depthwise,
        pointwise,
    )


def test_flip_is_the_convolution_of_mathematics():
    # (1, 2, 3) * (1, 10) = (1, 12, 23, 30), as polynomials multiply; correlation reverses it.
    signal = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
    kernel = torch.tensor([1.0, 10.0]).view(1, 1, 1, 2)
    convolved = conv2d(signal, kernel, padding=(0, 1), flip=True)
    correlated = conv2d(signal, kernel, padding=(0, 1))
    assert convolved.flatten().tolist() == [1.0, 12.0, 23.0, 30.0]
    assert correlated.flatten().tolist() == [10.0, 21.0, 32.0, 3.0]


def test_only_the_gradients_asked_for_are_computed():
    images, weight = torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2, requires_grad=True)
    conv2d(images, weight).sum().backward()
    assert images.grad is None
    assert weight.grad is not None
    assert weight.grad.flatten().tolist() == [4.0] * 4


def test_an_empty_batch_gives_an_empty_result_and_no_gradient():
    images = torch.zeros(0, 2, 5, 5, requires_grad=True)
    weight = torch.ones(3, 2, 3, 3, requires_grad=True)
    outputs = conv2d(images, weight)
    assert outputs.shape == (0, 3, 3, 3)
    to_images, to_weight = torch.autograd.grad(outputs.sum(), (images, weight))
    assert to_images.shape == images.shape
    assert to_weight.count_nonzero() == 0


@pytest.mark.parametrize("form", FORMS[1:])
def test_under_autocast_it_is_autocasts_type_and_gradients_are_the_weights(form: str):
    images, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3, requires_grad=True)
    bias = torch.zeros(4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = conv2d(images, weight, bias, form=form)
        exact = conv2d(images.double(), weight.double(), form=form)
    assert outputs.dtype == torch.bfloat16
    assert exact.dtype == torch.float64  # as torch does
    outputs.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(outputs.double(), exact, rtol=0.02, atol=0.05)


def test_the_second_derivative_is_refused_not_wrong():
    weight = torch.ones(1, 1, 2, 2, requires_grad=True)
    outputs = conv2d(torch.ones(1, 1, 3, 3), weight)
    (gradient,) = torch.autograd.grad((outputs**2).sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


IMAGES, WEIGHT = torch.zeros(2, 4, 5, 5), torch.zeros(6, 4, 3, 3)


@pytest.mark.parametrize(
    ("images", "weight", "arguments", "message"),
    [
        (
            IMAGES[0],
            WEIGHT,
            {},
            r"images must be \(batch, channels, height, width\), got \(4, 5, 5\); "
            r"for one image pass images\[None\]",
        ),
        (IMAGES[0, 0], WEIGHT, {}, r"images must be .*, got \(5, 5\)"),
        (
            IMAGES.to(torch.uint8),
            WEIGHT,
            {},
            r"images must be floating point, got torch.uint8; convert with images.float\(\)",
        ),
        (
            IMAGES,
            WEIGHT[0],
            {},
            r"weight must be four-dimensional, .*channels first, got \(4, 3, 3\)",
        ),
        (
            IMAGES,
            WEIGHT.double(),
            {},
            "images and weight must have one type, got torch.float32 and torch.float64; "
            r"convert one with .to\(dtype\)",
        ),
        (
            IMAGES,
            WEIGHT.to("meta"),
            {},
            "images and weight must be on one device, got cpu and meta; "
            r"move one with .to\(device\)",
        ),
        (
            IMAGES,
            WEIGHT[:, :3],
            {},
            r"images must have weight.shape\[1\] \* groups = 3 \* 1 channels, got 4",
        ),
        (
            IMAGES,
            WEIGHT,
            {"groups": 3},
            "groups must be at least 1 and divide channels and outputs, "
            "got 3 for 4 channels and 6 outputs",
        ),
        (IMAGES, WEIGHT, {"groups": 0}, "groups must be at least 1 .*, got 0 for .*"),
        (IMAGES, WEIGHT, {"bias": torch.zeros(5)}, r"bias must be \(6,\), got \(5,\)"),
        (
            IMAGES,
            WEIGHT,
            {"dilation": 3},
            "a window that spans 7x7 pixels must fit the padded image, got 5x5; "
            "use a smaller kernel or more padding",
        ),
    ],
)
def test_what_is_refused(images, weight, arguments, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        conv2d(images, weight, **arguments)


def test_an_unknown_form_is_refused():
    with pytest.raises(
        ConfigError, match=r"^form must be one of loops, windows, matrix, fourier, got 'winograd'$"
    ):
        conv2d(IMAGES, WEIGHT, form="winograd")  # type: ignore[arg-type]
