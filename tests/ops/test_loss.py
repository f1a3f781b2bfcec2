import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ConfigError, DataError, ShapeError
from tellapart.ops import cross_entropy, squared_error

REDUCTIONS = ("mean", "sum", "none")


def torchs_cross_entropy(logits, labels, **arguments):
    return torch.nn.functional.cross_entropy(logits, labels, **arguments)


def torchs_squared_error(logits, labels, *, label_smoothing=0.0, reduction="mean"):
    """The Brier score in torch's functions, with torch's gradients."""
    classes = logits.shape[1]
    targets = torch.nn.functional.one_hot(labels, classes).to(logits.dtype)
    targets = (1 - label_smoothing) * targets + label_smoothing / classes
    losses = (torch.nn.functional.softmax(logits, 1) - targets).square().sum(1)
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()


LOSSES = [(cross_entropy, torchs_cross_entropy), (squared_error, torchs_squared_error)]
both_losses = pytest.mark.parametrize(("ours", "reference"), LOSSES, ids=["entropy", "squared"])


@both_losses
@given(
    batch=st.integers(1, 5),
    classes=st.integers(1, 6),
    smoothing=st.sampled_from((0.0, 0.1, 1.0)),
    reduction=st.sampled_from(REDUCTIONS),
    scale=st.sampled_from((1.0, 100.0)),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_it_is_torch_in_values_and_gradients(
    same_as_torch, ours, reference, batch, classes, smoothing, reduction, scale, seed
):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(batch, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (batch,), generator=generator)
    arguments = {"label_smoothing": smoothing, "reduction": reduction}
    same_as_torch(
        lambda logits: ours(logits, labels, **arguments),
        lambda logits: reference(logits, labels, **arguments),
        logits,
    )


@both_losses
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_are_kept(same_as_torch, ours, reference, dtype: torch.dtype):
    logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)).to(dtype)
    labels = torch.arange(8)
    same_as_torch(
        lambda logits: ours(logits, labels),
        lambda logits: reference(logits, labels),
        logits,
    )


@both_losses
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_backward_pass_is_the_derivative(ours, reference, reduction: str):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 3, 3])
    assert torch.autograd.gradcheck(
        lambda logits: ours(logits, labels, label_smoothing=0.1, reduction=reduction),
        (logits,),
    )


def test_the_gradient_is_softmax_minus_one_hot():
    logits = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    cross_entropy(logits, torch.tensor([1])).backward()
    expected = logits.detach().softmax(1) - torch.tensor([[0.0, 1.0, 0.0]])
    torch.testing.assert_close(logits.grad, expected)


def test_a_hopeless_logit_has_a_finite_loss_and_gradient():
    logits = torch.tensor([[-1e5, 1e5]], requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([0]))
    loss.backward()
    assert loss.item() == 2e5
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-1.0, 1.0]]


def test_squared_error_does_not_move_a_hopeless_logit_and_cross_entropy_does():
    """Why classifiers are trained on the latter: wrong by 20, one gradient is 1, the other 1e-8."""
    gradients = []
    for loss in (cross_entropy, squared_error):
        logits = torch.tensor([[-10.0, 10.0]], requires_grad=True)
        loss(logits, torch.tensor([0])).backward()
        gradients.append(float(logits.grad.abs().max()))
    assert gradients[0] > 0.999
    assert 0 < gradients[1] < 1e-7


@pytest.mark.parametrize(("logit", "loss"), [(-1e5, 2.0), (1e5, 0.0)])
def test_squared_error_lies_between_0_and_2(logit: float, loss: float):
    logits = torch.tensor([[logit, -logit]])
    assert squared_error(logits, torch.tensor([0])).item() == loss


@pytest.mark.parametrize("ours", [cross_entropy, squared_error])
def test_under_autocast_the_loss_is_float32(ours):
    logits = torch.randn(4, 10).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = ours(logits, torch.arange(4))
    assert loss.dtype == torch.float32
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16


LOGITS, LABELS = torch.zeros(2, 3), torch.tensor([0, 2])


@pytest.mark.parametrize("ours", [cross_entropy, squared_error])
@pytest.mark.parametrize(
    ("logits", "labels", "arguments", "error", "message"),
    [
        (LOGITS[0], LABELS, {}, ShapeError, r"logits must be \(batch, classes\), got \(3,\)"),
        (
            LOGITS,
            LABELS.int(),
            {},
            ShapeError,
            r"labels must be int64 \(2,\), one per row of logits, got torch.int32 \(2,\)",
        ),
        (
            LOGITS,
            torch.zeros(3).long(),
            {},
            ShapeError,
            r"labels must be int64 \(2,\), one per row of logits, got torch.int64 \(3,\)",
        ),
        (LOGITS, LABELS + 1, {}, DataError, r"labels must lie in 0..2, got 1..3"),
        (LOGITS, LABELS - 1, {}, DataError, r"labels must lie in 0..2, got -1..1"),
        (
            LOGITS,
            LABELS,
            {"label_smoothing": 1.5},
            ConfigError,
            r"label_smoothing must lie in 0..1, got 1.5",
        ),
        (
            LOGITS,
            LABELS,
            {"reduction": "average"},
            ConfigError,
            "reduction must be mean, sum or none, got 'average'",
        ),
    ],
)
def test_what_is_refused(ours, logits, labels, arguments, error, message: str):
    with pytest.raises(error, match=f"^{message}$"):
        ours(logits, labels, **arguments)
