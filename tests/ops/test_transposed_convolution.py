from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ConfigError, ShapeError
from tellapart.ops import conv2d, conv_transpose2d

FORMS = ("loops", "windows", "matrix", "fourier")


@st.composite
def transposed(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
    groups = draw(st.sampled_from((1, 1, 2)))
    channels, outputs = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    arguments = {
        "stride": stride,
        "padding": draw(st.integers(0, 1)),
        "output_padding": tuple(
            draw(st.integers(0, max(stride[axis], dilation[axis]) - 1)) for axis in (0, 1)
        ),
        "dilation": dilation,
        "groups": groups,
    }
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    images = normal(draw(st.integers(1, 2)), channels, 3, draw(st.integers(3, 4)))
    return images, normal(channels, outputs, *kernel), normal(outputs * groups), arguments


@pytest.mark.parametrize("form", FORMS)
@given(case=transposed())
@settings(max_examples=40, deadline=None)
def test_every_form_is_torch_in_values_and_gradients(same_as_torch, form: str, case):
    *tensors, arguments = case
    same_as_torch(
        lambda images, weight, bias: conv_transpose2d(images, weight, bias, form=form, **arguments),
        lambda images, weight, bias: torch.nn.functional.conv_transpose2d(
            images, weight, bias, **arguments
        ),
        *tensors,
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_backward_pass_is_the_derivative(form: str):
    generator = torch.Generator().manual_seed(0)
    tensors = tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((1, 2, 2, 3), (2, 2, 2, 2), (2,))
    )
    assert torch.autograd.gradcheck(
        lambda *tensors: conv_transpose2d(
            *tensors, stride=2, padding=1, output_padding=1, form=form
        ),
        tensors,
    )


def test_it_is_the_adjoint_of_the_convolution_with_the_same_weight():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, 8, 8, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, 3, 3, 3, generator=generator, dtype=torch.float64)
    forwards = conv2d(images, weight, stride=2, padding=1)
    other = torch.randn(forwards.shape, generator=generator, dtype=torch.float64)
    backwards = conv_transpose2d(other, weight, stride=2, padding=1, output_padding=1)
    assert backwards.shape == images.shape
    torch.testing.assert_close((forwards * other).sum(), (images * backwards).sum())


def test_under_autocast_it_is_autocasts_type():
    images, weight = torch.randn(2, 3, 4, 4), torch.randn(3, 5, 3, 3, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = conv_transpose2d(images, weight)
    assert outputs.dtype == torch.bfloat16
    outputs.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


IMAGES, WEIGHT = torch.zeros(2, 4, 3, 3), torch.zeros(4, 6, 2, 2)


@pytest.mark.parametrize(
    ("weight", "arguments", "message"),
    [
        (WEIGHT[:3], {}, r"images must have weight.shape\[0\] = 3 channels, got 4"),
        (
            WEIGHT,
            {"groups": 3},
            "groups must be at least 1 and divide channels and outputs, "
            "got 3 for 4 channels and 18 outputs",
        ),
        (WEIGHT, {"bias": torch.zeros(4)}, r"bias must be \(6,\), got \(4,\)"),
        (
            WEIGHT,
            {"output_padding": (0, 1)},
            "output_padding must be smaller than stride or dilation, "
            "got 1 with stride 1 and dilation 1",
        ),
        (WEIGHT, {"output_padding": -1}, "output_padding must be at least 0, got -1"),
        (
            WEIGHT,
            {"padding": 2},
            "the result must have at least one pixel, got 0x0; use less padding",
        ),
    ],
)
def test_what_is_refused(weight, arguments, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        conv_transpose2d(IMAGES, weight, **arguments)


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match=r"got 'winograd'$"):
        conv_transpose2d(IMAGES, WEIGHT, form="winograd")  # type: ignore[arg-type]
