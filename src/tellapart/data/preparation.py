"""What is to be made of image files: their form, and the splits that nobody made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tellapart.errors import ConfigError

Fit = Literal["pad", "crop"]
"""``pad``: the whole image with a border; ``crop``: its middle, filling everything."""

WHITE_LEVELS = (255, 1023, 4095, 16383, 65535)
"""What white may be in grey images stored with 16 bits: all of 8, 10, 12, 14 or 16 bits."""


NearDuplicates = Literal["together", "ignore"]
"""What holding out images makes of look-alikes: kept on one side, or each by itself."""


@dataclass(frozen=True)
class Frame:
    """The form that every image of a set is given.

    Args:
        channels: 1 for grey, 3 for RGB.
        height: pixels.
        width: pixels.
        fit: what happens where the image has another aspect than the frame.
        white_level: the value of grey images with more than 8 bits that becomes 255; one of
            `WHITE_LEVELS`. Images with 8 bits have their own, 255.

    Raises:
        ConfigError: where ``channels`` is neither 1 nor 3, a side is not positive, or the white
            level is none of those.
    """

    channels: int
    height: int
    width: int
    fit: Fit = "pad"
    white_level: int = WHITE_LEVELS[-1]

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ConfigError(
                f"images are read with 1 channel (grey) or 3 (RGB), got {self.channels}"
            )
        if self.height < 1 or self.width < 1:
            raise ConfigError(
                f"height and width must be at least 1 pixel, got {self.height}x{self.width}"
            )
        if self.white_level not in WHITE_LEVELS:
            levels = ", ".join(map(str, WHITE_LEVELS))
            raise ConfigError(f"white_level must be one of {levels}, got {self.white_level}")

    @property
    def mode(self) -> str:
        """Pillow's name for pixels of so many channels."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def num_bytes(self) -> int:
        """Of one image in it."""
        return self.channels * self.height * self.width

    def key(self) -> dict[str, Any]:
        """What tells one form from another in names of cached files and in fingerprints.

        A white level of 16 bits is left out: forms had none before.
        """
        values = asdict(self)
        if self.white_level == WHITE_LEVELS[-1]:
            del values["white_level"]
        return values

    def to_text(self) -> str:
        """``128x96 colour, padded``."""
        colour = "grey" if self.channels == 1 else "colour"
        return f"{self.width}x{self.height} {colour}, {self.fit}ped".replace("padped", "padded")


@dataclass(frozen=True)
class Preparation:
    """What a recipe, or a classifier, asks of image files; the rest is chosen by the images.

    Args:
        channels: 1 or 3; 0 chooses by the images.
        height: pixels; 0 chooses by the images.
        width: pixels; 0 chooses by the images.
        fit: see `Frame`.
        white_level: see `Frame`; 0 chooses by the images.
        test_fraction: part of each class held out for the test where no test split was given;
            0 makes none.
        validation_fraction: the same for validation.
        seed: decides which images are held out, and nothing else.
        near_duplicates: ``together`` keeps look-alikes on one side of what is held out;
            ``ignore`` counts every image by itself.
        undivided: where no split was given, give all images to this one and make no other.
        class_names: which class has which index, where a classifier knows that already; none:
            the names of the classes found, sorted.
    """

    channels: int = 0
    height: int = 0
    width: int = 0
    fit: Fit = "pad"
    white_level: int = 0
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    seed: int = 0
    near_duplicates: NearDuplicates = "together"
    undivided: str = ""
    class_names: tuple[str, ...] = ()
