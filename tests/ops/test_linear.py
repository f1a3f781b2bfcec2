import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ShapeError
from tellapart.ops import linear


@given(
    leading=st.lists(st.integers(0, 3), max_size=3),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 5),
    biased=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_it_is_torch_in_values_and_gradients(
    same_as_torch, leading: list[int], inputs: int, outputs: int, biased: bool
):
    generator = torch.Generator().manual_seed(0)
    shapes = [(*leading, inputs), (outputs, inputs), (outputs,)]
    tensors = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    same_as_torch(linear, torch.nn.functional.linear, *tensors[: 3 if biased else 2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept(same_as_torch, dtype: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    features, weight, bias = (
        torch.randn(shape, generator=generator).to(dtype) for shape in ((4, 6), (3, 6), (3,))
    )
    same_as_torch(linear, torch.nn.functional.linear, features, weight, bias)


def test_the_backward_pass_is_the_derivative():
    generator = torch.Generator().manual_seed(0)
    tensors = tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 3, 4), (5, 4), (5,))
    )
    assert torch.autograd.gradcheck(linear, tensors)


def test_under_autocast_it_is_autocasts_type_and_gradients_are_the_weights():
    features, weight = torch.randn(4, 6), torch.randn(3, 6, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = linear(features, weight, torch.zeros(3))
    assert outputs.dtype == torch.bfloat16
    outputs.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("features", "weight", "bias", "message"),
    [
        (
            torch.zeros(2, 3, 28),
            torch.zeros(10, 84),
            None,
            r"features must be \(..., 84\), as weight is \(10, 84\), got \(2, 3, 28\); "
            r"flatten images with .flatten\(1\)",
        ),
        (
            torch.zeros(2, 3),
            torch.zeros(3),
            None,
            r"weight must be \(outputs, inputs\), got \(3,\)",
        ),
        (
            torch.zeros(2, 3),
            torch.zeros(4, 3),
            torch.zeros(3),
            r"bias must be \(4,\), got \(3,\)",
        ),
        (
            torch.zeros(2, 3).long(),
            torch.zeros(4, 3),
            None,
            r"features must be floating point, got torch.int64; convert with features.float\(\)",
        ),
        (
            torch.zeros(2, 3).double(),
            torch.zeros(4, 3),
            None,
            "features and weight must have one type, got torch.float64 and torch.float32; "
            r"convert one with .to\(dtype\)",
        ),
    ],
)
def test_what_is_refused(features, weight, bias, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        linear(features, weight, bias)
