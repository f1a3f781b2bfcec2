"""The form that images are given: what is refused, and the message."""

import pytest

from tellapart.data.preparation import Frame
from tellapart.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "message"),
    [((2, 4, 4), r"1 channel \(grey\) or 3 \(RGB\), got 2"), ((1, 0, 4), "1 pixel, got 0x4")],
)
def test_an_impossible_frame_cannot_be_made(values, message):
    with pytest.raises(ConfigError, match=message):
        Frame(*values)


def test_a_frame_in_words():
    assert Frame(3, 96, 128).to_text() == "128x96 colour, padded"
    assert Frame(1, 28, 28, "crop").to_text() == "28x28 grey, cropped"
    assert Frame(3, 224, 224, "squash").to_text() == "224x224 colour, squashed"


def test_a_frame_in_bytes_and_modes():
    assert Frame(3, 96, 128).num_bytes == 3 * 96 * 128
    assert (Frame(1, 2, 2).mode, Frame(3, 2, 2).mode) == ("L", "RGB")


def test_a_white_level_is_one_of_a_usual_number_of_bits():
    assert Frame(1, 8, 8, white_level=4095).white_level == 4095
    with pytest.raises(ConfigError, match=r"4095.*got 4096"):
        Frame(1, 8, 8, white_level=4096)


def test_the_usual_white_level_is_no_part_of_a_forms_key():
    assert "white_level" not in Frame(1, 8, 8).key()
    assert Frame(1, 8, 8, white_level=4095).key()["white_level"] == 4095
