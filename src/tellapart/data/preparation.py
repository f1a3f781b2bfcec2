"""What is to be made of picture files: their form, and the splits that nobody made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tellapart.errors import ConfigError

Fit = Literal["pad", "crop"]
"""``pad``: the whole picture with a border; ``crop``: its middle, filling everything."""


NearDuplicates = Literal["together", "ignore"]
"""What holding out images makes of look-alikes: kept on one side, or each by itself."""


@dataclass(frozen=True)
class Frame:
    """The form that every picture of a set is given.

    Args:
        channels: 1 for grey, 3 for RGB.
        height: pixels.
        width: pixels.
        fit: what happens where the picture has another aspect than the frame.

    Raises:
        ConfigError: where ``channels`` is neither 1 nor 3, or a side is not positive.
    """

    channels: int
    height: int
    width: int
    fit: Fit = "pad"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ConfigError(
                f"pictures are read with 1 channel (grey) or 3 (RGB), got {self.channels}"
            )
        if self.height < 1 or self.width < 1:
            raise ConfigError(
                f"height and width must be at least 1 pixel, got {self.height}x{self.width}"
            )

    @property
    def mode(self) -> str:
        """Pillow's name for pixels of so many channels."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def num_bytes(self) -> int:
        """Of one picture in it."""
        return self.channels * self.height * self.width

    def to_text(self) -> str:
        """``128x96 colour, padded``."""
        colour = "grey" if self.channels == 1 else "colour"
        return f"{self.width}x{self.height} {colour}, {self.fit}ped".replace("padped", "padded")


@dataclass(frozen=True)
class Preparation:
    """What a recipe, or a classifier, asks of picture files; the rest is chosen from the pictures.

    Args:
        channels: 1 or 3; 0 chooses by the pictures.
        height: pixels; 0 chooses by the pictures.
        width: pixels; 0 chooses by the pictures.
        fit: see `Frame`.
        test_fraction: part of each class held out for the test where no test split was given;
            0 makes none.
        validation_fraction: the same for validation.
        seed: decides which pictures are held out, and nothing else.
        near_duplicates: ``together`` keeps look-alikes on one side of what is held out;
            ``ignore`` counts every picture by itself.
        undivided: where no split was given, give all pictures to this one and make no other.
        class_names: which class has which index, where a classifier knows that already; none:
            the names of the pictures themselves, sorted.
    """

    channels: int = 0
    height: int = 0
    width: int = 0
    fit: Fit = "pad"
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    seed: int = 0
    near_duplicates: NearDuplicates = "together"
    undivided: str = ""
    class_names: tuple[str, ...] = ()
