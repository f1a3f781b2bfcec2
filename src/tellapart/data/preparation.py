"""How image files are prepared: their form, and the splits that are held out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from tellapart.errors import ConfigError

Fit = Literal["pad", "crop", "squash"]
"""``pad``: the whole image with a border; ``crop``: its middle, filling everything; ``squash``: the
whole image, with its sides shortened unequally."""

WHITE_LEVELS = (255, 1023, 4095, 16383, 65535)
"""What white may be in grey images stored with 16 bits: all of 8, 10, 12, 14 or 16 bits."""


NearDuplicates = Literal["together", "ignore"]
"""What holding out images makes of look-alikes: kept on one side, or each by itself."""


@dataclass(frozen=True)
class Frame:
    """The form to which every image of a data set is converted.

    Args:
        channels: 1 for grey, 3 for RGB.
        height: pixels.
        width: pixels.
        fit: ``pad``, ``crop`` or ``squash``, for images of another aspect ratio.
        white_level: the value of grey images with more than 8 bits that becomes 255; one of
            `WHITE_LEVELS`, or 0: each image has the smallest that holds its values. Images with 8
            bits have their own, 255.

    Raises:
        ConfigError: ``channels`` other than 1 and 3, a side that is not positive, or another white
            level.
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
        if self.white_level not in (0, *WHITE_LEVELS):
            levels = ", ".join(map(str, WHITE_LEVELS))
            raise ConfigError(f"white_level must be one of {levels}, got {self.white_level}")

    @property
    def mode(self) -> str:
        """Pillow's name for pixels with this number of channels."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def num_bytes(self) -> int:
        """The bytes of one image in this form."""
        return self.channels * self.height * self.width

    def key(self) -> dict[str, Any]:
        """Return the key of this form in names of cached files and in fingerprints.

        A white level of 16 bits is left out, as in keys from before there were white levels.
        """
        values = asdict(self)
        if self.white_level == WHITE_LEVELS[-1]:
            del values["white_level"]
        return values

    def to_text(self) -> str:
        """Return the form in words: ``128x96 colour, padded``."""
        colour = "grey" if self.channels == 1 else "colour"
        done = {"pad": "padded", "crop": "cropped", "squash": "squashed"}[self.fit]
        return f"{self.width}x{self.height} {colour}, {done}"


@dataclass(frozen=True)
class Preparation:
    """The form and splits that a recipe or a classifier requires; 0 leaves a value to the images.

    Args:
        channels: 1 or 3; 0 chooses by the images.
        height: pixels; 0 chooses by the images.
        width: pixels; 0 chooses by the images.
        fit: see `Frame`.
        white_level: see `Frame`; 0 chooses by the images.
        test_fraction: fraction of each class held out for test if there is no test split; 0 holds
            out none.
        validation_fraction: the same for validation.
        calibration_fraction: the same for calibration, within limits (`tellapart.data.hold_out`),
            and only if there is no validation split.
        seed: decides which images are held out, and nothing else.
        near_duplicates: ``together`` keeps near duplicates in one split; ``ignore`` divides image
            by image.
        group_by: a regular expression that finds the name of an image's group in its path; empty
            for no groups, or those that a table gives.
        undivided: put all images into this split if the data has no splits; empty divides them.
        class_names: the classes in the order of a classifier; empty uses the names found, sorted.
    """

    channels: int = 0
    height: int = 0
    width: int = 0
    fit: Fit = "pad"
    white_level: int = 0
    test_fraction: float = 0.2
    validation_fraction: float = 0.0
    calibration_fraction: float = 0.0
    seed: int = 0
    near_duplicates: NearDuplicates = "together"
    group_by: str = ""
    undivided: str = ""
    class_names: tuple[str, ...] = ()
