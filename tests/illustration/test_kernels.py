"""A kernel is a name or numbers, and anything else is refused with what would have been right."""

import pytest
import torch

from tellapart.errors import ConfigError
from tellapart.illustration.kernels import DEFAULT, KERNELS, TUTORIAL, kernel_named


def test_numbers_are_read_row_by_row():
    expected = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.5]])
    for text in ("1,0,-1; 2,0,-2.5", "1 0 -1;2 0 -2.5", "1, 0, -1\n2, 0, -2.5;"):
        kernel = kernel_named(text)
        assert torch.equal(kernel.weight, expected)
        assert kernel.name == "yours"


@pytest.mark.parametrize("name", KERNELS)
def test_every_named_kernel_is_found_and_says_what_it_does_in_both_languages(name):
    kernel = kernel_named(name)
    assert kernel.name == name
    assert kernel.weight.dtype == torch.float32
    assert kernel.title.keys() == kernel.meaning.keys() == {"en", "zh"}


def test_an_even_area_gives_what_each_kernel_says_of_it():
    sums = {name: round(float(kernel.weight.sum()), 6) for name, kernel in KERNELS.items()}
    assert sums[DEFAULT] == sums["horizontal-edges"] == sums["edges"] == 0
    assert sums["blur"] == sums["sharpen"] == 1
    assert sums[TUTORIAL] == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("edgs", r"no kernel is called 'edgs'; did you mean 'edges'\?"),
        ("wobble", r"no kernel is called 'wobble'; known: vertical-edges, .*, tutorial"),
        ("1,2;3", "the rows of a kernel .* got 2, 1; write numbers"),
        ("1,x", "kernel '1,x' must be numbers .* row by row"),
        ("1,,2", "kernel '1,,2' must be numbers"),
        ("", "the kernel is empty; write numbers"),
        (" ; ", "the kernel is empty"),
        ("1,inf", "the numbers of a kernel must be finite in float32, got '1,inf'"),
        ("1e39", "the numbers of a kernel must be finite in float32, got '1e39'"),
    ],
)
def test_what_is_no_kernel_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        kernel_named(text)
