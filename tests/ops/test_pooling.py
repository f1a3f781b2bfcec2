from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ShapeError
from tellapart.ops import avg_pool2d, global_avg_pool2d, max_pool2d

functional = torch.nn.functional


@st.composite
def poolings(draw: st.DrawFn) -> tuple[torch.Tensor, tuple[int, int], dict[str, Any]]:
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    arguments = {
        "stride": draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": tuple(draw(st.integers(0, size // 2)) for size in kernel),
    }
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(5, 7)), 6)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    # Few different values: most windows hold a tie. All negative: zero padding would win.
    images = torch.randint(-3, 0, shape, generator=generator).double()
    if draw(st.booleans()):
        images = images.contiguous(memory_format=torch.channels_last)
    return images, kernel, arguments


@given(case=poolings(), dilation=st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_max_is_torch_in_values_and_gradients_also_where_pixels_tie(
    same_as_torch, case, dilation: int
):
    images, kernel, arguments = case
    same_as_torch(
        lambda images: max_pool2d(images, kernel, dilation=dilation, **arguments),
        lambda images: functional.max_pool2d(images, kernel, dilation=dilation, **arguments),
        images,
    )


@given(case=poolings(), count_include_pad=st.booleans())
@settings(max_examples=60, deadline=None)
def test_average_is_torch_in_values_and_gradients(same_as_torch, case, count_include_pad: bool):
    images, kernel, arguments = case
    arguments["count_include_pad"] = count_include_pad
    same_as_torch(
        lambda images: avg_pool2d(images, kernel, **arguments),
        lambda images: functional.avg_pool2d(images, kernel, **arguments),
        images,
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_types_are_kept(same_as_torch, dtype: torch.dtype):
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    arguments = {"kernel_size": 3, "stride": 2, "padding": 1}
    for ours, reference in (
        (max_pool2d, functional.max_pool2d),
        (avg_pool2d, functional.avg_pool2d),
    ):
        same_as_torch(
            lambda images, ours=ours: ours(images, **arguments),
            lambda images, reference=reference: reference(images, **arguments),
            images,
        )
    same_as_torch(global_avg_pool2d, lambda images: images.mean((2, 3)), images)


def test_the_first_of_equal_pixels_takes_the_gradient():
    image = torch.ones(1, 1, 2, 2, requires_grad=True)
    max_pool2d(image, 2).backward()
    assert image.grad is not None
    assert image.grad[0, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_pixel_that_wins_twice_receives_both_gradients():
    image = torch.tensor([0.0, 5.0, 0.0]).view(1, 1, 1, 3).requires_grad_()
    max_pool2d(image, (1, 2), stride=1).sum().backward()
    assert image.grad is not None
    assert image.grad.flatten().tolist() == [0.0, 2.0, 0.0]


def test_a_nan_is_not_swallowed():
    image = torch.tensor([[1.0, torch.nan], [3.0, 4.0]]).view(1, 1, 2, 2)
    assert max_pool2d(image, 2).isnan().all()


@pytest.mark.parametrize(
    "pool",
    [
        lambda images: max_pool2d(images, 2, stride=1, padding=1),
        lambda images: avg_pool2d(images, (2, 3), stride=1, padding=1),
        lambda images: avg_pool2d(images, 2, padding=1, count_include_pad=False),
        global_avg_pool2d,
    ],
)
def test_the_backward_pass_is_the_derivative(pool):
    # Distinct values well apart: the maximum has a derivative everywhere near them.
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    images = order.double().view(1, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(pool, (images,))


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
@pytest.mark.parametrize(
    ("images", "kernel_size", "arguments", "message"),
    [
        (
            torch.zeros(1, 4, 4),
            2,
            {},
            r"images must be \(batch, channels, height, width\), got \(1, 4, 4\); "
            r"for one image pass images\[None\]",
        ),
        (
            torch.zeros(1, 1, 4, 4).int(),
            2,
            {},
            "images must be floating point, got torch.int32; .*",
        ),
        (torch.zeros(1, 1, 4, 4), 0, {}, "kernel_size must be at least 1, got 0"),
        (torch.zeros(1, 1, 4, 4), 2, {"stride": 0}, "stride must be at least 1, got 0"),
        (
            torch.zeros(1, 1, 4, 4),
            2,
            {"padding": 2},
            "padding must be at most half of the 2x2 pixels that the window spans, got 2: .*",
        ),
        (
            torch.zeros(1, 1, 4, 4),
            5,
            {},
            "a window that spans 5x5 pixels must fit the padded image, got 4x4; "
            "use a smaller kernel or more padding",
        ),
    ],
)
def test_what_is_refused(pool, images, kernel_size, arguments, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        pool(images, kernel_size, **arguments)


def test_global_average_refuses_one_image():
    with pytest.raises(ShapeError, match=r"^images must be \(batch, .* pass images\[None\]$"):
        global_avg_pool2d(torch.zeros(1, 4, 4))
