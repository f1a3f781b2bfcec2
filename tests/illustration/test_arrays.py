"""What is packed is unpacked to the same bits, and no text can break out of the page's data."""

import base64
import json

import numpy as np
import pytest
import torch

from tellapart.illustration.arrays import embedded, packed


@pytest.mark.parametrize(
    "values",
    [
        torch.tensor([[0.1, -0.0, 1e-40], [torch.inf, -torch.inf, 3.4e38]]),
        torch.arange(-128, 128).to(torch.int8).view(2, 128),
        torch.arange(6.0).view(2, 3).T,
    ],
)
def test_the_bits_survive(values):
    written = packed(values)
    array = np.frombuffer(base64.b64decode(written["bytes"]), dtype=written["type"])
    again = torch.from_numpy(array.reshape(written["shape"]).copy())
    assert again.dtype == values.dtype
    assert torch.equal(again.view(torch.int8), values.contiguous().view(torch.int8))


def test_text_cannot_end_the_element_that_holds_it():
    hostile = "</script><script>alert(1)</script><!--"
    written = embedded({"caption": hostile})
    assert written.count("<") == 2
    content = written[written.index(">") + 1 : written.rindex("<")]
    assert json.loads(content) == {"caption": hostile}


def test_a_number_that_json_does_not_have_is_refused():
    with pytest.raises(ValueError, match="Out of range float"):
        embedded({"value": float("nan")})
