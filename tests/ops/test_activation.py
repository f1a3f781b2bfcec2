import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ShapeError
from tellapart.ops import leaky_relu, log_softmax, relu, relu6, sigmoid, softmax, tanh

functional = torch.nn.functional
PAIRS = [
    pytest.param(relu, functional.relu, id="relu"),
    pytest.param(relu6, functional.relu6, id="relu6"),
    pytest.param(
        lambda values: leaky_relu(values, 0.2),
        lambda values: functional.leaky_relu(values, 0.2),
        id="leaky_relu",
    ),
    pytest.param(sigmoid, torch.sigmoid, id="sigmoid"),
    pytest.param(tanh, torch.tanh, id="tanh"),
    pytest.param(softmax, lambda values: values.softmax(-1), id="softmax"),
    pytest.param(lambda values: softmax(values, 0), lambda values: values.softmax(0), id="rows"),
    pytest.param(log_softmax, lambda values: values.log_softmax(-1), id="log_softmax"),
]
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@given(shape=SHAPES, scale=st.sampled_from((0.0, 1.0, 100.0)), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_every_one_is_torch_in_values_and_gradients(
    same_as_torch, ours, reference, shape: list[int], scale: float, seed: int
):
    generator = torch.Generator().manual_seed(seed)
    values = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    same_as_torch(ours, reference, values)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept(same_as_torch, ours, reference, dtype: torch.dtype):
    values = torch.randn(4, 10, generator=torch.Generator().manual_seed(0)).to(dtype)
    same_as_torch(ours, reference, values)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_the_backward_pass_is_the_derivative(ours, reference):
    values = torch.tensor([[-2.0, -0.5, 0.3], [1.0, 4.0, -3.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(ours, (values.requires_grad_(),))


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_the_extremes_are_finite_and_right(ours, reference):
    values = torch.tensor([-1e4, -90.0, -0.0, 1e-30, 90.0, 1e4])
    torch.testing.assert_close(ours(values), reference(values))


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_a_nan_is_not_swallowed(ours, reference):
    assert ours(torch.tensor([torch.nan, 1.0]))[0].isnan()


def test_tanh_keeps_its_digits_near_zero():
    values = torch.tensor([1e-7, -1e-7])
    torch.testing.assert_close(tanh(values), values, rtol=1e-6, atol=0.0)


def test_a_softmax_of_many_half_numbers_adds_up_to_one():
    probabilities = softmax(torch.zeros(1000, dtype=torch.bfloat16))
    assert probabilities.float().sum().item() == pytest.approx(1.0, rel=0.005)


def test_relu6_has_no_gradient_at_its_bends(same_as_torch):
    bends = torch.tensor([-0.0, 0.0, 6.0, 5.9, 6.1], requires_grad=True)
    relu6(bends).sum().backward()
    assert bends.grad.tolist() == [0, 0, 0, 1, 0]
    same_as_torch(relu6, functional.relu6, bends)


@pytest.mark.parametrize(
    "operation", [relu, relu6, leaky_relu, sigmoid, tanh, softmax, log_softmax]
)
def test_whole_numbers_are_refused(operation):
    with pytest.raises(
        ShapeError,
        match=r"^values must be floating point, got torch.int64; convert with values.float\(\)$",
    ):
        operation(torch.tensor([1, 2]))
