import pytest
import torch

from tellapart.ops.arguments import (
    accumulation_dtype,
    lowered_by_autocast,
    pair,
    raised_by_autocast,
)


@pytest.mark.parametrize(
    ("value", "expected"), [(3, (3, 3)), ((1, 2), (1, 2)), (torch.Size((4, 5)), (4, 5))]
)
def test_one_number_stands_for_both(value, expected: tuple[int, int]):
    assert pair(value, subject="stride", at_least=1) == expected


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_only_half_types_are_summed_wider(dtype: torch.dtype, expected: torch.dtype):
    assert accumulation_dtype(dtype) == expected


def test_without_autocast_nothing_is_converted():
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        values = torch.ones(2, dtype=dtype)
        assert lowered_by_autocast(values) is values
        assert raised_by_autocast(values) is values


def test_a_device_without_autocast_is_left_alone():
    values = torch.ones(2, device="meta")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert lowered_by_autocast(values) is values
