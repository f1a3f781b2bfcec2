import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.ops import conv2d, conv_transpose2d


@given(
    channels=st.integers(2, 4),
    outputs_per_channel=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.integers(0, 2),
    transposed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_it_is_torch_in_values_and_gradients(
    same_as_torch, channels, outputs_per_channel, kernel, stride, dilation, padding, transposed
):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, channels, 6, 5, generator=generator, dtype=torch.float64)
    outputs = channels * outputs_per_channel
    weight = torch.randn(outputs, 1, *kernel, generator=generator, dtype=torch.float64)
    if transposed:
        images = torch.randn(2, outputs, 6, 5, generator=generator, dtype=torch.float64)
        ours, reference = conv_transpose2d, torch.nn.functional.conv_transpose2d
    else:
        ours, reference = conv2d, torch.nn.functional.conv2d
    arguments = {"stride": stride, "dilation": dilation, "padding": padding, "groups": channels}
    same_as_torch(
        lambda images, weight: ours(images, weight, **arguments),
        lambda images, weight: reference(images, weight, **arguments),
        images,
        weight,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept(same_as_torch, dtype: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 4, 7, 7, generator=generator).to(dtype)
    weight = torch.randn(8, 1, 3, 3, generator=generator).to(dtype) / 3
    same_as_torch(
        lambda images, weight: conv2d(images, weight, padding=1, groups=4),
        lambda images, weight: torch.nn.functional.conv2d(images, weight, padding=1, groups=4),
        images,
        weight,
    )


def test_the_backward_pass_is_the_derivative():
    generator = torch.Generator().manual_seed(0)
    tensors = tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 4, 4), (6, 1, 2, 2), (6,))
    )
    assert torch.autograd.gradcheck(
        lambda *tensors: conv2d(*tensors, stride=2, padding=1, groups=3), tensors
    )


def test_many_half_taps_are_added_up_in_float32():
    image = torch.ones(1, 2, 20, 20, dtype=torch.bfloat16)
    outputs = conv2d(image, torch.ones_like(image).view(2, 1, 20, 20), groups=2)
    assert outputs.flatten().tolist() == [400.0, 400.0]  # 256 + 1 = 256 in bfloat16
